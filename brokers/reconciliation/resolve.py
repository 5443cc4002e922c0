"""A person's answer to an order that could not be decided, as events with the person's name on them."""

from decimal import Decimal

import attrs

from brokers.lifecycle import LifecycleError, advance
from brokers.model import OrderState
from brokers.order_events import Reconciled
from brokers.reconciliation.books import Books, Now
from brokers.reconciliation.events import PROVED_ABSENT, Event, NotAccepted, OrderEvent, Resolved


class CannotResolve(ValueError):
    """An answer that fits no order in doubt; nothing was changed."""

    def __init__(self, key: str, came: object, expected: str) -> None:
        super().__init__(f"order {key}: expected {expected}, got {came}; nothing was changed; list the orders in doubt")
        self.key = key
        self.came = came
        self.expected = expected


@attrs.frozen
class Found:
    """The person saw the order at the broker."""

    state: OrderState
    broker_order_id: str | None = None
    filled: Decimal | None = None
    average_price: Decimal | None = None

    def __str__(self) -> str:
        filled = "" if self.filled is None else f", filled {self.filled}"
        return f"{self.state.value} as {self.broker_order_id or 'an order without an id'}{filled}"


@attrs.frozen
class Absent:
    """The person had the broker's word that there is no such order."""

    def __str__(self) -> str:
        return "not accepted by the broker"


def resolve(books: Books, key: str, answer: Found | Absent, user: str, now: Now) -> tuple[Event, ...]:
    """The events that a person's answer makes; raises CannotResolve for an order that is not in doubt."""
    claim = books.claims.get(key)
    if claim is None or claim.life.state is not OrderState.UNKNOWN:
        raise CannotResolve(key, claim and claim.life.state.value, "an order in doubt")
    if not user.strip():
        raise CannotResolve(key, repr(user), "the name of the person who answers")
    if isinstance(answer, Found) and answer.state in (OrderState.UNKNOWN, OrderState.CREATED):
        raise CannotResolve(key, answer.state.value, "a state that the broker shows")
    decided: Event = NotAccepted(key) if isinstance(answer, Absent) else OrderEvent(key, _reconciled(answer))
    try:
        advance(claim.life, PROVED_ABSENT if isinstance(answer, Absent) else _reconciled(answer))
    except LifecycleError as error:
        raise CannotResolve(key, answer, f"an answer that fits what is known ({error})") from error
    return Resolved(key, user, str(answer), now.wall_ns), decided


def _reconciled(answer: Found) -> Reconciled:
    return Reconciled(answer.state, answer.filled, answer.average_price, answer.broker_order_id)
