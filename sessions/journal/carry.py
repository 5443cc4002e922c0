"""What a new month's file must begin with: entries of the file before it, without which a fold would miss something.

A `Carry` picks them from the file that is about to be sealed. It runs in the writer's thread, between two groups, so
it sees all that was queued before the roll and nothing that comes after it.
"""

from collections.abc import Callable, Iterable
from typing import Final

from sessions.journal.errors import JournalError, JournalRefused
from sessions.journal.reader import Reader
from sessions.journal.rows import Entry
from sessions.journal.store import Store

Carry = Callable[[Reader], Iterable[Entry]]

_ENTRIES: Final = "SELECT kind, stream, key, body, wall_ns, monotonic_ns FROM entries "
_STREAMS: Final = "SELECT min(stream) FROM entries WHERE stream > ?"


class NotCarried(JournalError):
    """Entries that a new file needs could not be read, so no new file was begun; the one in use stays in use."""

    def __init__(self, path: str, cause: JournalError) -> None:
        self.path = path
        self.cause = cause
        super().__init__(
            f"{path}: expected entries that can be carried into a new file, got: {cause}; no file was begun and the "
            "journal goes on in this one; verify it, restore a backup if it is damaged, then roll again"
        )


def carried(store: Store, carry: Carry) -> list[Entry]:
    """What a carry picks from the file in use; raises NotCarried, JournalBusy, JournalFailed."""
    with Reader(store.database, store.settings.busy_seconds) as reader:
        try:
            return list(carry(reader))
        except JournalRefused as error:
            raise NotCarried(store.database, error) from error


# What a carry is made of.


def streams(reader: Reader, prefix: str) -> list[str]:
    """The names of the streams that begin so; one look into the index for each."""
    found: list[str] = []
    name = _next_stream(reader, prefix)
    while name is not None and name.startswith(prefix):
        found.append(name)
        name = _next_stream(reader, name)
    return found


def entries(reader: Reader, condition: str, *values: object) -> list[Entry]:
    """The entries that meet a condition of SQL."""
    rows = reader.guarded(lambda: reader.db.conn.execute(_ENTRIES + condition, values).fetchall())
    return [Entry(*row) for row in rows]


def newest(reader: Reader, stream: str, count: int = 1) -> list[Entry]:
    """The last entries of a stream, oldest first."""
    return entries(reader, "WHERE stream = ? ORDER BY seq DESC LIMIT ?", stream, count)[::-1]


def newest_of_each_key(reader: Reader, stream: str) -> list[Entry]:
    """The last entry of each key in a stream, in the order of their keys' first appearance."""
    found = {entry.key: entry for entry in entries(reader, "WHERE stream = ? ORDER BY seq", stream)}
    return list(found.values())


def _next_stream(reader: Reader, after: str) -> str | None:
    (name,) = reader.guarded(lambda: reader.db.conn.execute(_STREAMS, (after,)).fetchone())
    return name  # type: ignore[no-any-return]  # a column of text
