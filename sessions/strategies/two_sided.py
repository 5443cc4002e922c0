"""Two-sided quoting with inventory skew: a bid and an offer around the middle, both lower the more is held.

Quotes rest (post only) and follow the market by modification, so that a place in the queue is given up only for a
move of at least `requote_ticks`. The side that would carry the position past its limit is not quoted. Nothing is
quoted outside regular hours, and the position is closed before they end.
"""

from decimal import Decimal
from typing import Final

import attrs
from attrs.validators import ge, gt

from brokers.guards.ladder import Action
from brokers.market import Quote
from brokers.model import OrderReport, OrderState
from brokers.sides import Side
from sessions.strategy import (
    BeforeClose,
    Cancel,
    Decision,
    Decisions,
    Event,
    Filled,
    Flatten,
    NoState,
    Rolled,
    Strategy,
    TimerDue,
    View,
    Wants,
    buy,
    modify,
    sell,
)

_ZERO: Final = Decimal(0)
_MINUTE_NS: Final = 60 * 1_000_000_000
_RESTING: Final = frozenset({OrderState.WORKING, OrderState.PARTIALLY_FILLED})
_TAGS: Final = {Side.BUY: "bid", Side.SELL: "offer"}


@attrs.frozen
class QuotingParameters:
    """What to quote, how wide, and how much may be held."""

    symbol: str
    quantity: Decimal = attrs.field(default=Decimal(1), validator=gt(_ZERO))
    half_spread_ticks: Decimal = attrs.field(default=Decimal(2), validator=gt(_ZERO))
    skew_ticks: Decimal = attrs.field(default=Decimal("0.5"), validator=ge(_ZERO))  # for each `quantity` held
    max_position: Decimal = attrs.field(default=Decimal(5), validator=gt(_ZERO))
    requote_ticks: int = attrs.field(default=1, validator=gt(0))
    exit_minutes: int = attrs.field(default=5, validator=gt(0))  # before the close


class TwoSided(Strategy[QuotingParameters, NoState]):
    """Earns the spread, and leans against what it holds."""

    def wants(self) -> Wants:
        """Quotes, and to be told shortly before the close."""
        p = self.parameters
        return Wants(quotes=(p.symbol,), timers=(BeforeClose("exit", p.symbol, p.exit_minutes),))

    def decide(self, event: Event, view: View[NoState]) -> Decisions:
        """Quotes anew when the market or the position moves."""
        match event:
            case Quote() | Filled():
                return self._quoted(view)
            case TimerDue(name="exit"):
                return Flatten(view.symbol(self.parameters.symbol))
            case Rolled(old=old):
                return Flatten(old)
            case _:
                return None

    def _quoted(self, view: View[NoState]) -> Decisions:
        quote = view.quote(self.parameters.symbol)
        if quote is None or quote.bid is None or quote.ask is None or not self._trading(view):
            return [Cancel(tag) for tag in _TAGS.values() if _resting(view.order(tag))]
        held = view.held(quote.symbol)
        bid, offer = self._prices(quote.symbol, quote.bid, quote.ask, held, view)
        return [
            *self._side(Side.BUY, quote.symbol, bid, held, view),
            *self._side(Side.SELL, quote.symbol, offer, held, view),
        ]

    def _trading(self, view: View[NoState]) -> bool:
        """Whether to quote now: in regular hours, until shortly before the close."""
        hours = view.hours(self.parameters.symbol)
        return hours.open_ns <= view.now_ns < hours.close_ns - self.parameters.exit_minutes * _MINUTE_NS

    def _prices(
        self, symbol: str, bid: Decimal, ask: Decimal, held: Decimal, view: View[NoState]
    ) -> tuple[Decimal, Decimal]:
        """Our bid and offer, on the grid and on their own sides of the market."""
        p = self.parameters
        tick = view.instrument(symbol).tick
        fair = (bid + ask) / 2 - tick * p.skew_ticks * held / p.quantity
        half = tick * p.half_spread_ticks
        return (
            min(view.tick_down(symbol, fair - half), ask - tick),
            max(view.tick_up(symbol, fair + half), bid + tick),
        )

    def _side(self, side: Side, symbol: str, price: Decimal, held: Decimal, view: View[NoState]) -> list[Decision]:
        """What brings one side's quote to its price."""
        tag = _TAGS[side]
        order = view.order(tag)
        if order is None:
            return self._new(side, symbol, price, held, view)
        limit = order.order.limit_price
        if not _resting(order) or limit is None:
            return []
        if not self._may_quote(side, held, view):
            return [Cancel(tag)]
        moved = abs(price - limit) >= self.parameters.requote_ticks * view.instrument(symbol).tick
        return [modify(tag, limit=price)] if moved else []

    def _new(self, side: Side, symbol: str, price: Decimal, held: Decimal, view: View[NoState]) -> list[Decision]:
        room = max(self.parameters.max_position - side.sign * held, _ZERO)
        if not view.rung.permits(Action.ADD_RISK):
            room = min(room, abs(held))
        size = view.whole_lots(symbol, min(self.parameters.quantity, room))
        if not size or not self._may_quote(side, held, view):
            return []
        enter = buy if side is Side.BUY else sell
        return [enter(symbol, size, tag=_TAGS[side], limit=price, post_only=True)]

    def _may_quote(self, side: Side, held: Decimal, view: View[NoState]) -> bool:
        """Whether a side may be quoted: always to reduce what is held, else while new risk is allowed."""
        action = Action.REDUCE_RISK if held * side.sign < 0 else Action.ADD_RISK
        return view.rung.permits(action)


def _resting(order: OrderReport | None) -> bool:
    """Whether an order can be changed: it rests, and no request for it is under way."""
    return order is not None and order.state in _RESTING
