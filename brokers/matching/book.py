"""The liquidity that a symbol shows, less what the venue's own orders have taken of it since."""

from decimal import ROUND_CEILING, Decimal

from brokers.market import Depth, Level, Quote
from brokers.matching.prices import ZERO, reaches, worse
from brokers.sides import Side

_NOTHING: tuple[Level, ...] = ()


class Book:
    """The newest display; each one replaces the last whole and gives back what was taken."""

    __slots__ = ("_overdrawn", "_shown", "_sides", "_taken", "time_ns")

    def __init__(self) -> None:
        self.time_ns: int | None = None  # when the display came; None: nothing to trade with
        self._shown: Quote | Depth | None = None
        self._sides: tuple[tuple[Level, ...], tuple[Level, ...]] | None = None
        self._taken: dict[tuple[bool, Decimal], Decimal] = {}  # by whether buyers took, and the price
        self._overdrawn: dict[bool, Decimal] = {}

    @property
    def quoted(self) -> bool:
        """Whether this symbol has ever been shown with prices to trade at."""
        return self._shown is not None

    def show(self, shown: Quote | Depth, now: int) -> None:
        """Replaces the display."""
        self._shown = shown
        self._sides = None
        self.time_ns = now
        if self._taken:
            self._taken.clear()
        if self._overdrawn:
            self._overdrawn.clear()

    def grow_stale(self) -> None:
        """Makes the display no price until the next comes: the market was interrupted."""
        self.time_ns = None

    def levels(self, side: Side) -> tuple[Level, ...]:
        """The levels of one side, the best first."""
        if self._sides is None:
            self._sides = _sides_of(self._shown)
        return self._sides[0] if side is Side.BUY else self._sides[1]

    def best(self, side: Side) -> Decimal | None:
        """The best price of one side, which may be shown without size."""
        levels = self.levels(side)
        return levels[0].price if levels else None

    def offered(self, side: Side) -> Decimal | None:
        """The best price of one side that has size; a price without is nobody's offer."""
        for level in self.levels(side):
            if level.size:
                return level.price
        return None

    def displayed(self, side: Side, price: Decimal) -> Decimal | None:
        """The size shown at a price of one side; None when the price lies behind all that is shown."""
        levels = self.levels(side)
        for level in levels:
            if level.price == price:
                return level.size
            if not reaches(side.opposite, price, level.price):
                return ZERO
        return None if levels else ZERO

    def available(self, taker: Side, limit: Decimal | None) -> Decimal:
        """What an order of this side and limit can still take."""
        return sum((self._free(taker, level) for level in self._within(taker, limit)), ZERO)

    def take(self, taker: Side, limit: Decimal | None, quantity: Decimal) -> Level | None:
        """Takes the best piece there is, up to a quantity; None when nothing is left within the limit."""
        for level in self._within(taker, limit):
            size = min(self._free(taker, level), quantity)
            if size > 0:
                place = taker is Side.BUY, level.price
                self._taken[place] = self._taken.get(place, ZERO) + size
                return Level(level.price, size)
        return None

    def overdraw(self, taker: Side, quantity: Decimal, step: Decimal) -> Decimal | None:
        """The price of taking more than is shown: one step beyond the last level a multiple of the display.

        None when nothing is shown, or when the steps lead from a positive price to none.
        """
        levels = self.levels(taker.opposite)
        shown = sum((level.size for level in levels), ZERO)
        if not shown:
            return None
        total = self._overdrawn.get(taker is Side.BUY, ZERO) + quantity
        steps = (total / shown).to_integral_value(ROUND_CEILING)
        last = levels[-1].price
        price = worse(taker, last, steps * step)
        if last > 0 >= price:
            return None
        self._overdrawn[taker is Side.BUY] = total
        return price

    def _within(self, taker: Side, limit: Decimal | None) -> tuple[Level, ...]:
        levels = self.levels(taker.opposite)
        if limit is None:
            return levels
        return tuple(level for level in levels if reaches(taker, limit, level.price))

    def _free(self, taker: Side, level: Level) -> Decimal:
        return max(level.size - self._taken.get((taker is Side.BUY, level.price), ZERO), ZERO)


def _sides_of(shown: Quote | Depth | None) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    if shown is None:
        return _NOTHING, _NOTHING
    if isinstance(shown, Depth):
        return shown.bids, shown.asks
    bids = _NOTHING if shown.bid is None else (Level(shown.bid, shown.bid_size),)
    asks = _NOTHING if shown.ask is None else (Level(shown.ask, shown.ask_size),)
    return bids, asks
