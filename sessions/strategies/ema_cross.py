"""EMA cross with brackets: long when the fast average of closes crosses above the slow one, short below.

One position at a time, each entered at the market with a stop and a target. A cross against the position closes it
first and turns when it is flat. A position without exits, as after a contract roll, gets them again.
"""

import decimal
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import attrs
from attrs.validators import gt

from brokers.guards.ladder import Action
from brokers.market import Bar, Interval
from brokers.model import GroupKind, Order, OrderGroup, OrderType, Position, TimeInForce
from brokers.sides import Side
from sessions.strategy import (
    Decisions,
    Denied,
    Event,
    Filled,
    Flatten,
    Keep,
    OrderUpdate,
    ParametersChanged,
    Rolled,
    Series,
    Started,
    Strategy,
    Submit,
    View,
    Wants,
    buy,
    sell,
)

_ZERO: Final = Decimal(0)
_FIVE_MINUTES: Final = Interval.parse("5m")
_AVERAGING: Final = decimal.Context(prec=28)


@attrs.frozen
class EmaParameters:
    """What to trade and how."""

    symbol: str
    interval: Interval = _FIVE_MINUTES
    fast: int = attrs.field(default=12, validator=gt(0))
    slow: int = attrs.field(default=26, validator=gt(1))
    quantity: Decimal = attrs.field(default=Decimal(1), validator=gt(_ZERO))
    stop_ticks: int = attrs.field(default=20, validator=gt(0))
    target_ticks: int = attrs.field(default=40, validator=gt(0))

    def __attrs_post_init__(self) -> None:
        """Refuses a fast average that is not the faster one."""
        if self.fast >= self.slow:
            raise ValueError(f"'fast' must be less than 'slow': {self.fast} >= {self.slow}")


@attrs.frozen
class EmaState:
    """Both averages after `bars` closes, the last at `seen_ns`; `turn` waits for a flat position until the next bar."""

    fast: Decimal = Decimal(0)
    slow: Decimal = Decimal(0)
    bars: int = 0
    seen_ns: int = 0
    turn: Side | None = None


class EmaCross(Strategy[EmaParameters, EmaState]):
    """Follows the trend of closes."""

    def wants(self) -> Wants:
        """Bars, with enough of them at the start for the slow average to settle."""
        p = self.parameters
        return Wants(bars=(Series(p.symbol, p.interval, history=10 * p.slow),))

    def decide(self, event: Event, view: View[EmaState]) -> Decisions:
        """Averages each bar and trades a cross; goes on with a turn when the old position is gone."""
        match event:
            case Bar():
                return self._on_bar(event, view)
            case Filled() | OrderUpdate():
                return self._turned(view)
            case Denied():
                return Keep(attrs.evolve(view.state, turn=None))
            case Started(restored=True):
                return Keep(self._averaged(attrs.evolve(view.state, turn=None), view))
            case Started() | Rolled() | ParametersChanged():
                return Keep(self._averaged(EmaState(), view))
            case _:
                return None

    def _on_bar(self, bar: Bar, view: View[EmaState]) -> Decisions:
        before = view.state
        after = self._averaged(before, view)
        side = self._crossed(before, after)
        held = view.held(bar.symbol)
        if side is None:
            return [Keep(attrs.evolve(after, turn=None)), *self._protected(bar, view)]
        if held * side.sign > 0:  # it is where the cross points to
            return Keep(attrs.evolve(after, turn=None))
        if held or view.orders:
            return [Keep(attrs.evolve(after, turn=side)), Flatten(bar.symbol)]
        return [Keep(after), *self._entry(side, bar, view)]

    def _turned(self, view: View[EmaState]) -> Decisions:
        """The entry that waited for a flat position."""
        p, turn = self.parameters, view.state.turn
        bars = view.bars(p.symbol, p.interval, last=1)
        if turn is None or not bars or view.orders or view.held(p.symbol):
            return None
        return [Keep(attrs.evolve(view.state, turn=None)), *self._entry(turn, bars[0], view)]

    def _entry(self, side: Side, bar: Bar, view: View[EmaState]) -> list[Submit]:
        if not view.rung.permits(Action.ADD_RISK):
            return []
        stop, target = self._exits(side, bar.close, view)
        enter = buy if side is Side.BUY else sell
        return [enter(bar.symbol, self.parameters.quantity, stop=stop, target=target)]

    def _exits(self, side: Side, price: Decimal, view: View[EmaState]) -> tuple[Decimal, Decimal]:
        """Where a position entered at a price is left, on the grid."""
        p = self.parameters
        tick = view.instrument(p.symbol).tick
        at = view.tick_down(p.symbol, price)
        return at - side.sign * p.stop_ticks * tick, at + side.sign * p.target_ticks * tick

    def _protected(self, bar: Bar, view: View[EmaState]) -> list[Submit]:
        """The exits of a position that has none."""
        position = view.position(bar.symbol)
        if position is None or not position.quantity or position.average_price is None or view.orders:
            return []
        return [Submit(self._exit_pair(position, position.average_price, view))]

    def _exit_pair(self, position: Position, price: Decimal, view: View[EmaState]) -> OrderGroup:
        side = Side.BUY if position.quantity > 0 else Side.SELL
        stop, target = self._exits(side, price, view)
        out = Order(
            "stop",
            position.symbol,
            side.opposite,
            OrderType.STOP,
            abs(position.quantity),
            stop_price=stop,
            time_in_force=TimeInForce.GTC,
        )
        gain = attrs.evolve(out, key="target", type=OrderType.LIMIT, stop_price=None, limit_price=target)
        return OrderGroup("exits", GroupKind.OCO, None, (out, gain))

    # ------------------------------------------------------------------ the averages

    def _averaged(self, state: EmaState, view: View[EmaState]) -> EmaState:
        """The averages through the newest bar; begun again when bars since the last one are missing from the view."""
        p = self.parameters
        bars = view.bars(p.symbol, p.interval)
        if bars and bars[0].time_ns > state.seen_ns:
            state = attrs.evolve(state, bars=0)
        return self._folded(state, (bar for bar in bars if bar.time_ns > state.seen_ns))

    def _folded(self, state: EmaState, bars: Iterable[Bar]) -> EmaState:
        p = self.parameters
        fast, slow, count, seen = state.fast, state.slow, state.bars, state.seen_ns
        for bar in bars:
            fast = _average(fast, bar.close, p.fast) if count else bar.close
            slow = _average(slow, bar.close, p.slow) if count else bar.close
            count, seen = count + 1, bar.time_ns
        return EmaState(fast, slow, count, seen, state.turn)

    def _crossed(self, before: EmaState, after: EmaState) -> Side | None:
        """The side to which the last bar's cross points, once the slow average has settled."""
        if before.bars < self.parameters.slow or after.bars <= before.bars:
            return None
        if before.fast <= before.slow and after.fast > after.slow:
            return Side.BUY
        if before.fast >= before.slow and after.fast < after.slow:
            return Side.SELL
        return None


def _average(average: Decimal, price: Decimal, length: int) -> Decimal:
    """An exponential average's next value, to 28 digits."""
    step = _AVERAGING.divide(2 * (price - average), Decimal(length + 1))
    return _AVERAGING.add(average, step)
