"""A session's open orders by their real keys and by the strategy's tags, from the decision to the last word."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import attrs

from brokers.model import Order, OrderGroup, OrderReport, OrderState
from sessions.strategy import Denied, Event, OrderUpdate, Picture, Submit, keyed

_ZERO = Decimal(0)
_TERMS: Final[Callable[[Order], tuple[Any, ...]]] = attrgetter(*(field.name for field in attrs.fields(Order)[1:]))


@attrs.define(eq=False)
class Ticket:
    """One open order; before it is `known` to the account manager, a cancel can only be remembered."""

    tag: str
    report: OrderReport
    known: bool = False
    cancel_wanted: bool = False
    changing: bool = False

    @property
    def key(self) -> str:
        """The order's real key."""
        return self.report.order.key


class Blotter:
    """The open orders; `picture.orders` shows the same to the strategy."""

    def __init__(self, picture: Picture, account: str) -> None:
        self.tickets: dict[str, Ticket] = {}  # by key
        self._keys: dict[str, str] = {}  # by tag
        self._picture = picture
        self._account = account
        self._adopted = 0

    def enter(self, submit: Submit, new_key: Callable[[], str], now_ns: int) -> Order | OrderGroup:
        """Gives real keys to what is to be submitted, and shows it as open from now on."""
        request = submit.request
        if isinstance(request, Order):
            order = Order(new_key(), *_TERMS(request))
            self._enter(request.key, order, now_ns)
            return order
        tags = [order.key for order in request.orders]
        made = keyed(request, {tag: new_key() for tag in (*tags, request.key)})
        for tag, order in zip(tags, (made,) if isinstance(made, Order) else made.orders, strict=True):
            self._enter(tag, order, now_ns)
        return made

    def _enter(self, tag: str, order: Order, now_ns: int) -> None:
        report = OrderReport(order, self._account, OrderState.CREATED, _ZERO, order.quantity, None, (), now_ns)
        self._add(Ticket(tag, report))

    def adopt(self, report: OrderReport, tag: str | None) -> Ticket:
        """Takes up an open order that no decision of this instance made; without a tag it gets one."""
        if tag is None or tag in self._keys:
            self._adopted += 1
            tag = f"adopted.{self._adopted}"
        ticket = Ticket(tag, report, known=True)
        self._add(ticket)
        return ticket

    def hear(self, report: OrderReport) -> Event | None:
        """Takes in what is known of an order; returns what to tell the strategy."""
        ticket = self.tickets.get(report.order.key)
        if ticket is None:
            if report.state.final:
                return None
            return OrderUpdate(self.adopt(report, None).tag, report)
        refused = report.state is OrderState.REJECTED and not ticket.report.broker_order_ids
        ticket.report = report
        if report.state.final:
            self.drop(ticket)
            return (
                Denied(ticket.tag, report.reason or "the broker refused it")
                if refused
                else OrderUpdate(ticket.tag, report)
            )
        self._picture.orders[ticket.tag] = report
        return OrderUpdate(ticket.tag, report)

    def drop(self, ticket: Ticket) -> None:
        """Forgets an order that is done or was never sent."""
        self.tickets.pop(ticket.key, None)
        self._keys.pop(ticket.tag, None)
        self._picture.orders.pop(ticket.tag, None)

    def tagged(self, tag: str) -> Ticket | None:
        """The open order with a tag."""
        key = self._keys.get(tag)
        return None if key is None else self.tickets[key]

    def tag_of(self, key: str | None) -> str | None:
        """The tag of an open order."""
        ticket = self.tickets.get(key or "")
        return None if ticket is None else ticket.tag

    def of_symbol(self, symbol: str | None) -> list[Ticket]:
        """The open orders of a symbol, or all."""
        return [one for one in self.tickets.values() if symbol in (None, one.report.order.symbol)]

    def tags_of(self, request: Order | OrderGroup) -> Mapping[str, str]:
        """The tags of the orders of a request, by their keys."""
        members = request.orders if isinstance(request, OrderGroup) else (request,)
        return {order.key: self.tickets[order.key].tag for order in members}

    def _add(self, ticket: Ticket) -> None:
        key = ticket.key
        self.tickets[key] = ticket
        self._keys[ticket.tag] = key
        self._picture.orders[ticket.tag] = ticket.report
