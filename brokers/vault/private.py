"""Secret files are read only while nobody but their owner can read or change them."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from brokers.vault.errors import FileExposed

Guard = Callable[[Path], None]
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT: Final = 0


def refuse_exposed(path: Path) -> None:
    """Raises FileExposed when others than the owner may use the file, or the owner is neither we nor root.

    A file that is not there is fine.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    mode = stat.S_IMODE(status.st_mode)
    # The service manager gives a file of root's to one user by an access list, which shows as group-readable.
    let_in = mode & _OTHERS & ~(stat.S_IRGRP if status.st_uid == _ROOT != os.geteuid() else 0)
    if let_in or status.st_uid not in (_ROOT, os.geteuid()):
        raise FileExposed(path, mode, status.st_uid)


def anybody(path: Path) -> None:
    """The guard of a disk in memory, which has no owners."""
