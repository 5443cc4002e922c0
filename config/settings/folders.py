"""Where configuration, state and runtime files live: the XDG folders, private to their owner."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import attrs

from config.settings.sections import DaemonSettings

_NAME = "pitboss"
_PRIVATE = 0o700


@attrs.frozen
class Folders:
    """The three folders of one user's daemon."""

    config: Path
    state: Path
    runtime: Path

    @property
    def file(self) -> Path:
        """The configuration file that is read when none is named."""
        return self.config / "pitboss.toml"


class FoldersUnknown(LookupError):
    """The environment does not tell where the home folder is; `home` is what it said."""

    def __init__(self, home: str | None) -> None:
        self.home = home
        super().__init__(
            f"HOME: expected an absolute path, got {home!r}; no folder was chosen; set HOME, or all of "
            "XDG_CONFIG_HOME, XDG_STATE_HOME and XDG_RUNTIME_DIR"
        )


class UnsafePlace(PermissionError):
    """A folder that others can read or change; `path`, `expected` and `got` say which and why."""

    def __init__(self, path: Path, expected: str, got: str, remedy: str) -> None:
        self.path = path
        self.expected = expected
        self.got = got
        super().__init__(f"{path}: expected {expected}, got {got}; nothing was changed; {remedy}")


def folders(environ: Mapping[str, str], daemon: DaemonSettings | None = None) -> Folders:
    """The folders by the XDG rules, or as `daemon` states them; raises FoldersUnknown without a home.

    As XDG has it, a variable that holds no absolute path counts as not set.
    """
    daemon = daemon or DaemonSettings()
    config = _base(environ, "XDG_CONFIG_HOME", ".config") / _NAME
    state = _stated(environ, daemon.state_folder) or _base(environ, "XDG_STATE_HOME", ".local/state") / _NAME
    given = _absolute(environ.get("XDG_RUNTIME_DIR"))
    runtime = _stated(environ, daemon.runtime_folder) or (given / _NAME if given else state / "run")
    return Folders(config, state, runtime)


def expanded(environ: Mapping[str, str], place: str) -> Path:
    """A path of the settings with ~ as the home folder; raises FoldersUnknown."""
    return _home(environ) / place[2:] if place.startswith("~/") else Path(place)


def _stated(environ: Mapping[str, str], place: str | None) -> Path | None:
    return None if place is None else expanded(environ, place)


def _base(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    return _absolute(environ.get(variable)) or _home(environ) / below_home


def _home(environ: Mapping[str, str]) -> Path:
    home = _absolute(environ.get("HOME"))
    if home is None:
        raise FoldersUnknown(environ.get("HOME"))
    return home


def _absolute(text: str | None) -> Path | None:
    return Path(text) if text is not None and text.startswith("/") else None


def prepare(place: Folders) -> None:
    """Makes the folders that are missing, mode 0700, and checks all; raises UnsafePlace or OSError."""
    for folder in (place.config, place.state, place.runtime):
        _make(folder)
        _check(folder)


def _make(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    for one in reversed(missing):
        one.mkdir(_PRIVATE, exist_ok=True)  # another start may be as quick


def _check(folder: Path) -> None:
    """Refuses what is no folder, not ours, or open to others; a link to it has to be ours too."""
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if {folder.lstat().st_uid, found.st_uid} != {os.geteuid()}:
        expected = f"a folder of user {os.geteuid()}, who runs pitboss"
        raise UnsafePlace(folder, expected, f"one of user {found.st_uid}", "choose another folder")
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePlace(folder, "a folder", "another kind of file", "move it away or choose another folder")
    if mode & 0o077:
        raise UnsafePlace(folder, "a folder of mode 0700", f"mode {mode:04o}", f"run: chmod 700 {folder}")
