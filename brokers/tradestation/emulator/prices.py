"""The quote board: what TradeStation shows of each symbol now, kept up to date by the market's events."""

from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.instruments import Instrument
from brokers.market import Bar, BarUnit, Interval, MarketEvent, Quote, Trade
from brokers.tradestation.emulator.words import SECOND_NS, number, stamp

MINUTE: Final = Interval(1, BarUnit.MINUTE)
DAY: Final = Interval(1, BarUnit.DAY)
MINUTE_NS: Final = 60 * SECOND_NS
DAY_NS: Final = 86_400 * SECOND_NS
_YEAR_NS: Final = 14 * DAY_NS  # the stretch of days that stands for the year's high and low


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
    def of(cls, bar: Bar) -> "Candle":
        """What a bar holds."""
        return cls(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades)

    @classmethod
    def of_trade(cls, trade: Trade) -> "Candle":
        """What one trade makes."""
        return cls(trade.price, trade.price, trade.price, trade.price, trade.size, 1)

    def join(self, other: "Candle") -> None:
        """What comes after is added."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.trades += other.trades


@attrs.define(eq=False)
class _Days:
    """What is shown of the day and of the days before."""

    previous: Bar | None
    year: tuple[Bar, Bar] | None  # of the highest and the lowest day
    today: Candle | None
    turnover: Decimal


@attrs.define(eq=False)
class _Board:
    instrument: Instrument
    quote: Quote | None = None
    trade: Trade | None = None
    minute: tuple[int, Candle] | None = None  # the end of the running minute and what traded in it
    days: _Days | None = None  # from the first time that somebody asks
    written: tuple[object, dict[str, str]] = (None, {})  # what was shown of them last, and after which trade

    def take(self, trade: Trade) -> None:
        """A trade comes."""
        self.trade = trade
        end_ns = trade.time_ns - trade.time_ns % MINUTE_NS + MINUTE_NS
        running = self.minute[1] if self.minute is not None and self.minute[0] == end_ns else None
        self.minute = end_ns, _joined(running, trade)
        if self.days is not None:
            self.days.today = _joined(self.days.today, trade)
            self.days.turnover += trade.price * trade.size

    def running(self, now_ns: int) -> Candle | None:
        """What has traded in the minute that runs, a copy of it."""
        return attrs.evolve(self.minute[1]) if self.minute is not None and self.minute[0] > now_ns else None


def _joined(candle: Candle | None, trade: Trade) -> Candle:
    added = Candle.of_trade(trade)
    if candle is None:
        return added
    candle.join(added)
    return candle


class QuoteBoard:
    """Every symbol's quote."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._boards = {symbol: _Board(instrument) for symbol, instrument in desk.instruments.items()}
        desk.watch(self._take)

    def _take(self, event: MarketEvent) -> None:
        board = self._boards[event.symbol]
        if isinstance(event, Quote):
            board.quote = event
        elif isinstance(event, Trade):
            board.take(event)

    def running_minute(self, symbol: str, now_ns: int) -> Candle | None:
        """What has traded in the minute that runs, a copy of it."""
        return self._boards[symbol].running(now_ns)

    def top(self, symbol: str) -> dict[str, str]:
        """Last, bid and ask of a canonical symbol."""
        board = self._boards[symbol]
        bid, ask = (None, None) if board.quote is None else (board.quote.bid, board.quote.ask)
        last = board.trade.price if board.trade is not None else bid
        return {name: number(price or 0) for name, price in (("Last", last), ("Bid", bid), ("Ask", ask))}

    def write(self, symbol: str, name: str, skew_ns: int, *, share: bool) -> dict[str, Any]:
        """A symbol's whole quote; with `share` the change is a fraction as in streams, else percent."""
        board = self._boards[symbol]
        written: dict[str, Any] = {"Symbol": name} | self._write_days(board, skew_ns, share=share) | self.top(symbol)
        if board.quote is not None:
            written |= {"BidSize": number(board.quote.bid_size), "AskSize": number(board.quote.ask_size)}
        if board.trade is not None:
            written |= {"TradeTime": stamp(board.trade.time_ns + skew_ns), "LastSize": number(board.trade.size)}
        return written | {
            "Close": written["Last"],
            "DailyOpenInterest": "0",
            "TickSizeTier": "0",
            "MarketFlags": {"IsDelayed": False, "IsHardToBorrow": False, "IsBats": False, "IsHalted": False},
            "LastVenue": board.instrument.exchange,
        }

    def _write_days(self, board: _Board, skew_ns: int, *, share: bool) -> dict[str, str]:
        """What is shown of the days, which only a trade changes."""
        days = board.days = board.days or _days(self._desk, board, self._desk.now_ns())
        after = (board.trade, skew_ns, share)
        if board.written[0] != after:
            board.written = after, self._written(days, skew_ns, share=share)
        return board.written[1]

    def _written(self, days: _Days, skew_ns: int, *, share: bool) -> dict[str, str]:
        written: dict[str, str] = {}
        if days.previous is not None:
            written |= {
                "PreviousClose": number(days.previous.close),
                "PreviousVolume": number(days.previous.volume),
            }
        if days.year is not None:
            high, low = days.year
            written |= {
                "High52Week": number(high.high),
                "High52WeekTimestamp": f"{stamp(high.time_ns + skew_ns)[:10]}T00:00:00Z",
                "Low52Week": number(low.low),
                "Low52WeekTimestamp": f"{stamp(low.time_ns + skew_ns)[:10]}T00:00:00Z",
            }
        today = days.today
        if today is not None:
            written |= {
                "Open": number(today.open),
                "High": number(today.high),
                "Low": number(today.low),
                "Volume": number(today.volume),
                "VWAP": number((days.turnover / today.volume).quantize(Decimal("0.0001"))),
            }
        if today is not None and days.previous is not None:
            change = today.close - days.previous.close
            part = (change / days.previous.close * (1 if share else 100)).quantize(Decimal("0.0001"))
            written |= {"NetChange": number(change), "NetChangePct": number(part)}
        return written


def _days(desk: Desk, board: _Board, now: int) -> _Days:
    """The days up to now, the minute that runs included."""
    symbol = board.instrument.symbol
    days = list(desk.source.bars(symbol, DAY, now - _YEAR_NS, now))
    year = (max(days, key=lambda bar: bar.high), min(days, key=lambda bar: bar.low)) if days else None
    begun = days[-1].time_ns if days else now
    minutes = [Candle.of(bar) for bar in desk.source.bars(symbol, MINUTE, begun, now)]
    running = board.running(now)
    if running is not None:
        minutes.append(running)
    turnover = sum((minute.close * minute.volume for minute in minutes), Decimal(0))
    today = minutes[0] if minutes else None
    for minute in minutes[1:]:
        minutes[0].join(minute)
    return _Days(days[-1] if days else None, year, today, turnover)
