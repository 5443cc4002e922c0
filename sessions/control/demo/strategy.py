"""What the demo's sessions trade by: in and out at a steady pace, at times a resting order, and one planted defect."""

from decimal import Decimal
from typing import Final

import attrs
from attrs.validators import gt

from brokers.guards.ladder import Action
from brokers.market import Quote, Trade
from brokers.model import OrderReport, OrderState
from brokers.sides import Side
from sessions.strategy import (
    Cancel,
    Decision,
    Decisions,
    Event,
    Filled,
    Keep,
    OrderUpdate,
    Strategy,
    Submit,
    View,
    Wants,
    buy,
    sell,
)

_RESTS_EVERY: Final = 3  # of so many entries one rests at the bid or the offer
_TAG: Final = "beat."
_TICKS_AWAY: Final = 2
_RESTING: Final = frozenset({OrderState.WORKING, OrderState.PARTIALLY_FILLED})


@attrs.frozen
class PulseParameters:
    """What to trade, how often, and the size of a stranger's order that the planted defect cannot stand."""

    symbol: str
    pause_ms: int = attrs.field(default=250, validator=gt(0))
    chokes_on: int = attrs.field(default=3, validator=gt(1))


@attrs.frozen
class PulseState:
    """How many decisions there were, and when the last one was."""

    beats: int = 0
    last_ns: int = 0


class Choked(RuntimeError):
    """The planted defect: an order that somebody else placed in the strategy's session."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"the demo's strategy has a defect on purpose: it cannot stand the order {tag!r}")


class Pulse(Strategy[PulseParameters, PulseState]):
    """Trades one lot to and fro; what it earns is chance, what it shows is that every order is accounted for."""

    def wants(self) -> Wants:
        """All ticks of the one symbol."""
        return Wants(quotes=(self.parameters.symbol,), trades=(self.parameters.symbol,))

    def decide(self, event: Event, view: View[PulseState]) -> Decisions:
        """One decision a pause; raises Choked at the end of an order by hand of the size that it cannot stand.

        At the end, for nobody tells the next instance of an order that is over: one order, one crash.
        """
        match event:
            case OrderUpdate(tag=tag, report=report) if self._is_stranger(tag, report):
                raise Choked(tag)
            case Filled(tag=None, fill=fill) if fill.quantity > 1:  # it was done before anybody told of the order
                raise Choked(fill.order_key or fill.id)
            case Quote() | Trade() | Filled():
                return self._beat(view) if self._is_due(view) else None
            case _:
                return None

    def _is_stranger(self, tag: str, report: OrderReport) -> bool:
        return report.state.final and not tag.startswith(_TAG) and report.order.quantity == self.parameters.chokes_on

    def _is_due(self, view: View[PulseState]) -> bool:
        return view.now_ns - view.state.last_ns >= self.parameters.pause_ms * 1_000_000

    def _beat(self, view: View[PulseState]) -> Decisions:
        acts = self._acts(view)
        return [Keep(PulseState(view.state.beats + 1, view.now_ns)), *acts] if acts else None

    def _acts(self, view: View[PulseState]) -> list[Decision]:
        resting = [tag for tag, report in view.orders.items() if report.state in _RESTING]
        if resting:
            return [Cancel(tag) for tag in resting]
        held, beats = view.held(self.parameters.symbol), view.state.beats
        if held:
            return [_trade(Side.SELL if held > 0 else Side.BUY, view.symbol(self.parameters.symbol), abs(held), beats)]
        if not view.rung.permits(Action.ADD_RISK):
            return []
        side = Side.BUY if beats // 2 % 2 else Side.SELL
        return [self._entry(side, beats, view)]

    def _entry(self, side: Side, beats: int, view: View[PulseState]) -> Submit:
        symbol = view.symbol(self.parameters.symbol)
        quote = view.quote(symbol)
        near = None if quote is None else quote.bid if side is Side.BUY else quote.ask
        if beats % _RESTS_EVERY or near is None:
            return _trade(side, symbol, Decimal(1), beats)
        limit = near - side.sign * _TICKS_AWAY * view.instrument(symbol).tick
        return _trade(side, symbol, Decimal(1), beats, limit)


def _trade(side: Side, symbol: str, quantity: Decimal, beats: int, limit: Decimal | None = None) -> Submit:
    return (buy if side is Side.BUY else sell)(symbol, quantity, tag=f"{_TAG}{beats}", limit=limit)
