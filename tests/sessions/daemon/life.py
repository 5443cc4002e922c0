"""A daemon as a process of its own, in folders of its own, for tests that start, ask, signal and kill it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from sessions.control.api.client import Client, NoDaemon, Refusal

ROOT = Path(__file__).parents[3]
_UP = "from sessions.control.commands.up import up; up()"
STRATEGY = "sessions.strategies.ema_cross:EmaCross"


def session(name: str, symbol: str = "BTC-USD", **more: str) -> str:
    """A configured session."""
    lines = [f'{key} = "{value}"' for key, value in more.items()]
    head = f'[sessions.{name}]\nbroker = "paper"\naccount = "paper-1"\nsymbols = ["{symbol}"]\nstrategy = "{STRATEGY}"'
    return "\n".join((head, *lines, ""))


@attrs.define(eq=False)
class Home:
    """The folders of one daemon, and what runs in them."""

    folder: Path
    environ: dict[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.folder.chmod(0o700)
        self.state.parent.mkdir(parents=True, mode=0o700)
        (self.folder / "run").mkdir(mode=0o700)

    @property
    def state(self) -> Path:
        return self.folder / "state" / "pitboss"

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "pitboss" / "pitboss.sock"

    @property
    def config(self) -> Path:
        return self.folder / "pitboss.toml"

    def configure(self, text: str) -> None:
        self.config.touch(mode=0o600)
        self.config.write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a daemon and waits for nothing."""
        environ = {
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.state.parent),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "PATH": os.environ["PATH"],
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **self.environ,
        }
        files = ["--config", str(self.config)] if self.config.exists() else []
        words = arguments or ("--allow-root",)
        command = [sys.executable, "-c", _UP, *files, *words]
        return subprocess.Popen(  # noqa: S603 - our own daemon
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """A start that is expected to be refused: its exit code and what it said."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=30)
        return process.returncode, out + err

    @contextlib.contextmanager
    def up(self) -> Iterator[subprocess.Popen[str]]:
        """A daemon that is ready; killed at the end if it still runs."""
        process = self.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "ready" not in line:
                _, err = process.communicate(timeout=10)
                raise AssertionError(f"not ready: {line} {err}")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=10)

    @property
    def client(self) -> Client:
        return Client(self.socket)

    def submit(self, order: dict[str, str]) -> None:
        """Places an order as soon as there is a price to judge it by."""
        until = time.monotonic() + 10
        while True:
            try:
                self.client.post("submit", **order)
            except Refusal as refusal:
                if "no price is known" not in refusal.text or time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def wait_for(self, what: str, seconds: float = 10.0) -> None:
        """Waits until the condition of every wanted session is as told."""

        def all_are() -> bool:
            return all(row["condition"] == what for row in self.client.get("sessions") if row["wanted"])

        self.until(all_are, seconds)

    def until(self, fact: Callable[[], bool], seconds: float = 10.0) -> None:
        """Waits until something is so."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with contextlib.suppress(NoDaemon):
                if fact():
                    return
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s; the sessions are {self.client.get('sessions')}")


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Ends a daemon by a signal; its exit code and the rest of what it said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out + err
