"""What a broker's room must offer: a small gateway for orders and one for market data; everything else is generic.

A gateway speaks canonical symbols and the neutral model. Requests end in an Outcome, questions in a value or a
BrokerError. What the broker says by itself arrives as news, handed to listeners: plain functions that neither
wait nor raise.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import attrs

from brokers.instruments import Instrument
from brokers.ledger import CashFlow
from brokers.market import Bar, Interval, MarketEvent, MarketStatus
from brokers.model import AccountSummary, Change, Fill, Order, OrderGroup, OrderReport, Position
from brokers.order_events import Event
from brokers.outcome import Outcome
from runtime.quick import quick


@quick
@attrs.frozen(weakref_slot=False)
class OrderNews:
    """Something happened to an order, known by our key, by the broker's id, or by both."""

    account: str
    key: str | None
    broker_order_id: str | None
    event: Event
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class AccountNews:
    """One consistent view of an account's money and positions, complete before it was told."""

    account: str
    summary: AccountSummary
    positions: tuple[Position, ...]  # those that changed; a closed one has quantity 0
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class CashNews:
    """Cash moved without a trade: funding, a dividend, interest, a fee, a deposit or a withdrawal."""

    account: str
    flow: CashFlow


@quick
@attrs.frozen(weakref_slot=False)
class LinkNews:
    """The stream that carries news went down or came up; after an up, what was missed must be asked for."""

    up: bool
    text: str
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class DoubtNews:
    """Something told of orders was put aside because it cannot be; what is true must be asked for."""

    what: str
    text: str
    time_ns: int


News = OrderNews | AccountNews | CashNews | LinkNews | DoubtNews
Leave = Callable[[], None]
Request = Callable[..., None]


class OrderGateway(Protocol):
    """One login's way to its accounts."""

    async def accounts(self) -> Sequence[str]:
        """The ids of the accounts; raises BrokerError."""
        ...

    def market_status(self, symbol: str) -> MarketStatus | None:
        """The state of a symbol's market as the broker tells it; None where only the calendar can say."""
        ...

    async def place(self, account: str, order: Order | OrderGroup) -> Outcome:
        """Sends an order or a group once; never repeats it."""
        ...

    async def change(self, account: str, change: Change, broker_order_id: str | None) -> Outcome:
        """Asks for new terms of a live order."""
        ...

    async def cancel(self, account: str, key: str, broker_order_id: str | None) -> Outcome:
        """Asks for the end of a live order."""
        ...

    async def order(self, account: str, key: str, broker_order_id: str | None) -> OrderReport | None:
        """One order, open or finished, asked for by its key; None where there is no such; raises BrokerError."""
        ...

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        """The orders that live at the broker; raises BrokerError."""
        ...

    async def orders_since(self, account: str, time_ns: int) -> Sequence[OrderReport]:
        """All orders touched since then, finished ones included; raises BrokerError."""
        ...

    async def fills_since(self, account: str, time_ns: int) -> Sequence[Fill]:
        """All executions since then, oldest first; raises BrokerError."""
        ...

    async def positions(self, account: str) -> Sequence[Position]:
        """The net positions that are not flat; raises BrokerError."""
        ...

    async def summary(self, account: str) -> AccountSummary:
        """The account's money; raises BrokerError."""
        ...

    def listen(self, account: str, hear: Callable[[News], None]) -> Leave:
        """Hands the account's news to hear from now on; the returned function ends that."""
        ...


@runtime_checkable
class PromptGateway(OrderGateway, Protocol):
    """An order gateway that has no bytes to carry: its requests leave within a step, and need no task to wait."""

    def begin_place(
        self, request: Request, account: str, order: Order | OrderGroup, then: Callable[[Outcome], None]
    ) -> bool:
        """Sends an order or a group once; `then` is called with what became of it, perhaps before this returns.

        `request` is the Actor.request of whoever asks. False where the order cannot leave now: nothing was done, and
        `place` says why.
        """
        ...


@attrs.frozen
class Lists:
    """What one reading of a broker's lists shows of an account."""

    open_orders: Sequence[OrderReport]
    orders: Sequence[OrderReport]
    fills: Sequence[Fill]


@runtime_checkable
class ListsGateway(OrderGateway, Protocol):
    """An order gateway that answers for open orders, orders and executions with one reading, at the price of one."""

    async def lists(self, account: str, time_ns: int) -> Lists:
        """What `open_orders`, `orders_since` and `fills_since` would answer; raises BrokerError."""
        ...


class FeedGateway(Protocol):
    """One login's way to market data."""

    async def instruments(self) -> Sequence[Instrument]:
        """The broker's own list of what it trades, for the nightly refresh; raises BrokerError."""
        ...

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; raises BrokerError."""
        ...

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream, for one user more; raises BrokerError."""
        ...

    async def unsubscribe(self, symbol: str) -> None:
        """Ends it for one user; the stream ends with the last; raises BrokerError."""
        ...

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Begins a symbol's stream of finished bars, for one user more; raises BrokerError."""
        ...

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Ends it for one user; the stream ends with the last; raises BrokerError."""
        ...

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear from now on; the returned function ends that."""
        ...
