"""How a journal's database is opened: the one place with sqlite3.connect, and no setting is believed unread."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlite_utils import Database

from sessions.journal.errors import JournalExposed, NotDurable
from sessions.journal.files import sync_folder

FULL: Final = 2
_FIXED: Final = (3, 51, 3)  # the first version in which two connections cannot ruin a write-ahead log
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o755  # others may look into the folder; no file in it opens for them


def version_warning(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str | None:
    """What to know about this version of SQLite, or None."""
    if version >= _FIXED:
        return None
    shown, fixed = (".".join(map(str, parts)) for parts in (version, _FIXED))
    return (
        f"SQLite {shown} can ruin a database that two connections write or checkpoint at once (fixed in {fixed}); "
        "the journal has one writer and only that one checkpoints: let no other program write to it"
    )


def file_of(database: str) -> Path | None:
    """The file that a database string names, or None for one in memory."""
    return None if database.startswith("file:") else Path(database)


def open_writer(database: str, busy_seconds: float) -> Database:
    """The one writing connection; raises JournalExposed, NotDurable or sqlite3.Error."""
    file = file_of(database)
    if file is not None:
        _make_private(file)
        _check_modes(file)
    connection = _connect(database if file is None else f"file:{quote(str(file))}?mode=rw", busy_seconds)
    try:
        _expect(connection, "journal_mode", "memory" if file is None else "wal", "wal")
        _expect(connection, "synchronous", FULL, "FULL")
        _expect(connection, "wal_autocheckpoint", 0, "0")
        _expect(connection, "recursive_triggers", 1, "ON")
        _expect(connection, "trusted_schema", 0, "OFF")
    except BaseException:
        connection.close()
        raise
    return Database(connection, execute_plugins=False)


def open_reader(database: str, busy_seconds: float) -> Database:
    """A connection that can only read and never checkpoints; raises sqlite3.Error."""
    file = file_of(database)
    connection = _connect(database if file is None else f"file:{quote(str(file))}?mode=ro", busy_seconds)
    try:
        _expect(connection, "query_only", 1, "ON")
        _expect(connection, "wal_autocheckpoint", 0, "0")
    except BaseException:
        connection.close()
        raise
    return Database(connection, recursive_triggers=False, execute_plugins=False)


def open_copy(file: Path) -> sqlite3.Connection:
    """A connection to a new file for the owner alone, to copy a database into."""
    _make_private(file)
    return _connect(str(file), 0)


def sync_folder_of(database: str) -> None:
    """Makes the names of a database's files durable once its log exists: SQLite ignores it when its own sync fails."""
    file = file_of(database)
    if file is not None:
        sync_folder(file.parent)


def lengthen_log(database: str, least: int) -> int:
    """Makes a database's write-ahead log at least so long, with zeros that are on disk then; returns its length.

    SQLite takes them for the end of the log, as it does what an older log has left there. A disk that is full leaves
    the log as it is and raises OSError.
    """
    with Path(f"{file_of(database)}-wal").open("r+b", buffering=0) as log:
        size = log.seek(0, os.SEEK_END)
        if size >= least:
            return size
        try:
            rest = memoryview(bytes(least - size))
            while rest:
                rest = rest[log.write(rest) :]
            os.fsync(log.fileno())
        except OSError:
            log.truncate(size)
            raise
    return least


def _connect(uri: str, busy_seconds: float) -> sqlite3.Connection:
    """A connection without implicit transactions; whoever uses it sees to it that one thread does at a time."""
    return sqlite3.connect(uri, timeout=busy_seconds, isolation_level=None, check_same_thread=False, uri=True)


def _expect(connection: sqlite3.Connection, pragma: str, expected: object, value: str) -> None:
    """Sets a pragma and reads it back: an unfetched answer can hide an I/O error."""
    connection.execute(f"PRAGMA {pragma}={value}").fetchone()
    (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    if found != expected:
        raise NotDurable(_name_of(connection), pragma, expected, found)


def _name_of(connection: sqlite3.Connection) -> str:
    return connection.execute("PRAGMA database_list").fetchone()[2] or "a database in memory"


def _make_private(file: Path) -> None:
    """Makes an empty file for the owner alone: SQLite would leave its mode to chance."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))


def _check_modes(file: Path) -> None:
    _check_mode(file.parent, _FOLDER_MODE)
    for name in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        if name.exists():
            _check_mode(name, _FILE_MODE)


def _check_mode(path: Path, allowed: int) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & ~allowed:
        raise JournalExposed(str(path), mode, allowed)
