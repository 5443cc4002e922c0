"""What the streamer has said of each symbol, put together: it sends changes, and out come whole quotes.

A message may stand for many prints: the trade that comes out has the last price and the volume of all of them. A value
that cannot be is told as Quarantined and counts as not known until the streamer sends another one.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs
from msgspec import UNSET

from brokers.figures import WHOLE, Figure, figure, plausible, size
from brokers.instruments import EXACT, Kind
from brokers.market import Bar, BarUnit, Interval, MarketEvent, Quote, Trade
from brokers.thinkorswim.events import Activity, Delayed, Event, Quarantined
from brokers.thinkorswim.fields import Service
from brokers.thinkorswim.rows import ActivityRow, CandleRow, EquityRow, FutureRow, LevelRow, Row
from brokers.thinkorswim.wire import Batch, Malformed, ReadBatch
from brokers.thinkorswim.wire_rest import Candle
from brokers.thinkorswim.wire_rows import carries_rows, decode_rows, order_in

MINUTE: Final = Interval(1, BarUnit.MINUTE)
_MINUTE_NS: Final = MINUTE.nanoseconds
_MILLISECOND_NS: Final = 1_000_000
_FIRST_MS, _LAST_MS = 10**12, 10**13  # 2001 to 2286: no other moment is a time of a market
_NONE: Final = Decimal(0)
_USUAL: Final = 1_000  # lots; a larger displayed size is multiplied when it comes
_PRICE_ROWS: Final = (FutureRow, EquityRow)


@attrs.define(eq=False)
class _Level:
    """The best prices of one symbol as far as they are known."""

    symbol: str
    is_stock: bool
    lot: Decimal  # how many one displayed size stands for
    sizes: Mapping[int, Decimal]  # what the usual displayed sizes stand for
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_size: Decimal = _NONE
    ask_size: Decimal = _NONE
    quote_ns: int | None = None
    last: Decimal | None = None
    volume: Decimal | None = None
    trade_ns: int | None = None
    delayed: bool = False
    last_bar_ns: int = 0
    doubts: list[tuple[str, Figure]] = attrs.field(factory=list)  # fields with values that cannot be

    def merge_quote(self, row: LevelRow) -> bool:
        """Takes over what changed of bid and ask; False when nothing did."""
        bid, ask, bid_size, ask_size, moment = row.bid, row.ask, row.bid_size, row.ask_size, row.quote_ms
        if bid is ask is bid_size is ask_size is moment is UNSET:
            return False
        if bid is not UNSET:
            self.bid = bid if type(bid) is Decimal and not self.is_stock else self._price("bid", bid)
        if ask is not UNSET:
            self.ask = ask if type(ask) is Decimal and not self.is_stock else self._price("ask", ask)
        if bid_size is not UNSET:
            known = self.sizes.get(bid_size) if type(bid_size) is int else None
            self.bid_size = known or self._displayed("bid_size", bid_size)
        if ask_size is not UNSET:
            known = self.sizes.get(ask_size) if type(ask_size) is int else None
            self.ask_size = known or self._displayed("ask_size", ask_size)
        if moment is not UNSET:
            self.quote_ns = _moment(moment)
        return True

    def merge_trade(self, row: LevelRow) -> None:
        """Takes over what changed of the prints."""
        if row.last is not UNSET:
            self.last = self._price("last", row.last)
        if row.volume is not UNSET:
            self.volume = self._size("volume", row.volume)
        if row.trade_ms is not UNSET:
            self.trade_ns = _moment(row.trade_ms)

    def _price(self, name: str, told: Figure) -> Decimal | None:
        """The price that is told; only a future's may be below zero."""
        number = figure(told)
        if number is not None and not (self.is_stock and number < 0):
            return number
        self._doubt(name, told)
        return None

    def _size(self, name: str, told: int | Decimal | None) -> Decimal | None:
        number = size(told)
        if number is None:
            self._doubt(name, told)
        return number

    def _displayed(self, name: str, told: int | Decimal | None) -> Decimal:
        lots = self._size(name, told) or _NONE
        return EXACT.multiply(lots, self.lot) if self.is_stock else lots

    def _doubt(self, name: str, told: Figure) -> None:
        if told is not None:
            self.doubts.append((name, told))

    def forget(self) -> None:
        """Nothing is known of the prices any more; bars that were given out stay so."""
        self.bid = self.ask = self.quote_ns = self.last = self.volume = self.trade_ns = None
        self.bid_size = self.ask_size = _NONE


