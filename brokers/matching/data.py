"""Whether market data makes sense in itself; what does not is refused before it changes anything."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from brokers.market import Bar, Depth, Level, Quote, Trade
from brokers.matching.events import BadMarketDataError
from brokers.matching.prices import reaches
from brokers.sides import Side


def check_price(price: Decimal) -> None:
    """Raises BadMarketDataError unless a price is a finite number."""
    if not price.is_finite():
        raise BadMarketDataError(price, "a price is not a number")


def check_quote(quote: Quote) -> None:
    """Raises BadMarketDataError unless prices are finite and sizes are not negative."""
    for price in (quote.bid, quote.ask):
        if price is not None and not price.is_finite():
            raise BadMarketDataError(quote, "a price is not a number")
    for size in (quote.bid_size, quote.ask_size):
        _check_size(size, quote)


def check_trade(trade: Trade) -> None:
    """Raises BadMarketDataError unless price and size are finite and the size is not negative."""
    if not trade.price.is_finite():
        raise BadMarketDataError(trade, "the price is not a number")
    _check_size(trade.size, trade)


def check_depth(depth: Depth) -> None:
    """Raises BadMarketDataError unless each side runs from its best price to ever worse ones."""
    _check_levels(Side.BUY, depth.bids, depth)
    _check_levels(Side.SELL, depth.asks, depth)


def check_bar(bar: Bar) -> None:
    """Raises BadMarketDataError unless low <= open, close <= high and the volume is not negative."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    if not all(price.is_finite() for price in prices):
        raise BadMarketDataError(bar, "a price is not a number")
    if bar.low != min(prices) or bar.high != max(prices):
        raise BadMarketDataError(bar, "open and close must lie between low and high")
    _check_size(bar.volume, bar)


def _check_size(size: Decimal, source: object) -> None:
    if not size.is_finite() or size < 0:
        raise BadMarketDataError(source, f"a size must be 0 or more, got {size}")


def _check_levels(side: Side, levels: Sequence[Level], depth: Depth) -> None:
    for level in levels:
        if not level.price.is_finite():
            raise BadMarketDataError(depth, "a price is not a number")
        _check_size(level.size, depth)
    for nearer, farther in pairwise(levels):
        if reaches(side.opposite, nearer.price, farther.price):
            raise BadMarketDataError(depth, f"the {side.value} levels do not run from the best price to the worst")
