"""Quotes, bars and instruments on the wire."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

import attrs

from brokers.errors import Code, Unsupported
from brokers.figures import FIGURES, Figure, figure, plausible, size
from brokers.instruments import EXACT, Instrument
from brokers.market import Bar, BarUnit, Interval, Quote, Trade
from brokers.tradestation.settings import BROKER
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import BadPayload, BarRecord, QuoteLine, SymbolRecord, price, quantity, stamp, time_ns

BAR_UNITS: Final = frozenset({BarUnit.MINUTE, BarUnit.HOUR, BarUnit.DAY, BarUnit.WEEK})
MOST_MINUTES: Final = 1_440
MOST_BARS: Final = 57_000  # in one question; the broker gives 57,600
MOST_QUESTIONS: Final = 50  # for one answer
_LONG_UNITS: Final = {BarUnit.DAY: "Daily", BarUnit.WEEK: "Weekly"}
_SECOND_NS: Final = 1_000_000_000
_ZERO: Final = Decimal(0)


class QuoteMerger:
    """One symbol's stream: lines that tell what changed, merged into whole quotes, and trades told apart.

    A trade is a rise of the day's volume, and that rise its size: so nothing is lost where the broker puts several
    prints into one line. The first line shows a state and no trade.
    """

    __slots__ = ("_ask", "_ask_size", "_bid", "_bid_size", "_last", "_scale", "_volume", "delayed", "halted", "symbol")

    def __init__(self, symbol: str, names: Names) -> None:
        self.symbol = symbol
        self.delayed = self.halted = False
        self._scale = names.scale(symbol)
        self.forget()

    def forget(self) -> None:
        """Begins anew, as after a reconnect: the next line is whole again."""
        self._bid: Decimal | None = None
        self._ask: Decimal | None = None
        self._last: Decimal | None = None
        self._volume: Decimal | None = None
        self._bid_size = self._ask_size = _ZERO

    def merge(self, line: QuoteLine, now_ns: int) -> tuple[Quote | Trade, ...]:
        """The events in a line, which was received now; raises BadPayload, and then nothing is taken."""
        last = self._last if line.last is None else self._price(line.last)
        before = self._volume
        volume = before if line.volume is None else _total(line.volume)
        rise = _ZERO if volume is None or before is None else volume - before
        traded_ns = time_ns(line.trade_time, "TradeTime") if line.trade_time and rise > 0 else now_ns
        events: tuple[Quote | Trade, ...] = ()
        if not (line.bid is line.ask is line.bid_size is line.ask_size is None):
            events = (self._quote(line, now_ns),)
        if rise > 0 and last is not None:
            events = (*events, Trade(self.symbol, last, rise, traded_ns))
        self._last, self._volume = last, volume
        if line.market_flags is not None:
            self.delayed, self.halted = line.market_flags.is_delayed, line.market_flags.is_halted
        return events

    def _quote(self, line: QuoteLine, now_ns: int) -> Quote:
        bid = self._bid if line.bid is None else self._price(line.bid)
        ask = self._ask if line.ask is None else self._price(line.ask)
        bid_size = self._bid_size if line.bid_size is None else _size(line.bid_size)
        ask_size = self._ask_size if line.ask_size is None else _size(line.ask_size)
        self._bid, self._ask, self._bid_size, self._ask_size = bid, ask, bid_size, ask_size
        shown_bid, shown_ask = bid if bid or bid_size else None, ask if ask or ask_size else None
        return Quote(self.symbol, shown_bid, shown_ask, bid_size, ask_size, now_ns)

    def _price(self, told: Figure) -> Decimal:
        number = FIGURES[told] if type(told) is str else figure(told)
        if type(number) is not Decimal:
            raise BadPayload("quote", "a price", told)
        return number if self._scale is None else EXACT.divide(number, self._scale)


def _size(told: Figure) -> Decimal:
    number = size(told)
    if number is None:
        raise BadPayload("quote", "a size of zero or more", told)
    return number


def _total(told: Decimal) -> Decimal:
    if plausible(told) and told >= 0:
        return told
    raise BadPayload("quote", "a volume of zero or more", told)


# Bars.


def bar_targets(name: str, interval: Interval, start_ns: int, end_ns: int) -> Iterator[str]:
    """The requests for the bars of a time, oldest first; raises Unsupported for other intervals and for too much."""
    unit, count = bar_unit(interval)
    step_ns = interval.nanoseconds * MOST_BARS
    if (end_ns - start_ns) // step_ns >= MOST_QUESTIONS:
        text = f"expected a time of at most {MOST_QUESTIONS * MOST_BARS} bars of {interval}; ask for less at once"
        raise Unsupported(BROKER, Code.UNSUPPORTED, text)
    for first_ns in range(start_ns, end_ns, step_ns):
        last_ns = min(first_ns + step_ns, end_ns)
        yield (
            f"/v3/marketdata/barcharts/{name}?unit={unit}&interval={count}"
            f"&firstdate={stamp(first_ns)}&lastdate={stamp(last_ns + _SECOND_NS)}"
        )


def bar_stream_target(name: str, interval: Interval, back: int) -> str:
    """The request for a stream of bars that begins with so many past ones; raises Unsupported."""
    unit, count = bar_unit(interval)
    return f"/v3/marketdata/stream/barcharts/{name}?unit={unit}&interval={count}&barsback={back}"


def bar_unit(interval: Interval) -> tuple[str, int]:
    """The broker's words for an interval; raises Unsupported."""
    minutes = {BarUnit.MINUTE: 1, BarUnit.HOUR: 60}.get(interval.unit, 0) * interval.count
    if 0 < minutes <= MOST_MINUTES:
        return "Minute", minutes
    if interval.count == 1 and interval.unit in _LONG_UNITS:
        return _LONG_UNITS[interval.unit], 1
    raise Unsupported(
        BROKER, Code.UNSUPPORTED, f"bars of {interval}: expected 1m to {MOST_MINUTES}m, 1h to 24h, 1d or 1w"
    )


