"""The rows of a journal as they come to be on disk, across its lives and the turn of its files."""

from collections.abc import Iterator
from pathlib import Path

from runtime.simulation import SimulatedDisk
from sessions.journal import JournalError, Reader, Row
from sessions.journal.index import NAME, database_path, read_index


class NewRows:
    """Reads beside the writer, from the first row on."""

    def __init__(self, disk: SimulatedDisk, folder: Path) -> None:
        self.seen = 0  # rows that were handed out
        self._disk = disk
        self._folder = folder
        self._path: Path | None = None
        self._reader: Reader | None = None
        self._seq = 0
        self._index: bytes | None = b""  # as it was read last
        self._newest = folder

    def new(self) -> Iterator[Row]:
        """The rows since the last time; none while there is no journal."""
        self._find_newest()
        yield from self._read()
        if self._newest is not self._path:
            self._open(self._newest)
            yield from self._read()

    def _find_newest(self) -> None:
        """Learns which file is in use, if that may have changed."""
        index = self._disk.peek(self._folder / NAME)
        if index != self._index:
            self._index, self._newest = index, database_path(self._folder, read_index(self._disk, self._folder).start)

    def close(self) -> None:
        """Ends the connection."""
        if self._reader is not None:
            self._reader.close()
            self._reader = self._path = None

    def _read(self) -> Iterator[Row]:
        if self._reader is None:
            return
        for row in self._reader.since(self._seq):
            self._seq = row.seq
            self.seen += 1
            yield row

    def _open(self, path: Path) -> None:
        if path.name not in self._disk.names(self._folder):
            return
        self.close()
        try:
            self._reader, self._path = Reader(self._disk.database(path)), path
        except JournalError:
            return  # its tables are being made
