"""Stops and trailing stops of one symbol: where they stand, what moves them and what sets them off."""

from collections.abc import Callable
from decimal import Decimal

from brokers.matching.ladder import Ladder
from brokers.matching.orders import Working
from brokers.matching.prices import HIGHEST, LOWEST, ZERO, away_on_grid, through, trigger_rank, worse
from brokers.model import Order, OrderType
from brokers.sides import Side

Chosen = Callable[[Working], bool]


def trailed_stop(order: Order, best_price: Decimal, tick: Decimal) -> Decimal:
    """Where a trailing stop stands after the best price: its distance behind, on the grid."""
    gap = order.trail_offset
    if gap is None:
        gap = abs(best_price) * (order.trail_percent or ZERO) / 100
    return away_on_grid(order.side, worse(order.side, best_price, gap), tick)


class _Watch:
    """The watching orders of one side."""

    __slots__ = ("stops", "trailing")

    def __init__(self) -> None:
        self.stops = Ladder()
        self.trailing: list[Working] = []


class Triggers:
    """The watching orders of one symbol, sorted so that a price which reaches none costs one comparison."""

    def __init__(self, tick: Decimal) -> None:
        self._tick = tick
        self._buys = _Watch()
        self._sells = _Watch()

    def orders(self) -> list[Working]:
        """All that wait for a trigger."""
        sides = self._buys, self._sells
        placed = [working for watch in sides for working in watch.stops]
        return placed + [working for watch in sides for working in watch.trailing if working.stop is None]

    def add(self, working: Working) -> None:
        """Begins to watch for an order."""
        if working.order.type is OrderType.TRAILING_STOP:
            self._watch(working.side).trailing.append(working)
        if working.stop is not None:
            self._place(working, working.stop)

    def remove(self, working: Working) -> None:
        """Ceases to watch for an order."""
        watch = self._watch(working.side)
        if working.order.type is OrderType.TRAILING_STOP:
            watch.trailing.remove(working)
        if working.stop is not None:
            watch.stops.remove(working)

    def reached(self, side: Side, price: Decimal) -> list[Working]:
        """The orders of one side that a price sets off, the first reached first."""
        return self._watch(side).stops.until(trigger_rank(side, price))

    def follow(self, side: Side, price: Decimal, chosen: Chosen) -> bool:
        """Moves the chosen trailing stops after a price better than any they have seen; tells whether it was."""
        followed = False
        for working in self._watch(side).trailing:
            if (working.best is None or through(side, working.best, price)) and chosen(working):
                followed = True
                working.best = price
                self._tighten(working, trailed_stop(working.order, price, self._tick))
        return followed

    def rises_at(self, side: Side) -> Decimal:
        """The lowest price at which a rise does something on this side."""
        if side is Side.BUY:
            return self._buys.stops.first_rank
        bests = (LOWEST if w.best is None else w.best.next_plus() for w in self._sells.trailing)
        return min(bests, default=HIGHEST)

    def falls_at(self, side: Side) -> Decimal:
        """The highest price at which a fall does something on this side."""
        if side is Side.SELL:
            return self._sells.stops.first_rank.copy_negate()
        bests = (HIGHEST if w.best is None else w.best.next_minus() for w in self._buys.trailing)
        return max(bests, default=LOWEST)

    def _watch(self, side: Side) -> _Watch:
        return self._buys if side is Side.BUY else self._sells

    def _tighten(self, working: Working, stop: Decimal) -> None:
        if working.stop is None:
            self._place(working, stop)
        elif through(working.side, working.stop, stop):
            self._watch(working.side).stops.remove(working)
            self._place(working, stop)

    def _place(self, working: Working, stop: Decimal) -> None:
        working.stop = stop
        self._watch(working.side).stops.add(working, trigger_rank(working.side, stop))
