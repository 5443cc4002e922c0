"""Memory of what was booked, bounded: known, new, or too old to tell, and never a guess.

The journal remembers every fact for ever; the ledger holds only the ids of recent facts. An id is forgotten when at
least `entries` arrived after it and its fact is older by more than twice `skew_ns`. A fact that might be one of the
forgotten (not later than the latest of them plus `skew_ns`, because two reports of one fill may carry stamps that far
apart) is refused with FactTooOld. So no fill counts twice, none is lost silently, and a fill that comes within
`skew_ns` of the newest is always decided. Memory is `entries` and a quarter, or what came within twice `skew_ns` if
that is more.
"""

from itertools import islice
from typing import Any, Protocol

from brokers.ledger.errors import ConflictingFact, FactTooOld

Print = tuple[Any, ...]  # a fact's time, then the figures that tell a duplicate from a conflict

_SECOND = 1_000_000_000


class Seen(Protocol):
    """Where the ledger asks whether a fact was booked; one may ask the journal instead of memory."""

    @property
    def unsure_ns(self) -> int:
        """Up to which time an unknown id may be one that was forgotten; -1 when none ever was."""
        ...

    def get(self, id: str, /) -> Print | None:  # noqa: A002 - the word of the facts
        """What was booked under the id, None if nothing is known of it."""
        ...

    def remember(self, id: str, seen: Print) -> None:  # noqa: A002 - the word of the facts
        """Notes that the fact is booked."""
        ...


class RecentIds(dict[str, Print]):
    """The default memory: the most recent ids of one account, in order of arrival."""

    def __init__(self, entries: int = 20_000, skew_ns: int = 60 * _SECOND) -> None:
        super().__init__()
        self.entries = entries
        self.skew_ns = skew_ns
        self.unsure_ns = -1
        self.full = entries + entries // 4 + 1

    def remember(self, id: str, seen: Print) -> None:  # noqa: A002 - the word of the facts
        """Notes an id; from time to time forgets those that both rules release."""
        self[id] = seen
        if len(self) >= self.full:
            self._forget(seen[0] - 2 * self.skew_ns)

    def _forget(self, release: int) -> None:
        for id_ in list(islice(self, len(self) - self.entries)):
            time_ns = self[id_][0]
            if time_ns < release:
                del self[id_]
                self.unsure_ns = max(time_ns + self.skew_ns, self.unsure_ns)
        self.full = max(self.entries, len(self)) * 5 // 4 + 1


def booked(seen: Seen, key: str, fact: Any, figures: Print) -> bool:
    """Whether a fact was booked; raises ConflictingFact when with other figures, FactTooOld when it cannot be told."""
    known = seen.get(key)
    if known is None:
        if figures[0] <= seen.unsure_ns:
            raise FactTooOld(fact, seen.unsure_ns)
        return False
    if known[1:] != figures[1:]:
        raise ConflictingFact(fact, known[1:], figures[1:])
    return True
