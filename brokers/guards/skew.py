"""What time it is at a broker, learned from the Date of its answers, and how far this machine's clock is off.

A Date names the second in which an answer was made, and that was between our sending and our receiving: a bound on
the broker's clock against ours. The bounds of the last minutes are laid over each other. They are taken against the
clock that never steps, so a wall clock that is set is known with the next answer, and nothing has to be learned again.
"""

import enum
from collections.abc import Callable
from typing import Final

import attrs

from brokers.guards.timeline import SECOND_NS
from runtime.wire.http_messages import second_of
from runtime.world import Clock

NOTICED_NS: Final = 2 * SECOND_NS
FAR_NS: Final = 30 * SECOND_NS
SPAN_NS: Final = 150 * SECOND_NS  # what was learned counts for one to two of these
_BELIEVED: Final = 2  # answers: a single one may come from a store on the way, or from a machine of its own time


@attrs.frozen
class Bounds:
    """The broker's clock less our steady one is at least `low_ns` and less than `high_ns`."""

    low_ns: int
    high_ns: int

    @classmethod
    def of(cls, date_s: int, sent_ns: int, received_ns: int) -> "Bounds":
        """What one answer says."""
        return cls(date_s * SECOND_NS - received_ns, (date_s + 1) * SECOND_NS - sent_ns)

    def meet(self, other: "Bounds | None") -> "Bounds | None":
        """What both say; None where they cannot both be true."""
        if other is None:
            return self
        low_ns, high_ns = max(self.low_ns, other.low_ns), min(self.high_ns, other.high_ns)
        return Bounds(low_ns, high_ns) if low_ns < high_ns else None

    def ahead_ns(self, wall_ns: int, steady_ns: int) -> int:
        """How far the wall clock is ahead of the broker's at least, negative if behind; 0 where it may be right."""
        wall_less_steady = wall_ns - steady_ns
        return max(wall_less_steady - self.high_ns, 0) or min(wall_less_steady - self.low_ns, 0)


@attrs.frozen
class Learned:
    """What the answers of the running span say, those of the span before, and how many of them agree."""

    recent: Bounds | None = None
    earlier: Bounds | None = None
    since_ns: int = 0
    answers: int = 0

    def after(self, said: Bounds, now_ns: int) -> "Learned":
        """With one more answer; one that contradicts the rest means that a clock was set: what was known is void."""
        known = self._turned(now_ns)
        both = said.meet(known.bounds)
        if both is None:
            return Learned(said, None, now_ns, 1)
        return attrs.evolve(known, recent=said.meet(known.recent), answers=known.answers + 1)

    @property
    def bounds(self) -> Bounds | None:
        """All that is known."""
        return self.earlier if self.recent is None else self.recent.meet(self.earlier)

    @property
    def certain(self) -> Bounds | None:
        """What more than one answer says."""
        return self.bounds if self.answers >= _BELIEVED else None

    def _turned(self, now_ns: int) -> "Learned":
        age_ns = now_ns - self.since_ns
        if age_ns < SPAN_NS:
            return self
        if age_ns < 2 * SPAN_NS:
            return attrs.evolve(self, recent=None, earlier=self.recent, since_ns=now_ns)
        return Learned(since_ns=now_ns)


class Skew(enum.Enum):
    """How far this machine's clock is off."""

    NONE = "none"
    NOTICED = "noticed"
    FAR = "far"

    @classmethod
    def of(cls, ahead_ns: int) -> "Skew":
        """What so many nanoseconds are called."""
        off_ns = abs(ahead_ns)
        return cls.FAR if off_ns > FAR_NS else cls.NOTICED if off_ns > NOTICED_NS else cls.NONE


@attrs.frozen
class ClockMoved:
    """Our wall clock is off by more than before, or right again; `ahead_ns` is negative where it is behind."""

    host: str
    skew: Skew
    ahead_ns: int


class BrokerClock:
    """The clock of a broker's host, as its answers tell it to the HTTP clients of a login."""

    def __init__(self, host: str, clock: Clock, tell: Callable[[ClockMoved], None]) -> None:
        self.learned = Learned()
        self.skew = Skew.NONE
        self._host = host
        self._clock = clock
        self._tell = tell
        self._read: tuple[str | None, int] = (None, 0)  # the last Date and its second: most answers say the same

    def sending(self) -> int:
        """A request leaves; the number must come back with its answer."""
        return self._clock.monotonic_ns()

    def answered(self, sent_ns: int, date: str) -> None:
        """The head of the answer is here; a Date that nobody can read says nothing."""
        if date != self._read[0]:
            second = second_of(date)
            if second is None:
                return
            self._read = date, second
        now_ns = self._clock.monotonic_ns()
        self.learned = self.learned.after(Bounds.of(self._read[1], sent_ns, now_ns), now_ns)
        self._judge(now_ns)

    def latest_ns(self, steady_ns: int) -> int | None:
        """What the broker's clock showed at the latest at a moment of our steady one; None where nobody knows."""
        known = self.learned.certain
        return None if known is None else steady_ns + known.high_ns

    def _judge(self, now_ns: int) -> None:
        known = self.learned.certain
        if known is None:
            return
        ahead_ns = known.ahead_ns(self._clock.wall_ns(), now_ns)
        skew = Skew.of(ahead_ns)
        if skew is not self.skew:
            self.skew = skew
            self._tell(ClockMoved(self._host, skew, ahead_ns))
