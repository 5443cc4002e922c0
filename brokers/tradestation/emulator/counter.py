"""TradeStation's order counter: orders and groups that are placed, replaced and cancelled, and what is answered."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.log import REFUSED
from brokers.instruments import Instrument, Kind
from brokers.model import Change, GroupKind, Liquidity, Order, OrderGroup, OrderType
from brokers.tradestation.emulator.book import OrderBook
from brokers.tradestation.emulator.names import INVALID, Names, asset_type
from brokers.tradestation.emulator.records import Record
from brokers.tradestation.emulator.tickets import Amendment, Ticket, TicketGroup
from brokers.tradestation.emulator.words import RefusedError, number

_FIRST_GROUP: Final = 2_706_452_145
_KINDS: Final = {"BRK": GroupKind.BRACKET, "OCO": GroupKind.BRACKET, "NORMAL": GroupKind.OTO}
_THROUGH: Final = 100  # ticks beyond the market at which a converted order takes whatever stands


@attrs.define
class Placement:
    """What a request to place orders is answered with."""

    orders: list[dict[str, str]] = attrs.field(factory=list)
    errors: list[dict[str, str]] = attrs.field(factory=list)

    def written(self) -> dict[str, Any]:
        """The answer; as with the real one its status is 200 whatever it says."""
        return {"Orders": self.orders, "Errors": self.errors}


class Counter:
    """Where orders come in."""

    def __init__(self, house: House, desk: Desk, names: Names, book: OrderBook, accounts: Mapping[str, str]) -> None:
        self._house = house
        self._faults = house.faults
        self._desk = desk
        self._names = names
        self._book = book
        self._accounts = accounts
        self._confirmed: dict[str, str] = {}
        self._groups = count(_FIRST_GROUP)

    def place(self, ticket: Ticket) -> Placement:
        """An order with whatever it sends."""
        answer = Placement()
        parent = self._admit(ticket, answer)
        if parent is None:
            return answer
        groups = ticket.children
        if len({group.type for group in groups}) > 1 or (len(groups) > 1 and groups[0].type != "NORMAL"):
            self._fail(parent, "an order sends one group of orders", answer)
        elif groups:
            children = [self._admit(child, answer) for group in groups for child in group.tickets]
            self._send_family(parent, groups[0].type, children, answer)
        else:
            self._send_alone(parent, answer)
        return answer

    def place_group(self, group: TicketGroup) -> Placement:
        """Several orders, tied unless the group is a mere batch."""
        answer = Placement()
        if group.type == "BRK" and not self._is_exit(group):
            for ticket in group.tickets:
                self._turn_away(ticket, "a bracket group takes exits of one symbol and one side only", answer)
            return answer
        records = [self._admit(ticket, answer) for ticket in group.tickets]
        whole = [record for record in records if record is not None]
        if group.type == "NORMAL" or len(group.tickets) == 1:
            for record in whole:
                self._send_alone(record, answer)
        elif len(whole) < len(records):
            for record in whole:
                self._fail(record, "another order of the group was refused", answer)
        else:
            self._tie(whole, group.type)
            self._send(whole, self._neutral_group(None, whole, GroupKind.OCO, reduce=group.type == "BRK"), answer)
        return answer

    def _is_exit(self, group: TicketGroup) -> bool:
        first = group.tickets[0]
        instrument = self._names.dated(first.symbol)
        if instrument is None or len({(one.symbol, one.side) for one in group.tickets}) > 1:
            return False
        held = self._desk.exchange.engine.position(first.account, instrument.symbol)
        return held * first.side.sign < 0

    def _admit(self, ticket: Ticket, answer: Placement) -> Record | None:
        """The record of an order that passes the gateway; raises RefusedError (403) for a strange account."""
        if ticket.account not in self._accounts:
            raise RefusedError(403, "Invalid Account ID.")
        instrument = self._names.dated(ticket.symbol)
        if instrument is None:
            self._turn_away(ticket, INVALID, answer)
            return None
        why = self._gateway_says(ticket, instrument)
        if why:
            self._turn_away(ticket, why, answer)
            return None
        record = self._book.open(ticket, instrument)
        if ticket.confirm_id is not None:
            self._confirmed[ticket.confirm_id] = record.order_id
        return record

    def _gateway_says(self, ticket: Ticket, instrument: Instrument) -> str:
        """Why the gateway refuses an order, or nothing."""
        if self._faults.strikes("refuse-order") is not None:
            return "Type = LMT has invalid Price greater than absolute maximum"
        if ticket.confirm_id in self._confirmed:
            return f"Duplicate OrderConfirmID {ticket.confirm_id}"
        future = instrument.kind is Kind.FUTURE
        if future != (self._accounts[ticket.account] == "Futures"):
            return "Request not supported for account type."
        held = self._desk.exchange.engine.position(ticket.account, instrument.symbol)
        if future:
            return "" if ticket.action in {"Buy", "Sell"} else "Request not supported for account type."
        if ticket.action == "BuyToCover" and -held < ticket.quantity:
            return f"EC602: You are short {max(-held, Decimal(0)):.2f} shares!"
        if ticket.action == "Sell" and held < ticket.quantity:
            return f"EC602: You are long {max(held, Decimal(0)):.2f} shares!"
        return ""

    def _turn_away(self, ticket: Ticket, why: str, answer: Placement) -> None:
        """Refuses an order that gets no record."""
        order_id = self._book.new_id()
        self._house.log.put(REFUSED, account=ticket.account, key=order_id, why=why)
        answer.errors.append(_failed(order_id, why))

    def _fail(self, record: Record, why: str, answer: Placement) -> None:
        """Refuses an order that has a record."""
        self._book.fail(record, why)
        answer.errors.append(_failed(record.order_id, why))

    def _send_alone(self, record: Record, answer: Placement) -> None:
        if self._faults.strikes("reject-later") is not None:
            answer.orders.append(_sent(record))
            self._house.later(1, partial(self._book.reject, record, "EC804: Rejected by the exchange"))
            return
        self._send([record], record.ticket.order(record.order_id, record.instrument, self._house.now_ns()), answer)
        if record.status != "REJ" and self._faults.strikes("external-order") is not None:
            self._house.later(0.5, partial(self._act_by_hand, record))

    def _send_family(self, parent: Record, kind: str, children: Sequence[Record | None], answer: Placement) -> None:
        whole = [child for child in children if child is not None]
        if len(whole) < len(children):
            for record in (*whole, parent):
                self._fail(record, "another order of the group was refused", answer)
            return
        if kind != "NORMAL":
            self._tie(whole, kind)
        parent.relations = tuple(("OSO", child.order_id) for child in whole)
        for child in whole:
            child.relations = (("OSP", parent.order_id), *child.relations)
        group = self._neutral_group(parent, whole, _KINDS[kind], reduce=kind == "BRK")
        self._send([*whole, parent], group, answer)

    def _tie(self, records: Sequence[Record], kind: str) -> None:
        serial = str(next(self._groups))
        for record in records:
            record.group = kind, serial
            record.relations = tuple((kind, other.order_id) for other in records if other is not record)

    def _neutral_group(
        self, parent: Record | None, children: Sequence[Record], kind: GroupKind, *, reduce: bool
    ) -> OrderGroup:
        now = self._house.now_ns()
        orders = [one.ticket.order(one.order_id, one.instrument, now) for one in children]
        first = None if parent is None else parent.ticket.order(parent.order_id, parent.instrument, now)
        return OrderGroup((parent or children[0]).order_id, kind, first, tuple(orders), reduce_size=reduce)

    def _send(self, records: Sequence[Record], order: Order | OrderGroup, answer: Placement) -> None:
        """Hands orders to the exchange; those that it refuses at once are answered so."""
        keys = {record.order_id: record.ticket.confirm_id for record in records}
        self._desk.submit(records[0].ticket.account, order, keys)
        for record in records:
            if record.status == "REJ":
                answer.errors.append(_failed(record.order_id, record.reason))
            else:
                answer.orders.append(_sent(record))

    def _act_by_hand(self, record: Record) -> None:
        """The owner of the account trades too, from another screen."""
        by_hand = attrs.evolve(
            record.ticket,
            type="Market",
            limit=None,
            stop=None,
            trail_amount=None,
            trail_percent=None,
            quantity=Decimal(1),
            confirm_id=None,
            children=(),
        )
        self._send_alone(self._book.open(by_hand, record.instrument), Placement())

    # Estimates.

    def estimate(self, ticket: Ticket) -> dict[str, str | dict[str, str]]:
        """What an order would cost; nothing is placed. Raises RefusedError for a strange account or symbol."""
        if ticket.account not in self._accounts:
            raise RefusedError(403, "Invalid Account ID.")
        instrument = self._names.dated(ticket.symbol)
        if instrument is None:
            raise RefusedError(400, INVALID)
        price = ticket.limit or ticket.stop or self._desk.exchange.last_price(instrument.symbol) or Decimal(0)
        settings = self._desk.exchange.settings
        fee = settings.fee(instrument).of(instrument, ticket.quantity, price, Liquidity.TAKER)
        future = instrument.kind is Kind.FUTURE
        estimate: dict[str, str | dict[str, str]] = {
            "OrderAssetCategory": asset_type(instrument),
            "Currency": instrument.currency,
            "DisplayName": ticket.account,
            "Route": ticket.route,
            "TimeInForce": {"Duration": ticket.duration},
            "AccountID": ticket.account,
            "OrderConfirmID": ticket.confirm_id or f"emu-{self._book.new_id()}",
            "EstimatedPrice": number(price),
            "EstimatedCost": "0" if future else number(price * ticket.quantity),
            "EstimatedCommission": number(fee),
            "SummaryMessage": ticket.summary,
        }
        if future:
            estimate["InitialMarginDisplay"] = number(instrument.initial_margin * ticket.quantity)
        return estimate

    # Replacing and cancelling.

    def replace(self, order_id: str, wanted: Amendment) -> dict[str, str]:
        """Sends a change; raises RefusedError for an order that is not open."""
        record = self._open(order_id)
        change = Change(order_id, wanted.quantity, wanted.limit, wanted.stop, wanted.trail_amount, wanted.trail_percent)
        if wanted.to_market:
            change = self._to_market(record, change)
            record.type = "Market"
        self._desk.change(record.ticket.account, change)
        return {"Message": "Cancel/Replace order sent.", "OrderID": order_id}

    def cancel(self, order_id: str) -> dict[str, str]:
        """Sends a cancel; raises RefusedError for an order that is not open."""
        record = self._open(order_id)
        if self._desk.exchange.engine.order(record.ticket.account, order_id) is None:
            self._book.close(record, "OUT")  # it was never sent on
        else:
            self._desk.cancel(record.ticket.account, order_id)
        return {"Message": "Cancel request sent", "OrderID": order_id}

    def _open(self, order_id: str) -> Record:
        record = self._book.find(order_id)
        if record is None:
            raise RefusedError(404, "Order not found.")
        if not record.open:
            raise RefusedError(400, "Not an open order.")
        return record

    def _to_market(self, record: Record, change: Change) -> Change:
        """The exchange keeps an order's type, so the price goes to where the order trades at once."""
        middle = self._desk.exchange.last_price(record.instrument.symbol) or Decimal(0)
        tick = record.instrument.tick
        price = (middle // tick + _THROUGH * record.ticket.side.sign) * tick
        engine = self._desk.exchange.engine.order(record.ticket.account, record.order_id)
        if engine is not None and engine.order.type is OrderType.LIMIT:
            return attrs.evolve(change, limit_price=price)
        at_once = (middle // tick - _THROUGH * record.ticket.side.sign) * tick
        if record.limit is None:
            return attrs.evolve(change, stop_price=at_once)
        return attrs.evolve(change, stop_price=at_once, limit_price=price)


def _sent(record: Record) -> dict[str, str]:
    return {"Message": f"Sent order: {record.ticket.summary}", "OrderID": record.order_id}


def _failed(order_id: str, why: str) -> dict[str, str]:
    return {"Error": "FAILED", "Message": f"Order failed. Reason: {why}", "OrderID": order_id}
