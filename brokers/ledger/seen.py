"""Memory of what was booked, bounded: known, new, or too old to tell, and never a guess.

The journal remembers every fact for ever; the ledger holds only the ids of recent facts. An id is forgotten when at
least `entries` arrived after it and its fact is older by more than twice `skew_ns`. A fact that might be one of the
forgotten (not later than the latest of them plus `skew_ns`, because two reports of one fill may carry stamps that far
apart) is refused with FactTooOld. So no fill counts twice, none is lost silently, and a fill that comes within
`skew_ns` of the newest is always decided. Memory is twice `entries`, or twice what came within two `skew_ns` if that
is more.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Protocol

import msgspec

from brokers.ledger.errors import ConflictingFact, FactTooOld
from brokers.sides import Side

_SECOND = 1_000_000_000


class Print(msgspec.Struct, frozen=True, gc=False):
    """When a fact was, and the figures that tell a duplicate of it from a conflict.

    There are tens of thousands of them, and nothing in one leads back to it: the garbage collector leaves them out.
    """

    time_ns: int
    name: str = ""  # of what the fact is: a symbol, a currency, the ids of other facts
    amount: Decimal | None = None
    at: Decimal | None = None  # a price
    side: Side | None = None

    def figures(self) -> tuple[Any, ...]:
        """All that a duplicate has in common with it; its time may differ."""
        return self.name, self.amount, self.at, self.side


class Seen(Protocol):
    """Where the ledger asks whether a fact was booked; one may ask the journal instead of memory."""

    @property
    def unsure_ns(self) -> int:
        """Up to which time an unknown id may be one that was forgotten; -1 when none ever was."""
        ...

    def get(self, id: str, /) -> Print | None:  # noqa: A002 - the word of the facts
        """What was booked under the id, None if nothing is known of it."""
        ...

    def remember(self, id: str, seen: Print) -> Print | None:  # noqa: A002 - the word of the facts
        """Notes that the fact is booked and returns None; what was booked before under the id stays and is returned."""
        ...


class RecentIds:
    """The default memory: the most recent ids of one account in order of arrival."""

    def __init__(self, entries: int = 10_000, skew_ns: int = 60 * _SECOND) -> None:
        self.entries = entries
        self.skew_ns = skew_ns
        self.unsure_ns = -1
        self._known: dict[str, Print] = {}
        self._full = 2 * entries

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def get(self, id: str, /) -> Print | None:  # noqa: A002 - the word of the facts
        """What was booked under the id, None if nothing is known of it."""
        return self._known.get(id)

    def remember(self, id: str, seen: Print) -> Print | None:  # noqa: A002 - the word of the facts
        """Notes a new id, and from time to time forgets those that both rules release; returns what a known one had."""
        known = self._known.setdefault(id, seen)
        if known is not seen:
            return known
        if len(self._known) >= self._full:
            self._forget(seen.time_ns - 2 * self.skew_ns)
        return None

    def _forget(self, release: int) -> None:
        """Lets go of what is older than the release and not among the most recent entries.

        What is too fresh to forget is looked at again when as many more have come, so a look at an id costs nothing.
        """
        older = list(islice(self._known.items(), len(self._known) - self.entries))
        gone = [id_ for id_, known in older if known.time_ns < release]
        if gone:
            latest = max(self._known.pop(id_).time_ns for id_ in gone)
            self.unsure_ns = max(self.unsure_ns, latest + self.skew_ns)
        self._full = max(2 * self.entries, len(self._known) + len(older) - len(gone))

    def state(self) -> tuple[dict[str, Print], int]:
        """The ids in order of arrival with plain prints, and at how many of them some are forgotten next."""
        return {id_: Print(known.time_ns, *known.figures()) for id_, known in self._known.items()}, self._full

    def restore(self, known: dict[str, Print], full: int = 0, unsure_ns: int = -1) -> None:
        """Takes over what another memory held."""
        self._known, self._full, self.unsure_ns = known, max(full, 2 * self.entries), unsure_ns


def booked(seen: Seen, key: str, fact: Any, figures: Print) -> bool:
    """Whether a fact was booked; raises ConflictingFact when with other figures, FactTooOld when it cannot be told."""
    known = seen.get(key)
    if known is None:
        if figures.time_ns <= seen.unsure_ns:
            raise FactTooOld(fact, seen.unsure_ns)
        return False
    agree(known, fact, figures)
    return True


def agree(known: Print, fact: Any, offered: Print) -> None:
    """Raises ConflictingFact when a fact was booked with other figures than it has now."""
    if known.figures() != offered.figures():
        raise ConflictingFact(fact, known.figures(), offered.figures())
