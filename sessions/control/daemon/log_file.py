"""The log of the daemon: one line an event, secrets masked, in files of bounded size that nobody else can read."""

import abc
import io
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runtime.wire.redaction import Redactor

LOG_FILE: Final = "pitboss.log"
KEPT_LINES: Final = 2_000
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW

Listener = Callable[[str], None]


class DaemonLog(io.TextIOBase, abc.ABC):
    """A stream of lines: each is masked, kept for a while for those who ask, told to who listens, and stored."""

    def __init__(self, redactor: Redactor) -> None:
        self.dropped = 0
        self.recent: deque[str] = deque(maxlen=KEPT_LINES)
        self._redactor = redactor
        self._listeners: tuple[Listener, ...] = ()
        self._partial = ""

    def write(self, text: str) -> int:
        """Takes text in; every line that it completes is stored."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._put(self._redactor.line(line))
        return len(text)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls listener, which must not wait or raise, with each line; the returned function ends that."""
        self._listeners = (*self._listeners, listener)

        def leave() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return leave

    def bound(self, size: int, files: int) -> None:
        """How many bytes a file may have, and how many old ones are kept; a log without files has no use for it."""

    def _put(self, line: str) -> None:
        self.recent.append(line)
        self._store(line)
        for listener in self._listeners:
            listener(line)

    @abc.abstractmethod
    def _store(self, line: str) -> None:
        """Keeps a line; never raises."""


class LogFile(DaemonLog):
    """A log in files. What the disk does not take is counted and dropped: a full disk must not stop trading."""

    def __init__(self, folder: Path, redactor: Redactor, *, size: int, files: int) -> None:
        """`size` is in bytes; `files` old ones are kept beside the present one."""
        super().__init__(redactor)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / LOG_FILE
        self.bound(size, files)
        self._handle = self._opened()
        self._written = os.fstat(self._handle).st_size

    def bound(self, size: int, files: int) -> None:
        """How many bytes a file may have, and how many old ones are kept."""
        self._size, self._files = size, files

    def close(self) -> None:
        """Closes the file."""
        if not self.closed:
            os.close(self._handle)
        super().close()

    def _store(self, line: str) -> None:
        data = f"{line}\n".encode()
        try:
            if self._written and self._written + len(data) > self._size:
                self._rotate()
            os.write(self._handle, data)
            self._written += len(data)
        except OSError:
            self.dropped += 1

    def _rotate(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))
        fresh = self._opened()
        os.close(self._handle)
        self._handle, self._written = fresh, 0

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{LOG_FILE}.{number}")

    def _opened(self) -> int:
        return os.open(self.path, _FLAGS, 0o600)
