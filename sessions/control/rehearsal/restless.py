"""A strategy for rehearsals: it earns nothing, and does everything that an order can go through, from a seed."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import attrs
from attrs.validators import ge, gt

from brokers.guards.ladder import Action
from brokers.market import Quote
from brokers.model import OrderReport, OrderState
from brokers.sides import Side
from sessions.strategy import (
    Cancel,
    CancelAll,
    Decision,
    Decisions,
    Event,
    Every,
    Flatten,
    Keep,
    Rolled,
    Strategy,
    TimerDue,
    View,
    Wants,
    buy,
    modify,
    sell,
)

_RESTING: Final = frozenset({OrderState.WORKING, OrderState.PARTIALLY_FILLED})


@attrs.frozen
class RestlessParameters:
    """What to trade, how often to do something, and how much may be open."""

    symbol: str
    seed: int = 1
    every_seconds: int = attrs.field(default=20, validator=gt(0))
    most_held: Decimal = attrs.field(default=Decimal(3), validator=gt(Decimal(0)))
    most_resting: int = attrs.field(default=4, validator=ge(1))
    heeds_rung: bool = True  # or tries what it may not do, and has to be stopped


@attrs.frozen
class Count:
    """How often it has acted."""

    acts: int = 0


class Dice:
    """Numbers that follow from a seed and a count alone."""

    def __init__(self, seed: int, count: int) -> None:
        self._bytes = hashlib.blake2b(f"{seed}/{count}".encode(), digest_size=16).digest()
        self._next = 0

    def below(self, end: int) -> int:
        """A number from 0 up to end, without it."""
        self._next += 1
        return self._bytes[self._next % len(self._bytes)] % end


class Restless(Strategy[RestlessParameters, Count]):
    """Buys and sells at market and at limits, with stops and brackets, modifies, cancels, flattens."""

    def wants(self) -> Wants:
        """Quotes to price by, and a timer to act at."""
        p = self.parameters
        return Wants(quotes=(p.symbol,), timers=(Every("act", p.every_seconds),))

    def decide(self, event: Event, view: View[Count]) -> Decisions:
        """One act at each turn of the timer."""
        match event:
            case TimerDue(name="act"):
                quote = view.quote(self.parameters.symbol)
                if quote is None or quote.bid is None or quote.ask is None:
                    return None
                count = view.state.acts + 1
                return [Keep(Count(count)), *self._act(Dice(self.parameters.seed, count), f"o{count}", quote, view)]
            case Rolled(old=old):
                return Flatten(old)
            case _:
                return None

    def _act(self, dice: Dice, tag: str, quote: Quote, view: View[Count]) -> Sequence[Decision]:
        symbol, resting = quote.symbol, [tag for tag, report in view.orders.items() if _rests(report)]
        kind = dice.below(16)
        if kind == 0:
            return [Flatten(symbol)]
        if kind == 1:
            return [CancelAll(symbol)]
        if resting and (kind < 4 or len(resting) >= self.parameters.most_resting):
            return [Cancel(resting[dice.below(len(resting))])]
        if resting and kind < 7:
            return self._moved(resting[dice.below(len(resting))], dice, view)
        return self._entered(kind, dice, tag, quote, view)

    def _moved(self, tag: str, dice: Dice, view: View[Count]) -> Sequence[Decision]:
        report = view.order(tag)
        if report is None or report.order.limit_price is None:
            return [Cancel(tag)]
        tick = view.instrument(report.order.symbol).tick
        return [modify(tag, limit=report.order.limit_price - report.order.side.sign * tick * (1 + dice.below(4)))]

    def _entered(self, kind: int, dice: Dice, tag: str, quote: Quote, view: View[Count]) -> Sequence[Decision]:
        """A new order towards or away from flat, as far as the position and the rung allow."""
        assert quote.bid is not None  # noqa: S101 - asked before
        assert quote.ask is not None  # noqa: S101
        held, most = view.held(quote.symbol), self.parameters.most_held
        side = Side.BUY if dice.below(2) else Side.SELL
        if abs(held) >= most:
            side = Side.SELL if held > 0 else Side.BUY
        adds = held * side.sign >= 0
        if self.parameters.heeds_rung and not view.rung.permits(Action.ADD_RISK if adds else Action.REDUCE_RISK):
            return ()
        enter, tick = (buy if side is Side.BUY else sell), view.instrument(quote.symbol).tick
        size = Decimal(1 + dice.below(2)) if adds else min(Decimal(1 + dice.below(2)), abs(held))
        near, away = (quote.ask, quote.bid) if side is Side.BUY else (quote.bid, quote.ask)
        gap = side.sign * tick * (2 + dice.below(8))
        if kind < 11:
            return [enter(quote.symbol, size, tag=tag)]
        if kind < 13:
            return [enter(quote.symbol, size, tag=tag, limit=away - gap)]
        if kind == 13:
            return [enter(quote.symbol, size, tag=tag, trigger=near + gap)]
        if kind == 14 and adds:
            return [enter(quote.symbol, size, tag=tag, stop=away - gap * 2, target=near + gap * 2)]
        return [enter(quote.symbol, size, tag=tag, limit=near + gap)]


def _rests(report: OrderReport) -> bool:
    """Whether an order can be changed: it rests, and no request for it is under way."""
    return report.state in _RESTING
