"""A daemon as a process of its own in folders of its own, for benchmarks that ask it or time its start."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import sleep, time_ns
from typing import Any, Final

import attrs

from sessions.control.api.client import Client, NoAnswer, NoDaemon

MAIN: Final = "from sessions.control.cli import main; main()"
_READY_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.1
_STRATEGY: Final = "sessions.strategies.ema_cross:EmaCross"
_SESSION: Final = """
[sessions.{name}]
broker = "paper"
account = "paper-1"
symbols = ["BTC-USD"]
strategy = "{strategy}"
"""


@attrs.frozen
class Place:
    """Where one daemon lives, and what its environment is."""

    folder: Path

    def environ(self) -> Mapping[str, str]:
        """That of this process, but for folders, settings and keyring, and for where byte code is kept.

        An installed package has byte code; the sources of a checkout get theirs in the folder too, as do the modules
        of Python itself, so that both sides of a comparison are as they are in life.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PITBOSS", "PYTHON"))}
        return {
            **kept,
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode"),
        }

    def configure(self, sessions: int) -> Path:
        """Writes a configuration with so many sessions on the paper broker, and forgets every daemon before."""
        state = self.folder / "state"
        state.rename(self.folder / f"state-{time_ns()}") if state.exists() else None
        for name in ("state", "run"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
        file = self.folder / "pitboss.toml"
        file.touch(mode=0o600)
        file.write_text("".join(_SESSION.format(name=f"s{number}", strategy=_STRATEGY) for number in range(sessions)))
        return file

    def run(self, *words: str) -> int:
        """Runs this interpreter with these words until it ends; its exit code."""
        command = [sys.executable, *words]
        return subprocess.run(command, env=self.environ(), stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603 - ourselves

    def command(self, *words: str) -> int:
        """Runs a command of pitboss as its script does; its exit code."""
        return self.run("-c", MAIN, *words)

    @contextmanager
    def daemon(self, file: Path) -> Iterator["Living"]:
        """A daemon that is ready."""
        command = [sys.executable, "-c", MAIN, "up", "--config", str(file), "--allow-root"]
        began_ns = time_ns()
        with subprocess.Popen(command, env=self.environ(), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
            try:
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                said = process.stdout.readline()
                if "ready" not in said:
                    raise RuntimeError(f"expected a daemon that is ready, got {said!r}; the figure is void")
                yield Living(Client(self.folder / "run" / "pitboss" / "pitboss.sock"), began_ns)
            finally:
                process.terminate()


@attrs.frozen
class Living:
    """A daemon that runs, and when its process was begun."""

    client: Client
    began_ns: int

    def sessions_ready_s(self) -> list[float]:
        """After how many seconds each session was ready, the first one first; by the daemon's own events."""
        for _ in range(round(_READY_SECONDS / _LOOK_SECONDS)):
            if all(row["condition"] == "running" for row in self._ask("sessions")):
                break
            sleep(_LOOK_SECONDS)
        ready = [row["time_ns"] for row in self._ask("events", count=10_000) if _is_session(row)]
        return sorted((at - self.began_ns) / 1e9 for at in ready)

    def _ask(self, what: str, **query: object) -> Any:
        try:
            return self.client.get(what, **query)
        except (NoDaemon, NoAnswer) as error:
            raise RuntimeError("the daemon went away; the figure is void") from error


def _is_session(row: Mapping[str, Any]) -> bool:
    folder, _, _ = str(row["path"]).rpartition("/")
    return row["kind"] == "ready" and folder == "/pitboss/sessions/pool"


@contextmanager
def place() -> Iterator[Place]:
    """A new folder that goes at the end."""
    with tempfile.TemporaryDirectory(prefix="pitboss-") as folder:
        yield Place(Path(folder))
