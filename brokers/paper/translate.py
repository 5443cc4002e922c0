"""The venue's events in the words of the neutral order life."""

from collections.abc import Callable, Mapping
from typing import Any

from brokers import order_events as says
from brokers.errors import Code
from brokers.matching import Code as VenueCode
from brokers.matching import Event
from brokers.matching.events import (
    Accepted,
    Canceled,
    CancelRefused,
    Expired,
    LegActivated,
    LegResized,
    Rejected,
    Released,
    Replaced,
    ReplaceRefused,
    Traded,
)
from brokers.model import Change, Fill, Order

_CODES = {
    VenueCode.UNKNOWN_SYMBOL: Code.SYMBOL_NOT_FOUND,
    VenueCode.DUPLICATE_KEY: Code.DUPLICATE_KEY,
    VenueCode.CLOSED: Code.MARKET_CLOSED,
    VenueCode.MARGIN: Code.INSUFFICIENT_FUNDS,
    VenueCode.UNKNOWN_ORDER: Code.ORDER_NOT_FOUND,
    VenueCode.TOO_LATE: Code.ORDER_NOT_OPEN,
}


def neutral_code(code: VenueCode) -> Code:
    """The neutral code of a venue's no."""
    return _CODES.get(code, Code.ORDER_REJECTED)


def order_event(event: Event, fill: Fill | None) -> says.Event | None:
    """What an event says of its order, or None; `fill` is the execution with its fee, where the event is a trade."""
    if isinstance(event, Traded):
        return None if fill is None else says.Filled(fill)
    say = _SAYS.get(type(event))
    return None if say is None else say(event, event.order_id or None)


def _accepted(event: Accepted, where: str | None) -> says.Event:
    word = says.Working if event.held is None else says.Held
    return word(broker_order_id=where)


def _no(word: Callable[..., says.Event]) -> Callable[[Any, str | None], says.Event]:
    def say(event: Rejected | ReplaceRefused | CancelRefused, where: str | None) -> says.Event:
        return word(neutral_code(event.refusal.code), event.refusal.sentence, broker_order_id=where)

    return say


def _plain(word: Callable[..., says.Event]) -> Callable[[Any, str | None], says.Event]:
    return lambda _, where: word(broker_order_id=where)


def _replaced(event: Replaced, where: str | None) -> says.Event:
    return says.ReplaceConfirmed(terms_of(event.order), broker_order_id=where)


def _resized(event: LegResized, where: str | None) -> says.Event:
    return says.ReplaceConfirmed(Change(event.key, quantity=event.quantity), broker_order_id=where)


_SAYS: Mapping[type[Event], Callable[[Any, str | None], says.Event]] = {
    Accepted: _accepted,
    Rejected: _no(says.Rejected),
    Released: _plain(says.Working),
    LegActivated: _plain(says.Working),
    LegResized: _resized,
    Canceled: _plain(says.CancelConfirmed),
    Expired: _plain(says.Expired),
    Replaced: _replaced,
    ReplaceRefused: _no(says.ReplaceRefused),
    CancelRefused: _no(says.CancelRefused),
}


def terms_of(order: Order) -> Change:
    """All terms of an order that a change can set."""
    return Change(order.key, order.quantity, order.limit_price, order.stop_price, order.trail_offset)
