"""Orders on the wire: neutral orders as request bodies, and rows as neutral orders, fills and reports."""

from collections.abc import Container, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from brokers.errors import Code, broker_error
from brokers.model import Change, Fill, GroupKind, Order, OrderGroup, OrderReport, OrderState, OrderType, TimeInForce
from brokers.sides import Side
from brokers.tradovate.settings import BROKER
from brokers.tradovate.wire import BadPayload, price, quantity, stamp, time_ns
from brokers.tradovate.wire_entities import CommandRow, FillRow, OrderRow, VersionRow

_TYPES: Final[Mapping[OrderType, str]] = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP: "Stop",
    OrderType.STOP_LIMIT: "StopLimit",
    OrderType.TRAILING_STOP: "TrailingStop",
}
_LIVES: Final[Mapping[TimeInForce, str]] = {
    TimeInForce.DAY: "Day",
    TimeInForce.GTC: "GTC",
    TimeInForce.GTD: "GTD",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
}
_NEUTRAL_TYPES: Final = {word: kind for kind, word in _TYPES.items()} | {
    "MIT": OrderType.STOP,  # orders of other people, which we never send
    "QTS": OrderType.LIMIT,
    "TrailingStopLimit": OrderType.TRAILING_STOP,
}
_NEUTRAL_LIVES: Final = {word: life for life, word in _LIVES.items()}
_SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}
_ACTIONS: Final = {side: word for word, side in _SIDES.items()}
_STATES: Final[Mapping[str, OrderState]] = {
    "PendingNew": OrderState.PENDING_NEW,
    "PendingReplace": OrderState.PENDING_REPLACE,
    "PendingCancel": OrderState.PENDING_CANCEL,
    "Filled": OrderState.FILLED,
    "Canceled": OrderState.CANCELED,
    "Expired": OrderState.EXPIRED,
    "Rejected": OrderState.REJECTED,
}
FINAL: Final = frozenset({"Filled", "Completed", "Canceled", "Expired", "Rejected"})
FAILED: Final = frozenset({"RiskRejected", "ExecutionRejected"})
"""The words for a command that came to nothing; its order may live on."""
_ZERO: Final = Decimal(0)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


# Requests.


def written(body: Mapping[str, Any]) -> bytes:
    """A body as JSON with numbers."""
    return _ENCODER.encode(body)


def order_body(spec: str, account_id: int, order: Order, name: str) -> dict[str, Any]:
    """The body that places one order of a contract."""
    return {
        "accountSpec": spec,
        "accountId": account_id,
        "symbol": name,
        "orderQty": _number(order.quantity),
        "isAutomated": True,
        **_leg(order),
    }


def group_body(spec: str, account_id: int, group: OrderGroup, name: str) -> dict[str, Any]:
    """The body that places a bracket or an OCO; raises OrderRefused for one that this broker cannot hold together."""
    first, *others = group.orders
    for other in others:
        if (other.symbol, other.quantity) != (first.symbol, first.quantity):
            raise _misfit(group, f"all of {first.quantity} {first.symbol}, as one order gives them to all")
    if group.kind is GroupKind.OCO:
        if len(others) != 1:
            raise _misfit(group, "two orders in an oco")
        return order_body(spec, account_id, first, name) | {"other": _leg(others[0])}
    if group.kind is not GroupKind.BRACKET or len(others) > 2:
        raise _misfit(group, "a parent with one or two exits")
    return order_body(spec, account_id, first, name) | {f"bracket{n}": _leg(leg) for n, leg in enumerate(others, 1)}


def change_body(order_id: int, order: Order) -> dict[str, Any]:
    """The body that gives an order all its terms anew."""
    terms = _leg(order)
    del terms["action"], terms["clOrdId"]
    return {"orderId": order_id, "orderQty": _number(order.quantity), "isAutomated": True, **terms}


def _leg(order: Order) -> dict[str, Any]:
    """What the exits of a group and single orders share."""
    optional = {
        "price": order.limit_price,
        "stopPrice": order.stop_price,
        "pegDifference": order.trail_offset,
        "expireTime": None if order.expires_ns is None else stamp(order.expires_ns),
    }
    return {
        "action": _ACTIONS[order.side],
        "clOrdId": order.key,
        "orderType": _TYPES[order.type],
        "timeInForce": _LIVES[order.time_in_force],
        **{
            name: _number(value) if isinstance(value, Decimal) else value
            for name, value in optional.items()
            if value is not None
        },
    }


def _number(value: Decimal) -> Decimal:
    """The number without an exponent."""
    return Decimal(f"{value:f}")


def _misfit(group: OrderGroup, expected: str) -> Exception:
    text = f"{group.kind.value} {group.key}: expected {expected}; nothing was sent; place the orders one by one"
    return broker_error(BROKER, Code.ORDER_REJECTED, text)


# Rows.


