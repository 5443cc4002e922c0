"""Whether an order or a group makes sense at all: pure checks of its own words, before any market is asked."""

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
    plain = order.type is OrderType.MARKET and order.limit_price is None and order.stop_price is None
    trails = order.type is OrderType.TRAILING_STOP or not (order.trail_offset is order.trail_percent is None)
    lapses = order.time_in_force is TimeInForce.GTD or order.expires_ns is not None
    return (
        _quantity_fault(order, instrument)
        or (None if plain else _price_fault(order, instrument))
        or (_trail_fault(order) if trails else None)
        or (_time_fault(order, now) if lapses else None)
        or (_post_only_fault(order) if order.post_only else None)
        or (_notional_fault(order, instrument) if instrument.min_notional is not None else None)
    )


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


def _quantity_fault(order: Order, instrument: Instrument) -> Refusal | None:
    quantity = order.quantity
    if not quantity.is_finite() or quantity <= 0:
        return Refusal(Code.BAD_QUANTITY, f"quantity must be above 0, got {quantity}")
    if not on_grid(quantity, instrument.lot):
        return Refusal(Code.BAD_QUANTITY, f"quantity must be whole lots of {instrument.lot}, got {quantity}")
    if instrument.min_quantity is not None and quantity < instrument.min_quantity:
        return Refusal(Code.BAD_QUANTITY, f"quantity must be {instrument.min_quantity} or more, got {quantity}")
    if instrument.max_quantity is not None and quantity > instrument.max_quantity:
        return Refusal(Code.BAD_QUANTITY, f"quantity must be {instrument.max_quantity} or less, got {quantity}")
    return None


def _price_fault(order: Order, instrument: Instrument) -> Refusal | None:
    fault = _one_price(order, instrument, "limit", order.limit_price, order.type in _WITH_LIMIT)
    trailing = order.type is OrderType.TRAILING_STOP
    if fault is not None or (trailing and order.stop_price is None):
        return fault
    return _one_price(order, instrument, "stop", order.stop_price, trailing or order.type in _WITH_STOP)


def _one_price(order: Order, instrument: Instrument, name: str, price: Decimal | None, wanted: bool) -> Refusal | None:
    if price is None and not wanted:
        return None
    kind = order.type.value.replace("_", " ")
    if price is None:
        return Refusal(Code.BAD_TERMS, f"a {kind} order needs a {name} price")
    if not wanted:
        return Refusal(Code.BAD_TERMS, f"a {kind} order has no {name} price, got {price}")
    if not price.is_finite() or (price <= 0 and instrument.kind is not Kind.FUTURE):
        return Refusal(Code.BAD_PRICE, f"the {name} price must be a price, got {price}")
    if not on_grid(price, instrument.tick):
        return Refusal(Code.BAD_PRICE, f"the {name} price must be whole ticks of {instrument.tick}, got {price}")
    return None


def _trail_fault(order: Order) -> Refusal | None:
    distances = [d for d in (order.trail_offset, order.trail_percent) if d is not None]
    wanted = 1 if order.type is OrderType.TRAILING_STOP else 0
    given = len(distances)
    if given != wanted:
        rule = "exactly one of offset and percent" if wanted else "neither trail offset nor trail percent"
        return Refusal(Code.BAD_TERMS, f"a {order.type.value.replace('_', ' ')} order takes {rule}, got {given}")
    if any(not distance.is_finite() or distance <= 0 for distance in distances):
        return Refusal(Code.BAD_PRICE, "the trailing distance must be above 0")
    if order.trail_percent is not None and order.trail_percent >= 100:
        return Refusal(Code.BAD_PRICE, f"the trail percent must be below 100, got {order.trail_percent}")
    return None


def _time_fault(order: Order, now: int) -> Refusal | None:
    expires = order.expires_ns
    if order.time_in_force is not TimeInForce.GTD:
        if expires is None:
            return None
        return Refusal(Code.BAD_TERMS, f"only a GTD order has an expiry time, this one is {order.time_in_force.value}")
    if expires is None or expires <= now:
        return Refusal(Code.BAD_TERMS, f"a GTD order needs an expiry time after {now}, got {expires}")
    return None


def _post_only_fault(order: Order) -> Refusal | None:
    if order.post_only and (order.type is not OrderType.LIMIT or order.time_in_force not in _RESTING_TIMES):
        return Refusal(Code.BAD_TERMS, "only a limit order that may rest can be post-only")
    return None


def _notional_fault(order: Order, instrument: Instrument) -> Refusal | None:
    price = order.limit_price if order.limit_price is not None else order.stop_price
    if instrument.min_notional is None or price is None:
        return None
    notional = abs(price) * order.quantity * instrument.multiplier
    if notional >= instrument.min_notional:
        return None
    return Refusal(
        Code.BAD_QUANTITY, f"the order must be worth {instrument.min_notional} or more, it is worth {notional}"
    )