def bars_of(records: Iterable[BarRecord], symbol: str, interval: Interval, names: Names) -> Iterator[Bar]:
    """The finished bars among the records; raises BadPayload."""
    for record in records:
        if record.bar_status == "Closed":
            yield _bar(record, symbol, interval, names)


def _bar(record: BarRecord, symbol: str, interval: Interval, names: Names) -> Bar:
    prices = [_price_of(value, symbol, names) for value in (record.open, record.high, record.low, record.close)]
    opened, high, low, close = prices
    if not (low <= min(opened, close) and max(opened, close) <= high):
        raise BadPayload("bar", "low <= open, close <= high", record)
    return Bar(
        symbol=symbol,
        interval=interval,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=quantity(record.total_volume, "TotalVolume"),
        time_ns=time_ns(record.time_stamp, "TimeStamp"),
        trades=max(record.total_ticks, 0),
    )


def _price_of(value: Decimal, symbol: str, names: Names) -> Decimal:
    told = price(value, "bar price")
    return _ZERO if told is None else names.inward(symbol, told)


# Instruments.


def refreshed(instrument: Instrument, record: SymbolRecord, names: Names) -> Instrument:
    """An instrument of ours with the broker's tick and multiplier; raises BadPayload."""
    tick, point = record.price_format.increment, record.price_format.point_value
    if not (quantity(tick, "Increment") and quantity(point, "PointValue")):
        raise BadPayload("symbol", "an Increment and a PointValue above zero", record)
    scale = names.scale(instrument.symbol)
    return attrs.evolve(
        instrument,
        tick=names.inward(instrument.symbol, tick),
        multiplier=point if scale is None else EXACT.multiply(point, scale),
        exchange=record.exchange or instrument.exchange,
        description=record.description or instrument.description,
    )
