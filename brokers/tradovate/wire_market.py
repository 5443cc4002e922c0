"""Quotes and charts on the wire: entries merged into whole quotes, trades told apart, bars named by their close."""

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import attrs
import msgspec

from brokers.calendar import SessionCalendar
from brokers.errors import Code, Unsupported
from brokers.figures import WHOLE, Figure, decoder, figure, size
from brokers.market import Bar, BarUnit, Interval, Quote, Trade
from brokers.tradovate.settings import BROKER
from brokers.tradovate.wire import BROKEN, BadPayload, Payload, moment_ns, price, quantity, stamp, time_ns

BAR_UNITS: Final = frozenset({BarUnit.MINUTE, BarUnit.HOUR, BarUnit.DAY})
MOST_MINUTES: Final = 1_440
MOST_BARS: Final = 4_096  # in one question
_HALF_DAY_NS: Final = 43_200_000_000_000
_ZERO: Final = Decimal(0)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One figure of a quote; either part may be missing."""

    price: Figure = None
    size: int | Decimal | None = None


class Entries(msgspec.Struct, frozen=True, gc=False, rename="pascal"):
    """What changed in a quote; other entries are passed over."""

    bid: Entry | None = None
    offer: Entry | None = None
    trade: Entry | None = None
    total_trade_volume: Entry | None = None


class QuoteRow(Payload, frozen=True):
    """Entries of one contract."""

    contract_id: int
    timestamp: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    entries: Entries


class Quotes(Payload, frozen=True):
    """The quotes of one event."""

    quotes: tuple[QuoteRow, ...] = ()


class QuoteMerger:
    """One contract's stream: entries that tell what changed, merged into whole quotes, and trades told apart.

    A trade is a rise of the day's volume, and that rise its size, so nothing is lost where several prints are told as
    one; where no volume is told, each trade entry is a trade. The first event shows a state and no trade.
    """

    __slots__ = ("_ask", "_ask_size", "_begun", "_bid", "_bid_size", "_last", "_volume", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.forget()

    def forget(self) -> None:
        """Begins anew, as after a reconnect: the next event is whole again."""
        self._bid: Decimal | None = None
        self._ask: Decimal | None = None
        self._last: Decimal | None = None
        self._volume: Decimal | None = None
        self._bid_size = self._ask_size = _ZERO
        self._begun = False

    def merge(self, row: QuoteRow) -> tuple[Quote | Trade, ...]:
        """The events in a row; raises BadPayload, and then nothing is taken."""
        entries, now_ns = row.entries, moment_ns(row.timestamp)
        bid_entry, ask_entry = entries.bid, entries.offer
        bid, bid_size, ask, ask_size = self._bid, self._bid_size, self._ask, self._ask_size
        if bid_entry is not None:
            if (price := bid_entry.price) is not None:
                bid = price if type(price) is Decimal else _price(price)
            if (told := bid_entry.size) is not None:
                bid_size = (WHOLE.get(told) if type(told) is int else None) or _size(told)
        if ask_entry is not None:
            if (price := ask_entry.price) is not None:
                ask = price if type(price) is Decimal else _price(price)
            if (told := ask_entry.size) is not None:
                ask_size = (WHOLE.get(told) if type(told) is int else None) or _size(told)
        trade = () if entries.trade is entries.total_trade_volume is None else self._traded(entries, now_ns)
        self._bid, self._bid_size, self._ask, self._ask_size = bid, bid_size, ask, ask_size
        self._begun = True
        if bid_entry is ask_entry is None:
            return trade
        quote = Quote(self.symbol, bid if bid_size else None, ask if ask_size else None, bid_size, ask_size, now_ns)
        return (quote, *trade) if trade else (quote,)

    def _traded(self, entries: Entries, now_ns: int) -> tuple[Trade, ...]:
        entry, total = entries.trade, entries.total_trade_volume
        last, before = self._last, self._volume
        count, volume = _ZERO, before
        if entry is not None:
            last = last if entry.price is None else _price(entry.price)
            count = count if entry.size is None else _size(entry.size)
        if total is not None and total.size is not None:
            volume = _size(total.size)
        self._last, self._volume = last, volume
        if before is not None and volume is not None:
            count = volume - before
        elif volume is not None or entry is None or not self._begun:
            return ()
        return (Trade(self.symbol, last, count, now_ns),) if count > 0 and last is not None else ()


def _price(told: Figure) -> Decimal:
    number = figure(told)
    if number is None:
        raise BadPayload("quote", "a price", told)
    return number


def _size(told: int | Decimal) -> Decimal:
    number = size(told)
    if number is None:
        raise BadPayload("quote", "a size of zero or more", told)
    return number


class QuoteMessage(msgspec.Struct, frozen=True, gc=False):
    """A message of quotes; any other does not fit."""

    e: Literal["md"]
    d: Quotes


_quote_messages: Final = decoder(tuple[QuoteMessage, ...]).decode


def quotes_in(frame: str | bytes) -> tuple[QuoteRow, ...] | None:
    """The rows of a frame that holds quotes and nothing else, read in one go; None for any other frame.

    Most frames of a market are such ones; whatever does not fit is left to the way for all frames.
    """
    if frame[:1] != "a":
        return None
    try:
        messages = _quote_messages(frame[1:])
    except BROKEN:
        return None
    if len(messages) == 1:
        return messages[0].d.quotes
    return tuple(row for one in messages for row in one.d.quotes)


# Charts.


class BarRow(Payload, frozen=True):
    """A bar, named by its beginning."""

    timestamp: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    up_volume: Decimal = _ZERO
    down_volume: Decimal = _ZERO
    up_ticks: int = 0
    down_ticks: int = 0


class ChartPacket(Payload, frozen=True):
    """A part of a chart, under one of its two ids; `eoh` ends its history."""

    id: int
    eoh: bool = False
    bars: tuple[BarRow, ...] = ()


class Charts(Payload, frozen=True):
    """The packets of one event."""

    charts: tuple[ChartPacket, ...] = ()


class Reply(Payload, frozen=True):
    """What a request for market data is answered with."""

    historical_id: int | None = None
    realtime_id: int | None = None
    error_text: str = ""
    error_code: str = ""


def chart_body(name: str, interval: Interval, from_ns: int, to_ns: int) -> dict[str, Any]:
    """The request for the bars that begin in a time; raises Unsupported for another interval."""
    kind, size = bar_element(interval)
    return {
        "symbol": name,
        "chartDescription": {
            "underlyingType": kind,
            "elementSize": size,
            "elementSizeUnit": "UnderlyingUnits",
            "withHistogram": False,
        },
        "timeRange": {
            "closestTimestamp": stamp(to_ns),
            "asFarAsTimestamp": stamp(max(from_ns, 0)),
            "asMuchAsElements": MOST_BARS,
        },
    }


def bar_element(interval: Interval) -> tuple[str, int]:
    """The broker's words for an interval; raises Unsupported."""
    minutes = {BarUnit.MINUTE: 1, BarUnit.HOUR: 60}.get(interval.unit, 0) * interval.count
    if 0 < minutes <= MOST_MINUTES:
        return "MinuteBar", minutes
    if interval == Interval(1, BarUnit.DAY):
        return "DailyBar", 1
    text = f"bars of {interval}: expected 1m to {MOST_MINUTES}m, 1h to 24h or 1d"
    raise Unsupported(BROKER, Code.UNSUPPORTED, text)


