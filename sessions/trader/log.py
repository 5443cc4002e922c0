"""What must survive of a session: its strategy's state, the tags of its orders, its book of risk.

Notes are made before the orders they belong to and in the same journal, so that nothing is sent whose tag or state
could be lost. Positions and orders are not kept here: they are in the account's books.

Of a state and a book only the last counts, of a tag only its order: that is what `carry_session_logs` takes along into
a new month's file.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

import attrs
import msgspec

from runtime import Name
from runtime.world import World
from sessions.journal import Entry, Journal, JournalError, Reader, Writer
from sessions.journal.carry import entries, newest, streams

STATE: Final = "session.state"
TAG: Final = "session.tag"
BOOK: Final = "session.book"
_PREFIX: Final = "session/"
_COMING: Final = 1_000  # tags that are carried in any case: the orders they belong to may still be on their way
_LAST: Final = "SELECT body FROM entries WHERE stream = ? ORDER BY seq DESC LIMIT 1"


@attrs.frozen
class Kept:
    """What was kept last, as JSON; None for what never was."""

    state: str | None = None
    book: str | None = None


class SessionLog(Protocol):
    """Where a session's own facts are kept."""

    async def load(self) -> Kept:
        """What was kept last; raises JournalError."""
        ...

    async def tags(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The tags of those orders whose tags were kept, by key; raises JournalError."""
        ...

    def keep_state(self, text: str) -> None:
        """Keeps the strategy's state; never waits."""
        ...

    def keep_tags(self, tags: Mapping[str, str]) -> None:
        """Keeps tags by order key; never waits."""
        ...

    def keep_book(self, text: str) -> None:
        """Keeps the session's book of risk; never waits."""
        ...


class MemorySessionLog:
    """A log that lives as long as its owner."""

    def __init__(self) -> None:
        self.kept = Kept()
        self._tags: dict[str, str] = {}

    async def load(self) -> Kept:
        """What was kept last."""
        return self.kept

    async def tags(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The tags of those orders whose tags were kept."""
        return {key: self._tags[key] for key in keys if key in self._tags}

    def keep_state(self, text: str) -> None:
        """Keeps the strategy's state."""
        self.kept = attrs.evolve(self.kept, state=text)

    def keep_tags(self, tags: Mapping[str, str]) -> None:
        """Keeps tags by order key."""
        self._tags.update(tags)

    def keep_book(self, text: str) -> None:
        """Keeps the session's book of risk."""
        self.kept = attrs.evolve(self.kept, book=text)


class JournalSessionLog:
    """A session's log in the journal, in three streams: state, tags and book."""

    def __init__(self, journal: Name[Journal], session: str, world: World) -> None:
        self.session = session
        self.failures = 0
        self._journal = journal
        self._world = world
        self._writer: Writer | None = None

    async def load(self) -> Kept:
        """What was kept last; raises JournalError."""
        self._writer = None  # a journal that started again has another one
        database = await self._database()
        state, book = self._stream(STATE), self._stream(BOOK)
        return await self._world.threads.run(lambda: Kept(_last(database, state), _last(database, book)))

    async def tags(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The tags of those orders whose tags were kept, by key; raises JournalError."""
        database, wanted = await self._database(), tuple(keys)
        return await self._world.threads.run(lambda: _tags(database, wanted))

    def keep_state(self, text: str) -> None:
        """Keeps the strategy's state."""
        self._note(self._entry(STATE, None, text))

    def keep_tags(self, tags: Mapping[str, str]) -> None:
        """Keeps tags by order key."""
        self._note(*(self._entry(TAG, key, msgspec.json.encode(tag).decode()) for key, tag in tags.items()))

    def keep_book(self, text: str) -> None:
        """Keeps the session's book of risk."""
        self._note(self._entry(BOOK, None, text))

    async def _database(self) -> str:
        if self._writer is None:
            self._writer = await self._journal.call(Journal.handle)
        return await self._writer.perform(lambda store: store.database)

    def _stream(self, kind: str) -> str:
        return f"{_PREFIX}{self.session}/{kind}"

    def _entry(self, kind: str, key: str | None, body: str) -> Entry:
        clock = self._world.clock
        return Entry(kind, self._stream(kind), key, body, clock.wall_ns(), clock.monotonic_ns())

    def _note(self, *entries: Entry) -> None:
        """Notes entries; a journal that cannot take them takes no order either, so there is nothing to undo."""
        if self._writer is None:
            return
        try:
            self._writer.note(entries)
        except JournalError:
            self.failures += 1


def carry_session_logs(reader: Reader, orders: Iterable[str]) -> Iterator[Entry]:
    """What a new file must hold of all sessions, with the tags of these orders; raises JournalError."""
    tags = {entry.key: entry for key in orders for entry in entries(reader, "WHERE key = ? AND kind = ?", key, TAG)}
    for stream in streams(reader, _PREFIX):
        if stream.endswith(f"/{TAG}"):
            tags |= {entry.key: entry for entry in newest(reader, stream, _COMING)}
        else:
            yield from newest(reader, stream)
    yield from tags.values()


def _last(database: str, stream: str) -> str | None:
    with Reader(database) as reader:
        row = reader.guarded(lambda: reader.db.conn.execute(_LAST, (stream,)).fetchone())
        return None if row is None else row[0]


def _tags(database: str, keys: tuple[str, ...]) -> dict[str, str]:
    with Reader(database) as reader:
        return {
            key: msgspec.json.decode(row.entry.body, type=str)
            for key in keys
            for row in reader.by_key(key)
            if row.entry.kind == TAG
        }
