"""Schwab's order counter: orders and what they trigger, placed, replaced, cancelled or only looked at."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.log import REFUSED
from brokers.instruments import Instrument, Kind
from brokers.model import Change, GroupKind, Order, OrderGroup
from brokers.sides import Side
from brokers.thinkorswim.emulator.book import OrderBook
from brokers.thinkorswim.emulator.names import Names
from brokers.thinkorswim.emulator.records import Record
from brokers.thinkorswim.emulator.tickets import Strategy, Ticket
from brokers.thinkorswim.emulator.words import RefusedError, cents, plain

UNKNOWN_SYMBOL: Final = "The symbol is not valid"
NO_SHORTS: Final = "You cannot sell short in a cash account"
TOO_MANY: Final = "You are trying to close more shares than you hold"
REJECTED_LATER: Final = "The order was rejected by the exchange"
_SAME: Final = "symbol, instruction, orderType, session and duration of an order cannot be changed"


class Counter:
    """Where orders come in."""

    def __init__(self, house: House, desk: Desk, names: Names, book: OrderBook, kinds: Mapping[str, str]) -> None:
        self._house = house
        self._faults = house.faults
        self._desk = desk
        self._names = names
        self._book = book
        self._kinds = kinds

    def place(self, account: str, strategy: Strategy) -> Record:
        """An order with whatever it triggers; one that is refused is there all the same, as REJECTED."""
        root = self._enter(account, strategy, None)
        why = next(filter(None, (self._refusal(account, record) for record in root.tree)), "")
        if why:
            self._refuse(root, why)
        elif self._faults.strikes("reject-later") is not None:
            self._house.later(1, partial(self._refuse, root, REJECTED_LATER))
        else:
            self._send(account, root)
            if self._faults.strikes("external-order") is not None:
                self._house.later(0.5, partial(self._act_by_hand, account, strategy))
        return root

    def _enter(self, account: str, strategy: Strategy, parent: Record | None) -> Record:
        """The records of a tree, the root's id first."""
        ticket = strategy.ticket
        instrument = None if ticket is None else self._names.instrument(ticket.symbol)

        def make(order_id: int) -> Record:
            return Record(order_id, account, strategy.kind, self._house.now_ns(), ticket, instrument, parent)

        record = self._book.open(make)
        if ticket is not None:
            record.quantity = ticket.quantity
        record.children = [self._enter(account, child, record) for child in strategy.children]
        return record

    def _refusal(self, account: str, record: Record) -> str:
        """Why the broker refuses an order, or nothing; an exit that waits for its entry is looked at later."""
        ticket, instrument = record.ticket, record.instrument
        if ticket is None or instrument is None or instrument.kind is not Kind.STOCK:
            return UNKNOWN_SYMBOL
        short = ticket.instruction.startswith("SELL_SHORT")
        if short and self._kinds[account] == "CASH":
            return NO_SHORTS
        if ticket.opens or record.root.kind == "TRIGGER":
            return ""
        held = self._desk.exchange.engine.position(account, instrument.symbol)
        return TOO_MANY if -held * ticket.side.sign < ticket.quantity else ""

    def _refuse(self, root: Record, why: str) -> None:
        for record in root.tree:
            self._house.log.put(REFUSED, account=record.account, key=record.key, why=why)
            self._book.reject(record, why)

    def _send(self, account: str, root: Record) -> None:
        tree = list(root.tree)
        if len(tree) == 1:
            self._desk.submit(account, self._order(tree[0]))
            return
        parent = None if root.kind == "OCO" else tree[0]
        kinds = {child.kind for child in root.children}
        kind = GroupKind.OCO if parent is None else GroupKind.BRACKET if "OCO" in kinds else GroupKind.OTO
        legs = tuple(self._order(record) for record in tree if record is not parent)
        group = OrderGroup(f"group/{root.key}", kind, None if parent is None else self._order(parent), legs)
        self._desk.submit(account, group)

    def _order(self, record: Record) -> Order:
        ticket, instrument = record.ticket, record.instrument
        assert ticket is not None and instrument is not None  # noqa: S101, PT018 - those were looked at
        return ticket.order(record.key, instrument, self._house.now_ns())

    def _act_by_hand(self, account: str, strategy: Strategy) -> None:
        """The owner of the account trades too, from another screen."""
        ticket = strategy.ticket or next(child.ticket for child in strategy.children)
        assert ticket is not None  # noqa: S101 - the children of an OCO have one
        by_hand = attrs.evolve(
            ticket,
            type="MARKET",
            session="NORMAL",
            duration="DAY",
            price=None,
            stop=None,
            trail_amount=None,
            trail_percent=None,
            quantity=Decimal(1),
        )
        self.place(account, Strategy("SINGLE", by_hand))

    # Replacing and cancelling.

    def replace(self, account: str, order_id: int, wanted: Strategy) -> Record:
        """Puts another order in an open one's place; raises RefusedError. It counts what it fills anew."""
        old = self._find(account, order_id)
        ticket, before = wanted.ticket, old.ticket
        if ticket is None or before is None or wanted.children or not old.open:
            raise RefusedError(400, "The order cannot be replaced")
        if _fixed(ticket) != _fixed(before):
            raise RefusedError(400, _SAME)

        def make(new_id: int) -> Record:
            return Record(new_id, account, old.kind, self._house.now_ns(), ticket, old.instrument)

        new = self._book.open(make)
        new.quantity = ticket.quantity
        self._book.intend(old, new)
        self._desk.change(account, _change(old, new, before, ticket))
        return new

    def cancel(self, account: str, order_id: int) -> None:
        """Cancels an order with everything below it; raises RefusedError for one of which nothing is open."""
        record = self._find(account, order_id)
        alive = [one for one in record.tree if one.open]
        if not alive:
            raise RefusedError(400, "The order cannot be canceled")
        for one in alive:
            if one.open:
                self._desk.cancel(account, one.key)

    def _find(self, account: str, order_id: int) -> Record:
        record = self._book.find(account, order_id)
        if record is None:
            raise RefusedError(404, "Order not found")
        return record

    # Looking.

    def preview(self, account: str, strategy: Strategy) -> dict[str, Any]:
        """What would become of an order; nothing is placed."""
        ticket = strategy.ticket or next(child.ticket for child in strategy.children)
        assert ticket is not None  # noqa: S101 - the children of an OCO have one
        instrument = self._names.instrument(ticket.symbol)
        record = Record(0, account, strategy.kind, self._house.now_ns(), ticket, instrument)
        record.quantity = ticket.quantity
        why = self._refusal(account, record)
        free = self._desk.exchange.summary(account).buying_power
        value = self._value(ticket, instrument)
        if not why and ticket.side is Side.BUY and value > free:
            why = "You do not have enough available cash or buying power for this order"
        record.word = "REJECTED" if why else "ACCEPTED"
        balance = {
            "orderValue": cents(value),
            "projectedAvailableFund": cents(max(free - value, Decimal(0))),
            "projectedBuyingPower": cents(max(free - value, Decimal(0))),
            "projectedCommission": 0,
        }
        rejects = [{"activityMessage": why, "originalSeverity": "REJECT"}] if why else []
        return {
            "orderId": 0,
            "orderStrategy": {**self._book.write(record), "orderBalance": balance},
            "orderValidationResult": {"rejects": rejects, "alerts": [], "accepts": [], "reviews": [], "warns": []},
            "commissionAndFee": {"commission": {"commissionLegs": []}, "fee": {"feeLegs": []}},
        }

    def _value(self, ticket: Ticket, instrument: Instrument | None) -> Decimal:
        last = None if instrument is None else self._desk.exchange.last_price(instrument.symbol)
        return plain((ticket.price or ticket.stop or last or Decimal(0)) * ticket.quantity)


def _fixed(ticket: Ticket) -> tuple[str, ...]:
    """What stays of an order."""
    return ticket.symbol, ticket.instruction, ticket.type, ticket.session, ticket.duration


def _change(old: Record, new: Record, before: Ticket, ticket: Ticket) -> Change:
    """The change at the exchange, where the order keeps its key and all that it has filled."""

    def moved(name: str) -> Decimal | None:
        value: Decimal | None = getattr(ticket, name)
        return None if value == getattr(before, name) else value

    return Change(
        old.key,
        quantity=new.ahead + ticket.quantity,
        limit_price=moved("price"),
        stop_price=moved("stop"),
        trail_offset=moved("trail_amount"),
        trail_percent=moved("trail_percent"),
    )
