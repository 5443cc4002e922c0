"""The blocking half of the journal: one connection, one owner, and commits that are on disk when they return.

Everything here runs in the writer's thread. After any error but JournalBusy the store is of no use until `reopen`.
"""

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
from sqlite_utils import Database

from runtime.world import World
from sessions.journal.chain import BrokenChain, Chain, read_head, write_head
from sessions.journal.connection import file_of, lengthen_log, open_writer, sync_folder_of
from sessions.journal.errors import JournalBusy, JournalCorrupt, JournalError, JournalFenced, failed, is_busy
from sessions.journal.index import DATABASE_PREFIX, Index, Segment, database_path, month_of, read_index, write_index
from sessions.journal.reader import Reader, segment_start
from sessions.journal.rows import GENESIS, OWN_STREAM, Entry, Head
from sessions.journal.schema import migrate
from sessions.journal.snapshot import snapshot

CHECKPOINT_PAGES: Final = 1_000
TAIL: Final = 10_000  # rows whose hashes are checked whenever the file is opened
_PAGE: Final = 3_000  # bytes of bodies on a page of 4 KiB
_FRAME: Final = 4_096 + 24  # bytes of a page in the log
_ROOM: Final = 512 << 10  # bytes that the log is longer than what is written in it, at least
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_COLUMNS: Final = "seq, kind, stream, key, body, wall_ns, monotonic_ns, hash"
_MARKS: Final = "(?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT: Final = f"INSERT INTO entries ({_COLUMNS}) VALUES {_MARKS}"  # noqa: S608 - nothing but our own names
_TOGETHER: Final = 16  # rows of one statement; each number of rows is a statement of its own, kept prepared


@attrs.frozen
class JournalSettings:
    """Where a journal lies.

    folder        its files
    head          the file that holds the head, best on another disk or owned by somebody else
    busy_seconds  how long to wait for another process's lock
    """

    folder: Path
    head: Path
    busy_seconds: float = attrs.field(default=2.0, validator=[attrs.validators.ge(0), attrs.validators.le(5)])


