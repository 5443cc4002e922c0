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


class Triggers:
    """The watching orders of one symbol, sorted so that a price which reaches none costs one comparison."""

    def __init__(self, tick: Decimal) -> None:
        self._tick = tick
        self._stops = {side: Ladder() for side in Side}
        self._trailing: dict[Side, list[Working]] = {side: [] for side in Side}

    def orders(self) -> list[Working]:
        """All that wait for a trigger."""
        placed = [working for side in Side for working in self._stops[side]]
        return placed + [w for side in Side for w in self._trailing[side] if w.stop is None]

    def add(self, working: Working) -> None:
        """Begins to watch for an order."""
        if working.order.type is OrderType.TRAILING_STOP:
            self._trailing[working.side].append(working)
        if working.stop is not None:
            self._place(working, working.stop)

    def remove(self, working: Working) -> None:
        """Ceases to watch for an order."""
        if working.order.type is OrderType.TRAILING_STOP:
            self._trailing[working.side].remove(working)
        if working.stop is not None:
            self._stops[working.side].remove(working)

    def reached(self, side: Side, price: Decimal) -> list[Working]:
        """The orders of one side that a price sets off, the first reached first."""
        return self._stops[side].until(trigger_rank(side, price))

    def follow(self, side: Side, price: Decimal, chosen: Chosen) -> None:
        """Moves the chosen trailing stops of one side after a price better than any they have seen."""
        for working in self._trailing[side]:
            if (working.best is None or through(side, working.best, price)) and chosen(working):
                working.best = price
                self._tighten(working, trailed_stop(working.order, price, self._tick))

    def rises_at(self, side: Side) -> Decimal:
        """The lowest price at which a rise does something on this side."""
        if side is Side.BUY:
            return self._stops[side].first_rank
        bests = (LOWEST if w.best is None else w.best.next_plus() for w in self._trailing[side])
        return min(bests, default=HIGHEST)

    def falls_at(self, side: Side) -> Decimal:
        """The highest price at which a fall does something on this side."""
        if side is Side.SELL:
            return self._stops[side].first_rank.copy_negate()
        bests = (HIGHEST if w.best is None else w.best.next_minus() for w in self._trailing[side])
        return max(bests, default=LOWEST)

    def _tighten(self, working: Working, stop: Decimal) -> None:
        if working.stop is None:
            self._place(working, stop)
        elif through(working.side, working.stop, stop):
            self._stops[working.side].remove(working)
            self._place(working, stop)

    def _place(self, working: Working, stop: Decimal) -> None:
        working.stop = stop
        self._stops[working.side].add(working, trigger_rank(working.side, stop))
