"""What one login can reach at a broker: its record, names, gateways, and the guard before every request.

The generic actors, account manager and market-data source, hold this; the facade adds what callers say.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import attrs

from brokers.capability import Capability
from brokers.catalogue import Catalogue
from brokers.errors import Code, Unsupported
from brokers.gateway import FeedGateway, OrderGateway, PromptGateway, Request
from brokers.guards.errors import GuardRefused, Withdrawn
from brokers.guards.guard import Admission, Guard
from brokers.guards.operation import Kind, Operation, Priority
from brokers.market import Bar, Interval
from brokers.model import Change, Order, OrderGroup
from brokers.outcome import NotSent, Outcome
from brokers.symbols import SymbolAdapter

T = TypeVar("T")
Objection = Callable[[], str]
"""What speaks by now against a request that waits for its turn; empty where nothing does."""


def nothing_against() -> str:
    """No objection."""
    return ""


@attrs.frozen
class Operations:
    """How a broker's requests are guarded; a room names its own limits here."""

    place: Operation = Operation("place an order", Kind.SUBMIT)
    change: Operation = Operation("change an order", Kind.SUBMIT)
    cancel: Operation = Operation("cancel an order", Kind.CANCEL)
    ask: Operation = Operation("ask about an account", Kind.READ)
    check: Operation = Operation("check the connection", Kind.READ, priority=Priority.BACKGROUND)
    bars: Operation = Operation("ask for bars", Kind.READ, priority=Priority.BACKGROUND)


@attrs.frozen(eq=False)
class Connection:
    """One broker as one login reaches it."""

    capability: Capability
    symbols: SymbolAdapter
    catalogue: Catalogue
    guard: Guard
    orders: OrderGateway | None = None
    feed: FeedGateway | None = None
    operations: Operations = Operations()
    prompt: PromptGateway | None = attrs.field(  # the order gateway, where its requests need no task
        init=False,
        default=attrs.Factory(
            lambda self: self.orders if isinstance(self.orders, PromptGateway) else None, takes_self=True
        ),
    )

    @property
    def name(self) -> str:
        """The broker's name in the configuration and in every record."""
        return self.capability.broker

    def need_orders(self) -> OrderGateway:
        """The order gateway; raises Unsupported where the broker takes no orders."""
        if self.orders is None or self.capability.orders is None:
            raise Unsupported(self.name, Code.UNSUPPORTED, "this broker gives market data and takes no orders")
        return self.orders

    def need_feed(self) -> FeedGateway:
        """The feed gateway; raises Unsupported where the broker gives no data."""
        if self.feed is None or self.capability.data is None:
            raise Unsupported(self.name, Code.UNSUPPORTED, "this broker takes orders and gives no market data")
        return self.feed

    async def place(self, account: str, order: Order | OrderGroup, objection: Objection = nothing_against) -> Outcome:
        """A guarded attempt, repeated where nothing was sent; a guard's refusal is NotSent.

        An attempt may have waited long for its turn: each is asked for an `objection` just before it is made.
        """
        gateway, operation = self.need_orders(), self.operations.place
        priority = Priority.REDUCE if isinstance(order, Order) and order.reduce_only else None

        async def attempt() -> Outcome:
            why = objection()
            if why:
                return NotSent(Withdrawn.of(self.name, operation.name, why))
            return await gateway.place(account, order)

        return await self._attempt(operation, attempt, account, priority)

    def begin_place(
        self, request: Request, account: str, order: Order | OrderGroup, then: Callable[[Outcome], None]
    ) -> Admission | None:
        """The attempt of `place` without a task to wait for it: `then` is called with the outcome, perhaps at once.

        Whoever stops waiting ends or withdraws the admission. None where the gateway needs a task or the guard a wait:
        nothing was done, and `place` is the way.
        """
        gateway = self.prompt
        if gateway is None:
            return None
        priority = Priority.REDUCE if isinstance(order, Order) and order.reduce_only else None
        admission = self.guard.begin(self.operations.place, priority=priority, account=account)
        if admission is None or gateway.begin_place(request, account, order, partial(_ended, admission, then)):
            return admission
        admission.withdraw()
        return None

    async def change(self, account: str, change: Change, broker_order_id: str | None) -> Outcome:
        """One guarded attempt; a guard's refusal is NotSent."""
        gateway = self.need_orders()
        return await self._attempt(
            self.operations.change, lambda: gateway.change(account, change, broker_order_id), account
        )

    async def cancel(self, account: str, key: str, broker_order_id: str | None) -> Outcome:
        """A guarded attempt, repeated where that is safe; a guard's refusal is NotSent."""
        gateway = self.need_orders()
        return await self._attempt(
            self.operations.cancel, lambda: gateway.cancel(account, key, broker_order_id), account
        )

    async def ask(self, question: Callable[[], Awaitable[T]], account: str) -> T:
        """A guarded question, repeated where it failed; raises BrokerError."""
        return await self.guard.run(self.operations.ask, lambda _: question(), account=account)

    async def check(self) -> None:
        """One guarded attempt at a question that changes nothing, never repeated; raises BrokerError."""
        gateway = self.need_orders()
        end = await self.guard.admit(self.operations.check).end_of(lambda _: gateway.accounts())
        end.result()

    async def _attempt(
        self,
        operation: Operation,
        attempt: Callable[[], Awaitable[Outcome]],
        account: str,
        priority: Priority | None = None,
    ) -> Outcome:
        try:
            return await self.guard.run(operation, lambda _: attempt(), priority=priority, account=account)
        except GuardRefused as refusal:
            return NotSent(refusal)

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; raises BrokerError."""
        feed = self.need_feed()
        return await self.guard.run(self.operations.bars, lambda _: feed.bars(symbol, interval, start_ns, end_ns))


def _ended(admission: Admission, then: Callable[[Outcome], None], outcome: Outcome) -> None:
    admission.end(outcome)
    then(outcome)
