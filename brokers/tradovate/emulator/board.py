"""The quote board: the entries of each contract's quote, kept up to date by the market's events."""

from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.market import Bar, BarUnit, Interval, MarketEvent, Quote, Trade

MINUTE: Final = Interval(1, BarUnit.MINUTE)
DAY: Final = Interval(1, BarUnit.DAY)
DAY_NS: Final = 86_400_000_000_000
Entries = dict[str, dict[str, Any]]


@attrs.define(eq=False)
class Candle:
    """Prices and volume while they grow."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int

    @classmethod
    def of(cls, seen: Bar | Trade) -> "Candle":
        """What a bar holds, or what one trade makes."""
        if isinstance(seen, Trade):
            return cls(seen.price, seen.price, seen.price, seen.price, seen.size, 1)
        return cls(seen.open, seen.high, seen.low, seen.close, seen.volume, seen.trades)

    def join(self, other: "Candle") -> "Candle":
        """What comes after is added."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.trades += other.trades
        return self


@attrs.define(eq=False)
class _Row:
    quote: Quote | None = None
    trade: Trade | None = None
    today: Candle | None = None
    settled: Decimal | None = None
    since_ns: int | None = None  # from when on `today` is kept here


class Board:
    """Every contract's quote."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rows = {symbol: _Row() for symbol in desk.instruments}
        desk.watch(self._take)

    def _take(self, event: MarketEvent) -> None:
        row = self._rows[event.symbol]
        if isinstance(event, Quote):
            row.quote = event
        elif isinstance(event, Trade):
            row.trade = event
            if row.since_ns is not None:
                row.today = Candle.of(event) if row.today is None else row.today.join(Candle.of(event))

    def quote(self, symbol: str) -> Quote | None:
        """The last quote."""
        return self._rows[symbol].quote

    def entries(self, symbol: str) -> Entries:
        """All entries of a quote."""
        row = self._rows[symbol]
        if row.since_ns is None:
            self._open(symbol, row)
        written = {} if row.quote is None else displayed(row.quote)
        if row.trade is not None:
            written["Trade"] = {"price": row.trade.price, "size": row.trade.size}
        if row.settled is not None:
            written["SettlementPrice"] = {"price": row.settled}
        if row.today is not None:
            written["OpeningPrice"] = {"price": row.today.open}
        return written | self._running(row)

    def traded(self, trade: Trade) -> Entries:
        """The entries that a trade changes."""
        return {"Trade": {"price": trade.price, "size": trade.size}} | self._running(self._rows[trade.symbol])

    def _running(self, row: _Row) -> Entries:
        if row.today is None:
            return {}
        return {
            "TotalTradeVolume": {"size": row.today.volume},
            "HighPrice": {"price": row.today.high},
            "LowPrice": {"price": row.today.low},
        }

    def _open(self, symbol: str, row: _Row) -> None:
        """Looks back at the day before and the day so far, once."""
        row.since_ns = now = self._desk.now_ns()
        days = list(self._desk.source.bars(symbol, DAY, now - 7 * DAY_NS, now))
        row.settled = days[-1].close if days else None
        row.today = joined(self._desk, symbol, days[-1].time_ns if days else now, now)


def displayed(quote: Quote) -> Entries:
    """The entries that a quote shows."""
    sides = (("Bid", quote.bid, quote.bid_size), ("Offer", quote.ask, quote.ask_size))
    return {name: {"price": price, "size": size} for name, price, size in sides if price is not None}


def joined(desk: Desk, symbol: str, from_ns: int, to_ns: int) -> Candle | None:
    """All that traded in (from_ns, to_ns], from whole minutes and the seconds after the last of them."""
    found: Candle | None = None
    last_ns = from_ns
    for bar in desk.source.bars(symbol, MINUTE, from_ns, to_ns):
        found = Candle.of(bar) if found is None else found.join(Candle.of(bar))
        last_ns = bar.time_ns
    last_ns = max(last_ns, to_ns - to_ns % MINUTE.nanoseconds)
    for bar in desk.source.bars(symbol, Interval(1, BarUnit.SECOND), last_ns, to_ns):
        found = Candle.of(bar) if found is None else found.join(Candle.of(bar))
    return found
