"""An account's books at one moment as plain data: what the fold of all facts up to then comes to.

Nothing in it refers to a process: times on a monotonic clock are left out, because the next process counts anew.
Neither are quotes kept, nor counts of problems: both belong to the life that is over.
"""

from typing import Any, Final

import attrs

from brokers.executions import Executions
from brokers.instruments import Instrument
from brokers.lifecycle import OrderLife
from brokers.model import Change, Fill, Order, OrderState
from brokers.reconciliation import Watched

FORMAT: Final = 2


class BadSnapshot(ValueError):
    """A state that cannot be taken over: `field` held `value`, and `expected` says what would fit."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field = field
        self.value = value
        self.expected = expected
        super().__init__(
            f"books kept in a snapshot: expected {field} to be {expected}, got {value!r}; nothing was taken over; "
            "run the version that wrote it, or restore a backup of the journal"
        )


@attrs.frozen
class KeptOrder:
    """One order in the books: its life without what the last event brought to light, and whose it is."""

    order: Order
    standing: OrderState
    canceling: bool
    change: Change | None
    uncertain: bool
    executions: Executions
    broker_order_ids: tuple[str, ...]
    reason: str
    session: str | None
    sent_wall_ns: int
    attempts: int
    escalated: str
    sketched: bool

    def life(self) -> OrderLife:
        """The life as it was."""
        return OrderLife(
            self.order,
            self.standing,
            self.canceling,
            self.change,
            self.uncertain,
            self.executions,
            self.broker_order_ids,
            self.reason,
        )


@attrs.frozen
class DeskState:
    """All that an account desk knows; what is listed by key is in the order in which it became known."""

    format: int
    orders: tuple[KeptOrder, ...]
    open: tuple[str, ...]
    doubted: tuple[str, ...]
    finished: tuple[str, ...]
    by_broker_id: dict[str, str]
    watched: tuple[Watched, ...]
    inferred: tuple[Fill, ...]
    closed: tuple[str, ...]  # in the order in which they were
    moved: tuple[str, ...]  # symbols whose position ever moved
    instruments: tuple[Instrument, ...]  # of the ledger's books, for the day when nobody else knows them any more
    ledger: dict[str, Any]
    known_wall_ns: int
    fill_count: int

    def check(self) -> None:
        """Raises BadSnapshot for another format, and for keys of orders that are not here."""
        if self.format != FORMAT:
            raise BadSnapshot("format", self.format, f"{FORMAT}, the one that this version writes")
        keys = {kept.order.key for kept in self.orders}
        if len(keys) != len(self.orders):
            raise BadSnapshot("orders", len(self.orders), f"as many as there are keys, {len(keys)}")
        for field, named in (("open", self.open), ("doubted", self.doubted)):
            unknown = sorted(set(named) - keys)
            if unknown:
                raise BadSnapshot(field, unknown[0], "the key of an order that is in it")
