"""Opening-range breakout: the first close beyond the range of the first minutes is followed, once a trading day.

The range is that of regular trading by the symbol's calendar, daylight saving time and early closes included. The stop
lies on the range's other side, the target a multiple of the range away, and nothing is held through the close.
For a market that trades around the clock, `delay_minutes` puts the range later: 930 after 17:00 is 8:30.
"""

import datetime as dt
from decimal import Decimal
from typing import Final

import attrs
from attrs.validators import ge, gt

from brokers.guards.ladder import Action
from brokers.market import Bar, Interval
from brokers.sides import Side
from sessions.strategy import (
    BeforeClose,
    Decisions,
    Event,
    Flatten,
    Hours,
    Keep,
    ParametersChanged,
    Rolled,
    Series,
    Strategy,
    TimerDue,
    View,
    Wants,
    buy,
    sell,
)

_ZERO: Final = Decimal(0)
_ONE_MINUTE: Final = Interval.parse("1m")
_MINUTE_NS: Final = 60 * 1_000_000_000
_DAY_OF_MINUTES: Final = 1440  # kept, so that a start in the middle of a day still finds its range


@attrs.frozen
class RangeParameters:
    """What to trade, when the range is, and how far to go."""

    symbol: str
    minutes: int = attrs.field(default=30, validator=gt(0))
    delay_minutes: int = attrs.field(default=0, validator=ge(0))
    quantity: Decimal = attrs.field(default=Decimal(1), validator=gt(_ZERO))
    target_ranges: Decimal = attrs.field(default=Decimal(2), validator=gt(_ZERO))
    exit_minutes: int = attrs.field(default=5, validator=gt(0))  # before the close


@attrs.frozen
class RangeState:
    """One trading day's range, once it is known, and whether the day is done with."""

    day: dt.date | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    done: bool = False


class OpeningRange(Strategy[RangeParameters, RangeState]):
    """Trades the first breakout of a day."""

    def wants(self) -> Wants:
        """A day of one-minute bars, and to be told shortly before the close."""
        p = self.parameters
        return Wants(
            bars=(Series(p.symbol, _ONE_MINUTE, history=_DAY_OF_MINUTES),),
            timers=(BeforeClose("exit", p.symbol, p.exit_minutes),),
        )

    def decide(self, event: Event, view: View[RangeState]) -> Decisions:
        """Watches bars for the breakout and leaves before the close."""
        match event:
            case Bar():
                return self._on_bar(event, view)
            case TimerDue(name="exit"):
                return [Keep(attrs.evolve(view.state, done=True)), Flatten(view.symbol(self.parameters.symbol))]
            case Rolled() | ParametersChanged():
                return Keep(attrs.evolve(view.state, high=None, low=None))
            case _:
                return None

    def _on_bar(self, bar: Bar, view: View[RangeState]) -> Decisions:
        hours = view.hours(bar.symbol)
        state = view.state if view.state.day == hours.trading_day else RangeState(hours.trading_day)
        begin, end = self._window(hours)
        if state.done or not end < bar.time_ns <= hours.close_ns - self.parameters.exit_minutes * _MINUTE_NS:
            return Keep(state)
        if state.high is None:
            state = self._measured(state, view.bars(bar.symbol, _ONE_MINUTE), begin, end)
        return self._broken(state, bar, view)

    def _window(self, hours: Hours) -> tuple[int, int]:
        """The instants between which the range is measured."""
        begin = hours.open_ns + self.parameters.delay_minutes * _MINUTE_NS
        return begin, begin + self.parameters.minutes * _MINUTE_NS

    def _measured(self, state: RangeState, bars: tuple[Bar, ...], begin: int, end: int) -> RangeState:
        """The state with the range of the bars in (begin, end]; without any bar there is no range."""
        inside = [bar for bar in bars if begin < bar.time_ns <= end]
        if not inside:
            return state
        return attrs.evolve(state, high=max(bar.high for bar in inside), low=min(bar.low for bar in inside))

    def _broken(self, state: RangeState, bar: Bar, view: View[RangeState]) -> Decisions:
        high, low = state.high, state.low
        if high is None or low is None or not view.rung.permits(Action.ADD_RISK):
            return Keep(state)
        if low <= bar.close <= high:
            return Keep(state)
        side = Side.BUY if bar.close > high else Side.SELL
        enter, stop = (buy, low) if side is Side.BUY else (sell, high)
        target = view.tick_down(bar.symbol, bar.close + side.sign * self.parameters.target_ranges * (high - low))
        if target == bar.close:  # a range of a single price has no target
            return Keep(state)
        done = attrs.evolve(state, done=True)
        return [Keep(done), enter(bar.symbol, self.parameters.quantity, stop=stop, target=target)]
