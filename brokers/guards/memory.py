"""What the guards of a login know beyond the end of a process: pauses that are not over, breakers that are open.

It is folded from what they told, so whoever keeps that keeps this: nothing is stored beside it. The host and the
guards of the next process take it up before their first request.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Self

import attrs

from brokers.guards.breaker import Phase
from brokers.guards.events import BreakerMoved, PauseBegan

Kept = BreakerMoved | PauseBegan


@attrs.frozen
class GuardMemory:
    """The last word on each breaker and on each pause."""

    last: Mapping[tuple[str, ...], Kept] = attrs.field(factory=dict)

    @classmethod
    def of(cls, told: Iterable[Kept]) -> Self:
        """What follows from all that was told, oldest first."""
        return cls({subject(event): event for event in told})

    def pauses(self, host: str, now_ns: int) -> tuple[PauseBegan, ...]:
        """The pauses of a host that are not over."""
        return tuple(one for one in self.standing(now_ns) if isinstance(one, PauseBegan) and one.host == host)

    def openings(self, connection: str, now_ns: int) -> tuple[BreakerMoved, ...]:
        """The breakers of a connection that are open."""
        return tuple(
            one for one in self.standing(now_ns) if isinstance(one, BreakerMoved) and one.connection == connection
        )

    def standing(self, now_ns: int) -> tuple[Kept, ...]:
        """All that still holds, as if it began now; none longer than it was told, for the wall may have been set."""
        return tuple(found for one in self.last.values() if (found := _from(one, now_ns)) is not None)


BLANK: Final = GuardMemory()


def subject(event: Kept) -> tuple[str, ...]:
    """What an event is the last word on, until the next."""
    if isinstance(event, BreakerMoved):
        return "breaker", event.connection, event.kind.value
    return "pause", event.host, event.category


def _from(event: Kept, now_ns: int) -> Kept | None:
    if isinstance(event, PauseBegan):
        left_ns = min(event.until_ns - now_ns, event.until_ns - event.at_ns)
        return attrs.evolve(event, at_ns=now_ns, until_ns=now_ns + left_ns, asked_ns=left_ns) if left_ns > 0 else None
    moved = event.transition
    left_ns = min(moved.until_ns - now_ns, moved.until_ns - moved.at_ns)
    if moved.after is not Phase.OPEN or left_ns <= 0:
        return None
    return attrs.evolve(event, transition=attrs.evolve(moved, at_ns=now_ns, until_ns=now_ns + left_ns))