@attrs.frozen
class Drawn:
    """A bar and when it began."""

    start_ns: int
    bar: Bar


def drawn(rows: Iterable[BarRow], symbol: str, interval: Interval, calendar: SessionCalendar) -> Iterator[Drawn]:
    """The bars of rows, each with its close; raises BadPayload."""
    for row in rows:
        start_ns = time_ns(row.timestamp, "timestamp of a bar")
        yield Drawn(start_ns, _bar(row, symbol, interval, _close_ns(start_ns, interval, calendar)))


def _close_ns(start_ns: int, interval: Interval, calendar: SessionCalendar) -> int:
    """When a bar closes; a day's bar with its session, wherever in it the broker dates it."""
    if interval.unit is BarUnit.DAY:
        return calendar.bar_close(start_ns + _HALF_DAY_NS, interval)
    return calendar.bar_close(start_ns, interval)


def _bar(row: BarRow, symbol: str, interval: Interval, close_ns: int) -> Bar:
    opened, high, low, close = (price(value, "a bar's price") for value in (row.open, row.high, row.low, row.close))
    if not (low <= min(opened, close) and max(opened, close) <= high):
        raise BadPayload("bar", "low <= open, close <= high", row)
    volume = quantity(row.up_volume, "upVolume") + quantity(row.down_volume, "downVolume")
    return Bar(
        symbol=symbol,
        interval=interval,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        time_ns=close_ns,
        trades=max(row.up_ticks + row.down_ticks, 0),
    )
