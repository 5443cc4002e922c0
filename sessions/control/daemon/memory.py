"""What the daemon itself remembers in the journal: a stream of records, each under a key, folded at the start."""

import attrs

from brokers import codec
from runtime import Name
from runtime.world import World
from sessions.journal import Entry, Journal, Reader, Row


@attrs.frozen
class JournalStream:
    """One stream of the journal; every method raises JournalError."""

    journal: Name[Journal]
    world: World
    stream: str

    async def load(self, newest: int | None = None) -> list[Row]:
        """All that was kept, or so much of it, oldest first."""
        writer = await self.journal.call(Journal.handle)
        database = await writer.perform(lambda store: store.database)
        return await self.world.threads.run(lambda: self._rows(database, newest))

    async def keep(self, kind: str, key: str, record: object) -> int:
        """Returns the entry's number when it is durable."""
        return await self.journal.call(Journal.commit, (self._entry(kind, key, record),))

    def note(self, kind: str, key: str, record: object) -> None:
        """Has it written soon, for what must not wait for the disk."""
        self.journal.cast(Journal.note, (self._entry(kind, key, record),))

    def _entry(self, kind: str, key: str, record: object) -> Entry:
        clock = self.world.clock
        return Entry(kind, self.stream, key, codec.encode(record), clock.wall_ns(), clock.monotonic_ns())

    def _rows(self, database: str, newest: int | None) -> list[Row]:
        with Reader(database) as reader:
            return list(reader.by_stream(self.stream) if newest is None else reader.newest(self.stream, newest))
