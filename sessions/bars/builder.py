"""Bars from ticks on a session calendar: a bar holds [start, close), its time is its close, and an empty one is none.

The grid is the calendar's: bars up to hours count from the session's start and end with it at the latest, so early
closes cut the last bar short and local hours survive a change of the clock; a day's bar is its trading day. Within a
bar the order of arrival does not matter: the open is the earliest print, the close the latest.

What does not belong in a bar is counted and left out: a print for a bar before the forming one (late), one at a time
without trading (outside), one from the future (ahead), one that is no sane figure (unfit).
"""

from decimal import Decimal
from typing import Final

import attrs

from brokers.calendar import SECOND_NS, SessionCalendar
from brokers.instruments import EXACT
from brokers.market import Bar, Interval, Quote, Trade

# A time further ahead of our clock is a fault of the feed: it would close all bars up to it and shut out what is true.
MAX_AHEAD_NS: Final = 60 * SECOND_NS

_ZERO: Final = Decimal(0)
_TWO: Final = Decimal(2)


@attrs.frozen
class BuilderStatistics:
    """What a builder made, and what it left out for which reason."""

    bars: int
    late: int
    outside: int
    ahead: int
    unfit: int


@attrs.define(eq=False)
class _Forming:
    """The bar that is open now."""

    close_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    first_ns: int
    last_ns: int

    def take(self, time_ns: int, price: Decimal, size: Decimal, trades: int) -> None:
        """Adds one print."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        if time_ns >= self.last_ns:
            self.close, self.last_ns = price, time_ns
        elif time_ns < self.first_ns:
            self.open, self.first_ns = price, time_ns
        self.volume = EXACT.add(self.volume, size)
        self.trades += trades


class BarBuilder:
    """Builds one symbol's bars of one interval; times come in as arguments, and bars come out in order."""

    def __init__(self, symbol: str, interval: Interval, calendar: SessionCalendar) -> None:
        self.symbol = symbol
        self.interval = interval
        self.calendar = calendar
        self._forming: _Forming | None = None
        self._reached_ns = -1  # the close of the last bar given out
        self._bars = self._late = self._outside = self._ahead = self._unfit = 0

    def trade(self, trade: Trade, now_ns: int) -> Bar | None:
        """Adds a print; returns the bar before it, if this print is what shows that it is over."""
        return self._add(trade.time_ns, trade.price, trade.size, 1, now_ns)

    def quote(self, quote: Quote, now_ns: int) -> Bar | None:
        """Adds the middle of a quote, for markets that show no prints; a one-sided quote says nothing."""
        if quote.bid is None or quote.ask is None:
            return None
        if not (quote.bid.is_finite() and quote.ask.is_finite()):
            self._unfit += 1
            return None
        middle = EXACT.divide(EXACT.add(quote.bid, quote.ask), _TWO)
        return self._add(quote.time_ns, middle, _ZERO, 0, now_ns)

    def advance(self, now_ns: int) -> Bar | None:
        """Returns the forming bar if its time is over."""
        return self._finish() if self._forming is not None and now_ns >= self._forming.close_ns else None

    @property
    def closes_ns(self) -> int | None:
        """When the forming bar is over: the next instant at which `advance` has something to give."""
        return None if self._forming is None else self._forming.close_ns

    def statistics(self) -> BuilderStatistics:
        """Bars made and prints left out so far."""
        return BuilderStatistics(self._bars, self._late, self._outside, self._ahead, self._unfit)

    def _add(self, time_ns: int, price: Decimal, size: Decimal, trades: int, now_ns: int) -> Bar | None:
        if not self._belongs(time_ns, price, size, now_ns):
            return None
        done = self.advance(time_ns)
        if self._forming is None:
            self._forming = self._begin(time_ns, price, size, trades)
        else:
            self._forming.take(time_ns, price, size, trades)
        return done

    def _belongs(self, time_ns: int, price: Decimal, size: Decimal, now_ns: int) -> bool:
        if not (price.is_finite() and size.is_finite() and size >= 0):
            self._unfit += 1
        elif time_ns - now_ns > MAX_AHEAD_NS:
            self._ahead += 1
        elif not self.calendar.status(time_ns).trading:
            self._outside += 1
        elif time_ns < self._reached_ns or self._precedes_forming(time_ns):
            self._late += 1
        else:
            return True
        return False

    def _precedes_forming(self, time_ns: int) -> bool:
        forming = self._forming
        if forming is None or time_ns >= forming.first_ns:
            return False
        return self.calendar.bar_close(time_ns, self.interval) < forming.close_ns

    def _begin(self, time_ns: int, price: Decimal, size: Decimal, trades: int) -> _Forming:
        close_ns = self.calendar.bar_close(time_ns, self.interval)
        return _Forming(close_ns, price, price, price, price, size, trades, time_ns, time_ns)

    def _finish(self) -> Bar | None:
        done, self._forming = self._forming, None
        if done is None:
            return None
        self._reached_ns = done.close_ns
        self._bars += 1
        return Bar(
            self.symbol,
            self.interval,
            done.open,
            done.high,
            done.low,
            done.close,
            done.volume,
            done.close_ns,
            done.trades,
        )
