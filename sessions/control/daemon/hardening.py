"""What a process that holds credentials does first: no cores, no tracers, no files for others, no root."""

import ctypes
import os
import resource
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from config.settings import UnsafePlace

_SET_DUMPABLE: Final = 4  # of prctl
_GET_DUMPABLE: Final = 3
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class RootRefused(PermissionError):
    """The daemon was started as root without being told that this is meant."""

    def __init__(self) -> None:
        super().__init__(
            "expected a user of its own, got root; nothing was started; run it as another user, or say --allow-root"
        )


def harden(*, allow_root: bool) -> None:
    """Secures this process; raises RootRefused."""
    if os.geteuid() == 0 and not allow_root:
        raise RootRefused
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def is_dumpable() -> bool:
    """Whether this process would leave a core, or let others of its user look into it."""
    return bool(ctypes.CDLL(None).prctl(_GET_DUMPABLE, 0, 0, 0, 0))


def refuse_exposed_files(folders: Iterable[Path], *, spared: frozenset[str] = frozenset()) -> None:
    """Raises UnsafePlace for the first file in the folders that others than its owner may read or change.

    Files of the spared names may be as they like: a person drops them in an emergency.
    """
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.name not in spared:
                _refuse_exposed(path)


def _refuse_exposed(path: Path) -> None:
    found = path.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        return  # whoever opens one decides about it
    if mode & _OTHERS:
        right = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise UnsafePlace(path, f"mode 0{right}", f"mode {mode:04o}", f"run: chmod {right} {path}")
