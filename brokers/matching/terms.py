"""Whether an order or a group makes sense at all: pure checks of its own words, before any market is asked."""

from collections.abc import Iterator
from decimal import Decimal

from brokers.instruments import Instrument, Kind
from brokers.matching.events import Code, Refusal
from brokers.matching.prices import on_grid
from brokers.model import GroupKind, Order, OrderGroup, OrderType, TimeInForce

_WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_WITH_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_RESTING_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})


def check_order(order: Order, instrument: Instrument, now: int) -> Refusal | None:
    """The first thing that is wrong with an order's terms; None when nothing is."""
    return next(_faults(order, instrument, now), None)


def check_group(group: OrderGroup) -> Refusal | None:
    """What is wrong with the shape of a group; None when nothing is."""
    with_parent = group.kind is not GroupKind.OCO
    if with_parent != (group.parent is not None):
        wanted = "needs a parent" if with_parent else "has no parent"
        return Refusal(Code.BAD_GROUP, f"a group of kind {group.kind.value} {wanted}")
    least = 1 if with_parent else 2
    if len(group.children) < least:
        return Refusal(
            Code.BAD_GROUP,
            f"a group of kind {group.kind.value} needs at least {least} children, got {len(group.children)}",
        )
    keys = [order.key for order in members(group)]
    if len(set(keys)) < len(keys):
        return Refusal(Code.BAD_GROUP, f"each order of a group needs a key of its own, got {', '.join(keys)}")
    return None


def members(group: OrderGroup) -> tuple[Order, ...]:
    """All orders of a group, the parent first."""
    return group.children if group.parent is None else (group.parent, *group.children)


def _faults(order: Order, instrument: Instrument, now: int) -> Iterator[Refusal]:
    yield from _quantity_faults(order, instrument)
    yield from _price_faults(order, instrument)
    yield from _trail_faults(order)
    yield from _time_faults(order, now)
    yield from _post_only_faults(order)
    yield from _notional_faults(order, instrument)


def _quantity_faults(order: Order, instrument: Instrument) -> Iterator[Refusal]:
    quantity = order.quantity
    if not quantity.is_finite() or quantity <= 0:
        yield Refusal(Code.BAD_QUANTITY, f"quantity must be above 0, got {quantity}")
    elif not on_grid(quantity, instrument.lot):
        yield Refusal(Code.BAD_QUANTITY, f"quantity must be whole lots of {instrument.lot}, got {quantity}")
    elif instrument.min_quantity is not None and quantity < instrument.min_quantity:
        yield Refusal(Code.BAD_QUANTITY, f"quantity must be {instrument.min_quantity} or more, got {quantity}")
    elif instrument.max_quantity is not None and quantity > instrument.max_quantity:
        yield Refusal(Code.BAD_QUANTITY, f"quantity must be {instrument.max_quantity} or less, got {quantity}")


def _price_faults(order: Order, instrument: Instrument) -> Iterator[Refusal]:
    trailing = order.type is OrderType.TRAILING_STOP
    yield from _one_price(order, instrument, "limit", order.limit_price, order.type in _WITH_LIMIT)
    if order.stop_price is not None or not trailing:
        yield from _one_price(order, instrument, "stop", order.stop_price, trailing or order.type in _WITH_STOP)


def _one_price(
    order: Order, instrument: Instrument, name: str, price: Decimal | None, wanted: bool
) -> Iterator[Refusal]:
    kind = order.type.value.replace("_", " ")
    if price is None:
        if wanted:
            yield Refusal(Code.BAD_TERMS, f"a {kind} order needs a {name} price")
    elif not wanted:
        yield Refusal(Code.BAD_TERMS, f"a {kind} order has no {name} price, got {price}")
    elif not price.is_finite() or (price <= 0 and instrument.kind is not Kind.FUTURE):
        yield Refusal(Code.BAD_PRICE, f"the {name} price must be a price, got {price}")
    elif not on_grid(price, instrument.tick):
        yield Refusal(Code.BAD_PRICE, f"the {name} price must be whole ticks of {instrument.tick}, got {price}")


def _trail_faults(order: Order) -> Iterator[Refusal]:
    distances = [d for d in (order.trail_offset, order.trail_percent) if d is not None]
    wanted = 1 if order.type is OrderType.TRAILING_STOP else 0
    given = len(distances)
    if given != wanted:
        rule = "exactly one of offset and percent" if wanted else "neither trail offset nor trail percent"
        yield Refusal(Code.BAD_TERMS, f"a {order.type.value.replace('_', ' ')} order takes {rule}, got {given}")
    elif any(not distance.is_finite() or distance <= 0 for distance in distances):
        yield Refusal(Code.BAD_PRICE, "the trailing distance must be above 0")
    elif order.trail_percent is not None and order.trail_percent >= 100:
        yield Refusal(Code.BAD_PRICE, f"the trail percent must be below 100, got {order.trail_percent}")


def _time_faults(order: Order, now: int) -> Iterator[Refusal]:
    if order.time_in_force is not TimeInForce.GTD:
        if order.expires_ns is not None:
            yield Refusal(
                Code.BAD_TERMS, f"only a GTD order has an expiry time, this one is {order.time_in_force.value}"
            )
    elif order.expires_ns is None or order.expires_ns <= now:
        yield Refusal(Code.BAD_TERMS, f"a GTD order needs an expiry time after {now}, got {order.expires_ns}")


def _post_only_faults(order: Order) -> Iterator[Refusal]:
    if order.post_only and (order.type is not OrderType.LIMIT or order.time_in_force not in _RESTING_TIMES):
        yield Refusal(Code.BAD_TERMS, "only a limit order that may rest can be post-only")


def _notional_faults(order: Order, instrument: Instrument) -> Iterator[Refusal]:
    price = order.limit_price if order.limit_price is not None else order.stop_price
    if instrument.min_notional is None or price is None:
        return
    notional = abs(price) * order.quantity * instrument.multiplier
    if notional < instrument.min_notional:
        yield Refusal(
            Code.BAD_QUANTITY, f"the order must be worth {instrument.min_notional} or more, it is worth {notional}"
        )
