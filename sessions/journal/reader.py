"""Reading the journal beside its writer: in short queries, so that no reader ever holds up a checkpoint."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from runtime.world import Threads
from sessions.journal.connection import open_reader
from sessions.journal.errors import InvalidEntry, JournalBusy, JournalCorrupt, failed, is_busy
from sessions.journal.rows import Entry, Head, Row

CHUNK: Final = 1_000
_END: Final = 2**63 - 1

_QUERY: Final = (
    "SELECT e.seq, p.hash, e.hash, e.kind, e.stream, e.key, e.body, e.wall_ns, e.monotonic_ns FROM entries e "
    "LEFT JOIN entries p ON p.seq = e.seq - 1 "
    "WHERE e.seq > :after AND e.seq <= :until{} ORDER BY e.seq LIMIT :limit"
)
_ALL: Final = _QUERY.format("")
_BY_STREAM: Final = _QUERY.format(" AND e.stream = :value")
_NTH_NEWEST: Final = "SELECT seq FROM entries WHERE stream = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
_BY_KEY: Final = _QUERY.format(" AND e.key = :value")


class Reader:
    """A read-only view of one journal file; blocking, for one thread at a time.

    Every method raises JournalBusy or JournalFailed. Each chunk is a query of its own: a long read sees rows that
    were added meanwhile, and a row, once seen, never changes.
    """

    def __init__(self, database: str, busy_seconds: float = 2.0) -> None:
        self.database = database
        self._busy_seconds = busy_seconds
        self.guarded: Callable[..., Any] = partial(guarded, database, busy_seconds)
        self.db = self.guarded(lambda: open_reader(database, busy_seconds))
        self.db.conn.text_factory = _text
        try:
            self.start: Head = self.guarded(lambda: segment_start(self.db.conn))
        except BaseException:
            self.close()
            raise

    def since(self, after: int = 0, until: int = _END) -> Iterator[Row]:
        """All rows with a number above `after` and at most `until`, in order."""
        return self._stream(_ALL, after, until, None)

    def by_stream(self, stream: str, after: int = 0) -> Iterator[Row]:
        """The rows of one stream, in order."""
        return self._stream(_BY_STREAM, after, _END, stream)

    def newest(self, stream: str, count: int) -> Iterator[Row]:
        """The last rows of one stream, at least one, oldest first."""
        asked = (stream, max(count - 1, 0))
        row = self.guarded(lambda: self.db.conn.execute(_NTH_NEWEST, asked).fetchone())
        return self.by_stream(stream, 0 if row is None else row[0] - 1)

    def by_key(self, key: str, after: int = 0) -> Iterator[Row]:
        """The rows with one key, in order."""
        return self._stream(_BY_KEY, after, _END, key)

    def tail(self, count: int) -> list[Row]:
        """The last rows, oldest first."""
        return list(self.since(max(self.head().seq - count, 0)))

    def head(self) -> Head:
        """The last row's number and hash."""
        return self.guarded(lambda: head_of(self.db.conn, self.start))  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the connection."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stream(self, query: str, after: int, until: int, value: str | None) -> Iterator[Row]:
        while found := self._chunk(query, {"after": after, "until": until, "value": value, "limit": CHUNK}):
            for seq, previous, own, *fields in found:
                yield Row(seq, previous or self.start.hash, own, self._entry(seq, fields))
            if len(found) < CHUNK:
                return
            after = found[-1][0]

    def _chunk(self, query: str, values: dict[str, object]) -> list[Any]:
        return self.guarded(lambda: self.db.conn.execute(query, values).fetchall())  # type: ignore[no-any-return]

    def _entry(self, seq: int, fields: list[Any]) -> Entry:
        try:
            return Entry(*fields)
        except InvalidEntry as error:
            raise JournalCorrupt(self.database, str(error), seq) from error


async def replay(threads: Threads, rows: Iterator[Row]) -> AsyncIterator[list[Row]]:
    """The rows in lists of up to 1,000, each read off the event loop."""
    while batch := await threads.run(lambda: list(_take(rows))):
        yield batch


def head_of(connection: sqlite3.Connection, start: Head) -> Head:
    """The last row's number and hash, or where the file starts if it has no row."""
    row = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return start if row is None else Head(*row)


def segment_start(connection: sqlite3.Connection) -> Head:
    """The head of the file before this one."""
    row = connection.execute("SELECT after_seq, after_hash FROM segment").fetchone()
    if row is None:
        raise sqlite3.OperationalError("the file is just being made: it does not say yet what it follows")
    return Head(*row)


def guarded(database: str, busy_seconds: float, work: Callable[[], Any]) -> Any:
    """What work returns; raises JournalBusy or JournalFailed for what SQLite raises."""
    try:
        return work()
    except sqlite3.Error as error:
        raise (JournalBusy(database, busy_seconds) if is_busy(error) else failed(database, error)) from error


def _text(raw: bytes) -> str:
    """Bytes that are no UTF-8 become lone surrogates, which no entry may hold: their row is found to be corrupt."""
    return raw.decode("utf-8", "surrogateescape")


def _take(rows: Iterator[Row]) -> Iterator[Row]:
    for _, row in zip(range(CHUNK), rows, strict=False):
        yield row
