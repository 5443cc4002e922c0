"""Rate limits as brokers publish them: token buckets, rolling counts and fixed windows, each with its meter.

Meters count in integers, so what they promise holds exactly. `slack_ns` is how far the broker's clock and the
time a request travels may shift our calls: within it the broker never counts more than it allows.
"""

from collections import deque
from typing import Protocol

import attrs

from brokers.guards.operation import Priority, Usage
from brokers.guards.timeline import MILLISECOND_NS

_positive = attrs.validators.ge(1)
_share = attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(90))


class Meter(Protocol):
    """What a call must find room on before it may go."""

    @property
    def name(self) -> str:
        """What refusals and statistics call it."""
        ...

    def wait_ns(self, cost: int, priority: Priority, now_ns: int) -> int:
        """How long until there is room at the soonest; 0 when there is room now."""
        ...

    def take(self, cost: int, now_ns: int) -> None:
        """Books a call that goes now."""
        ...


class RateMeter(Meter, Protocol):
    """A meter that learns from what the broker reports."""

    @property
    def most(self) -> int:
        """The largest cost that can ever fit."""
        ...

    def correct(self, usage: Usage, sent_ns: int, now_ns: int) -> None:
        """Takes over a report that came with the answer to a call sent at `sent_ns`, never to our advantage."""
        ...

    def used(self, now_ns: int) -> int:
        """How much of the limit counts as spent now."""
        ...


@attrs.frozen
class Bucket:
    """A token bucket: `amount` a period on average, at most `burst` at once.

    `orders_percent` of the burst, beside the reserve, is left alone by everything but orders, so that questions asked
    without end slow each other down and not them.
    """

    name: str
    amount: int = attrs.field(validator=_positive)
    period_ns: int = attrs.field(validator=_positive)
    burst: int = attrs.field(default=attrs.Factory(lambda self: self.amount, takes_self=True), validator=_positive)
    per_account: bool = False
    reserve_percent: int = attrs.field(default=20, validator=_share)
    orders_percent: int = attrs.field(default=0, validator=_share)

    def meter(self) -> RateMeter:
        """A full bucket."""
        return BucketMeter(self)


@attrs.frozen
class Rolling:
    """At most `amount` in any window of the period, wherever it begins."""

    name: str
    amount: int = attrs.field(validator=_positive)
    period_ns: int = attrs.field(validator=_positive)
    per_account: bool = False
    reserve_percent: int = attrs.field(default=20, validator=_share)
    slack_ns: int = 50 * MILLISECOND_NS

    def meter(self) -> RateMeter:
        """An empty count."""
        return RollingMeter(self)


def _fits(limit: "Window", _field: object, slack_ns: int) -> None:
    if not 0 <= 4 * slack_ns < limit.period_ns:
        raise ValueError(
            f"limit {limit.name}: slack_ns must be below a quarter of the period {limit.period_ns}, got {slack_ns}"
        )


@attrs.frozen
class Window:
    """At most `amount` in each fixed window: aligned to the UTC clock, or opened by the first call after the last.

    `paced` spreads questions over the window, all but a first third, so that none waits for its end.
    """

    name: str
    amount: int = attrs.field(validator=_positive)
    period_ns: int = attrs.field(validator=_positive)
    aligned: bool = True
    per_account: bool = False
    reserve_percent: int = attrs.field(default=20, validator=_share)
    slack_ns: int = attrs.field(default=500 * MILLISECOND_NS, validator=_fits)
    paced: bool = False

    def meter(self) -> RateMeter:
        """A window nobody has used yet."""
        return AlignedMeter(self) if self.aligned else WindowMeter(self)


Limit = Bucket | Rolling | Window


def _reserve(most: int, percent: int) -> int:
    return most * percent // 100


def _seen(usage: Usage, most: int) -> int:
    """How much the broker counts as used."""
    if usage.used is not None:
        return usage.used
    return 0 if usage.remaining is None else most - usage.remaining


