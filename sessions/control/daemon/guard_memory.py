"""What the guards of a broker tell, in the journal, so that a daemon which starts leaves alone who asked for it.

Each change of a breaker and each pause is one row, and what stands is a fold over them.
"""

from collections.abc import Iterator
from typing import Final

from brokers import codec
from brokers.guards.events import BreakerMoved, PauseBegan
from brokers.guards.memory import GuardMemory, Kept, subject
from runtime import Name
from runtime.world import World
from sessions.control.daemon.memory import JournalStream
from sessions.journal import Entry, Journal, Reader
from sessions.journal.carry import newest_of_each_key, streams

PREFIX: Final = "guards/"
_KINDS: Final[dict[str, type[Kept]]] = {"guard.breaker": BreakerMoved, "guard.pause": PauseBegan}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def guard_stream(journal: Name[Journal], world: World, broker: str) -> JournalStream:
    """Where the guards of a configured broker are kept."""
    return JournalStream(journal, world, f"{PREFIX}{broker}")


def note(stream: JournalStream, event: Kept) -> None:
    """Keeps what a guard told; neither waits nor raises."""
    stream.note(_NAMES[type(event)], "/".join(subject(event)), event)


async def remembered(stream: JournalStream) -> GuardMemory:
    """What they told, this month and what was carried into it; raises JournalError."""
    rows = await stream.load()
    return GuardMemory.of(codec.decode(row.entry.body, _KINDS[row.entry.kind]) for row in rows)


def carry_guards(reader: Reader) -> Iterator[Entry]:
    """The last word on each breaker and pause goes over the turn of a month."""
    for stream in streams(reader, PREFIX):
        yield from newest_of_each_key(reader, stream)
