"""The broker's side of a reconciliation: its answers to one round of questions, frozen.

A question that failed has no answer (None), which is another thing than an answer without entries.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Generic, TypeVar

import attrs

from brokers.model import Fill, OrderReport
from brokers.reconciliation.events import Alert

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Told:
    """One order as the broker lists it; `report.order.key` is empty, or the broker's id, where it shows no key."""

    report: OrderReport
    created_wall_ns: int | None = None

    @property
    def broker_order_id(self) -> str | None:
        """The broker's id in force."""
        return self.report.broker_order_ids[-1] if self.report.broker_order_ids else None

    @property
    def dated_wall_ns(self) -> int | None:
        """When the order was made, or at least touched; None where the broker gives no time."""
        return self.created_wall_ns or self.report.time_ns or None


@attrs.frozen
class Held:
    """One position as the broker lists it."""

    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None
    position_id: str | None = None


@attrs.frozen
class Listing(Generic[T_co]):
    """A list that came whole; it shows what the broker's books held when it was asked for, less their lag."""

    items: tuple[T_co, ...]
    asked_ns: int  # monotonic, before the question left
    since_wall_ns: int | None = None  # how far back it reaches; None: without limit
    sound: bool = True  # False: entries were put aside, so what is missing proves nothing

    def reaches(self, wall_ns: int) -> bool:
        """Whether it would show what happened since then."""
        return self.since_wall_ns is None or self.since_wall_ns <= wall_ns


@attrs.frozen
class Answer:
    """The answer to a targeted question; without `told` the broker has no such order."""

    told: Told | None
    asked_ns: int
    finished_too: bool = True  # it would have shown a finished order as well


@attrs.frozen
class Truth:
    """One round of answers; positions are read before and after everything else, or once where the books hold them."""

    account: str
    open_orders: Listing[Told] | None = None
    orders: Listing[Told] | None = None  # finished ones too
    fills: Listing[Fill] | None = None
    answers: Mapping[str, Answer] = attrs.field(factory=dict)  # by order key
    positions_before: Listing[Held] | None = None
    positions_after: Listing[Held] | None = None
    settlements: Mapping[str, Decimal] = attrs.field(factory=dict)  # final prices of expired contracts
    combos: AbstractSet[str] = frozenset()  # symbols of spreads, whose own executions repeat those of their legs
    quarantined: tuple[Alert, ...] = ()  # what was put aside

    @property
    def complete(self) -> bool:
        """Whether every question was answered."""
        return None not in (self.open_orders, self.orders, self.fills, self.positions_before, self.positions_after)