class BucketMeter:
    """The tokens of one bucket; a token is `period_ns` units, of which `amount` come back each nanosecond."""

    __slots__ = ("_as_of_ns", "_capacity", "_level", "_orders", "_rate", "_reserve", "_unit", "most", "name")

    def __init__(self, limit: Bucket) -> None:
        self.name = limit.name
        self.most = limit.burst
        self._unit = limit.period_ns
        self._rate = limit.amount  # units a nanosecond
        self._capacity = self._level = limit.burst * limit.period_ns
        self._reserve = _reserve(limit.burst, limit.reserve_percent) * limit.period_ns
        self._orders = _reserve(limit.burst, limit.orders_percent) * limit.period_ns
        self._as_of_ns = 0

    def wait_ns(self, cost: int, priority: Priority, now_ns: int) -> int:
        """Until the tokens (and, for those who may not touch it, the reserve) are there."""
        need = cost * self._unit
        if priority > Priority.REDUCE:
            left_alone = self._reserve if priority <= Priority.ORDER else self._reserve + self._orders
            need = min(need + left_alone, self._capacity)
        lacking = need - self._level_at(now_ns)
        return -(-lacking // self._rate) if lacking > 0 else 0

    def take(self, cost: int, now_ns: int) -> None:
        """Removes the tokens."""
        self._level = self._level_at(now_ns) - cost * self._unit
        self._as_of_ns = now_ns

    def correct(self, usage: Usage, sent_ns: int, now_ns: int) -> None:
        """Holds no more tokens than the broker has left for us."""
        del sent_ns  # a late report can only make the bucket emptier, and it refills
        left = (self.most - _seen(usage, self.most)) * self._unit
        self._level = min(self._level_at(now_ns), max(0, left))
        self._as_of_ns = now_ns

    def used(self, now_ns: int) -> int:
        """Tokens that have not come back yet, part of one counting whole."""
        return -(-(self._capacity - self._level_at(now_ns)) // self._unit)

    def _level_at(self, now_ns: int) -> int:
        level = self._level + (now_ns - self._as_of_ns) * self._rate
        return min(level, self._capacity)


class RollingMeter:
    """The calls that a rolling count still remembers."""

    __slots__ = ("_calls", "_reserve", "_span_ns", "_used", "most", "name")

    def __init__(self, limit: Rolling) -> None:
        self.name = limit.name
        self.most = limit.amount
        self._reserve = _reserve(limit.amount, limit.reserve_percent)
        self._span_ns = limit.period_ns + limit.slack_ns
        self._calls: deque[tuple[int, int]] = deque()  # (when, cost)
        self._used = 0

    def wait_ns(self, cost: int, priority: Priority, now_ns: int) -> int:
        """Until enough of the oldest calls are forgotten."""
        self._forget(now_ns)
        surplus = self._used + cost - self._allowed(cost, priority)
        if surplus <= 0:
            return 0
        for when_ns, freed in self._calls:
            surplus -= freed
            if surplus <= 0:
                return when_ns + self._span_ns - now_ns
        raise AssertionError(f"limit {self.name} cannot hold a cost of {cost}, yet it was asked for")

    def take(self, cost: int, now_ns: int) -> None:
        """Remembers the call."""
        self._calls.append((now_ns, cost))
        self._used += cost

    def correct(self, usage: Usage, sent_ns: int, now_ns: int) -> None:
        """Remembers the calls that only the broker knows of as made now."""
        if sent_ns <= now_ns - self._span_ns:
            return  # it speaks of a time that is forgotten by now
        self._forget(now_ns)
        unknown = min(_seen(usage, self.most), self.most) - self._used
        if unknown > 0:
            self.take(unknown, now_ns)

    def used(self, now_ns: int) -> int:
        """The cost of the remembered calls."""
        self._forget(now_ns)
        return self._used

    def _allowed(self, cost: int, priority: Priority) -> int:
        return self.most if priority <= Priority.REDUCE else max(self.most - self._reserve, cost)

    def _forget(self, now_ns: int) -> None:
        oldest_ns = now_ns - self._span_ns
        while self._calls and self._calls[0][0] <= oldest_ns:
            self._used -= self._calls.popleft()[1]


class WindowMeter:
    """A fixed window that opens with the first call after the last one has ended.

    We know only roughly when the broker's window opened: between `_first_ns` and `_last_ns`. A call made where it
    may have been counted by this window or by the next is counted in both.
    """

    __slots__ = (
        "_carried",
        "_carried_first_ns",
        "_carried_last_ns",
        "_first_ns",
        "_last_ns",
        "_opening",
        "_paced",
        "_period_ns",
        "_reserve",
        "_slack_ns",
        "_turned_ns",
        "_used",
        "most",
        "name",
    )

    def __init__(self, limit: Window) -> None:
        self.name = limit.name
        self.most = limit.amount
        self._reserve = _reserve(limit.amount, limit.reserve_percent)
        self._period_ns = limit.period_ns
        self._paced = limit.paced
        self._slack_ns = limit.slack_ns
        self._first_ns = self._last_ns = self._turned_ns = 0
        self._used = self._carried = self._carried_first_ns = self._carried_last_ns = 0
        self._opening = True  # the broker's window may still have to open

    def wait_ns(self, cost: int, priority: Priority, now_ns: int) -> int:
        """Until the window has ended for certain, when this one has no room."""
        self._turn(now_ns)
        allowed = self.most if priority <= Priority.REDUCE else max(self.most - self._reserve, cost)
        if self._used + cost > allowed:
            return self._over_ns() - now_ns
        return self._pace_ns(cost, allowed, now_ns) if self._paced and priority > Priority.ORDER else 0

    def _pace_ns(self, cost: int, allowed: int, now_ns: int) -> int:
        """Until the window is as far as what was asked in it."""
        at_once = allowed // 3
        later = self._used + cost - at_once
        if later <= 0:
            return 0
        return max(self._first_ns + self._period_ns * later // (allowed - at_once) - now_ns, 0)

    def take(self, cost: int, now_ns: int) -> None:
        """Counts the call, near the end in the next window too."""
        self._turn(now_ns)
        self._open(now_ns)
        self._used += cost
        if now_ns >= self._first_ns + self._period_ns - self._slack_ns:
            self._carried_first_ns = self._carried_first_ns if self._carried else now_ns
            self._carried_last_ns = now_ns
            self._carried += cost

    def correct(self, usage: Usage, sent_ns: int, now_ns: int) -> None:
        """Takes over a higher count and the end of the window; a report on an earlier window says nothing here."""
        self._turn(now_ns)
        if sent_ns < self._turned_ns:
            return
        self._open(now_ns)
        if usage.resets_in_ns is not None:
            self._ends_at(now_ns + max(0, usage.resets_in_ns))
        self._used = max(self._used, min(_seen(usage, self.most), self.most))

    def used(self, now_ns: int) -> int:
        """What this window has counted."""
        self._turn(now_ns)
        return self._used

    def _over_ns(self) -> int:
        return self._last_ns + self._period_ns + self._slack_ns

    def _open(self, now_ns: int) -> None:
        """The broker's window is open from now on at the latest."""
        if self._opening:
            self._first_ns = self._first_ns if self._used else now_ns
            self._last_ns = now_ns
            self._opening = False

    def _ends_at(self, end_ns: int) -> None:
        """Moves the window so that it ends when the broker says, give or take the slack."""
        opened_ns = end_ns - self._period_ns
        if opened_ns > self._last_ns + self._period_ns // 2:  # the broker has turned before we were sure of it
            self._used, self._carried = self._carried, 0
        self._first_ns = opened_ns - self._slack_ns
        self._last_ns = opened_ns + self._slack_ns

    def _turn(self, now_ns: int) -> None:
        """Closes windows that have surely ended; what the next one may have counted stays counted."""
        while self._used and now_ns >= self._over_ns():
            self._turned_ns = self._over_ns()
            self._used, self._carried = self._carried, 0
            self._first_ns, self._last_ns = self._carried_first_ns, self._carried_last_ns
            self._opening = True


class AlignedMeter(WindowMeter):
    """A fixed window whose borders lie on whole multiples of its period since 1970 UTC."""

    __slots__ = ()

    def _ends_at(self, end_ns: int) -> None:
        """The clock sets the end, not a report."""

    def _turn(self, now_ns: int) -> None:
        """Steps to the window that has begun for certain."""
        if now_ns < self._over_ns():
            return
        start_ns = (now_ns - self._slack_ns) // self._period_ns * self._period_ns
        follows = start_ns == self._last_ns + self._period_ns
        self._used, self._carried = (self._carried if follows else 0), 0
        self._first_ns = self._last_ns = start_ns
        self._turned_ns = start_ns + self._slack_ns
        self._opening = False