class Store:
    """One journal, opened and owned; every method raises JournalError."""

    def __init__(self, settings: JournalSettings, chain: Chain, world: World) -> None:
        self.settings = settings
        self.chain = chain
        self.world = world
        self.head = GENESIS
        self.epoch = 0
        self.pages = 0  # about so many were written since the last checkpoint
        self._leaves = 1.0  # which share of what could have been written the last checkpoint found
        self._log_bytes: float = 0  # how long the log is made, as far as that is known
        self.index = Index()
        self.month = ""
        self.database = str(settings.folder)
        self._db: Database | None = None
        self._possible: tuple[Head, Head] = (GENESIS, GENESIS)  # what the file may end with
        self._doubt: Head | None = None  # whose survival the next successful reopen tells

    # Life.

    def open(self) -> None:
        """Opens, checks and takes the journal; raises JournalRefused and nothing may trade."""
        with self._failing():
            was_clean = self._connect(thorough_after_crash=True)
            try:
                self._check_outer_head()
                self._own(self._highest_epoch() + 1, was_clean)
                sync_folder_of(self.database)
            except BaseException:
                self.abandon()
                raise

    def reopen(self) -> bool:
        """Opens again after an error; True if what was in doubt then is in the journal now.

        Raises JournalCorrupt if the end of the file is neither what memory holds nor that with what was in doubt.
        """
        before, after = self._possible
        doubt = self._doubt = self._doubt or after
        self.abandon()
        with self._failing():
            self._connect(thorough_after_crash=False)
            if self.head not in (before, after):
                found = f"it ends with entry {self.head.seq}, memory with {before.seq} or {after.seq}"
                raise JournalCorrupt(self.database, found, min(before.seq, self.head.seq) + 1)
            survived = self._holds(doubt)
        self.append([self.about("journal.reopened", survived=survived)])
        with self._failing():
            sync_folder_of(self.database)
        self._doubt = None
        return survived

    def close(self) -> None:
        """Writes the last entry and the head, empties the write-ahead log, and lets go."""
        try:
            self.append([self.about("journal.closed", epoch=self.epoch)])
            self.checkpoint(truncate=True)
        finally:
            self.abandon()
        self.save_head()

    def abandon(self) -> None:
        """Lets go of the connection as a crash would."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    # Work.

    def append(self, entries: Sequence[Entry]) -> Head:
        """Commits entries durably, all or none, and returns the new head; raises JournalBusy, JournalFenced too."""
        if not entries:
            return self.head
        rows, head = self._rows(entries, self.head)
        self._possible = (self.head, head)
        with self._failing():
            connection = self._connection()
            self._may_fail("journal.busy", sqlite3.SQLITE_BUSY, "SQLITE_BUSY")
            self._may_fail("journal.full", sqlite3.SQLITE_FULL, "SQLITE_FULL")
            if len(rows) <= _TOGETHER:
                self._insert_owned(connection, rows)
            else:
                with immediate(connection):
                    for first in range(0, len(rows), _TOGETHER):
                        self._insert_owned(connection, rows[first : first + _TOGETHER])
            self._may_fail("journal.sync", sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
        self.head = head
        self._possible = (head, head)
        self.pages += _pages(entries, self._leaves)
        return head

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Moves the write-ahead log into the database, as far as readers allow; with truncate it waits for them."""
        with self._failing():
            mode = "TRUNCATE" if truncate else "PASSIVE"
            _, log, _ = self._connection().execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        self._log_bytes = self._log_bytes_at_first()
        if log > 0:  # truncated logs and those in memory do not tell
            self._leaves = min(max(self._leaves * log / self.pages, 0.1), 1.0) if self.pages else 1.0
        self.pages = 0

    def lacks_room(self) -> bool:
        """Whether commits will soon have to make the log longer, which takes half as long again as writing alone."""
        return self._log_bytes < self.pages * _FRAME + _ROOM

    def make_room(self) -> None:
        """Makes the log longer before it has to be; on a full disk it stays as it is until the next checkpoint."""
        try:
            self._log_bytes = lengthen_log(self.database, self.pages * _FRAME + 2 * _ROOM)
        except OSError:
            self._log_bytes = math.inf

    def save_head(self) -> None:
        """Writes the head to its file outside the journal; raises JournalFailed, the journal itself is well."""
        with self._failing():
            self.world.disk.write(self.settings.head, write_head(self.head, self.world.clock.wall_ns()))

    def wal_bytes(self) -> int:
        """The size of the write-ahead log."""
        file = file_of(self.database)
        log = Path(f"{file}-wal")
        return log.stat().st_size if file is not None and log.exists() else 0

    def roll(self, carry: Sequence[Entry]) -> Segment:
        """Seals the file in use and goes on in a new one, which begins with `carry`: what a fold must know from before.

        The new file is complete before the index names it, so a crash leaves one whole journal or the other.
        """
        with self._failing():
            sealed = Segment(
                after=self.index.start,
                last=self.head,
                month=self.month,
                sealed_ns=self.world.clock.wall_ns(),
                epoch=self.epoch,
            )
            opened = self.about("segment.opened", after=self.head.seq, hash=self.head.hash.hex())
            rows, head = self._rows([opened, *carry], self.head)
            index = self.index.with_sealed(sealed)
            database = self.world.disk.database(database_path(self.settings.folder, index.start))
            fresh = open_writer(database, self.settings.busy_seconds)
            try:
                self._fill(fresh, database, index.start, rows)
                sync_folder_of(database)
                self._possible = (self.head, head)
                write_index(self.world.disk, self.settings.folder, index)
            except BaseException:
                fresh.close()
                raise
            self._leave_for(fresh, database, index, head)
        return sealed

    def change(self, segment: Segment) -> None:
        """Records new facts about a sealed segment, such as its archive."""
        with self._failing():
            index = self.index.with_changed(segment)
            write_index(self.world.disk, self.settings.folder, index)
            self.index = index

    def about(self, kind: str, **fields: object) -> Entry:
        """An entry of the journal about itself."""
        clock = self.world.clock
        return Entry(kind, OWN_STREAM, None, json.dumps(fields), clock.wall_ns(), clock.monotonic_ns())

    # Opening.

    def _connect(self, *, thorough_after_crash: bool) -> bool:
        """Opens the file in use and checks it; returns whether it was closed in good order the last time."""
        self.index = read_index(self.world.disk, self.settings.folder)
        path = database_path(self.settings.folder, self.index.start)
        self._check_present(path)
        self.database = self.world.disk.database(path)
        self._db = open_writer(self.database, self.settings.busy_seconds)
        self._log_bytes = self._log_bytes_at_first()
        try:
            migrate(self._db, self.database, self._backup)
            if not self._db.table("segment").count:
                self._fill(self._db, self.database, self.index.start, ())
            was_clean = self._ended_well()
            self._check(thorough=thorough_after_crash and not was_clean)
            self.head = self._checked_tail()
        except BaseException:
            self.abandon()
            raise
        opened_ns: int = self._connection().execute("SELECT opened_ns FROM segment").fetchone()[0]
        self.month = month_of(opened_ns)
        return was_clean

    def _log_bytes_at_first(self) -> float:
        """How long a log is known to be that begins anew; one in memory is never too short."""
        return math.inf if file_of(self.database) is None else 0

    def _check_present(self, path: Path) -> None:
        """A journal without the file that its index names has lost something; a new one has no file at all."""
        names = self.world.disk.names(self.settings.folder)
        if path.name not in names and any(name.startswith(DATABASE_PREFIX) for name in names):
            raise JournalCorrupt(str(path), "the file is missing, or the index of segments is an old one")

    def _holds(self, head: Head) -> bool:
        row = self._connection().execute("SELECT hash FROM entries WHERE seq = ?", (head.seq,)).fetchone()
        return row is not None and bool(row[0] == head.hash)

    def _backup(self, step: str) -> None:
        """Keeps the file as it was before a migration, beside it; one in memory needs none."""
        file = file_of(self.database)
        if file is not None:
            snapshot(self._connection(), file.with_name(f"{file.name}.before-{step}"))

    def _fill(self, db: Database, database: str, start: Head, rows: Iterable[tuple[Any, ...]]) -> None:
        """The first content of a new file, in one transaction."""
        migrate(db, database, lambda _: None)
        with immediate(db.conn):
            db.conn.execute(
                "INSERT INTO segment (after_seq, after_hash, opened_ns) VALUES (?, ?, ?)",
                (start.seq, start.hash, self.world.clock.wall_ns()),
            )
            if self.epoch:
                self._take(db.conn, self.epoch)
            db.conn.executemany(_INSERT, rows)

    def _ended_well(self) -> bool:
        row = self._connection().execute("SELECT kind FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        return row is None or row[0] == "journal.closed"

    def _check(self, *, thorough: bool) -> None:
        """SQLite's own checks: the quick one always, all of them after a crash."""
        connection = self._connection()
        check = "integrity_check" if thorough else "quick_check"
        (found,) = connection.execute(f"PRAGMA {check}(1)").fetchone()
        if found != "ok":
            raise JournalCorrupt(self.database, f"{check}: {found}")
        if thorough and (row := connection.execute("PRAGMA foreign_key_check").fetchone()):
            raise JournalCorrupt(self.database, f"foreign_key_check: {row}")
        start = segment_start(connection)
        if start != self.index.start:
            raise JournalCorrupt(self.database, f"it follows entry {start.seq}, the index says {self.index.start.seq}")

    def _checked_tail(self) -> Head:
        """The head, after the hashes of the last rows were checked."""
        with Reader(self.database, self.settings.busy_seconds) as reader:
            first = max(reader.head().seq - TAIL, reader.start.seq)
            before = next(reader.since(first - 1, first), None) if first > reader.start.seq else None
            after = reader.start if before is None else Head(before.seq, before.hash)
            try:
                return self.chain.verify(reader.since(first), after)
            except BrokenChain as broken:
                raise JournalCorrupt(self.database, broken.found, broken.seq) from broken

    def _check_outer_head(self) -> None:
        """The head outside the journal must lie on its chain: rows cut off at the end show here alone."""
        path = self.settings.head
        try:
            outer = read_head(self.world.disk.read(path))
        except FileNotFoundError:
            return
        except ValueError as error:
            raise JournalCorrupt(str(path), str(error)) from error
        if outer.seq > self.head.seq:
            found = f"it ends with entry {self.head.seq}, {path} knows of {outer.seq}"
            raise JournalCorrupt(self.database, found, self.head.seq + 1)
        row = self._connection().execute("SELECT hash FROM entries WHERE seq = ?", (outer.seq,)).fetchone()
        known = self.index.start.hash if outer.seq == self.index.start.seq else row and row[0]
        if outer.seq >= self.index.start.seq and known != outer.hash:
            raise JournalCorrupt(self.database, f"its hash is not the one that {path} holds", outer.seq)

    def _highest_epoch(self) -> int:
        (highest,) = self._connection().execute("SELECT max(epoch) FROM owners").fetchone()
        return max(highest or 0, self.index.epoch)

    def _own(self, epoch: int, was_clean: bool) -> None:
        """Takes the journal: whoever held it before is fenced out from this commit on."""
        connection = self._connection()
        rows, head = self._rows([self.about("journal.opened", epoch=epoch, clean=was_clean)], self.head)
        with immediate(connection):
            self._take(connection, epoch)
            connection.executemany(_INSERT, rows)
        self.epoch, self.head, self._possible = epoch, head, (head, head)

    def _take(self, connection: sqlite3.Connection, epoch: int) -> None:
        connection.execute("INSERT INTO owners (epoch, wall_ns) VALUES (?, ?)", (epoch, self.world.clock.wall_ns()))

    # Inside.

    def _leave_for(self, fresh: Database, database: str, index: Index, head: Head) -> None:
        """The new file is in use from here on; the old one is complete in itself."""
        with contextlib.suppress(sqlite3.Error):  # its log is whole either way, the archive is made from both
            self.checkpoint(truncate=True)
        self.abandon()
        self._db, self.database, self.index, self.head = fresh, database, index, head
        self._log_bytes = self._log_bytes_at_first()
        self.month, self.pages = month_of(self.world.clock.wall_ns()), 0

    def _rows(self, entries: Iterable[Entry], head: Head) -> tuple[list[tuple[Any, ...]], Head]:
        seq, digest = head.seq, head.hash
        rows = []
        for entry in entries:
            seq += 1
            digest = self.chain.hash(digest, seq, entry)
            rows.append(
                (seq, entry.kind, entry.stream, entry.key, entry.body, entry.wall_ns, entry.monotonic_ns, digest)
            )
        return rows, Head(seq, digest)

    def _insert_owned(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts rows if the journal is still ours; alone it is a transaction, with the lock from its start."""
        values = [value for row in rows for value in row]
        values.append(self.epoch)
        if not connection.execute(_statement(len(rows)), values).rowcount:
            (owner,) = connection.execute("SELECT max(epoch) FROM owners").fetchone()
            raise JournalFenced(self.database, self.epoch, owner)

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise JournalError(f"{self.database}: the store is closed; open() or reopen() it first")
        connection: sqlite3.Connection = self._db.conn
        return connection

    def _may_fail(self, point: str, code: int, name: str) -> None:
        if self.world.faults.fires(point):
            error = sqlite3.OperationalError(f"fault point {point}")
            error.sqlite_errorcode, error.sqlite_errorname = code, name
            raise error

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turns what SQLite and the disk raise into the journal's errors."""
        try:
            yield
        except sqlite3.Error as error:
            if is_busy(error):
                raise JournalBusy(self.database, self.settings.busy_seconds) from error
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE:
                raise JournalCorrupt(self.database, str(error)) from error
            raise failed(self.database, error) from error
        except OSError as error:
            raise failed(self.database, error) from error


@contextlib.contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that has its lock from the start."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


@cache
def _statement(rows: int) -> str:
    """One statement for so many rows: it holds no other thread up between them, nor takes a step for the owner.

    OR ROLLBACK spares SQLite what it would need to undo a part of the statement: it is always undone whole.
    """
    marks = ", ".join([_MARKS] * rows)
    return (
        f"INSERT OR ROLLBACK INTO entries ({_COLUMNS}) SELECT * FROM (VALUES {marks}) "  # noqa: S608 - our own names
        "WHERE (SELECT max(epoch) FROM owners) = ?"
    )


def _pages(entries: Sequence[Entry], share: float) -> int:
    """About how many pages a commit writes: at most the rows, a leaf for each in both indexes, and their roots.

    SQLite tells the true number only at a checkpoint; it says what share of the most is usual here.
    """
    size = sum(len(entry.body) for entry in entries)
    return 3 + size // _PAGE + int(2 * len(entries) * share)
