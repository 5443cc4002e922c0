"""The demo's daemon: a real `pitboss up` in a folder of its own, killed and started again as a service manager would.

Nothing of the user's is read or written: configuration, state, vault and socket lie in one temporary folder, the
environment is made from scratch, and no keyring is asked. The daemon dies with the demo, however that ends.
"""

import base64
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import trio

import sessions
from brokers.capability import Environment
from brokers.emulation.emulator import Emulator
from brokers.tokens.credentials import Credential
from brokers.vault import SYSTEM_ENTROPY, CredentialId, Keyholder, standard_sources
from brokers.vault.records import NONE_YET, to_plain
from brokers.vault.store import Store
from brokers.vault.unlock import CREDENTIALS_DIRECTORY, KEY_FILE_NAME
from config.settings.writing import header, toml
from runtime.real import real_world
from sessions.control.api.client import Client
from sessions.control.demo.strategy import Pulse

BROKER: Final = "broker"  # its name in the configuration
READY_SECONDS: Final = 20.0
_COMMAND: Final = (sys.executable, "-m", "sessions.control.cli", "up", "--allow-root")
_GRACE_SECONDS: Final = 5.0
_SET_DEATH_SIGNAL: Final = 1  # of prctl
_KEY_BYTES: Final = 32


@attrs.frozen
class Seat:
    """One session of the demo: its account, what it trades, and the contract that this means now."""

    session: str
    account: str
    root: str
    symbol: str


class NotReady(RuntimeError):
    """A daemon that did not come up; the text is what it said."""

    def __init__(self, said: str) -> None:
        super().__init__(f"expected the demo's daemon to be ready, it said: {said.strip() or 'nothing'}")


def configuration(emulator: Emulator, seats: tuple[Seat, ...], pause_ms: int) -> str:
    """The demo's configuration file: limits wide enough for its pace, one emulated broker, a session for each seat."""
    host = emulator.http.removeprefix("http://").removesuffix("/v1")
    pace = {"orders_per_minute": 6_000, "order_burst": 600}
    wide = {"max_order_notional": "10000000", "max_exposure": "100000000", "max_daily_loss": "1000000"}
    strategy = f"{Pulse.__module__}:{Pulse.__qualname__}"
    tables: dict[tuple[str, ...], Mapping[str, Any]] = {
        ("daemon",): {"drain_s": 2},
        ("health",): {"check_s": 1},
        ("risk",): pace | wide,
        ("brokers", BROKER): {
            "kind": emulator.broker,
            "accounts": tuple(dict.fromkeys(seat.account for seat in seats)),
            "hosts": {"host": host, "market_host": host},
            "acts_within_ms": 1_000,  # what is known of an emulator on this machine
        },
    }
    for seat in seats:
        tables["sessions", seat.session] = {
            "broker": BROKER,
            "account": seat.account,
            "symbols": (seat.root,),
            "strategy": strategy,
            "params": {"pause_ms": pause_ms},
            "risk": pace | wide,
        }
    return "\n".join(
        "\n".join((header(path), *(f"{key} = {toml(value)}" for key, value in table.items()), ""))
        for path, table in tables.items()
    )


@attrs.define(eq=False)
class Stage:
    """The folder, and the daemon that runs in it."""

    folder: Path
    nursery: trio.Nursery
    process: subprocess.Popen[bytes] | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)
    starts: int = 0
    was_ready: bool = False

    @property
    def journal(self) -> Path:
        """Where the daemon's journal lies."""
        return self.folder / "state" / "pitboss" / "journal"

    @property
    def runs(self) -> bool:
        """Whether the daemon's process is there."""
        return self.process is not None and self.process.returncode is None

    @property
    def client(self) -> Client:
        """A client of the daemon."""
        return Client(self.folder / "run" / "pitboss" / "pitboss.sock", timeout=5.0)

    def prepare(self, configuration: str, logins: Iterable[Credential]) -> None:
        """Writes the configuration and a vault that holds the logins."""
        for name in ("run", "keys", "state", "state/pitboss"):
            (self.folder / name).mkdir(mode=0o700)
        disk = real_world().disk
        disk.write(self.folder / "pitboss.toml", configuration.encode())
        disk.write(self.folder / "keys" / KEY_FILE_NAME, base64.b64encode(SYSTEM_ENTROPY(_KEY_BYTES)))
        keys = Keyholder(standard_sources(self._environ(), disk))
        store = Store(self.folder / "state" / "pitboss" / "vault.pitboss", disk, keys, SYSTEM_ENTROPY)
        store.open()
        for login in logins:
            of = login.id
            kept = CredentialId(of.broker, of.login, None, Environment(of.environment))
            store.put(kept.name, to_plain(login.fields), NONE_YET)

    async def start(self) -> None:
        """Starts the daemon and returns when it is ready; raises NotReady."""
        self.starts += 1
        errors, self.ended = self.folder / f"daemon.{self.starts}.err", trio.Event()
        self.process = await self.nursery.start(self._live, errors)
        assert self.process is not None  # noqa: S101 - it was just started
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        said = b""
        async with trio.lowlevel.FdStream(os.dup(self.process.stdout.fileno())) as output:
            with trio.move_on_after(READY_SECONDS):
                while b"ready" not in said and (more := await output.receive_some(4096)):
                    said += more
        if b"ready" not in said:
            raise NotReady((said + real_world().disk.read(errors)).decode(errors="replace"))
        self.was_ready = True

    async def _live(self, errors: Path, *, task_status: trio.TaskStatus[subprocess.Popen[bytes]]) -> None:
        """The daemon's process from its start to its end, in one thread: it dies with the thread that started it."""

        def live() -> None:
            with (
                errors.open("wb") as log,
                subprocess.Popen(  # noqa: S603 - our own command
                    [*_COMMAND, "--config", self.folder / "pitboss.toml"],
                    cwd=self.folder,
                    env=self._environ(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # the terminal's Ctrl-C is for the demo alone
                    preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509 - it calls nothing that takes a lock
                ) as process,
            ):
                trio.from_thread.run_sync(task_status.started, process)
                process.wait()

        ended = self.ended
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(live)
        ended.set()

    async def kill(self) -> None:
        """Ends the daemon as a power cut would."""
        if self.process is None:
            return
        self.process.kill()
        with trio.CancelScope(shield=True):
            await self.ended.wait()

    async def end(self) -> int | None:
        """Asks the daemon to end, and kills one that does not; the exit code of one that did."""
        if self.process is None:
            return None
        with trio.CancelScope(shield=True):
            if self.runs:
                self.process.terminate()
            with trio.move_on_after(_GRACE_SECONDS):
                await self.ended.wait()
                return self.process.returncode
            await self.kill()
        return None

    def _environ(self) -> dict[str, str]:
        """What a daemon needs, and nothing of the user's."""
        return {
            "HOME": str(self.folder),
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(Path(sessions.__file__).parents[1]),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            CREDENTIALS_DIRECTORY: str(self.folder / "keys"),
        }


def _dies_with(parent: int) -> Callable[[], None]:
    """What a child does first, so that even a demo that is killed leaves nothing behind."""
    prctl = ctypes.CDLL(None).prctl

    def first() -> None:
        prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return first
