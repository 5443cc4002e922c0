"""Tradovate's order book: every order with its versions, commands and reports, as the exchange's events make them."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.updates import Update, Updates
from brokers.matching import Code, Event, Refusal
from brokers.matching.events import (
    Accepted,
    Canceled,
    CancelRefused,
    Expired,
    Filled,
    LegActivated,
    LegResized,
    PartiallyFilled,
    Rejected,
    Replaced,
    ReplaceRefused,
    Traded,
)
from brokers.model import Fill
from brokers.paper.exchange import Cascade
from brokers.sides import Side
from brokers.tradovate.emulator.holdings import Holdings
from brokers.tradovate.emulator.lies import untrue
from brokers.tradovate.emulator.names import Names
from brokers.tradovate.emulator.store import OF_ORDERS, Entity, Prop, Store, prop
from brokers.tradovate.emulator.tickets import Ticket, Version
from brokers.tradovate.emulator.words import SECOND_NS, date_object, plain, stamp

_FIRST_ID: Final = 210_518
_FIRST_NAME: Final = 8_812_001
_FIRST_AT_EXCHANGE: Final = 6_810_283
FINAL: Final = frozenset({"Filled", "Canceled", "Expired", "Rejected"})
_AVERAGE: Final = Decimal("1e-9")
_OTHER_ID: Final = 900_000_000  # added to the id of a fill that has two
REASONS: Final[Mapping[Code, str]] = {
    Code.CLOSED: "SessionClosed",
    Code.SETTLED: "InvalidContract",
    Code.UNKNOWN_SYMBOL: "InvalidContract",
    Code.BAD_PRICE: "InvalidPrice",
    Code.MARGIN: "LiquidationOnly",
    Code.TOO_LATE: "TooLate",
    Code.UNKNOWN_ORDER: "TooLate",
}


@attrs.define(eq=False)
class Record:
    """One order as the broker keeps it."""

    order_id: int
    ticket: Ticket
    opened_ns: int
    status: str
    parent: int | None = None
    oco: int | None = None
    asked: tuple[str, int] | None = None  # the Modify or Cancel under way, and its id
    standing: str = "Working"  # the status that it goes back to when that is refused
    proposed: Version | None = None
    closed_ns: int | None = None
    fills: dict[str, tuple[Fill, int, int]] = attrs.field(factory=dict)  # with the ids of entity and report

    @property
    def key(self) -> str:
        """Its name at the exchange."""
        return str(self.order_id)

    @property
    def account(self) -> str:
        """The account's name at the exchange."""
        return str(self.ticket.account)

    @property
    def open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status not in FINAL


