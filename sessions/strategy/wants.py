"""What a strategy asks for in advance: market data, bars with their history, and timers."""

import datetime as dt
from collections.abc import Callable
from typing import Final

import attrs

from brokers.calendar import SECOND_NS, Session, SessionCalendar
from brokers.market import Interval, MarketStatus

_MINUTE_NS: Final = 60 * SECOND_NS


@attrs.frozen
class Series:
    """Bars of one symbol, a root or a contract; the last `history` of them are kept and there at the start."""

    symbol: str
    interval: Interval
    history: int = 200


@attrs.frozen
class Every:
    """A timer at every multiple of so many seconds since 1970, so that a restart does not shift it."""

    name: str
    seconds: int


@attrs.frozen
class AfterOpen:
    """A timer once a trading day, so many minutes after regular trading of a symbol begins."""

    name: str
    symbol: str
    minutes: int


@attrs.frozen
class BeforeClose:
    """A timer once a trading day, so many minutes before regular trading of a symbol ends, early closes included."""

    name: str
    symbol: str
    minutes: int


Timer = Every | AfterOpen | BeforeClose


@attrs.frozen
class Wants:
    """All that a strategy with its parameters asks for; a root such as ES follows the contract in front."""

    quotes: tuple[str, ...] = ()
    trades: tuple[str, ...] = ()
    bars: tuple[Series, ...] = ()
    timers: tuple[Timer, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol named, once, in order."""
        timed = (timer.symbol for timer in self.timers if not isinstance(timer, Every))
        return tuple(dict.fromkeys((*self.quotes, *self.trades, *(series.symbol for series in self.bars), *timed)))


@attrs.frozen
class Hours:
    """Regular trading of one trading day: [open_ns, close_ns), breaks inside included."""

    trading_day: dt.date
    open_ns: int
    close_ns: int

    @classmethod
    def of(cls, session: Session) -> "Hours":
        """The regular part of a session; the whole of it where nothing is marked as regular."""
        phases = [phase for phase in session.phases if phase.status is MarketStatus.OPEN] or session.phases
        return cls(session.trading_day, phases[0].start_ns, phases[-1].end_ns)


def hours_at(calendar: SessionCalendar, now_ns: int) -> Hours:
    """The regular hours that an instant lies in, or else the next ones."""
    session = calendar.session_at(now_ns) or calendar.next_session(now_ns)
    hours = Hours.of(session)
    return hours if now_ns < hours.close_ns else Hours.of(calendar.following_session(session))


def next_due(timer: Timer, calendar_of: Callable[[str], SessionCalendar], after_ns: int) -> int:
    """The first instant after another at which a timer is due."""
    if isinstance(timer, Every):
        step = timer.seconds * SECOND_NS
        return (after_ns // step + 1) * step
    calendar = calendar_of(timer.symbol)
    session = calendar.previous_session(calendar.next_session(after_ns))
    while (due := _due_in(timer, Hours.of(session))) <= after_ns:
        session = calendar.following_session(session)
    return due


def _due_in(timer: AfterOpen | BeforeClose, hours: Hours) -> int:
    """When a timer is due on a trading day; never outside its regular hours."""
    if isinstance(timer, AfterOpen):
        return min(hours.open_ns + timer.minutes * _MINUTE_NS, hours.close_ns)
    return max(hours.close_ns - timer.minutes * _MINUTE_NS, hours.open_ns)
