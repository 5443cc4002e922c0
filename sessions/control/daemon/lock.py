"""One daemon a folder: a lock that the kernel takes back the moment its holder dies, however it dies.

The file tells people who holds it. Its content decides nothing, so a number that another process has by now, or a file
that a power cut left behind, keeps nobody out.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from config.settings import UnsafePlace

LOCK_FILE: Final = "pitboss.lock"
_OWNER_ONLY: Final = 0o600
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class AlreadyRunning(Exception):
    """Another daemon holds the folder; `folder` and `pid` (None where it is not known) say which and who."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.folder = folder
        self.pid = pid
        who = "another pitboss" if pid is None else f"the pitboss with process id {pid}"
        super().__init__(
            f"{folder}: expected to be the only daemon here, {who} runs; nothing was started; "
            "use it, or end it with `pitboss shutdown`"
        )


@contextlib.contextmanager
def sole_owner(*folders: Path) -> Iterator[None]:
    """Holds every folder for the length of the block; raises AlreadyRunning, UnsafePlace or OSError."""
    with contextlib.ExitStack() as held:
        for folder in dict.fromkeys(folders):
            held.enter_context(_locked(folder))
        yield


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = _opened(folder / LOCK_FILE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(folder, _holder(handle)) from None
        _sign(handle)
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    try:
        return os.open(path, _FLAGS, _OWNER_ONLY)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafePlace(path, "a file of our own", "a link", "remove it") from error
        raise


def _sign(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _holder(handle: int) -> int | None:
    words = os.pread(handle, 32, 0).split()
    return int(words[0]) if words and words[0].isdigit() else None
