"""A circuit breaker: when a broker keeps failing, leave it alone for a while, then try with a single call."""

import enum
import random

import attrs

from brokers.guards.tally import Tally
from brokers.guards.timeline import SECOND_NS


class Phase(enum.Enum):
    """CLOSED lets all calls through, OPEN none, HALF_OPEN one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@attrs.frozen
class BreakerSettings:
    """Opens at `failures` that are `percent` of the calls of a window; each time in a row twice as long."""

    failures: int = 5
    percent: int = 50
    window_ns: int = 10 * SECOND_NS
    open_ns: int = 15 * SECOND_NS
    longest_open_ns: int = 300 * SECOND_NS
    jitter_percent: int = 10
    successes: int = 2

    def opening_ns(self, openings: int, chance: random.Random) -> int:
        """How long the n-th opening in a row lasts, counted from 1."""
        plain_ns = min(self.longest_open_ns, self.open_ns << min(openings - 1, 64))
        jitter_ns = plain_ns * self.jitter_percent // 100
        return plain_ns + chance.randint(-jitter_ns, jitter_ns)


@attrs.frozen
class Transition:
    """A change of phase, told once."""

    before: Phase
    after: Phase
    at_ns: int
    until_ns: int  # of OPEN: when the first probe may go
    openings: int  # in a row, without being closed in between


class Breaker:
    """One breaker's state; every method is told the time."""

    __slots__ = (
        "_bad",
        "_epoch",
        "_good",
        "_openings",
        "_phase",
        "_probing",
        "_settings",
        "_successes",
        "_until_ns",
    )

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._good = Tally(settings.window_ns)
        self._bad = Tally(settings.window_ns)
        self._phase = Phase.CLOSED
        self._epoch = 0  # counts the phases, so that calls of an earlier one do not speak for this one
        self._openings = 0
        self._until_ns = 0
        self._probing = False
        self._successes = 0

    @property
    def phase(self) -> Phase:
        """The phase as of the last call."""
        return self._phase

    def refusal_ns(self, now_ns: int) -> int | None:
        """None when a call may pass; else for how long not, 0 while the probe is under way."""
        if self._phase is Phase.CLOSED:
            return None
        if self._phase is Phase.OPEN:
            return self._until_ns - now_ns if now_ns < self._until_ns else None
        return 0 if self._probing else None

    def enter(self, now_ns: int) -> tuple[int, Transition | None]:
        """Lets a call pass that `refusal_ns` did not refuse; the number must come back with its end."""
        if self._phase is Phase.CLOSED:
            return self._epoch, None
        moved = self._move(Phase.HALF_OPEN, now_ns) if self._phase is Phase.OPEN else None
        self._probing = True
        return self._epoch, moved

    def leave(self, permit: int, good: bool | None, now_ns: int, chance: random.Random) -> Transition | None:
        """Takes in how a call ended; None says nothing about the broker's health."""
        if permit != self._epoch:
            return None
        if self._phase is Phase.CLOSED:
            return self._count(good, now_ns, chance)
        self._probing = False
        if good is None:
            return None
        if not good:
            return self._open(now_ns, chance)
        self._successes += 1
        return self._move(Phase.CLOSED, now_ns) if self._successes >= self._settings.successes else None

    def resume(self, opening: Transition) -> None:
        """Is open as an earlier process left it, which has told so."""
        self._phase = Phase.OPEN
        self._epoch += 1
        self._openings = opening.openings
        self._until_ns = opening.until_ns

    def _count(self, good: bool | None, now_ns: int, chance: random.Random) -> Transition | None:
        if good is None:
            return None
        if good:
            self._good.add(now_ns)
            return None
        self._bad.add(now_ns)
        bad = self._bad.count(now_ns)
        share_reached = bad * 100 >= self._settings.percent * (bad + self._good.count(now_ns))
        return self._open(now_ns, chance) if bad >= self._settings.failures and share_reached else None

    def _open(self, now_ns: int, chance: random.Random) -> Transition:
        self._openings += 1
        self._until_ns = now_ns + self._settings.opening_ns(self._openings, chance)
        return self._move(Phase.OPEN, now_ns)

    def _move(self, after: Phase, now_ns: int) -> Transition:
        moved = Transition(self._phase, after, now_ns, self._until_ns, self._openings)
        self._phase = after
        self._epoch += 1
        self._successes = 0
        self._good.clear()
        self._bad.clear()
        if after is Phase.CLOSED:
            self._openings = 0
        return moved
