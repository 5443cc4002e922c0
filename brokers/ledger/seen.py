"""Memory of what was booked, bounded: known, new, or too old to tell, and never a guess.

The journal remembers every fact for ever; the ledger holds only the ids of recent facts. An id is forgotten when at
least `entries` arrived after it and its fact is older by more than twice `skew_ns`. A fact that might be one of the
forgotten (not later than the latest of them plus `skew_ns`, because two reports of one fill may carry stamps that far
apart) is refused with FactTooOld. So no fill counts twice, none is lost silently, and a fill that comes within
`skew_ns` of the newest is always decided. Memory is twice `entries`, or what came within four times `skew_ns` if that
is more.
"""

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

    def remember(self, id: str, seen: Print) -> Print | None:  # noqa: A002 - the word of the facts
        """Notes that the fact is booked and returns None; what was booked before under the id stays and is returned."""
        ...


class RecentIds:
    """The default memory: the most recent ids of one account in two generations, of which the older is let go whole."""

    def __init__(self, entries: int = 10_000, skew_ns: int = 60 * _SECOND) -> None:
        self.entries = entries
        self.skew_ns = skew_ns
        self.unsure_ns = -1
        self._old: dict[str, Print] = {}
        self._young: dict[str, Print] = {}
        self._full = entries

    def __len__(self) -> int:
        return len(self._old) + len(self._young)

    def get(self, id: str, /) -> Print | None:  # noqa: A002 - the word of the facts
        """What was booked under the id, None if nothing is known of it."""
        return self._young.get(id) or self._old.get(id)

    def remember(self, id: str, seen: Print) -> Print | None:  # noqa: A002 - the word of the facts
        """Notes a new id, and from time to time forgets those that both rules release; returns what a known one had."""
        known = self._old.get(id) or self._young.setdefault(id, seen)
        if known is not seen:
            return known
        if len(self._young) >= self._full:
            self._turn(seen[0] - 2 * self.skew_ns)
        return None

    def _turn(self, release: int) -> None:
        """The young become the old, together with those of the old that are too fresh to forget."""
        kept, latest = {}, -1
        for id_, known in self._old.items():
            if known[0] >= release:
                kept[id_] = known
            elif known[0] > latest:
                latest = known[0]
        if latest >= 0:
            self.unsure_ns = max(latest + self.skew_ns, self.unsure_ns)
        self._old, self._young = kept | self._young, {}
        self._full = max(self.entries, len(self._old))

    def generations(self) -> tuple[dict[str, Print], dict[str, Print]]:
        """The older ids and the younger ones, in order of arrival."""
        return dict(self._old), dict(self._young)

    def restore(self, old: dict[str, Print], young: dict[str, Print], unsure_ns: int) -> None:
        """Takes over what another memory held."""
        self._old, self._young, self.unsure_ns = old, young, unsure_ns
        self._full = max(self.entries, len(old))


def booked(seen: Seen, key: str, fact: Any, figures: Print) -> bool:
    """Whether a fact was booked; raises ConflictingFact when with other figures, FactTooOld when it cannot be told."""
    known = seen.get(key)
    if known is None:
        if figures[0] <= seen.unsure_ns:
            raise FactTooOld(fact, seen.unsure_ns)
        return False
    agree(known, fact, figures)
    return True


def agree(known: Print, fact: Any, figures: Print) -> None:
    """Raises ConflictingFact when a fact was booked with other figures than it has now; its time may differ."""
    if known[1:] != figures[1:]:
        raise ConflictingFact(fact, known[1:], figures[1:])
