"""Charts: what is asked of one, its history, and the packets in which bars and ticks are told."""

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.instruments import Instrument
from brokers.market import Bar, BarUnit, Interval, Quote, Trade
from brokers.tradovate.emulator.board import DAY_NS, Candle, joined
from brokers.tradovate.emulator.words import AnsweredError, Fields, child, plain, read_time, stamp, whole

MOST: Final = 4_096
PACKET: Final = 256
_REACH_NS: Final = 200 * DAY_NS  # history begins there: all of it is made up anew for each question
_UNITS: Final = {"MinuteBar": BarUnit.MINUTE, "DailyBar": BarUnit.DAY}


@attrs.frozen
class Chart:
    """What is asked of a chart; without an interval it is one of ticks."""

    instrument: Instrument
    interval: Interval | None
    first_ns: int | None
    last_ns: int
    most: int


def read_chart(instrument: Instrument, fields: Fields, now_ns: int) -> Chart:
    """The chart that a body asks for; raises AnsweredError, RefusedError."""
    described, span = child(fields, "chartDescription"), child(fields, "timeRange")
    kind, size = described.get("underlyingType"), whole(described, "elementSize")
    if described.get("elementSizeUnit", "UnderlyingUnits") != "UnderlyingUnits" or kind not in {"Tick", *_UNITS}:
        raise AnsweredError({"errorText": "Unsupported chart description", "errorCode": "UnsupportedChart"})
    if not 1 <= size <= (1440 if kind == "MinuteBar" else 1):
        raise AnsweredError({"errorText": "Invalid element size", "errorCode": "UnsupportedChart"})
    if not span:
        raise AnsweredError({"errorText": "Time range is required", "errorCode": "UnsupportedChart"})
    first, last = read_time(span.get("asFarAsTimestamp")), read_time(span.get("closestTimestamp"))
    most = min(max(whole(span, "asMuchAsElements"), 1), MOST) if "asMuchAsElements" in span else MOST
    interval = None if kind == "Tick" else Interval(size, _UNITS[str(kind)])
    return Chart(instrument, interval, first, now_ns if last is None else min(last, now_ns), most)


@attrs.define(eq=False)
class LiveChart:
    """A chart that somebody follows."""

    chart: Chart
    history_id: int
    live_id: int
    begun: bool = False  # its history has been told
    candle: Candle | None = None
    close_ns: int = 0


