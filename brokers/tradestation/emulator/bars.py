"""Bar charts: history from the synthetic market, and the bar that is being made."""

import itertools
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.market import Bar, BarUnit, Interval
from brokers.tradestation.emulator.prices import DAY_NS, MINUTE, Candle, QuoteBoard
from brokers.tradestation.emulator.words import SECOND_NS, RefusedError, moment, number, read_time, stamp

MOST: Final = 57_600
_UNITS: Final = {"Minute": BarUnit.MINUTE, "Daily": BarUnit.DAY, "Weekly": BarUnit.WEEK, "Monthly": BarUnit.DAY}
_TEMPLATES: Final = frozenset({"Default", "USEQPre", "USEQPost", "USEQPreAndPost", "USEQ24Hour"})
_REACH_NS: Final = 200 * DAY_NS  # history begins there: all of it is made up anew for each question


@attrs.frozen
class Chart:
    """What is asked of a chart."""

    unit: str
    interval: Interval
    back: int
    first_ns: int | None
    last_ns: int


def read_chart(query: Mapping[str, str], now_ns: int) -> Chart:
    """The chart that a query asks for; raises RefusedError (400)."""
    unit = query.get("unit", "Daily").capitalize()
    if unit not in _UNITS:
        raise RefusedError(400, "Invalid parameter: unit")
    count = _whole(query, "interval", 1, 1440 if unit == "Minute" else 1)
    if query.get("sessiontemplate", "Default") not in _TEMPLATES:
        raise RefusedError(400, "Invalid parameter: sessiontemplate")
    if "barsback" in query and "firstdate" in query:
        raise RefusedError(400, "Invalid parameters: barsback and firstdate exclude each other")
    back = _whole(query, "barsback", 1, MOST)
    last = query.get("lastdate", query.get("startdate"))
    first = query.get("firstdate")
    return Chart(
        unit,
        Interval(count, _UNITS[unit]),
        back,
        None if first is None else read_time(first),
        now_ns if last is None else min(read_time(last), now_ns),
    )


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 0 < int(text) <= most):
        raise RefusedError(400, f"Invalid parameter: {name}")
    return int(text)


class Charts:
    """The bars of every symbol."""

    def __init__(self, desk: Desk, board: QuoteBoard) -> None:
        self._desk = desk
        self._board = board

    def history(self, symbol: str, chart: Chart) -> list[Bar]:
        """The closed bars that a chart shows; raises RefusedError (400) for too many."""
        if chart.first_ns is None:
            return self._back(symbol, chart)
        if chart.unit == "Minute" and (chart.last_ns - chart.first_ns) // chart.interval.nanoseconds > MOST:
            raise RefusedError(400, f"Request exceeds history limit of {MOST} bars.")
        begin = max(chart.first_ns, self._desk.now_ns() - _REACH_NS)
        bars = self._bars(symbol, chart, begin, chart.last_ns)
        return list(itertools.islice(bars, MOST))

    def _back(self, symbol: str, chart: Chart) -> list[Bar]:
        """So many bars back from the last moment, over however many nights and weekends."""
        per_bar = chart.interval.nanoseconds * (31 if chart.unit == "Monthly" else 1)
        stretch = chart.back * per_bar + 3 * DAY_NS
        beginning = self._desk.now_ns() - _REACH_NS
        while True:
            begin = max(chart.last_ns - stretch, beginning)
            found = list(self._bars(symbol, chart, begin, chart.last_ns))
            if len(found) >= chart.back or begin == beginning:
                break
            stretch *= 2
        return found[-chart.back :]

    def _bars(self, symbol: str, chart: Chart, from_ns: int, to_ns: int) -> Iterable[Bar]:
        bars = self._desk.source.bars(symbol, chart.interval, from_ns, to_ns)
        return _months(bars, to_ns) if chart.unit == "Monthly" else bars

    def close_of(self, symbol: str, chart: Chart, time_ns: int) -> int:
        """When the bar that a moment falls into will close."""
        offset = self._desk.source.offset_ns
        return self._desk.catalogue.calendar(symbol).bar_close(time_ns + offset, chart.interval) - offset

    def running(self, symbol: str, chart: Chart, now_ns: int) -> Candle | None:
        """What has traded so far in the bar that runs."""
        closed = self.history_end(symbol, chart, now_ns)
        found: Candle | None = None
        for bar in self._desk.source.bars(symbol, MINUTE, closed, now_ns):
            if found is None:
                found = Candle.of(bar)
            else:
                found.join(Candle.of(bar))
        minute = self._board.running_minute(symbol, now_ns)
        if found is None or minute is None:
            return found or minute
        found.join(minute)
        return found

    def history_end(self, symbol: str, chart: Chart, now_ns: int) -> int:
        """When the bar before the one that runs closed, or could have."""
        if chart.interval.unit is BarUnit.MINUTE:
            return self.close_of(symbol, chart, now_ns) - chart.interval.nanoseconds
        days = list(self._desk.source.bars(symbol, chart.interval, now_ns - 21 * DAY_NS, now_ns))
        return days[-1].time_ns if days else now_ns

    def bar_at(self, symbol: str, chart: Chart, close_ns: int) -> Bar | None:
        """The bar that closed at a moment, None if nothing traded in it."""
        return next(iter(self._desk.source.bars(symbol, chart.interval, close_ns - 1, close_ns)), None)


def _months(bars: Iterable[Bar], to_ns: int) -> Iterable[Bar]:
    """Daily bars gathered by months; the month that still runs is left out."""

    def month(time_ns: int) -> tuple[int, int]:
        day = moment(time_ns)
        return day.year, day.month

    for which, group in itertools.groupby(bars, key=lambda bar: month(bar.time_ns)):
        days = list(group)
        if which == month(to_ns):
            return
        yield attrs.evolve(
            days[-1],
            open=days[0].open,
            high=max(day.high for day in days),
            low=min(day.low for day in days),
            volume=sum((day.volume for day in days), Decimal(0)),
            trades=sum(day.trades for day in days),
        )


def bar_record(candle: Candle, close_ns: int, skew_ns: int, *, live: bool, last: bool, closed: bool) -> dict[str, Any]:
    """A bar; its stamp is its end, and half of its ticks are told as going its way."""
    up = candle.trades // 2 + (candle.trades % 2 if candle.close >= candle.open else 0)
    up_volume = int(candle.volume) * up // max(candle.trades, 1)
    return {
        "High": number(candle.high),
        "Low": number(candle.low),
        "Open": number(candle.open),
        "Close": number(candle.close),
        "TimeStamp": stamp(close_ns + skew_ns),
        "TotalVolume": number(candle.volume),
        "DownTicks": candle.trades - up,
        "DownVolume": int(candle.volume) - up_volume,
        "OpenInterest": "0",
        "IsRealtime": live,
        "IsEndOfHistory": last,
        "TotalTicks": candle.trades,
        "UnchangedTicks": 0,
        "UnchangedVolume": 0,
        "UpTicks": up,
        "UpVolume": up_volume,
        "Epoch": (close_ns + skew_ns) // (SECOND_NS // 1000),
        "BarStatus": "Closed" if closed else "Open",
    }
