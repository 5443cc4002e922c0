"""One planned minute as quotes, trades and depth snapshots, in time order: exactly the plan's prices and volume."""

import itertools
import random
from collections.abc import Callable, Iterator
from decimal import Decimal

import attrs

from brokers.instruments import Instrument
from brokers.market import Depth, Level, MarketEvent, Quote, Trade
from brokers.sides import Side
from brokers.synthetic.path import MINUTE_NS, Minute

_QUOTES_A_TRADE = 2
_QUIET_NS = 2_000_000_000  # a quote that stands so long is shown again, as makers do: an open market is never stale
_KEPT_MULTIPLES = 20_000
_STRAY = 0.3  # how far trades stray between the minute's turning points, as a share of its range


class _Multiples(dict[int, Decimal]):
    """Whole multiples of a unit, made once; forgotten together when there are too many."""

    def __init__(self, unit: Decimal) -> None:
        super().__init__()
        self._unit = unit

    def __missing__(self, count: int) -> Decimal:
        if len(self) >= _KEPT_MULTIPLES:
            self.clear()
        value = self[count] = self._unit * count
        return value


@attrs.frozen(eq=False)
class TickMaker:
    """Turns one instrument's minutes into events; with `levels` above zero, depth snapshots too."""

    symbol: str
    size: int  # lots at a price, on average
    levels: int
    _prices: _Multiples
    _sizes: _Multiples

    @classmethod
    def of(cls, instrument: Instrument, size: int, levels: int) -> "TickMaker":
        """The maker for an instrument's grid."""
        return cls(instrument.symbol, size, levels, _Multiples(instrument.tick), _Multiples(instrument.lot))

    def events(self, minute: Minute, chance: random.Random) -> list[MarketEvent]:
        """The minute's events; trades begin at its open, end at its close and never leave its high and low.

        Every trade is at the bid or offer of the quote before it, and a quote is never older than two seconds.
        """
        draw = chance.random
        prices = _trade_prices(minute, draw)
        groups = len(prices) or 1
        times = iter(_times(minute, groups * (_QUOTES_A_TRADE + 2), draw))
        sizes = iter(_parts(minute.volume, minute.trades, draw))
        found: list[MarketEvent] = []
        before = minute.open
        for price in prices or [minute.close]:
            buys = price > before or (price == before and draw() < 0.5)
            before = price
            bid, ask = (price - minute.spread, price) if buys else (price, price + minute.spread)
            self._quote(found, bid, ask, times, draw)
            if prices:
                side = Side.BUY if buys else Side.SELL
                found.append(Trade(self.symbol, self._prices[price], self._sizes[next(sizes)], next(times), side))
        return list(self._unquiet(minute, found))

    def _unquiet(self, minute: Minute, found: list[MarketEvent]) -> Iterator[MarketEvent]:
        """The events with the standing quote shown again wherever it would be quiet for too long."""
        bid, ask = self._prices[minute.open - minute.spread], self._prices[minute.open]
        typical = self._sizes[1 + self.size * 2]
        standing = Quote(self.symbol, bid, ask, typical, typical, minute.start_ns)
        due_ns = minute.start_ns
        for event in found:
            while due_ns < event.time_ns:
                yield _again(standing, due_ns)
                due_ns += _QUIET_NS
            yield event
            if isinstance(event, Quote):
                standing, due_ns = event, event.time_ns + _QUIET_NS
        while due_ns < minute.start_ns + MINUTE_NS:
            yield _again(standing, due_ns)
            due_ns += _QUIET_NS

    def _quote(
        self, found: list[MarketEvent], bid: int, ask: int, times: Iterator[int], draw: Callable[[], float]
    ) -> None:
        """Adds the quotes that stand before one trade, and the book behind the last of them."""
        best_bid, best_ask, sizes, typical = self._prices[bid], self._prices[ask], self._sizes, self.size * 4
        quote = None
        for _ in range(_QUOTES_A_TRADE):
            bid_size, ask_size = sizes[1 + int(typical * draw() * draw())], sizes[1 + int(typical * draw() * draw())]
            quote = Quote(self.symbol, best_bid, best_ask, bid_size, ask_size, next(times))
            found.append(quote)
        if self.levels and quote is not None:
            bids = self._side(bid, -1, quote.bid_size, draw)
            asks = self._side(ask, 1, quote.ask_size, draw)
            found.append(Depth(self.symbol, bids, asks, next(times)))

    def _side(self, best: int, step: int, size: Decimal, draw: Callable[[], float]) -> tuple[Level, ...]:
        deeper = (
            Level(self._prices[best + step * away], self._sizes[1 + int(self.size * (4 + away) * draw())])
            for away in range(1, self.levels)
            if best + step * away > 0
        )
        return (Level(self._prices[best], size), *deeper)


def _again(quote: Quote, time_ns: int) -> Quote:
    return Quote(quote.symbol, quote.bid, quote.ask, quote.bid_size, quote.ask_size, time_ns)


def _trade_prices(minute: Minute, draw: Callable[[], float]) -> list[int]:
    """A price for each trade: from open to close by way of high and low, straying in between."""
    count, opened, closed = minute.trades, minute.open, minute.close
    if count <= 2:
        return [opened, closed][2 - count :]
    turns = [(0, opened), (count - 1, closed)]
    if count >= 4:
        first = 1 + int(draw() * (count - 3))
        second = first + 1 + int(draw() * (count - 2 - first))
        high, low = (first, second) if draw() < 0.5 else (second, first)
        turns += [(high, minute.high), (low, minute.low)]
        turns.sort()
    prices = [opened]
    stray = (minute.high - minute.low) * _STRAY
    for (begin, start), (end, stop) in itertools.pairwise(turns):
        for index in range(begin + 1, end):
            price = start + (stop - start) * (index - begin) // (end - begin) + int((draw() - 0.5) * stray)
            prices.append(min(max(price, minute.low), minute.high))
        prices.append(stop)
    return prices


def _times(minute: Minute, count: int, draw: Callable[[], float]) -> list[int]:
    """So many instants of the minute in order; in a burst they crowd at its beginning."""
    shares = sorted([draw() for _ in range(count)])
    if minute.burst:
        shares = [share * share * share for share in shares]
    return [minute.start_ns + int(share * MINUTE_NS) for share in shares]


def _parts(volume: int, count: int, draw: Callable[[], float]) -> list[int]:
    """A volume cut into so many parts of at least one."""
    if count == 0:
        return []
    spare = volume - count
    cuts = sorted([int(draw() * (spare + 1)) for _ in range(count - 1)])
    return [after - before + 1 for before, after in itertools.pairwise((0, *cuts, spare))]