@attrs.frozen
class BoardStatistics:
    """What came so far: market events, rows of symbols that nobody watches, values that cannot be, bars twice."""

    events: int
    strays: int
    quarantined: int
    repeated_bars: int
    delayed: tuple[str, ...]


class Board:
    """The watched symbols by the broker's names; `take` is a function of what was said and when it came."""

    def __init__(self, *, lot_shares: int, delayed_data: bool) -> None:
        self._lot = Decimal(lot_shares)
        self._lots = {number: EXACT.multiply(number, self._lot) for number in range(1, _USUAL)}
        self._passes_delayed = delayed_data
        self._levels: dict[str, _Level] = {}
        self._told: list[Event] = []
        self._activities = -1  # the number of the last activity of this connection
        self._events = self._strays = self._quarantined = self._repeated = 0
        self.fronts: dict[str, str] = {}  # the contract that is active now, by the name of its continuous future

    def watch(self, name: str, symbol: str, kind: Kind) -> None:
        """Takes up a symbol under the broker's name; once more is fine."""
        is_stock = kind is Kind.STOCK
        self._levels.setdefault(name, _Level(symbol, is_stock, self._lot, self._lots if is_stock else WHOLE))

    def leave(self, name: str) -> None:
        """Lets go of a symbol."""
        self._levels.pop(name, None)
        self.fronts.pop(name, None)

    def forget_prices(self) -> None:
        """The stream was interrupted: the next rows are whole again, and what was traded between is not known."""
        self._activities = -1
        for level in self._levels.values():
            level.forget()

    def take(self, batch: Batch | ReadBatch, now_ns: int) -> Sequence[MarketEvent]:
        """The market events in a batch of rows, in its order; never raises."""
        events: list[MarketEvent] = []
        rows, bad = self._read(batch) if isinstance(batch, Batch) else (batch.content, ())
        for row in rows:
            level = self._levels.get(row.key)
            if isinstance(row, ActivityRow):
                self._heed_activity(row)
            elif level is None:
                self._strays += 1
            elif isinstance(row, _PRICE_ROWS):
                self._take_prices(batch, level, row, events, now_ns)
            else:
                self._take_candle(batch.service, level, row, events)
        for key, fault in bad:
            self._lose(batch.service, key, fault)
        self._events += len(events)
        return events

    def _read(self, batch: Batch) -> tuple[Sequence[Row], Sequence[tuple[str, Malformed]]]:
        """The rows of a batch that can be read, and the others with their keys; none of a service that we pass over."""
        if not carries_rows(batch.service):
            return (), ()
        try:
            return decode_rows(batch.service, batch.content)
        except Malformed as error:
            self._keep_out(batch.service, "", "content", error.text, error.kind)
            return (), ()

    def told(self) -> Sequence[Event]:
        """What people should hear of since this was asked last."""
        told, self._told = self._told, []
        return told

    def statistics(self) -> BoardStatistics:
        """Counts since the start."""
        delayed = tuple(level.symbol for level in self._levels.values() if level.delayed)
        return BoardStatistics(self._events, self._strays, self._quarantined, self._repeated, delayed)

    # Best prices.

    def _take_prices(
        self, batch: Batch | ReadBatch, level: _Level, row: LevelRow, events: list[MarketEvent], now_ns: int
    ) -> None:
        before = level.volume
        quoting = level.merge_quote(row)
        if not (row.last is row.volume is row.trade_ms is UNSET):
            level.merge_trade(row)
        if level.doubts:
            self._keep_doubts_out(batch.service, level, row.key)
        if row.delayed is not UNSET:
            self._heed_delay(level, row.delayed)
        if row.active_symbol is not UNSET and row.active_symbol is not None:
            self.fronts[row.key] = row.active_symbol
        if level.delayed and not self._passes_delayed:
            return
        if quoting:
            bid, ask = level.bid, level.ask
            if not (bid and ask):
                bid, ask = self._doubt_nothing(batch.service, level, row.key)
            time_ns = level.quote_ns or _moment(batch.timestamp) or now_ns
            events.append(Quote(level.symbol, bid, ask, level.bid_size, level.ask_size, time_ns))
        if row.volume is not UNSET and level.last and (rise := _between(before, level.volume)):
            events.append(Trade(level.symbol, level.last, rise, level.trade_ns or _moment(batch.timestamp) or now_ns))

    def _keep_doubts_out(self, service: str, level: _Level, key: str) -> None:
        doubts, level.doubts = level.doubts, []
        for name, told in doubts:
            self._keep_out(service, key, name, told, "a number that can be")

    def _doubt_nothing(self, service: str, level: _Level, key: str) -> tuple[Decimal | None, Decimal | None]:
        """A price of 0 is none, and then there can be no size at it."""
        for side, price, shown in (("bid", level.bid, level.bid_size), ("ask", level.ask, level.ask_size)):
            if price is not None and not price:
                setattr(level, side, None)
                if shown:
                    self._keep_out(service, key, side, price, f"a price other than 0 for the size {shown}")
        return level.bid, level.ask

    def _heed_delay(self, level: _Level, delayed: bool) -> None:
        if delayed and not level.delayed:
            self._told.append(Delayed(level.symbol))
        level.delayed = delayed

    def _heed_activity(self, row: ActivityRow) -> None:
        """Tells of each activity once; the first row of a subscription is none."""
        if row.kind in ("", "SUBSCRIBED") or 0 <= row.seq <= self._activities:
            return
        self._activities = max(self._activities, row.seq)
        try:
            order_id = order_in(row.body or "{}")
        except Malformed as error:
            self._keep_out(Service.ACCT_ACTIVITY.value, row.key, row.kind, error.text, error.kind)
            return
        self._told.append(Activity(row.account[-4:], row.kind, order_id))

    # Bars.

    def _take_candle(self, service: str, level: _Level, row: CandleRow, events: list[MarketEvent]) -> None:
        start_ns = _moment(row.start_ms)
        problem = "the start of a minute" if start_ns is None else bar_problem(row, stock=level.is_stock)
        if start_ns is None or problem:
            self._keep_out(service, row.key, "bar", row, problem)
            return
        close_ns = start_ns + _MINUTE_NS
        if close_ns <= level.last_bar_ns:
            self._repeated += 1
            return
        level.last_bar_ns = close_ns
        if not level.delayed or self._passes_delayed:
            events.append(Bar(level.symbol, MINUTE, row.open, row.high, row.low, row.close, row.volume, close_ns))

    # What cannot be.

    def _lose(self, service: str, key: str, fault: Malformed) -> None:
        """A row that cannot be read may have changed anything."""
        level = self._levels.get(key)
        if level is not None and "CHART" not in service:
            level.forget()
        self._keep_out(service, key, "row", fault.text, fault.kind)

    def _keep_out(self, service: str, key: str, field: str, value: object, expected: str) -> None:
        self._quarantined += 1
        self._told.append(Quarantined(service, key, field, value, expected))


def _between(before: Decimal | None, now: Decimal | None) -> Decimal:
    """The volume since the message before; nothing where that is not known. A new day counts from 0."""
    if before is None or now is None:
        return _NONE
    return EXACT.subtract(now, before) if now >= before else now


def _moment(value: int | None) -> int | None:
    """Milliseconds as nanoseconds; None for what is no moment of a market."""
    return value * _MILLISECOND_NS if value and _FIRST_MS <= value < _LAST_MS else None


def bar_problem(bar: CandleRow | Candle, *, stock: bool) -> str:
    """What a bar should be but is not; empty where it is all right."""
    if not all(map(plausible, (bar.open, bar.high, bar.low, bar.close, bar.volume))):
        return "finite prices and a finite volume"
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        return "open and close between low and high"
    if stock and bar.low <= 0:
        return "prices above 0"
    return "" if bar.volume >= 0 else "a volume of 0 or more"
