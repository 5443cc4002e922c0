"""What trades when all that is known of a stretch of time is its bar: always the worse of what could have been.

A bar is open, then an unknown path between low and high, then close. An order that was there at the bar's start
meets the open, then the whole path: stops before limits, so of a stop and a target in one bar the loss comes first.
A limit needs a price beyond its own. An order that came during the bar, a child of an entry that has just filled
above all, meets the whole path with its stop, but only the close in its favour. Everything shares the bar's volume.
Fills and triggers whose order within the bar is not known are flagged `ambiguous_bar`.
"""

from collections.abc import Callable
from decimal import Decimal

from brokers.market import Bar
from brokers.matching.desk import Desk
from brokers.matching.events import FillCause
from brokers.matching.matching import Tape, take_from_tape, waiting
from brokers.matching.orders import Working
from brokers.matching.pit import Pit
from brokers.matching.prices import SIDES, best, rank, through, worse, worst
from brokers.model import Liquidity
from brokers.sides import Side


def match_bar(pit: Pit, bar: Bar, start_ns: int, desk: Desk) -> None:
    """Trades on a bar that began at `start_ns` and ended at its own time."""
    run = _BarRun(pit, bar, start_ns, desk)
    run.meet_open()
    run.meet_path()
    run.meet_close()


class _BarRun:
    """One bar on its way through a pit; its orders are told apart by when they came."""

    def __init__(self, pit: Pit, bar: Bar, start_ns: int, desk: Desk) -> None:
        self._pit = pit
        self._bar = bar
        self._desk = desk
        self._tape = Tape.of(bar.volume, pit)
        orders = pit.orders()
        # by number and place in time: whoever comes anew, or to the end of its queue, does so during the bar
        self._whole = {working.number: working.priority for working in orders if working.entered_ns <= start_ns}
        self._late = {working.number for working in orders if working.entered_ns > bar.time_ns}

    def meet_open(self) -> None:
        """The open: stops that it gapped over fill at it, the first price there was, and who waited takes."""
        price = self._bar.open
        for side in SIDES:
            for working in self._pit.triggers.reached(side, price):
                if self._was_there(working):
                    self._desk.trigger(working, price)
                    self._whole[working.number] = working.priority
                    self._take([working], price)
        self._take([working for working in waiting(self._pit) if self._was_there(working)], price)

    def meet_path(self) -> None:
        """Low and high in the worse order, then the stops of what that brought into the market."""
        self._set_off(self._was_there)
        for side in SIDES:
            self._pit.follow(side, self._good_extreme(side), self._was_there)
        self._set_off(self._was_there, ambiguous=True)
        for side in SIDES:
            self._fill_limits(side, self._good_extreme(side), self._was_there)
        while self._set_off(self._is_young, ambiguous=True):
            pass

    def meet_close(self) -> None:
        """The close: the one price that certainly came after everything else."""
        price = self._bar.close
        for working in waiting(self._pit):
            if self._is_young(working) and working.limit is not None and not working.immediate:
                self._pit.rest(working, None)
        for side in SIDES:
            self._fill_limits(side, price, self._is_young)
        self._take([working for working in waiting(self._pit) if self._is_young(working)], price)
        for side in SIDES:
            self._pit.follow(side, price, self._is_young)

    def _was_there(self, working: Working) -> bool:
        return self._whole.get(working.number) == working.priority and self._pit.admits(working)

    def _is_young(self, working: Working) -> bool:
        if working.number in self._late or self._whole.get(working.number) == working.priority:
            return False
        return self._pit.admits(working)

    def _good_extreme(self, side: Side) -> Decimal:
        return self._bar.low if side is Side.BUY else self._bar.high

    def _bad_extreme(self, side: Side) -> Decimal:
        return self._bar.high if side is Side.BUY else self._bar.low

    def _take(self, orders: list[Working], price: Decimal, *, ambiguous: bool = False) -> None:
        take_from_tape(orders, price, self._tape, self._pit, self._desk, FillCause.BAR, ambiguous=ambiguous)

    def _set_off(self, chosen: Callable[[Working], bool], *, ambiguous: bool = False) -> bool:
        """Triggers the chosen stops that the path reaches; tells whether there was one."""
        set_off = False
        for side in SIDES:
            for working in self._pit.triggers.reached(side, self._bad_extreme(side)):
                if working.stop is None or not working.watching or not chosen(working):
                    continue
                set_off = True
                doubtful = ambiguous or self._has_rival_in_reach(working)
                price = self._price_beyond(working, working.stop)
                self._desk.trigger(working, working.stop, ambiguous=doubtful)
                self._take([working], price, ambiguous=doubtful)
        return set_off

    def _price_beyond(self, working: Working, stop: Decimal) -> Decimal:
        """Some ticks beyond the stop within the bar; for an order younger than the open, no better than that."""
        side = working.side
        slippage = self._pit.rules.bar_slippage_ticks * self._pit.instrument.tick
        price = best(side, worse(side, stop, slippage), self._bad_extreme(side))
        if self._is_young(working) and not through(side, stop, self._bar.open):
            price = worst(side, price, self._bar.open)
        return price

    def _fill_limits(self, side: Side, price: Decimal, chosen: Callable[[Working], bool]) -> None:
        """Fills the chosen resting orders that a price lies beyond, at their own prices."""
        for working in self._pit.ladder(side).until(rank(side, price)):
            limit = working.limit
            if limit is None or not working.resting or not chosen(working):
                continue
            if through(side, limit, price) or self._desk.is_lucky():
                quantity = min(self._desk.room(working), self._tape.left)
                if quantity > 0:
                    self._tape.used += quantity
                    self._desk.fill(working, quantity, limit, Liquidity.MAKER, FillCause.BAR)

    def _has_rival_in_reach(self, working: Working) -> bool:
        """Whether another order of its group could as well have been the first."""
        rivals = [] if working.tie is None else working.tie.others(working)
        return any(self._is_in_reach(rival) for rival in rivals if rival.order.symbol == self._pit.symbol)

    def _is_in_reach(self, working: Working) -> bool:
        if not self._pit.admits(working):
            return False
        if working.watching:
            return working in self._pit.triggers.reached(working.side, self._bad_extreme(working.side))
        limit = working.limit
        return limit is not None and through(working.side, limit, self._good_extreme(working.side))
