"""Tradovate's order counter: orders, OCO and OSO, changes, cancels and liquidations, and what is answered at once."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final, NoReturn

import attrs

from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.log import REFUSED
from brokers.instruments import Instrument
from brokers.market import MarketStatus
from brokers.model import Change, GroupKind, Order, OrderGroup
from brokers.tradovate.emulator.book import OrderBook, Record
from brokers.tradovate.emulator.names import Names
from brokers.tradovate.emulator.pipe import Pipe
from brokers.tradovate.emulator.store import Entity, Store
from brokers.tradovate.emulator.tickets import (
    Ticket,
    Version,
    check_version,
    read_action,
    read_key,
    read_version,
)
from brokers.tradovate.emulator.words import (
    Fields,
    RefusedError,
    child,
    fail,
    violate,
    whole,
)

_BY_HAND: Final = Version(Decimal(1), "Market", None, None, None, "Day", None, None)
_STRANGER_SECONDS: Final = 0.5
_REJECT_SECONDS: Final = 1.0


class Counter:
    """Where commands come in."""

    def __init__(self, house: House, desk: Desk, store: Store, names: Names, book: OrderBook, pipe: Pipe) -> None:
        self._house = house
        self._faults = house.faults
        self._desk = desk
        self._store = store
        self._names = names
        self._book = book
        self._pipe = pipe

    # New orders.

    def place(self, fields: Fields) -> Entity:
        """One order; raises AnsweredError, RefusedError."""
        record = self._book.open(self._admit(fields))
        self._send([record], record.ticket.order(record.key))
        return {"orderId": record.order_id}

    def place_oco(self, fields: Fields) -> Entity:
        """Two orders of which the first to end takes the other along."""
        first = self._admit(fields)
        other = self._leg(first, child(fields, "other"))
        records = [self._book.open(first), self._book.open(other)]
        _tie(records)
        self._send(records, _group(GroupKind.OCO, None, records))
        return {"orderId": records[0].order_id, "ocoId": records[1].order_id}

    def place_oso(self, fields: Fields) -> Entity:
        """An entry whose exits wait until it fills."""
        entry = self._admit(fields)
        legs = [self._leg(entry, child(fields, name)) for name in ("bracket1", "bracket2") if name in fields]
        if not legs:
            violate("required", "bracket1", None, "bracket1 is required")
        parent = self._book.open(entry)
        children = [self._book.open(leg, parent=parent) for leg in legs]
        _tie(children)
        self._send([parent, *children], _group(GroupKind.BRACKET, parent, children))
        ids = {f"oso{n}Id": one.order_id for n, one in enumerate(children, 1)}
        return {"orderId": parent.order_id, **ids}

    def _admit(self, fields: Fields) -> Ticket:
        """A body that passes the gateway."""
        account = self._account(fields)
        symbol = fields.get("symbol")
        instrument = self._names.find(symbol)
        if instrument is None:
            self._turn_away(account, "InvalidContract", f"Invalid contract {str(symbol)[:20]}")
        ticket = self._ticket(account, instrument, fields, read_version(fields))
        self._gateway(ticket)
        return ticket

    def _leg(self, first: Ticket, fields: Fields) -> Ticket:
        """A body without symbol and quantity, which are those of the first order."""
        version = read_version(fields, first.version.quantity)
        ticket = self._ticket(first.account, first.instrument, fields, version)
        return attrs.evolve(ticket, automated=first.automated)

    def _ticket(self, account: int, instrument: Instrument, fields: Fields, version: Version) -> Ticket:
        check_version(version, instrument)
        automated = fields.get("isAutomated") is True
        return Ticket(account, read_action(fields), instrument, version, read_key(fields), automated)

    def _account(self, fields: Fields) -> int:
        row = self._store.named("account", str(fields.get("accountSpec")))
        if fields.get("accountId") is not None:
            row = self._store.get("account", whole(fields, "accountId"))
        if row is None:
            raise RefusedError(404, "Not found: account")
        if row["readonly"]:
            fail("Unauthorized", "Account is read only")
        return int(row["id"])

    def _gateway(self, ticket: Ticket) -> None:
        """What is looked at before an order gets an id."""
        if self._faults.strikes("refuse-order") is not None:
            self._turn_away(ticket.account, "UnknownReason", "Invalid price")
        symbol = ticket.instrument.symbol
        if self._desk.source.is_over(symbol, self._desk.now_ns()):
            self._turn_away(ticket.account, "InvalidContract", "Contract has expired")
        if self._desk.exchange.engine.status(symbol) is MarketStatus.CLOSED:
            self._turn_away(ticket.account, "SessionClosed", "Session is closed")

    def _turn_away(self, account: int, reason: str, text: str) -> NoReturn:
        self._house.log.put(REFUSED, account=str(account), key="", why=text)
        fail(reason, text)

    def _send(self, records: Sequence[Record], order: Order | OrderGroup) -> None:
        """Tells of orders and sends them on their way."""
        for record in records:
            self._book.announce(record)
        if self._faults.strikes("reject-later") is not None:
            for record in records:
                later = partial(self._book.reject, record, "ExecutionRejected", "OtherExecutionRelated")
                self._house.later(_REJECT_SECONDS, partial(later, "Rejected by the exchange"))
            return
        keys = {record.key: record.ticket.key for record in records}
        self._pipe.put(partial(self._desk.submit, records[0].account, order, keys))
        if self._faults.strikes("external-order") is not None:
            self._house.later(_STRANGER_SECONDS, partial(self._act_by_hand, records[0].ticket))

    def _act_by_hand(self, like: Ticket) -> None:
        """The owner of the account trades too, from another screen."""
        self._send_by_hand(attrs.evolve(like, version=_BY_HAND, key=None, automated=False))

    def _send_by_hand(self, ticket: Ticket) -> Record:
        record = self._book.open(ticket)
        self._book.announce(record)
        self._pipe.put(partial(self._desk.submit, record.account, ticket.order(record.key)))
        return record

    # Orders that stand.

    def modify(self, fields: Fields) -> Entity:
        """All terms anew: what is missing is missing in the new version too."""
        record = self._standing(fields)
        version = read_version(fields)
        if version.type != record.ticket.version.type:
            fail("Unsupported", "Order type cannot be changed")
        check_version(version, record.ticket.instrument)
        command_id = self._book.ask(record, "Modify", read_key(fields), automated=fields.get("isAutomated") is True)
        record.proposed = version
        peg = None if version.peg is None else abs(version.peg)
        change = Change(record.key, version.quantity, version.price, version.stop, peg)
        self._pipe.put(partial(self._desk.change, record.account, change))
        return {"commandId": command_id}

    def cancel(self, fields: Fields) -> Entity:
        """A cancel is sent."""
        record = self._standing(fields)
        key, automated = read_key(fields), fields.get("isAutomated") is True
        return {"commandId": self._cancel(record, key, automated=automated)}

    def liquidate(self, fields: Fields) -> Entity:
        """Cancels what works in a contract and closes the position."""
        account, instrument = self._account(fields), self._names.find(whole(fields, "contractId"))
        if instrument is None:
            raise RefusedError(404, "Not found: contract")
        key, commands = read_key(fields), []
        for record in list(self._book.records.values()):
            here = (record.ticket.account, record.ticket.instrument) == (account, instrument)
            if here and record.open and record.asked is None:
                commands.append(self._cancel(record, key, automated=False))
        held = self._desk.exchange.engine.position(str(account), instrument.symbol)
        if held:
            version = attrs.evolve(_BY_HAND, quantity=abs(held))
            ticket = Ticket(account, "Sell" if held > 0 else "Buy", instrument, version, key, automated=False)
            commands.append(self._send_by_hand(ticket).order_id)
        if not commands:
            fail("TooLate", "Nothing to liquidate")
        return {"commandId": commands[-1]}

    def _cancel(self, record: Record, key: str | None, *, automated: bool) -> int:
        command_id = self._book.ask(record, "Cancel", key, automated=automated)
        self._pipe.put(partial(self._take_out, record))
        return command_id

    def _take_out(self, record: Record) -> None:
        """The exchange cancels what it has; an order that it never had ends by itself."""
        if self._desk.exchange.engine.order(record.account, record.key) is not None:
            self._desk.cancel(record.account, record.key)
        elif record.open:
            self._book.drop(record)

    def _standing(self, fields: Fields) -> Record:
        """The order that a command is about; raises AnsweredError, RefusedError for one that cannot be changed."""
        record = self._book.records.get(whole(fields, "orderId"))
        if record is None:
            raise RefusedError(404, "Not found: order")
        if not record.open:
            fail("TooLate", _TOO_LATE[record.status])
        if record.asked is not None:
            fail("AnotherCommandPending", "Another command is pending")
        return record


_TOO_LATE: Final[Mapping[str, str]] = {
    "Filled": "Already filled",
    "Canceled": "Already canceled",
    "Expired": "Already expired",
    "Rejected": "Already rejected",
}


def _tie(records: Sequence[Record]) -> None:
    """Siblings point at each other."""
    if len(records) == 2:
        records[0].oco, records[1].oco = records[1].order_id, records[0].order_id


def _group(kind: GroupKind, parent: Record | None, legs: Sequence[Record]) -> OrderGroup:
    first = None if parent is None else parent.ticket.order(parent.key)
    key = (parent or legs[0]).key
    return OrderGroup(key, kind, first, tuple(one.ticket.order(one.key) for one in legs), reduce_size=True)
