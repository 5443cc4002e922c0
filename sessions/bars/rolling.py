"""A contract roll as a plan: what is done in which order when another contract comes in front.

The new contract is subscribed and its history loaded before anything else, so that nothing is missed. Then the
strategy is told, while it can still see the old one. The position, if it is to move, moves by two explicit orders,
a close and an open: the profit of the close is realised, the new position begins at its own price, and the gap between
the contracts is nobody's profit. Each step begins when the one before it is done: the open waits for the close to be
filled, and a step that fails ends the plan, so that a position is never doubled.
"""

import datetime as dt
from decimal import Decimal

import attrs

from brokers.calendar import SessionCalendar
from brokers.instruments import Instrument
from brokers.rolls import Roll, RollSchedule
from brokers.sides import Side
from brokers.symbols import Contract


@attrs.frozen
class Subscribe:
    """Begin a contract's market data."""

    symbol: str


@attrs.frozen
class LoadHistory:
    """Join a contract's history to its ticks; the strategy's bars are the new contract's from here on."""

    symbol: str


@attrs.frozen
class Announce:
    """Tell the strategy."""

    old: str
    new: str


@attrs.frozen
class CancelOrders:
    """Cancel what is open in a contract, and wait until it is gone."""

    symbol: str


@attrs.frozen
class Close:
    """Trade a position away at the market, and wait for the fill."""

    symbol: str
    side: Side
    quantity: Decimal

    def trimmed(self, held: Decimal) -> Decimal:
        """What is left to close when it comes to it: the strategy may have traded since it was told."""
        left = -held * self.side.sign
        return min(max(left, Decimal(0)), self.quantity)


@attrs.frozen
class Open:
    """Take the same position in the new contract at the market, in the size that the close was filled."""

    symbol: str
    side: Side
    quantity: Decimal


@attrs.frozen
class Unsubscribe:
    """End a contract's market data."""

    symbol: str


RollStep = Subscribe | LoadHistory | Announce | CancelOrders | Close | Open | Unsubscribe


@attrs.frozen
class RollPlan:
    """The steps of one roll, in order."""

    roll: Roll
    steps: tuple[RollStep, ...]


def due_roll(current: str, schedule: RollSchedule, calendar: SessionCalendar, now_ns: int) -> Roll | None:
    """The roll that an instant asks for; several that were slept through are one, to the contract now in front.

    A roll waits until its market is open, since a position can only move there.
    """
    if not calendar.is_open(now_ns):
        return None
    held = Contract.parse(current)
    day = calendar.trading_day(now_ns)
    front = schedule.front(day)
    return Roll(held, front, day) if held < front else None


def plan_roll(roll: Roll, instrument: Instrument, position: Decimal, *, move_position: bool) -> RollPlan:
    """The plan for a roll away from an instrument of which a signed position is held.

    Without a position only the orders go. Without `move_position` the strategy decides what becomes of both, and the
    old contract's data goes on for as long as it is held. A contract that has expired cannot be traded: its position
    was settled, and nothing is opened in its place.
    """
    old, new = roll.old.symbol, roll.new.symbol
    arrive = (Subscribe(new), LoadHistory(new), Announce(old, new))
    if expired(instrument, roll.day) or not position:
        return RollPlan(roll, (*arrive, CancelOrders(old), Unsubscribe(old)))
    if not move_position:
        return RollPlan(roll, arrive)
    side = Side.BUY if position > 0 else Side.SELL
    move = (Close(old, side.opposite, abs(position)), Open(new, side, abs(position)))
    return RollPlan(roll, (*arrive, CancelOrders(old), *move, Unsubscribe(old)))


def expired(instrument: Instrument, day: dt.date) -> bool:
    """Whether a contract no longer trades on a trading day."""
    return instrument.expiry is not None and instrument.expiry < day
