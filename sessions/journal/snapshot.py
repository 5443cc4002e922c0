"""A consistent copy of one database file, made in one step while its writer goes on."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sessions.journal.connection import open_copy
from sessions.journal.files import publish, sync_file

_FRESH: Final = ".fresh"


def snapshot(connection: sqlite3.Connection, target: Path) -> None:
    """Copies the database to a new file, synced and whole when it appears; raises FileExistsError, sqlite3.Error.

    One step copies all pages: a copy in many steps begins anew at each commit and may never end.
    """
    if target.exists():
        raise FileExistsError(f"expected nothing at {target}; choose another name, nothing was overwritten")
    fresh = target.with_name(f"{target.name}{_FRESH}")
    fresh.unlink(missing_ok=True)  # left over from a crash
    try:
        with closing(open_copy(fresh)) as copy:
            connection.backup(copy, pages=-1)
        sync_file(fresh)
        publish(fresh, target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
