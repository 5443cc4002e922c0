"""Orders on the wire: neutral orders as request bodies, and order records as what is seen of an order."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from brokers.errors import Code, broker_error
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderReport, OrderState, OrderType, TimeInForce
from brokers.sides import Side
from brokers.tradestation.settings import BROKER
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import BadPayload, OrderRecord, money, price, quantity, stamp, time_ns

LONGEST_CONFIRM_ID: Final = 22

_TYPES: Final[Mapping[OrderType, str]] = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP: "StopMarket",
    OrderType.STOP_LIMIT: "StopLimit",
    OrderType.TRAILING_STOP: "StopMarket",
}
_NEUTRAL_TYPES: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stopmarket": OrderType.STOP,
    "stoplimit": OrderType.STOP_LIMIT,
}
_DURATIONS: Final[Mapping[TimeInForce, tuple[str, str]]] = {  # plain, and with the extended session
    TimeInForce.DAY: ("DAY", "DYP"),
    TimeInForce.GTC: ("GTC", "GCP"),
    TimeInForce.GTD: ("GTD", "GDP"),
    TimeInForce.IOC: ("IOC", "IOC"),
    TimeInForce.FOK: ("FOK", "FOK"),
}
_NEUTRAL_DURATIONS: Final = {
    "GTC": TimeInForce.GTC,
    "GTD": TimeInForce.GTD,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
_SIDES: Final = {"buy": Side.BUY, "buytocover": Side.BUY, "sell": Side.SELL, "sellshort": Side.SELL}

LIVE: Final = frozenset({"ACK", "DIS", "CND", "STP", "CHG", "FPR"})
NO_WORD: Final = frozenset({"STT", "COR", "LAT", "RJC", "RJR", "UCH"})  # they tell of something else than a state
_WORDS: Final[Mapping[str, OrderState]] = {
    **dict.fromkeys(("PLA", "OPN"), OrderState.PENDING_NEW),
    **dict.fromkeys(("DON", "OSO"), OrderState.HELD),
    "SUS": OrderState.SUSPENDED,
    **dict.fromkeys(("RSN", "RPD"), OrderState.PENDING_REPLACE),
    **dict.fromkeys(("UCN", "CSN", "ECN", "REC"), OrderState.PENDING_CANCEL),
    **dict.fromkeys(("FLL", "BRF", "ASS", "EXE"), OrderState.FILLED),
    **dict.fromkeys(("FLP", "CAN", "TSC", "SCN", "BRC", "DOA", "BRO"), OrderState.CANCELED),
    "EXP": OrderState.EXPIRED,
    "REJ": OrderState.REJECTED,
}


class Foreign(LookupError):
    """An order for something that the instrument table does not hold, so it cannot be ours; `symbol` names it."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        super().__init__(f"an order for {symbol!r}, which is not in the instrument table; it is left to its owner")


@attrs.frozen
class Seen:
    """What one record shows of an order; its key stands for the broker's id, since no key comes back.

    word      UNKNOWN where the status tells nothing of the state
    average   price of all that is filled, None where nothing is or it was not told
    fees      commission of all that is filled, as far as it is told
    """

    account: str
    order: Order
    status: str
    word: OrderState
    filled: Decimal
    average: Decimal | None
    opened_ns: int
    closed_ns: int | None
    reason: str
    fees: Decimal = Decimal(0)

    @property
    def order_id(self) -> str:
        """The broker's id."""
        return self.order.key

    @property
    def final(self) -> bool:
        """Whether only corrections can follow."""
        return self.word.final

    def report(self, key: str | None) -> OrderReport:
        """The record as a report, under our key where it is known; dated by when the order was made."""
        order = self.order
        return OrderReport(
            order=order if key is None else attrs.evolve(order, key=key),
            account=self.account,
            state=self.word,
            filled=self.filled,
            remaining=max(order.quantity - self.filled, Decimal(0)),
            average_price=self.average,
            broker_order_ids=(self.order_id,),
            time_ns=self.opened_ns,
            reason=self.reason,
        )


def seen_of(record: OrderRecord, names: Names) -> Seen:
    """What a record shows; raises BadPayload for one that cannot be, Foreign for what we do not trade."""
    if not (record.order_id and record.account_id and record.status and len(record.legs) > 0):
        raise BadPayload("order record", "AccountID, OrderID, Status and Legs", record)
    symbol = names.canonical(record.legs[0].symbol)
    if symbol is None or len(record.legs) > 1:
        raise Foreign("+".join(leg.symbol for leg in record.legs))
    order = _order(record, symbol, names)
    filled = quantity(record.legs[0].exec_quantity, "ExecQuantity")
    return Seen(
        account=record.account_id,
        order=order,
        status=record.status,
        word=_word(record, filled, order.quantity),
        filled=filled,
        average=_average(record, symbol, names) if filled else None,
        opened_ns=time_ns(record.opened_date_time, "OpenedDateTime") if record.opened_date_time else 0,
        closed_ns=time_ns(record.closed_date_time, "ClosedDateTime") if record.closed_date_time else None,
        reason=record.reject_reason,
        fees=money(record.commission_fee, "CommissionFee"),
    )


