"""What is to be seen of each symbol now: quote, last trade and the day, kept up to date by the market's events."""

from decimal import Decimal
from typing import Final

import attrs

from brokers.emulation.desk import Desk
from brokers.instruments import Instrument
from brokers.market import Bar, BarUnit, Interval, MarketEvent, MarketStatus, Quote, Trade

MINUTE: Final = Interval(1, BarUnit.MINUTE)
DAY: Final = Interval(1, BarUnit.DAY)
DAY_NS: Final = 86_400 * 1_000_000_000
_YEAR_NS: Final = 14 * DAY_NS  # the stretch of days that stands for the year's high and low
_NOTHING: Final = Decimal(0)


@attrs.frozen
class Sight:
    """A symbol as it looks at one moment."""

    instrument: Instrument
    status: MarketStatus
    quote: Quote
    last: Decimal
    last_size: Decimal
    trade_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    close: Decimal  # of the day before
    year_high: Decimal
    year_low: Decimal

    @property
    def bid(self) -> Decimal:
        """The best bid, the last price where there is none."""
        return self.last if self.quote.bid is None else self.quote.bid

    @property
    def ask(self) -> Decimal:
        """The best offer, the last price where there is none."""
        return self.last if self.quote.ask is None else self.quote.ask

    @property
    def change(self) -> Decimal:
        """How far it has moved since the day before."""
        return self.last - self.close

    @property
    def percent(self) -> Decimal:
        """The same in percent."""
        return (self.change / self.close * 100).quantize(Decimal("1e-8")) if self.close else _NOTHING

    @property
    def word(self) -> str:
        """The state of its market in Schwab's word."""
        if self.status is MarketStatus.HALTED:
            return "Halted"
        return "Normal" if self.status.trading else "Closed"


@attrs.define(eq=False)
class _Day:
    """The day that runs, and what went before."""

    close: Decimal
    year_high: Decimal
    year_low: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal

    def take(self, trade: Trade) -> None:
        """A trade comes."""
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.volume += trade.size


@attrs.define(eq=False)
class _Seen:
    """One symbol's market so far."""

    quote: Quote | None = None
    trade: Trade | None = None
    day: _Day | None = None  # from the first time that somebody looks


class Board:
    """Every symbol."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen = {symbol: _Seen() for symbol in desk.instruments}
        desk.watch(self._take)

    def _take(self, event: MarketEvent) -> None:
        seen = self._seen[event.symbol]
        if isinstance(event, Quote):
            seen.quote = event
        elif isinstance(event, Trade):
            seen.trade = event
            if seen.day is not None:
                seen.day.take(event)

    def sight(self, symbol: str) -> Sight | None:
        """A symbol as it looks now, None before its market has shown anything."""
        seen, now = self._seen[symbol], self._desk.now_ns()
        if seen.quote is None:
            return None
        quote, trade = seen.quote, seen.trade
        last = trade.price if trade is not None else quote.bid or quote.ask or _NOTHING
        day = seen.day = seen.day or _day(self._desk, symbol, last, now)
        return Sight(
            instrument=self._desk.instruments[symbol],
            status=self._desk.source.status(symbol, now),
            quote=quote,
            last=last,
            last_size=_NOTHING if trade is None else trade.size,
            trade_ns=quote.time_ns if trade is None else trade.time_ns,
            open=day.open,
            high=day.high,
            low=day.low,
            volume=day.volume,
            close=day.close,
            year_high=max(day.year_high, day.high),
            year_low=min(day.year_low, day.low),
        )


def _day(desk: Desk, symbol: str, last: Decimal, now: int) -> _Day:
    """The day up to now; what has traded in the minute that runs is missed."""
    days = list(desk.source.bars(symbol, DAY, now - _YEAR_NS, now))
    close = days[-1].close if days else last
    begun = days[-1].time_ns if days else now
    minutes: list[Bar] = list(desk.source.bars(symbol, MINUTE, begun, now))
    return _Day(
        close=close,
        year_high=max([day.high for day in days], default=last),
        year_low=min([day.low for day in days], default=last),
        open=minutes[0].open if minutes else last,
        high=max([minute.high for minute in minutes], default=last),
        low=min([minute.low for minute in minutes], default=last),
        volume=sum((minute.volume for minute in minutes), _NOTHING),
    )