@attrs.frozen
class Shown:
    """What the rows of one order show together."""

    account: str
    order: Order  # its key is ours, or the broker's id where none was told
    order_id: str
    status: str
    parent_id: int | None
    created_ns: int

    def state(self, filled: Decimal) -> OrderState:
        """The neutral word, given what is filled."""
        if self.status == "Working":
            return OrderState.PARTIALLY_FILLED if filled else OrderState.WORKING
        if self.status == "Suspended":
            return OrderState.HELD if self.parent_id is not None else OrderState.SUSPENDED
        if self.status == "Completed":
            return OrderState.FILLED if filled >= self.order.quantity else OrderState.CANCELED
        return _STATES.get(self.status, OrderState.UNKNOWN)

    def report(self, fills: Iterable[FillRow], reason: str = "") -> OrderReport:
        """The order with what is filled of it, dated by when it was made."""
        filled, value = _ZERO, _ZERO
        for fill in fills:
            filled, value = filled + fill.qty, value + fill.qty * fill.price
        state = self.state(filled)
        return OrderReport(
            order=self.order,
            account=self.account,
            state=state,
            filled=filled,
            remaining=max(self.order.quantity - filled, _ZERO),
            average_price=value / filled if filled else None,
            broker_order_ids=(self.order_id,),
            time_ns=self.created_ns,
            reason=reason,
        )


def shown_of(account: str, row: OrderRow, version: VersionRow | None, symbol: str | None, key: str | None) -> Shown:
    """What an order's rows show; raises BadPayload for what cannot be, or is about something that we do not trade."""
    if symbol is None or version is None:
        raise BadPayload(f"order {row.id}", "terms, and a contract of the instrument table", row)
    kind, side = _NEUTRAL_TYPES.get(version.order_type), _SIDES.get(row.action)
    if kind is None or side is None:
        raise BadPayload(f"order {row.id}", "a known action and order type", (row.action, version.order_type))
    ordered = quantity(version.order_qty, f"orderQty of order {row.id}")
    if not ordered:
        raise BadPayload(f"orderQty of order {row.id}", "more than 0", ordered)
    order = Order(
        key=key or str(row.id),
        symbol=symbol,
        side=side,
        type=kind,
        quantity=ordered,
        limit_price=_price(version.price, row),
        stop_price=None if kind is OrderType.TRAILING_STOP else _price(version.stop_price, row),
        trail_offset=None if version.peg_difference is None else abs(_price(version.peg_difference, row) or _ZERO),
        time_in_force=_NEUTRAL_LIVES.get(version.time_in_force, TimeInForce.DAY),
        expires_ns=None if version.expire_time is None else time_ns(version.expire_time, "expireTime"),
    )
    created_ns = time_ns(row.timestamp, "timestamp of an order") if row.timestamp else 0
    return Shown(account, order, str(row.id), row.ord_status, row.parent_id, created_ns)


def version_in_force(versions: Iterable[VersionRow], void: Container[int]) -> VersionRow | None:
    """The newest terms, apart from those whose command is void: refused, or still being asked for."""
    return max((one for one in versions if one.id not in void), key=lambda one: one.id, default=None)


def void_commands(row: OrderRow, commands: Iterable[CommandRow], failed: Container[int]) -> frozenset[int]:
    """The changes of an order, as lists show it, whose terms do not hold."""
    changes = [one for one in commands if one.command_type == "Modify"]
    refused = {one.id for one in changes if one.id in failed or one.command_status in FAILED}
    waiting = {max(one.id for one in changes)} if changes and row.ord_status == "PendingReplace" else set()
    return frozenset(refused | waiting)


def key_in(commands: Iterable[CommandRow]) -> str | None:
    """Our key of an order, which stands on the command that made it."""
    return next((one.cl_ord_id for one in commands if one.command_type == "New" and one.cl_ord_id), None)


def fill_of(row: FillRow, account: str, symbol: str | None, key: str | None, fee: Decimal) -> Fill:
    """An execution; raises BadPayload for one that cannot be, or is of something that we do not trade."""
    if symbol is None:
        raise BadPayload(f"fill {row.id}", "a contract of the instrument table", row)
    side = _SIDES.get(row.action)
    if side is None or not quantity(row.qty, f"qty of fill {row.id}"):
        raise BadPayload(f"fill {row.id}", "a known action and a quantity above 0", (row.action, row.qty))
    return Fill(
        id=str(row.id),
        broker=BROKER,
        account=account,
        symbol=symbol,
        side=side,
        quantity=row.qty,
        price=price(row.price, f"price of fill {row.id}"),
        time_ns=time_ns(row.timestamp, f"timestamp of fill {row.id}"),
        order_key=key,
        broker_order_id=str(row.order_id),
        fee=fee,
    )


def new_terms(key: str, before: Order, after: Order) -> Change | None:
    """What changed in the terms of an order; None where nothing did."""
    terms = ("quantity", "limit_price", "stop_price", "trail_offset")
    news = {term: getattr(after, term) for term in terms if getattr(after, term) not in (None, getattr(before, term))}
    return Change(key, **news) if news else None


def _price(value: Decimal | None, row: OrderRow) -> Decimal | None:
    return None if value is None else price(value, f"a price of order {row.id}")
