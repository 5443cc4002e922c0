"""Price history: which stretches and bar lengths may be asked for, and candles stamped with their beginning; pure."""

import datetime as dt
import itertools
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.market import Bar, BarUnit, Interval
from brokers.thinkorswim.emulator.board import DAY_NS
from brokers.thinkorswim.emulator.words import EASTERN, MILLISECOND_NS, SECOND_NS, RefusedError, milliseconds, plain

_DAYS: Final = frozenset({"daily", "weekly"})
_RULES: Final[Mapping[str, tuple[frozenset[int], frozenset[str], str, int]]] = {
    # periods, frequency types, the usual one of those, and the usual period
    "day": (frozenset({1, 2, 3, 4, 5, 10}), frozenset({"minute"}), "minute", 10),
    "month": (frozenset({1, 2, 3, 6}), _DAYS, "weekly", 1),
    "year": (frozenset({1, 2, 3, 5, 10, 15, 20}), _DAYS | {"monthly"}, "monthly", 1),
    "ytd": (frozenset({1}), _DAYS, "weekly", 1),
}
_SPANS: Final = {"day": 1, "month": 31, "year": 366, "ytd": 366}
_MINUTES: Final = frozenset({1, 5, 10, 15, 30})
_UNITS: Final = {"minute": BarUnit.MINUTE, "daily": BarUnit.DAY, "weekly": BarUnit.WEEK, "monthly": BarUnit.DAY}
MONTH: Final = Interval(31, BarUnit.DAY)  # a name for it: how long a month is depends on which
_CENTRAL: Final = zoneinfo.ZoneInfo("America/Chicago")
_REACH: Final = {1: 48, 0: 200}  # days back: of one-minute bars, and of all others, which are made up anew each time


@attrs.frozen
class Question:
    """What is asked of the history of a symbol."""

    symbol: str
    interval: Interval
    by_months: bool  # the bars are to be gathered
    first_ns: int
    last_ns: int
    extended: bool
    previous_close: bool


def read_question(query: Mapping[str, str], now_ns: int) -> Question:
    """The question that a query asks; raises RefusedError (400) that names the parameter."""
    symbol = query.get("symbol", "")
    if not symbol:
        raise RefusedError(400, "symbol is required", parameter="symbol")
    kind = query.get("periodType", "day")
    if kind not in _RULES:
        raise RefusedError(400, "periodType must be day, month, year or ytd", parameter="periodType")
    periods, frequencies, usual, usual_period = _RULES[kind]
    period = _one_of(query, "period", usual_period, periods)
    frequency = query.get("frequencyType", usual)
    if frequency not in frequencies:
        said = f"frequencyType must be one of {', '.join(sorted(frequencies))} for periodType {kind}"
        raise RefusedError(400, said, parameter="frequencyType")
    minutes = _one_of(query, "frequency", 1, _MINUTES if frequency == "minute" else frozenset({1}))
    last = min(_instant(query, "endDate", now_ns), now_ns)
    first = _instant(query, "startDate", last - period * _SPANS[kind] * DAY_NS)
    if first > last:
        raise RefusedError(400, "startDate must not be after endDate", parameter="startDate")
    reach = _REACH[frequency == "minute" and minutes == 1] * DAY_NS
    interval = Interval(minutes, _UNITS[frequency])
    length = interval.nanoseconds if frequency == "minute" else 0  # bars are asked for by where they begin
    return Question(
        symbol=symbol,
        interval=interval,
        by_months=frequency == "monthly",
        first_ns=max(first + length - 1, now_ns - reach),
        last_ns=min(last + length, now_ns),
        extended=_yes(query, "needExtendedHoursData", usual=True),
        previous_close=_yes(query, "needPreviousClose", usual=False),
    )


def candles(bars: Iterable[Bar], skew_ns: int) -> list[dict[str, Any]]:
    """Bars as Schwab writes them: `datetime` is where they begin."""
    return [
        {
            "open": plain(bar.open),
            "high": plain(bar.high),
            "low": plain(bar.low),
            "close": plain(bar.close),
            "volume": plain(bar.volume),
            "datetime": milliseconds(_beginning_ns(bar) + skew_ns),
        }
        for bar in bars
    ]


def months(days: Iterable[Bar]) -> Iterator[Bar]:
    """Daily bars gathered by months; each is stamped as the last of its days."""
    for _, group in itertools.groupby(days, key=lambda bar: _day(bar).replace(day=1)):
        own = list(group)
        yield attrs.evolve(
            own[-1],
            interval=MONTH,
            open=own[0].open,
            high=max(day.high for day in own),
            low=min(day.low for day in own),
            volume=sum((day.volume for day in own), Decimal(0)),
        )


def _beginning_ns(bar: Bar) -> int:
    """Where a bar begins: those of days, weeks and months at midnight in Chicago."""
    if bar.interval.unit is BarUnit.MINUTE:
        return bar.time_ns - bar.interval.nanoseconds
    day = _day(bar)
    if bar.interval == MONTH:
        day = day.replace(day=1)
    elif bar.interval.unit is BarUnit.WEEK:
        day -= dt.timedelta(days=day.weekday())
    return int(dt.datetime.combine(day, dt.time(), _CENTRAL).timestamp()) * SECOND_NS


def _day(bar: Bar) -> dt.date:
    return dt.datetime.fromtimestamp((bar.time_ns - 1) // SECOND_NS, EASTERN).date()


def _one_of(query: Mapping[str, str], name: str, usual: int, allowed: frozenset[int]) -> int:
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) in allowed):
        said = f"{name} must be one of {', '.join(map(str, sorted(allowed)))}"
        raise RefusedError(400, said, parameter=name)
    return int(text)


def _instant(query: Mapping[str, str], name: str, usual: int) -> int:
    if name not in query:
        return usual
    text = query[name]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise RefusedError(400, f"{name} must be given in milliseconds since 1970", parameter=name)
    return int(text) * MILLISECOND_NS


def _yes(query: Mapping[str, str], name: str, *, usual: bool) -> bool:
    return query.get(name, str(usual)).lower() == "true"