class Charts:
    """The bars of every contract."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ticks = itertools.count(11_768_401)

    def history(self, live: LiveChart, skew_ns: int) -> list[dict[str, Any]]:
        """The packets of a chart's history with its end, and the live one that begins then."""
        chart, now = live.chart, self._desk.now_ns()
        packets: list[dict[str, Any]] = []
        if chart.interval is not None:
            bars = self._closed(chart, chart.interval)
            for start in range(0, len(bars), PACKET):
                part = [
                    _bar(Candle.of(bar), bar.time_ns, chart.interval, skew_ns) for bar in bars[start : start + PACKET]
                ]
                packets.append({"id": live.history_id, "td": self._day(chart, now), "bars": part})
            live.close_ns = self._close(chart, chart.interval, now)
            live.candle = joined(self._desk, chart.instrument.symbol, self._begun(chart, chart.interval, now), now)
        packets.append({"id": live.history_id, "eoh": True})
        if live.candle is not None and chart.interval is not None:
            packets.append(self._packet(live, live.candle, chart.interval, skew_ns))
        return packets

    def traded(self, live: LiveChart, trade: Trade, quote: Quote | None, skew_ns: int) -> dict[str, Any]:
        """The packet that a trade makes."""
        chart = live.chart
        if chart.interval is None:
            return self._tick(live, trade, quote, skew_ns)
        if trade.time_ns >= live.close_ns:
            live.candle, live.close_ns = None, self._close(chart, chart.interval, trade.time_ns)
        added = Candle.of(trade)
        live.candle = added if live.candle is None else live.candle.join(added)
        return self._packet(live, live.candle, chart.interval, skew_ns)

    def _packet(self, live: LiveChart, candle: Candle, interval: Interval, skew_ns: int) -> dict[str, Any]:
        bar = _bar(candle, live.close_ns, interval, skew_ns)
        return {"id": live.live_id, "td": self._day(live.chart, self._desk.now_ns()), "bars": [bar]}

    def _tick(self, live: LiveChart, trade: Trade, quote: Quote | None, skew_ns: int) -> dict[str, Any]:
        size = live.chart.instrument.tick
        base = int(trade.price / size)
        tick: dict[str, Any] = {"id": next(self._ticks), "t": 0, "p": 0, "s": plain(trade.size)}
        if quote is not None and quote.bid is not None and quote.ask is not None:
            tick |= {"b": int(quote.bid / size) - base, "a": int(quote.ask / size) - base}
            tick |= {"bs": plain(quote.bid_size), "as": plain(quote.ask_size)}
        day, base_ms = self._day(live.chart, trade.time_ns), (trade.time_ns + skew_ns) // 1_000_000
        return {"id": live.live_id, "s": "hub", "td": day, "bp": base, "bt": base_ms, "ts": size, "tks": [tick]}

    def _closed(self, chart: Chart, interval: Interval) -> list[Bar]:
        """The closed bars that a chart shows, over however many nights and weekends."""
        beginning = self._desk.now_ns() - _REACH_NS
        if chart.first_ns is not None:
            begin = max(chart.first_ns, beginning)
            return self._bars(chart, interval, begin, chart.last_ns)[-chart.most :]
        stretch = chart.most * interval.nanoseconds + 3 * DAY_NS
        while True:
            begin = max(chart.last_ns - stretch, beginning)
            found = self._bars(chart, interval, begin, chart.last_ns)
            if len(found) >= chart.most or begin == beginning:
                return found[-chart.most :]
            stretch *= 2

    def _bars(self, chart: Chart, interval: Interval, from_ns: int, to_ns: int) -> list[Bar]:
        return list(self._desk.source.bars(chart.instrument.symbol, interval, from_ns, to_ns))

    def _close(self, chart: Chart, interval: Interval, time_ns: int) -> int:
        """When the bar that a moment falls into will close."""
        offset = self._desk.source.offset_ns
        calendar = self._desk.catalogue.calendar(chart.instrument.symbol)
        return calendar.bar_close(time_ns + offset, interval) - offset

    def _begun(self, chart: Chart, interval: Interval, now_ns: int) -> int:
        """When the bar that runs began."""
        if interval.unit is BarUnit.MINUTE:
            return self._close(chart, interval, now_ns) - interval.nanoseconds
        days = self._bars(chart, interval, now_ns - 21 * DAY_NS, now_ns)
        return days[-1].time_ns if days else now_ns

    def _day(self, chart: Chart, time_ns: int) -> int:
        calendar = self._desk.catalogue.calendar(chart.instrument.symbol)
        day: dt.date = calendar.trading_day(time_ns + self._desk.source.offset_ns)
        return int(day.strftime("%Y%m%d"))


def _bar(candle: Candle, close_ns: int, interval: Interval, skew_ns: int) -> dict[str, Any]:
    """A bar, named by its beginning; half of its ticks are told as going its way."""
    up = candle.trades // 2 + (candle.trades % 2 if candle.close >= candle.open else 0)
    up_volume = Decimal(int(candle.volume) * up // max(candle.trades, 1))
    down_volume = plain(candle.volume - up_volume)
    return {
        "timestamp": stamp(close_ns - interval.nanoseconds + skew_ns),
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "upVolume": up_volume,
        "downVolume": down_volume,
        "upTicks": up,
        "downTicks": candle.trades - up,
        "bidVolume": down_volume,
        "offerVolume": up_volume,
    }
