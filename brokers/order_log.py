"""What is kept of an account's orders: facts in the order in which they became known; its books are their fold.

Facts are noted as they happen and are durable soon. `when_durable` is the write-ahead: nothing of an order may leave
the process before it has called back. What the broker said need not be waited for, because it can be asked for again.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from brokers import reconciliation
from brokers.desk_state import DeskState
from brokers.errors import BrokerError
from brokers.ledger import CashFlow
from brokers.model import Order, OrderGroup
from runtime.quick import quick


@quick
@attrs.frozen(weakref_slot=False)
class Intended:
    """An order or a group is to be sent; nothing has left the process."""

    request: Order | OrderGroup
    session: str | None

    @property
    def orders(self) -> tuple[Order, ...]:
        """The order, or the orders of the group."""
        return (self.request,) if isinstance(self.request, Order) else self.request.orders


@quick
@attrs.frozen(weakref_slot=False)
class Attempted:
    """From now on the first byte of a request to place these orders may have left."""

    keys: tuple[str, ...]
    number: int


@quick
@attrs.frozen(weakref_slot=False)
class Abandoned:
    """The attempt had no effect, and no other follows: the orders are taken out of the books."""

    keys: tuple[str, ...]
    why: str


@quick
@attrs.frozen(weakref_slot=False)
class CashMoved:
    """Cash moved without a trade."""

    flow: CashFlow


@quick
@attrs.frozen(weakref_slot=False)
class Snapshot:
    """What all facts before come to: whoever opens the books begins here."""

    state: DeskState


Happening = Intended | Attempted | Abandoned | CashMoved | Snapshot | reconciliation.Event


@quick
@attrs.frozen(weakref_slot=False)
class OrderFact:
    """One thing that became known, and when."""

    wall_ns: int
    what: Happening


class OrderLog(Protocol):
    """Where one account's facts are kept, in the order in which they are noted."""

    async def load(self) -> Iterable[OrderFact]:
        """The newest snapshot, if there is one, and all facts since, oldest first."""
        ...

    def note(self, fact: OrderFact) -> None:
        """Keeps a fact; it is durable soon, and never waits."""
        ...

    def when_durable(self, then: Callable[[BrokerError | None], object]) -> None:
        """Calls `then` once, when all that was noted before is durable, or with NotRecorded; perhaps at once.

        No task waits for it, so nobody can cancel it. `then` runs in another's turn, so it must neither wait nor raise.
        """
        ...

    async def sync(self) -> None:
        """Returns when all that was noted before is durable; raises brokers.errors.NotRecorded."""
        ...


class MemoryLog:
    """A log that lives as long as its owner: for books that need not survive the process."""

    def __init__(self, *, keep: bool = False) -> None:
        """`keep` holds the facts for whoever opens the books again, at the price of growing without bound."""
        self.facts: list[OrderFact] | None = [] if keep else None

    async def load(self) -> Iterable[OrderFact]:
        """What was kept."""
        return tuple(self.facts or ())

    def note(self, fact: OrderFact) -> None:
        """Keeps a fact, if any are kept; a snapshot stands for all before it."""
        if self.facts is None:
            return
        if type(fact.what) is Snapshot:
            self.facts.clear()
        self.facts.append(fact)

    def when_durable(self, then: Callable[[BrokerError | None], object]) -> None:
        """Calls it at once: memory has nothing to wait for."""
        then(None)

    async def sync(self) -> None:
        """Memory is as durable as it gets."""
