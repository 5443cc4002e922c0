"""Bars of the past: what the broker can be asked for, and how its candles become bars of any length.

It knows minutes by 1, 5, 10, 15 and 30, and days, of stocks only; everything else is put together from those. Its
candles are stamped with their start, a day's with a moment of that day.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import attrs

from brokers.calendar import DAY_NS, SessionCalendar, utc_date
from brokers.errors import Code, Unsupported
from brokers.instruments import EXACT
from brokers.market import Bar, BarUnit, Interval
from brokers.thinkorswim.board import bar_problem
from brokers.thinkorswim.events import Quarantined
from brokers.thinkorswim.settings import BROKER
from brokers.thinkorswim.wire_rest import Candle

_MILLISECOND_NS: Final = 1_000_000
_MARGIN_NS: Final = 7 * DAY_NS  # a bar of days may begin before a week-end
_WHERE: Final = "pricehistory"


@attrs.frozen
class Frequency:
    """One length of candles, and how far back they reach as far as is known; None: for many years."""

    interval: Interval
    period_type: str
    kind: str
    count: int
    depth_ns: int | None


FREQUENCIES: Final = (
    *(
        Frequency(Interval(minutes, BarUnit.MINUTE), "day", "minute", minutes, days * DAY_NS)
        for minutes, days in ((30, 270), (15, 270), (10, 270), (5, 270), (1, 48))
    ),
    Frequency(Interval(1, BarUnit.DAY), "year", "daily", 1, None),
)
_MINUTES: Final = {BarUnit.MINUTE: 1, BarUnit.HOUR: 60}


def frequency_for(interval: Interval) -> Frequency:
    """The longest candles that bars can be put together from; raises Unsupported."""
    if interval.unit in (BarUnit.DAY, BarUnit.WEEK):
        return FREQUENCIES[-1]
    minutes = interval.count * _MINUTES.get(interval.unit, 0)
    for frequency in FREQUENCIES:
        if minutes and frequency.kind == "minute" and minutes % frequency.count == 0:
            return frequency
    raise Unsupported(BROKER, Code.UNSUPPORTED, f"there are no bars of {interval}; ask for minutes, hours, days, weeks")


def query_for(name: str, interval: Interval, start_ns: int, end_ns: int, now_ns: int) -> dict[str, str]:
    """The question for bars that close in (start, end]; raises Unsupported for what lies too far back."""
    frequency = frequency_for(interval)
    if frequency.depth_ns is not None and start_ns < now_ns - frequency.depth_ns:
        days = frequency.depth_ns // DAY_NS
        raise Unsupported(
            BROKER,
            Code.UNSUPPORTED,
            f"bars of {interval} are made from {frequency.interval}, which reach back {days} days; "
            "ask for a later start or for longer bars",
        )
    first_ns = start_ns - interval.nanoseconds - (_MARGIN_NS if frequency.kind == "daily" else 0)
    return {
        "symbol": name,
        "periodType": frequency.period_type,
        "frequencyType": frequency.kind,
        "frequency": str(frequency.count),
        "startDate": str(max(first_ns, 0) // _MILLISECOND_NS),
        "endDate": str(min(end_ns, now_ns) // _MILLISECOND_NS),
        "needExtendedHoursData": "true",
        "needPreviousClose": "false",
    }


@attrs.define(eq=False)
class _Forming:
    """A bar that candles are added to."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_ns: int

    def add(self, candle: Candle) -> None:
        self.high = max(self.high, candle.high)
        self.low = min(self.low, candle.low)
        self.close = candle.close
        self.volume = EXACT.add(self.volume, candle.volume)


def make_bars(
    symbol: str,
    interval: Interval,
    candles: Iterable[Candle],
    calendar: SessionCalendar,
    span: tuple[int, int],
    now_ns: int,
) -> tuple[list[Bar], list[Quarantined]]:
    """The finished bars that close in (start, end], oldest first, and the candles that cannot be."""
    start_ns, end_ns = span[0], min(span[1], now_ns)
    daily = frequency_for(interval).kind == "daily"
    forming: dict[int, _Forming] = {}
    bad: list[Quarantined] = []
    for candle in _ordered(candles):
        close_ns = _close_of(candle, interval, calendar, daily=daily)
        problem = bar_problem(candle, stock=True) if close_ns is not None else "a moment of the market's hours"
        if close_ns is None or problem:
            bad.append(Quarantined(_WHERE, symbol, "candle", candle, problem))
        elif close_ns in forming:
            forming[close_ns].add(candle)
        elif start_ns < close_ns <= end_ns:
            forming[close_ns] = _Forming(candle.open, candle.high, candle.low, candle.close, candle.volume, close_ns)
    return [
        Bar(symbol, interval, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.close_ns)
        for bar in forming.values()
    ], bad


def _ordered(candles: Iterable[Candle]) -> list[Candle]:
    """Oldest first; of two of the same moment the later word counts."""
    by_moment = {candle.datetime: candle for candle in candles}
    return [by_moment[moment] for moment in sorted(by_moment)]


def _close_of(candle: Candle, interval: Interval, calendar: SessionCalendar, *, daily: bool) -> int | None:
    """When the bar that a candle belongs to closes; None where the market has no session then."""
    moment_ns = candle.datetime * _MILLISECOND_NS
    if not 0 < candle.datetime < 10**13:
        return None
    session = calendar.session_of(utc_date(moment_ns)) if daily else calendar.session_at(moment_ns)
    if session is None:
        return None
    return calendar.bar_close(session.start_ns if daily else moment_ns, interval)
