"""Secret files are read only while nobody but their owner can read or change them, and changed by one at a time."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from brokers.vault.errors import FileExposed

Guard = Callable[[Path], None]
Alone = Callable[[Path], AbstractContextManager[None]]
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


@contextmanager
def by_file_lock(path: Path) -> Iterator[None]:
    """Keeps other processes of ours from changing the file meanwhile; waits for one that does."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def no_other(_: Path) -> AbstractContextManager[None]:
    """For a disk that only this process knows."""
    return nullcontext()