class OrderBook:
    """All orders of all accounts."""

    def __init__(
        self, house: House, desk: Desk, store: Store, names: Names, holdings: Holdings, *, fee_seconds: float = 0
    ) -> None:
        self.updates = Updates(house.faults, untrue)
        self.records: dict[int, Record] = {}
        self._house = house
        self._faults = house.faults
        self._desk = desk
        self._store = store
        self._names = names
        self._holdings = holdings
        self._fee_seconds = fee_seconds
        self._ids = count(_FIRST_ID)
        self._report_names = count(_FIRST_NAME)
        self._exchange_ids = count(_FIRST_AT_EXCHANGE)
        self._orders_of_commands: dict[int, Record] = {}
        self._happened: Mapping[type[Event], Callable[[Record, Any, Cascade], None]] = {
            Accepted: self._accepted,
            Rejected: self._rejected,
            LegActivated: self._leg_activated,
            LegResized: self._leg_resized,
            PartiallyFilled: self._traded,
            Filled: self._traded,
            Replaced: self._replaced,
            ReplaceRefused: self._refused,
            CancelRefused: self._refused,
            Canceled: self._canceled,
            Expired: self._expired,
        }
        store.hidden = self._forgotten
        desk.hear(self._hear)

    # What the order interface does.

    def open(self, ticket: Ticket, *, parent: Record | None = None) -> Record:
        """A new order, of which nobody is told yet; a child waits for its parent."""
        status = "PendingNew" if parent is None else "Suspended"
        parent_id = None if parent is None else parent.order_id
        record = Record(next(self._ids), ticket, self._house.wall_ns(), status, parent_id)
        self.records[record.order_id] = record
        return record

    def announce(self, record: Record) -> None:
        """Tells a new order, its first version and its command, which share an id."""
        order_id = record.order_id
        self._tell(
            record,
            [
                self._write(record),
                self._store.put(
                    "orderVersion", {"id": order_id, "orderId": order_id, **record.ticket.version.written()}
                ),
                self._command(record, order_id, "New", record.ticket.key, automated=record.ticket.automated),
            ],
        )

    def ask(self, record: Record, kind: str, key: str | None, *, automated: bool) -> int:
        """Tells a Modify or a Cancel that is on its way; the id of the command."""
        command_id = next(self._ids)
        record.standing, record.asked = record.status, (kind, command_id)
        command = self._command(record, command_id, kind, key, automated=automated)
        pending = "PendingReplace" if kind == "Modify" else "PendingCancel"
        self._tell(record, [command, self._move(record, pending)])
        return command_id

    def reject(self, record: Record, status: str, reason: str, text: str) -> None:
        """Tells that an order was taken and came to nothing, unless it has ended meanwhile."""
        if not record.open:
            return
        report = self._command_report(record, record.order_id, status, "Rejected", reason, text)
        self._tell(record, [report, self._move(record, "Rejected")])

    def drop(self, record: Record) -> None:
        """Ends an order that never came to the exchange."""
        self._tell(record, self._end(record, "Canceled"))

    # What the exchange says.

    def _hear(self, cascade: Cascade) -> None:
        for event in cascade.events:
            record = self.records.get(int(event.key)) if event.key.isdigit() else None
            happened = self._happened.get(type(event))
            if record is not None and happened is not None:
                happened(record, event, cascade)

    def _accepted(self, record: Record, event: Accepted, _: Cascade) -> None:
        if event.held is not None:
            self._tell(record, [self._command_report(record, record.order_id, "OnHold", "Suspended")])
        else:
            self._go_to_work(record)

    def _go_to_work(self, record: Record) -> None:
        record.standing = "Working"
        moved = self._move(record, "Working")
        report = self._command_report(record, record.order_id, "AtExecution", "Working")
        said = self._report(record, "New", record.order_id, exchangeOrderId=str(next(self._exchange_ids)))
        self._tell(record, [report, said, moved])

    def _rejected(self, record: Record, event: Rejected, _: Cascade) -> None:
        self.reject(record, "RiskRejected", reason_of(event.refusal), event.refusal.sentence)

    def _leg_activated(self, record: Record, event: LegActivated, _: Cascade) -> None:
        self._resize(record, event.quantity)
        self._go_to_work(record)

    def _leg_resized(self, record: Record, event: LegResized, _: Cascade) -> None:
        self._resize(record, event.quantity)

    def _resize(self, record: Record, quantity: Decimal) -> None:
        """A leg that is good for less gets a version that no command has asked for."""
        version = record.ticket.version
        if quantity != version.quantity:
            self._renew(record, next(self._ids), attrs.evolve(version, quantity=quantity), [])

    def _renew(self, record: Record, version_id: int, version: Version, more: Sequence[Prop]) -> None:
        record.ticket = attrs.evolve(record.ticket, version=version)
        row = {"id": version_id, "orderId": record.order_id, **version.written()}
        self._tell(record, [self._store.put("orderVersion", row), *more])

    def _replaced(self, record: Record, _: Replaced, __: Cascade) -> None:
        if self._faults.strikes("out-on-replace") is not None:
            self._tell(record, [prop("order", "Updated", self._row(record) | {"ordStatus": "Canceled"})])
        version, command_id = record.proposed or record.ticket.version, self._answered(record)
        moved = self._move(record, record.standing)
        self._renew(record, command_id, version, [self._report(record, "Replaced", command_id), moved])

    def _refused(self, record: Record, event: ReplaceRefused | CancelRefused, _: Cascade) -> None:
        """The command came too late or made no sense; the order is what it was, or has ended meanwhile."""
        if record.asked is None:
            return
        command_id = self._answered(record)
        told = [self._move(record, record.standing)] if record.open else []
        reason, text = reason_of(event.refusal), event.refusal.sentence
        report = self._command_report(record, command_id, "ExecutionRejected", record.status, reason, text)
        self._tell(record, [report, *told])

    def _answered(self, record: Record) -> int:
        """The id of the command that the exchange has answered now; an order's own where it acts by itself."""
        command_id = record.order_id if record.asked is None else record.asked[1]
        record.asked = record.proposed = None
        return command_id

    def _canceled(self, record: Record, _: Canceled, __: Cascade) -> None:
        self._tell(record, self._end(record, "Canceled"))

    def _expired(self, record: Record, _: Expired, __: Cascade) -> None:
        self._tell(record, self._end(record, "Expired"))

    def _end(self, record: Record, status: str) -> list[Prop]:
        asked = record.asked is not None and record.asked[0] == "Cancel"
        command_id = self._answered(record) if asked else record.order_id
        moved = self._move(record, status)
        return [self._report(record, status, command_id), moved]

    # Executions.

    def _traded(self, record: Record, event: Traded, cascade: Cascade) -> None:
        (fill,) = [fill for fill in cascade.executions if fill.id == event.fill.id]  # with its fee
        late = self._faults.strikes("late-fill") if not event.remaining else None
        if late is None:
            self._fill(record, fill, whole=not event.remaining)
        else:
            self._tell(record, self._end(record, "Canceled"))
            self._house.later(late.seconds, partial(self._fill, record, fill, whole=True))

    def _fill(self, record: Record, fill: Fill, *, whole: bool) -> None:
        report_id, fill_id = next(self._ids), next(self._ids)
        record.fills[fill.id] = fill, fill_id, report_id
        moved = [self._move(record, "Filled")] if whole else []
        status = "Filled" if whole else "Working"
        last = {"ordStatus": status, "lastQty": plain(fill.quantity), "lastPx": fill.price}
        report = self._report(record, "Trade", record.order_id, report_id, **last)
        told = self._store.put("fill", self._fill_row(record, fill, fill_id))
        if self._faults.strikes("fill-two-ids") is not None:
            told = prop("fill", "Created", told["entity"] | {"id": fill_id + _OTHER_ID})
        fee = [] if self._fee_seconds else [self._fee(fill, fill_id)]
        self._tell(record, [report, told, *fee, *moved, *self._holdings.traded(fill)], fills=True)
        if self._fee_seconds:
            self._house.later(self._fee_seconds, lambda: self._tell(record, [self._fee(fill, fill_id)]))
        self._mistake(record, fill)

    def _fee(self, fill: Fill, fill_id: int) -> Prop:
        return self._store.put("fillFee", {"id": fill_id, "commission": plain(fill.fee), "commissionCurrencyId": 1})

    def _mistake(self, record: Record, fill: Fill) -> None:
        for name, mend in (("bust", self._bust), ("correction", self._correct)):
            fault = self._faults.strikes(name)
            if fault is not None:
                self._house.later(fault.seconds, partial(mend, record, fill))
                return

    def _bust(self, record: Record, fill: Fill) -> None:
        self._desk.correct(fill, None)
        _, fill_id, report_id = record.fills.pop(fill.id)
        row = self._fill_row(record, fill, fill_id) | {"active": False}
        self._amend(record, "TradeCancel", report_id, row, self._holdings.corrected(fill, None))

    def _correct(self, record: Record, fill: Fill) -> None:
        """The price moves one tick against the owner."""
        price = fill.price + record.ticket.instrument.tick * (1 if fill.side is Side.BUY else -1)
        self._desk.correct(fill, price)
        _, fill_id, report_id = record.fills[fill.id]
        after = attrs.evolve(fill, price=price)
        record.fills[fill.id] = after, fill_id, report_id
        row = self._fill_row(record, after, fill_id)
        self._amend(record, "TradeCorrect", report_id, row, self._holdings.corrected(fill, after))

    def _amend(self, record: Record, kind: str, report_id: int, row: Entity, money: Sequence[Prop]) -> None:
        last = {"lastQty": row["qty"], "lastPx": row["price"], "execRefId": str(report_id)}
        self._tell(record, [self._report(record, kind, record.order_id, **last), self._store.put("fill", row), *money])

    # Rows.

    def _write(self, record: Record) -> Prop:
        return self._store.put("order", self._row(record))

    def _row(self, record: Record) -> Entity:
        row: Entity = {
            "id": record.order_id,
            "accountId": record.ticket.account,
            "contractId": self._names.contract_id(record.ticket.instrument.symbol),
            "timestamp": stamp(record.opened_ns),
            "action": record.ticket.action,
            "ordStatus": record.status,
            "admin": False,
        }
        ties = {"parentId": record.parent, "ocoId": record.oco}
        return row | {name: value for name, value in ties.items() if value is not None}

    def _move(self, record: Record, status: str) -> Prop:
        record.status = status
        if status in FINAL:
            record.closed_ns = self._house.now_ns()
        return self._write(record)

    def _command(self, record: Record, command_id: int, kind: str, key: str | None, *, automated: bool) -> Prop:
        self._orders_of_commands[command_id] = record
        row = {
            "id": command_id,
            "orderId": record.order_id,
            "timestamp": stamp(self._house.wall_ns()),
            "commandType": kind,
            "commandStatus": "Pending",
            "isAutomated": automated,
        }
        return self._store.put("command", row if key is None else row | {"clOrdId": key})

    def _command_report(
        self, record: Record, command_id: int, status: str, order_status: str, reason: str = "", text: str = ""
    ) -> Prop:
        row = {
            "id": next(self._ids),
            "commandId": command_id,
            "timestamp": stamp(self._house.wall_ns()),
            "commandStatus": status,
            "ordStatus": order_status,
        }
        if reason:
            row |= {"rejectReason": reason, "text": text}
        return self._store.put("commandReport", row)

    def _report(self, record: Record, kind: str, command_id: int, report_id: int | None = None, **more: Any) -> Prop:
        fills = [fill for fill, _, _ in record.fills.values()]
        quantity = sum((fill.quantity for fill in fills), Decimal(0))
        row = {
            "id": next(self._ids) if report_id is None else report_id,
            "commandId": command_id,
            "name": str(next(self._report_names)),
            **self._where_and_when(record),
            "orderId": record.order_id,
            "execType": kind,
            "ordStatus": record.status,
            "action": record.ticket.action,
            "cumQty": plain(quantity),
        }
        if fills:
            cost = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
            row["avgPx"] = plain((cost / quantity).quantize(_AVERAGE))
        return self._store.put("executionReport", row | {"accountId": record.ticket.account} | more)

    def _where_and_when(self, record: Record) -> Entity:
        symbol = record.ticket.instrument.symbol
        return {
            "contractId": self._names.contract_id(symbol),
            "timestamp": stamp(self._house.wall_ns()),
            "tradeDate": date_object(self._holdings.trade_day(symbol)),
        }

    def _fill_row(self, record: Record, fill: Fill, fill_id: int) -> Entity:
        return {
            "id": fill_id,
            "orderId": record.order_id,
            **self._where_and_when(record),
            "action": record.ticket.action,
            "qty": plain(fill.quantity),
            "price": fill.price,
            "active": True,
            "finallyPaired": 0,
        }

    def record_of(self, kind: str, row: Entity) -> Record | None:
        """The order that a row is about; None for a row that is about none."""
        order_id = row["id"] if kind == "order" else row.get("orderId", 0)
        return self.records.get(order_id) or self._orders_of_commands.get(row.get("commandId", 0))

    def _forgotten(self, kind: str, row: Entity) -> bool:
        forget = self._faults.state("forget-finished")
        record = self.record_of(kind, row) if forget is not None and kind in OF_ORDERS else None
        if forget is None or record is None or record.closed_ns is None or record.open:
            return False
        return self._house.now_ns() - record.closed_ns >= forget.seconds * SECOND_NS

    def _tell(self, record: Record, props: Sequence[Prop], *, fills: bool = False) -> None:
        self.updates.tell(Update(record.account, record.key, {"props": list(props)}, fills))


def reason_of(refusal: Refusal) -> str:
    """Tradovate's word for why the exchange says no."""
    return REASONS.get(refusal.code, "UnknownReason")
