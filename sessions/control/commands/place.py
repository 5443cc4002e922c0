"""Where the daemon of this user listens, found without reading the configuration wherever that can say nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

_SOCKET: Final = "pitboss.sock"
_NAME: Final = "pitboss"
_STATED: Final = ("PITBOSS__DAEMON__RUNTIME_FOLDER", "PITBOSS__DAEMON__STATE_FOLDER")


def socket_path(environ: Mapping[str, str]) -> Path:
    """The control socket of the configuration that is read when none is named; raises ClickException."""
    if _may_be_stated(environ):
        return _stated(environ) / _SOCKET
    state = _folder(environ, "XDG_STATE_HOME", ".local/state") / _NAME
    runtime = _absolute(environ.get("XDG_RUNTIME_DIR"))
    return (runtime / _NAME if runtime else state / "run") / _SOCKET


def _may_be_stated(environ: Mapping[str, str]) -> bool:
    """Whether the usual file or the environment has a word about folders, so that only reading it tells."""
    if any(variable in environ for variable in _STATED):
        return True
    try:
        return "_folder" in (_folder(environ, "XDG_CONFIG_HOME", ".config") / _NAME / "pitboss.toml").read_text()
    except (OSError, UnicodeDecodeError):
        return False


def _stated(environ: Mapping[str, str]) -> Path:
    from sessions.control.commands.sources import places  # noqa: PLC0415 - imported late: status must stay quick

    return places((), environ).runtime


def _folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    """As XDG has it, a variable that holds no absolute path counts as not set."""
    found = _absolute(environ.get(variable))
    home = _absolute(environ.get("HOME"))
    if found is None and home is None:
        raise click.ClickException(
            f"HOME: expected an absolute path, got {environ.get('HOME')!r}; nothing was done; set HOME, or say --socket"
        )
    return found or Path(str(home)) / below_home


def _absolute(text: str | None) -> Path | None:
    return Path(text) if text is not None and text.startswith("/") else None
