"""Files as rows with their places: CSV line by line, Parquet batch by batch, both in bounded memory."""

import csv
import importlib
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from brokers.replay.decode import Row
from brokers.replay.errors import BadCellError, MissingExtraError, ReplayError

_LONGEST_LINE = 1 << 20
_BATCH_ROWS = 8192

PlacedRow = tuple[str, Row | BadCellError]  # a row that is no row comes as what is wrong with it


class RowFile(Protocol):
    """An open file of rows under a header; `instants` are columns of nanoseconds, `walls` of a wall clock's."""

    header: tuple[str, ...]
    total_bytes: int
    instants: frozenset[str]
    walls: frozenset[str]

    def bytes_read(self) -> int:
        """How much of the file has been read."""
        ...

    def rows(self, wanted: Collection[int], /) -> Iterator[PlacedRow]:
        """The rows with their places; wanted cells stand where the header has them."""
        ...


@contextmanager
def opened(name: str, source: Path | bytes, delimiter: str) -> Iterator[RowFile]:
    """A file of rows by the ending of its name; raises ReplayError for another ending or a file that is no such."""
    suffix = Path(name).suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise ReplayError(
            name, None, None, "a file that ends in .csv or .parquet", repr(suffix), "rename or convert it"
        )
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        yield CsvFile(name, stream, delimiter) if suffix == ".csv" else ParquetFile(name, stream)


def _size_of(stream: BinaryIO) -> int:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size


class CsvFile:
    """A CSV file in UTF-8, with or without a byte order mark; its cells are text."""

    instants: frozenset[str] = frozenset()
    walls: frozenset[str] = frozenset()

    def __init__(self, name: str, stream: BinaryIO, delimiter: str) -> None:
        self._name = name
        self._stream = stream
        self._bytes_read = 0
        self.total_bytes = _size_of(stream)
        self._reader = csv.reader(self._lines(), delimiter=delimiter, strict=True)
        try:
            self.header = tuple(next(self._reader, ()))
        except csv.Error as error:
            raise ReplayError(name, "line 1", None, "a header", str(error)) from error
        if not self.header:
            raise ReplayError(
                name, "line 1", None, "a header", "an empty line" if self.total_bytes else "an empty file"
            )

    def bytes_read(self) -> int:
        """How much of the file has been read."""
        return self._bytes_read

    def _lines(self) -> Iterator[str]:
        """Decoded lines; what is no UTF-8 stays visible as surrogates, which no cell accepts."""
        encoding = "utf-8-sig"
        while raw := self._stream.readline(_LONGEST_LINE):
            self._bytes_read += len(raw)
            yield raw.decode(encoding, errors="surrogateescape")
            encoding = "utf-8"

    def rows(self, _wanted: Collection[int], /) -> Iterator[PlacedRow]:
        """The rows with their line numbers; blank lines are passed over."""
        reader, width = self._reader, len(self.header)
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                yield f"line {reader.line_num}", BadCellError(None, "a row of CSV", str(error))
                continue
            if row is None:
                return
            if len(row) == width:
                yield f"line {reader.line_num}", row
            elif row:
                yield f"line {reader.line_num}", BadCellError(None, f"{width} cells", f"{len(row)} cells")


class ParquetFile:
    """A Parquet file; only the columns that are needed are read."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        """Raises MissingExtraError without pyarrow and ReplayError for what is no Parquet file."""
        self._name = name
        self._arrow = _library("pyarrow", name)
        self.total_bytes = _size_of(stream)
        try:
            self._file = _library("pyarrow.parquet", name).ParquetFile(stream, pre_buffer=False)
        except self._arrow.ArrowException as error:
            raise ReplayError(name, None, None, "a Parquet file", str(error)) from error
        schema, types = self._file.schema_arrow, self._arrow.types
        self.header: tuple[str, ...] = tuple(schema.names)
        stamps = [field for field in schema if types.is_timestamp(field.type)]
        self.instants = frozenset(field.name for field in stamps if field.type.tz is not None)
        self.walls = frozenset(field.name for field in stamps if field.type.tz is None)
        self._read = 0

    def bytes_read(self) -> int:
        """The share of the file that its rows read make up."""
        return self.total_bytes * self._read // max(int(self._file.metadata.num_rows), 1)

    def rows(self, wanted: Collection[int], /) -> Iterator[PlacedRow]:
        """The rows with their numbers."""
        places = sorted(wanted)
        empty: list[Any] = [None] * len(self.header)
        for batch in self._batches([self.header[place] for place in places]):
            cells = [self._cells(column) for column in batch.columns]
            for values in zip(*cells, strict=True):
                self._read += 1
                row = empty.copy()
                for place, value in zip(places, values, strict=True):
                    row[place] = value
                yield f"row {self._read}", row

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        try:
            yield from self._file.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False)
        except (self._arrow.ArrowException, OSError) as error:
            place = f"row {self._read + 1}"
            raise ReplayError(self._name, place, None, "a readable Parquet file", str(error)) from error

    def _cells(self, column: Any) -> list[Any]:
        """A column's values; timestamps as nanoseconds, dates as text."""
        arrow, kind = self._arrow, column.type
        if arrow.types.is_timestamp(kind):
            column = column.cast(arrow.timestamp("ns", kind.tz)).cast(arrow.int64())
        elif arrow.types.is_date(kind):
            column = column.cast(arrow.date32()).cast(arrow.string())
        return list(column.to_pylist())


def _library(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(name, "parquet") from error
