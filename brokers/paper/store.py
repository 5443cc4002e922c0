"""The file of a paper broker: a whole memory, then one line for each append; every line has its checksum.

An append is on disk when it returns, and a tear by a power cut can only be in the last line, whose steps nobody was
told of: it is cut off. Anything else that is damaged is refused. Once the appends outgrow the memory before them, the
file is written anew, so its size and the time to read it stay within twice of what there is to know. Everything here
blocks and runs in a thread.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from brokers.ledger import BadState, LedgerError
from brokers.paper.keep import FORMAT, Head, Line, PaperMemory, Step, Steps
from brokers.symbols import SymbolError
from runtime.world import Disk

LEAST: Final = 1_000_000  # bytes of appends that are never worth writing the file anew
_DIGITS: Final = 8  # of a checksum
_REMEDY: Final = "put back a copy of the file, or move it away to begin with new accounts"


class StoreDamaged(Exception):
    """The file is not what was written: `path`, `line` (from 1) and `why` say where and what."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}; nothing was opened and the file is unchanged; {_REMEDY}")
        self.path = path
        self.line = line
        self.why = why


class StoreMismatch(Exception):
    """The file is sound and does not fit the settings: `path` and `why` say what."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; nothing was opened and the file is unchanged")
        self.path = path
        self.why = why


class PaperStore:
    """One file and the memory that is in it."""

    def __init__(self, disk: Disk, path: Path, memory: PaperMemory) -> None:
        self.memory = memory
        self.written = 0  # steps since it was opened
        self._disk = disk
        self._path = path
        self._whole = self._appended = 0  # bytes
        self._in_doubt = False  # whether the file must be written anew before anything in it counts
        self._ahead = 0  # steps that the memory has taken, and the file has not

    def open(self, begin: Callable[[PaperMemory], None]) -> None:
        """Reads the file, lets `begin` open what is missing, and writes it anew, without a torn tail.

        Raises StoreDamaged, StoreMismatch, and OSError where the file cannot be read or written.
        """
        self._read()
        begin(self.memory)
        self._rewrite()

    def write(self, steps: Sequence[Step]) -> None:
        """Makes steps durable; after an OSError none of them counts: give them again, with what came since."""
        if self._in_doubt:
            self._take(steps)
            self._rewrite()
            self._ahead = 0
            self.written += len(steps)
            return
        data = _encoded(Steps(tuple(steps)))
        try:
            self._disk.append(self._path, data)
        except OSError:
            self._in_doubt = True
            raise
        self._appended += len(data)
        self._take(steps)
        self._ahead = 0
        self.written += len(steps)
        if self._appended > max(self._whole, LEAST):
            self._try_rewrite()

    def _take(self, steps: Sequence[Step]) -> None:
        self.memory.take_all(steps[self._ahead :])
        self._ahead = len(steps)

    def _try_rewrite(self) -> None:
        try:
            self._rewrite()
        except OSError:
            return  # what was appended is durable; the next write begins with this and tells of its failure

    def _rewrite(self) -> None:
        data = b"".join(map(_encoded, self.memory.lines()))
        self._in_doubt = True
        self._disk.write(self._path, data)
        self._in_doubt = False
        self._whole, self._appended = len(data), 0

    def _read(self) -> None:
        try:
            data = self._disk.read(self._path)
        except FileNotFoundError:
            return
        number, whole = 0, 1
        for number, line in enumerate(self._lines(data), 1):
            if isinstance(line, Head) is not (number == 1):
                raise StoreDamaged(self._path, number, "expected a head in the first line and nowhere else")
            if isinstance(line, Head):
                whole = line.lines
                self._need_format(line)
            if isinstance(line, Steps) is not (number > whole):
                raise StoreDamaged(self._path, number, f"expected {whole} lines of memory and then steps")
            self._fold(number, line)
        if number < whole:
            raise StoreDamaged(self._path, number + 1, f"expected {whole} lines of memory, the file ends before")

    def _lines(self, data: bytes) -> Iterator[Line]:
        rows = data.split(b"\n")
        tail = rows.pop()
        for number, row in enumerate(rows, 1):
            try:
                yield _decoded(row)
            except ValueError as error:
                # Pages that never reached the disk are zeros, and a line of ours has none.
                if number == len(rows) and not tail and b"\0" in row and number > 1:
                    return
                raise StoreDamaged(self._path, number, str(error)) from error

    def _fold(self, number: int, line: Line) -> None:
        try:
            self.memory.take_line(line)
        except (BadState, SymbolError, LookupError) as error:
            text = f"line {number} has an account or a symbol that is not known in this form any more: {error}"
            raise StoreMismatch(self._path, f"{text}; put it back into the settings, or move the file away") from error
        except (LedgerError, ValueError, TypeError) as error:
            raise StoreDamaged(self._path, number, f"it cannot be taken in: {error}") from error

    def _need_format(self, head: Head) -> None:
        if head.format != FORMAT:
            why = f"expected format {FORMAT}, got {head.format}; open it with the version that wrote it"
            raise StoreMismatch(self._path, why)


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Line)


def _encoded(line: Line) -> bytes:
    body = _ENCODER.encode(line)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _decoded(row: bytes) -> Line:
    """The line in a row; raises ValueError."""
    checksum, body = row[: _DIGITS + 1], row[_DIGITS + 1 :]
    found = b"%08x " % zlib.crc32(body)
    if checksum != found:
        raise ValueError(f"expected checksum {checksum.decode(errors='replace')!r}, the line has {found.decode()!r}")
    line: Line = _DECODER.decode(body)
    return line
