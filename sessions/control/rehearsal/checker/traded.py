"""What the brokers did, folded from their emulators' logs: orders with their executions, positions, requests."""

from decimal import Decimal
from typing import Final

import attrs

from brokers.emulation import log
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.journalled import SIGNS, ZERO

PLACING: Final = "keys"  # the fact of a request that it places orders, and which


@attrs.define(eq=False)
class Execution:
    """One execution as it stands, after corrections; void with no quantity."""

    quantity: Decimal
    price: Decimal
    fee: Decimal


@attrs.define(eq=False)
class TrueOrder:
    """One order as the broker has it; `client` is what its sender called it, None for somebody else's."""

    broker: str
    account: str
    key: str
    client: str | None
    symbol: str
    sign: int
    quantity: Decimal
    ended: bool = False
    refused: bool = False  # given back after it was taken
    ever: Decimal = ZERO  # executed, whether or not it was taken back later
    executions: dict[str, Execution] = attrs.field(factory=dict)

    @property
    def filled(self) -> Decimal:
        """What counts as executed."""
        return sum((one.quantity for one in self.executions.values()), ZERO)

    @property
    def value(self) -> Decimal:
        """The sum of quantity times price."""
        return sum((one.quantity * one.price for one in self.executions.values()), ZERO)


class Traded:
    """All that the logs so far come to; brokers by their configured names, accounts as the exchange calls them."""

    def __init__(self) -> None:
        self.orders: dict[tuple[str, str], TrueOrder] = {}  # by broker and the broker's id
        self.positions: dict[tuple[str, str, str], Decimal] = {}
        self._by_client: dict[str, TrueOrder] = {}

    def take(self, broker: str, entry: Entry) -> None:
        """Takes in the next entry."""
        facts = entry.facts
        match entry.kind:
            case log.ACCEPTED:
                self.orders[broker, facts["key"]] = order = TrueOrder(
                    broker,
                    facts["account"],
                    facts["key"],
                    facts["client"],
                    facts["symbol"],
                    SIGNS[facts["side"]],
                    facts["quantity"],
                )
                if order.client is not None:
                    self._by_client[order.client] = order
            case log.FILLED:
                order = self.orders[broker, facts["key"]]
                order.executions[facts["fill"]] = Execution(facts["quantity"], facts["price"], facts["fee"])
                order.ever += facts["quantity"]
                order.ended = order.ended or not facts["left"]
                self._move(order, facts["quantity"])
            case log.BUSTED:
                self._restate(self.orders[broker, facts["key"]], facts["fill"], facts["price"])
            case log.REFUSED:
                taken = self.orders.get((broker, facts["key"]))
                if taken is not None:
                    taken.ended = taken.refused = True
            case log.ENDED:
                self.orders[broker, facts["key"]].ended = True

    def _restate(self, order: TrueOrder, fill: str, price: Decimal | None) -> None:
        execution = order.executions[fill]
        if price is None:
            self._move(order, -execution.quantity)
            execution.quantity = ZERO
        else:
            execution.price = price

    def _move(self, order: TrueOrder, quantity: Decimal) -> None:
        where = (order.broker, order.account, order.symbol)
        self.positions[where] = self.positions.get(where, ZERO) + order.sign * quantity

    def known_as(self, client: str) -> TrueOrder | None:
        """The order that came under a key of ours."""
        return self._by_client.get(client)

    def held(self, broker: str, account: str) -> dict[str, Decimal]:
        """The positions of an account that are not flat, by symbol."""
        return {
            symbol: amount
            for (one, of, symbol), amount in self.positions.items()
            if (one, of) == (broker, account) and amount
        }

    def open_orders(self, broker: str, account: str) -> set[str]:
        """The broker's ids of what works in an account."""
        return {
            order.key
            for order in self.orders.values()
            if (order.broker, order.account) == (broker, account) and not order.ended
        }