def _order(record: OrderRecord, symbol: str, names: Names) -> Order:
    leg, trail = record.legs[0], record.trailing_stop
    kind, side = _NEUTRAL_TYPES.get(record.order_type.lower()), _SIDES.get(leg.buy_or_sell.lower())
    if kind is None or side is None:
        raise BadPayload("order record", "a known OrderType and BuyOrSell", (record.order_type, leg.buy_or_sell))
    if trail is not None and (trail.amount or trail.percent):
        kind = OrderType.TRAILING_STOP
    duration, extended = record.duration.removesuffix("+"), record.duration.endswith("+")
    life = _NEUTRAL_DURATIONS.get(duration, TimeInForce.GTD if duration.endswith(" min") else TimeInForce.DAY)
    dated = life is TimeInForce.GTD and bool(record.good_till_date)
    trailing = trail if kind is OrderType.TRAILING_STOP else None
    return Order(
        key=record.order_id,
        symbol=symbol,
        side=side,
        type=kind,
        quantity=_ordered(record),
        limit_price=_price_of(record.limit_price, symbol, names, kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)),
        stop_price=_price_of(record.stop_price, symbol, names, kind in (OrderType.STOP, OrderType.STOP_LIMIT)),
        trail_offset=_price_of(trailing.amount, symbol, names, wanted=True) if trailing else None,
        trail_percent=price(trailing.percent, "TrailingStop.Percent") if trailing else None,
        time_in_force=life,
        expires_ns=time_ns(record.good_till_date, "GoodTillDate") if dated else None,
        extended_hours=extended,
    )


def _ordered(record: OrderRecord) -> Decimal:
    ordered = quantity(record.legs[0].quantity_ordered, "QuantityOrdered")
    if not ordered:
        raise BadPayload("QuantityOrdered", "more than zero", ordered)
    return ordered


def _price_of(value: Decimal | None, symbol: str, names: Names, wanted: bool) -> Decimal | None:
    """A price of the record, where the order's type has one: others carry a meaningless one at times."""
    told = price(value, "order price") if wanted else None
    return None if told is None else names.inward(symbol, told)


def _average(record: OrderRecord, symbol: str, names: Names) -> Decimal | None:
    told = price(record.legs[0].execution_price, "ExecutionPrice") or price(record.filled_price, "FilledPrice")
    return None if not told else names.inward(symbol, told)


def _word(record: OrderRecord, filled: Decimal, ordered: Decimal) -> OrderState:
    """The state behind a status: not ClosedDateTime nor QuantityRemaining end an order, its status does."""
    status = record.status
    if status == "OUT":  # without its closing time it is the end of a version, and the order lives on
        return OrderState.CANCELED if record.closed_date_time else OrderState.UNKNOWN
    if status in LIVE:
        if filled >= ordered:
            return OrderState.FILLED
        return OrderState.PARTIALLY_FILLED if filled else OrderState.WORKING
    return _WORDS.get(status, OrderState.UNKNOWN)


# What is sent.


def order_body(account: str, order: Order, action: str, names: Names) -> dict[str, Any]:
    """The body of one order; raises OrderRefused for what TradeStation cannot be asked."""
    body: dict[str, Any] = {
        "AccountID": account,
        "Symbol": names.tradable(order.symbol),
        "Quantity": f"{order.quantity:f}",
        "OrderType": _TYPES[order.type],
        "TradeAction": action,
        "TimeInForce": _time_in_force(order),
        "Route": "Intelligent",
        "OrderConfirmID": confirm_id(order.key),
    }
    terms = (order.limit_price, order.stop_price, order.trail_offset, order.trail_percent)
    return body | _terms(order.symbol, *terms, names=names)


def confirm_id(key: str) -> str:
    """The duplicate guard of an order: our key as it is; raises OrderRefused when it does not fit the field."""
    if not (key.isascii() and key.isalnum() and len(key) <= LONGEST_CONFIRM_ID):
        text = f"the key {key!r} does not fit OrderConfirmID: expected 1 to {LONGEST_CONFIRM_ID} letters and digits"
        raise broker_error(BROKER, Code.ORDER_REJECTED, text)
    return key


def change_body(symbol: str, change: Change, names: Names) -> dict[str, Any]:
    """The body of a replace: what changes, and nothing else."""
    body = {} if change.quantity is None else {"Quantity": f"{change.quantity:f}"}
    terms = (change.limit_price, change.stop_price, change.trail_offset, change.trail_percent)
    return body | _terms(symbol, *terms, names=names)


def group_body(account: str, group: OrderGroup, actions: Mapping[str, str], names: Names) -> dict[str, Any]:
    """The body of a group: children under their parent, or siblings by themselves; `actions` are by order key."""
    linked = "BRK" if group.reduce_size else "OCO"
    kind = "NORMAL" if group.kind is GroupKind.OTO else linked
    children = [order_body(account, one, actions[one.key], names) for one in group.children]
    siblings = {"Type": kind, "Orders": children}
    if group.parent is None:
        return siblings
    return {**order_body(account, group.parent, actions[group.parent.key], names), "OSOs": [siblings]}


def written(body: Mapping[str, Any]) -> bytes:
    """A body as bytes."""
    return msgspec.json.encode(body)


def _time_in_force(order: Order) -> dict[str, str]:
    force = {"Duration": _DURATIONS[order.time_in_force][order.extended_hours]}
    if order.expires_ns is not None:
        force["Expiration"] = stamp(order.expires_ns)
    return force


def _terms(
    symbol: str,
    limit: Decimal | None,
    stop: Decimal | None,
    offset: Decimal | None,
    percent: Decimal | None,
    *,
    names: Names,
) -> dict[str, Any]:
    prices = (("LimitPrice", limit), ("StopPrice", stop))
    body: dict[str, Any] = {name: f"{names.outward(symbol, value):f}" for name, value in prices if value is not None}
    if offset is not None:
        body["AdvancedOptions"] = {"TrailingStop": {"Amount": f"{names.outward(symbol, offset):f}"}}
    elif percent is not None:
        body["AdvancedOptions"] = {"TrailingStop": {"Percent": f"{percent:f}"}}
    return body
