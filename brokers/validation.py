"""Orders, groups and changes checked before anything is sent: all that is wrong at once, and what would be right.

Checks are pure functions of the order and of what is known around it. They ask the instrument for its grid and
sizes, the broker's capability record for what it takes, and the moment for the market, the time and the position.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

import attrs

from brokers.capability import Capability, OrderSupport, Replace
from brokers.errors import Code, InvalidOrder, Problem
from brokers.instruments import EXACT, Instrument, Kind, sane
from brokers.market import MarketStatus
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side
from runtime.quick import quick

_ZERO: Final = Decimal(0)
_DAY_NS: Final = 86_400 * 1_000_000_000
_UNIX_DAY: Final = 719_163  # the ordinal of 1970-01-01
_SANE: Final = "a finite decimal of at most 40 places on each side of its point"
_LIMITED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPPED: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_AT_ONCE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_MAY_BE_NEGATIVE: Final = frozenset({Kind.FUTURE})


class Rounding(enum.Enum):
    """Which point of a grid to take for a figure between two."""

    DOWN = "down"  # towards minus infinity
    UP = "up"  # towards plus infinity
    NEAREST = "nearest"  # ties go to the even multiple


def round_to_tick(price: Decimal, tick: Decimal, rounding: Rounding) -> Decimal:
    """The price on the tick grid; raises ValueError for figures without sense."""
    return _on_step(price, tick, rounding)


def round_to_lot(quantity: Decimal, lot: Decimal, rounding: Rounding) -> Decimal:
    """The quantity on the lot grid; raises ValueError for figures without sense."""
    return _on_step(quantity, lot, rounding)


def _on_step(value: Decimal, step: Decimal, rounding: Rounding) -> Decimal:
    if not (sane(value) and sane(step) and step > 0):
        raise ValueError(f"cannot round {value!r} to steps of {step!r}; expected {_SANE}, and a step above 0")
    quotient, rest = EXACT.divmod(value, step)
    if not rest:
        return value
    floor = quotient if rest > 0 else EXACT.subtract(quotient, Decimal(1))
    above = EXACT.subtract(value, EXACT.multiply(floor, step))
    twice = EXACT.add(above, above)
    nearest_is_up = twice > step or (twice == step and EXACT.remainder(floor, Decimal(2)) != 0)
    up = rounding is Rounding.UP or (rounding is Rounding.NEAREST and nearest_is_up)
    return EXACT.multiply(EXACT.add(floor, Decimal(up)), step)


@quick
@attrs.frozen(weakref_slot=False)
class Circumstances:
    """What an order is checked against at one moment; position and reference price are of its symbol."""

    capability: Capability
    instruments: Mapping[str, Instrument]
    market: MarketStatus
    now_ns: int
    position: Decimal = _ZERO
    reference_price: Decimal | None = None  # for the notional of orders without a price; None: not checked


def validate_order(order: Order, given: Circumstances) -> None:
    """Passes an order that may be sent; raises InvalidOrder with all that is wrong."""
    _refuse(given, order_problems(order, given))


def validate_group(group: OrderGroup, given: Circumstances) -> None:
    """Passes a group that may be sent; raises InvalidOrder with all that is wrong in it and between its orders."""
    _refuse(given, group_problems(group, given))


def validate_change(order: Order, change: Change, filled: Decimal, given: Circumstances) -> None:
    """Passes new terms that may be sent for a live order; raises InvalidOrder with all that is wrong."""
    _refuse(given, change_problems(order, change, filled, given))


def _refuse(given: Circumstances, problems: Iterable[Problem]) -> None:
    listed = tuple(problems)
    if listed:
        raise InvalidOrder(given.capability.broker, Code.INVALID_ORDER, problems=listed)


def order_problems(order: Order, given: Circumstances) -> Iterator[Problem]:
    """All that is wrong with an order by itself."""
    yield from _terms_problems(order, given)
    if order.reduce_only:
        yield from _reduce_only_problems(order, order.quantity, given)


def group_problems(group: OrderGroup, given: Circumstances) -> Iterator[Problem]:
    """All that is wrong with the orders of a group, and between them."""
    orders = given.capability.orders
    if orders is not None:
        yield from _group_support_problems(group, orders)
    nested = list(_nested_problems(group))
    if nested:
        yield from nested
        return
    yield from _shape_problems(group)
    for name, order in _members(group):
        # A child's position comes from its parent, so only an order of its own is held against the present one.
        alone = order is group.parent or group.parent is None
        found = order_problems(order, given) if alone else _terms_problems(order, given)
        yield from (attrs.evolve(problem, field=f"{name}.{problem.field}") for problem in found)


def change_problems(order: Order, change: Change, filled: Decimal, given: Circumstances) -> Iterator[Problem]:
    """All that is wrong with new terms for an order of which so much is filled."""
    if change.key != order.key:
        yield Problem("key", change.key, f"the key {order.key!r} of the order")
    if given.capability.orders is not None and given.capability.orders.replace is Replace.NONE:
        yield Problem("replace", "a change", "a cancel and, once confirmed, a new order: this broker changes none")
    changed = change.applied_to(order)
    if not _differs(change, order):
        yield Problem("change", "no new term", "at least one term that differs")
    yield from _terms_problems(changed, given)
    if not sane(changed.quantity):
        return
    if changed.quantity <= filled:
        yield Problem("quantity", changed.quantity, f"more than the {filled} filled already; else cancel the rest")
    elif changed.reduce_only:
        yield from _reduce_only_problems(changed, EXACT.subtract(changed.quantity, filled), given)


def _differs(change: Change, order: Order) -> bool:
    terms = attrs.asdict(change, filter=lambda field, value: field.name != "key" and value is not None)
    return not all(_same(value, getattr(order, name)) for name, value in terms.items())


def _same(one: Decimal | None, other: Decimal | None) -> bool:
    return sane(one) and sane(other) and one == other


# One order.


def _terms_problems(order: Order, given: Circumstances) -> Iterator[Problem]:
    orders = given.capability.orders
    if orders is None:
        yield Problem("broker", given.capability.broker, "a broker that takes orders")
        return
    yield from _support_problems(order, orders)
    yield from _market_problems(order, orders, given.market)
    if order.time_in_force is TimeInForce.GTD or order.expires_ns is not None:
        yield from _time_problems(order, given.now_ns)
    if order.post_only:
        yield from _post_only_problems(order)
    instrument = given.instruments.get(order.symbol)
    if instrument is None:
        yield Problem("symbol", order.symbol, "a symbol of this broker")
        return
    yield from _instrument_problems(instrument, orders, given.now_ns)
    yield from _quantity_problems(order.quantity, instrument)
    if order.type is not OrderType.MARKET or order.limit_price is not None or order.stop_price is not None:
        yield from _price_problems(order, instrument)
    if order.type is OrderType.TRAILING_STOP or order.trail_offset is not None or order.trail_percent is not None:
        yield from _trail_problems(order, instrument)
    if instrument.min_notional is not None:
        yield from _notional_problems(order, instrument, instrument.min_notional, given.reference_price)


def _support_problems(order: Order, orders: OrderSupport) -> Iterator[Problem]:
    if order.type not in orders.types:
        yield Problem("type", order.type, f"one of {_listed(orders.types)}")
    if order.time_in_force not in orders.times_in_force:
        yield Problem("time_in_force", order.time_in_force, f"one of {_listed(orders.times_in_force)}")
    if order.extended_hours and MarketStatus.EXTENDED not in orders.sessions:
        yield _not_offered("extended_hours", order.extended_hours)
    if order.reduce_only and not orders.reduce_only:
        yield _not_offered("reduce_only", order.reduce_only)
    if order.post_only and not orders.post_only:
        yield _not_offered("post_only", order.post_only)
    if order.trail_percent is not None and not orders.trail_percent:
        yield Problem("trail_percent", order.trail_percent, "None: this broker trails by an offset only")


def _not_offered(field: str, asked: object) -> Problem:
    return Problem(field, asked, "False: this broker does not offer it")


def _market_problems(order: Order, orders: OrderSupport, market: MarketStatus) -> Iterator[Problem]:
    queued = MarketStatus.CLOSED in orders.sessions
    if market not in orders.sessions and (market is MarketStatus.HALTED or not queued):
        yield Problem("market", market, f"{_listed(orders.sessions)}; try again then")
    elif market is MarketStatus.EXTENDED and not (order.extended_hours or queued):
        yield Problem("market", market, "open, or an order for extended hours")


def _time_problems(order: Order, now_ns: int) -> Iterator[Problem]:
    expires = order.expires_ns
    if order.time_in_force is not TimeInForce.GTD:
        if expires is not None:
            yield Problem("expires_ns", expires, "None, or time_in_force gtd")
    elif expires is None or expires <= now_ns:
        yield Problem("expires_ns", expires, f"a time after now, {now_ns}")


def _post_only_problems(order: Order) -> Iterator[Problem]:
    if order.type is not OrderType.LIMIT:
        yield Problem("post_only", order.post_only, f"False, or a limit order: {order.type.value} may take")
    if order.time_in_force in _AT_ONCE:
        yield Problem("post_only", order.post_only, f"False: {order.time_in_force.value} cannot rest")


def _instrument_problems(instrument: Instrument, orders: OrderSupport, now_ns: int) -> Iterator[Problem]:
    if instrument.kind not in orders.kinds:
        yield Problem("symbol", instrument.symbol, f"one of the kinds {_listed(orders.kinds)}")
    if instrument.expiry is not None and now_ns // _DAY_NS + _UNIX_DAY > instrument.expiry.toordinal():
        yield Problem("symbol", instrument.symbol, f"a living contract: this one expired on {instrument.expiry}")


def _quantity_problems(quantity: Decimal, instrument: Instrument) -> Iterator[Problem]:
    if not sane(quantity):
        yield Problem("quantity", quantity, _SANE)
        return
    if quantity <= 0:
        yield Problem("quantity", quantity, "more than 0")
        return
    if EXACT.remainder(quantity, instrument.lot):
        yield Problem("quantity", quantity, f"whole lots of {instrument.lot}{_neighbours(quantity, instrument.lot)}")
    if instrument.min_quantity is not None and quantity < instrument.min_quantity:
        yield Problem("quantity", quantity, f"at least {instrument.min_quantity}")
    if instrument.max_quantity is not None and quantity > instrument.max_quantity:
        yield Problem("quantity", quantity, f"at most {instrument.max_quantity}")


def _price_problems(order: Order, instrument: Instrument) -> Iterator[Problem]:
    prices = (
        ("limit_price", order.limit_price, order.type in _LIMITED, order.type in _LIMITED),
        (
            "stop_price",
            order.stop_price,
            order.type in _STOPPED,
            order.type in _STOPPED or order.type is OrderType.TRAILING_STOP,
        ),
    )
    for field, price, needed, allowed in prices:
        if price is None:
            if needed:
                yield Problem(field, None, f"a price: {order.type.value} needs one")
        elif not allowed:
            yield Problem(field, price, f"None: {order.type.value} has no such price")
        else:
            yield from _on_tick_problems(field, price, instrument, instrument.kind in _MAY_BE_NEGATIVE)


def _trail_problems(order: Order, instrument: Instrument) -> Iterator[Problem]:
    offset, percent = order.trail_offset, order.trail_percent
    if order.type is not OrderType.TRAILING_STOP:
        for field, value in (("trail_offset", offset), ("trail_percent", percent)):
            if value is not None:
                yield Problem(field, value, f"None: {order.type.value} does not trail")
        return
    if (offset is None) == (percent is None):
        yield Problem("trail_offset", offset, "either trail_offset or trail_percent")
    if offset is not None:
        yield from _on_tick_problems("trail_offset", offset, instrument, may_be_negative=False)
    if percent is not None and not (sane(percent) and 0 < percent < 100):
        yield Problem("trail_percent", percent, "between 0 and 100, both excluded")


def _on_tick_problems(field: str, price: Decimal, instrument: Instrument, may_be_negative: bool) -> Iterator[Problem]:
    if not sane(price):
        yield Problem(field, price, _SANE)
        return
    if price <= 0 and not may_be_negative:
        yield Problem(field, price, "more than 0")
    if EXACT.remainder(price, instrument.tick):
        yield Problem(field, price, f"a multiple of the tick {instrument.tick}{_neighbours(price, instrument.tick)}")


def _notional_problems(
    order: Order, instrument: Instrument, least: Decimal, reference: Decimal | None
) -> Iterator[Problem]:
    price = next((price for price in (order.limit_price, order.stop_price, reference) if price is not None), None)
    if price is None or not (sane(price) and sane(order.quantity)):
        return
    notional = EXACT.multiply(order.quantity, instrument.multiplier)
    if instrument.kind is not Kind.INVERSE:  # an inverse contract is sized in the quote currency already
        notional = EXACT.multiply(notional, price.copy_abs())
    if notional < least:
        wanted = f"a size worth at least {least} {instrument.currency}; this is worth {notional}"
        yield Problem("quantity", order.quantity, wanted)


def _reduce_only_problems(order: Order, open_quantity: Decimal, given: Circumstances) -> Iterator[Problem]:
    against = given.position < 0 if order.side is Side.BUY else given.position > 0
    reducible = given.position.copy_abs() if against else _ZERO
    if sane(open_quantity) and open_quantity > reducible:
        sense = f"at most {reducible}, which a {order.side.value} can reduce of the position of {given.position}"
        yield Problem("quantity", open_quantity, sense)


# Groups.


def _members(group: OrderGroup) -> Iterator[tuple[str, Order]]:
    if group.parent is not None:
        yield "parent", group.parent
    for number, child in enumerate(group.children):
        yield f"children[{number}]", child


def _nested_problems(group: OrderGroup) -> Iterator[Problem]:
    members: Iterable[tuple[str, object]] = _members(group)
    for name, member in members:
        if not isinstance(member, Order):
            yield Problem(name, type(member).__name__, "one order: groups do not nest")


def _group_support_problems(group: OrderGroup, orders: OrderSupport) -> Iterator[Problem]:
    if group.kind not in orders.groups:
        offered = [kind for kind in GroupKind if kind in orders.groups]
        yield Problem("kind", group.kind, f"one of {_listed(offered)}" if offered else "single orders only")
    if group.reduce_size and not orders.oco_reduce:
        yield Problem("reduce_size", group.reduce_size, "False: siblings do not shrink at this broker")


def _shape_problems(group: OrderGroup) -> Iterator[Problem]:
    parented = group.kind is not GroupKind.OCO
    if parented != (group.parent is not None):
        wanted = "an order to enter with" if parented else "None: the orders of an oco stand side by side"
        yield Problem("parent", None if group.parent is None else group.parent.key, wanted)
    least = 1 if parented else 2
    if len(group.children) < least:
        yield Problem("children", len(group.children), f"at least {least}")
    if group.reduce_size and group.kind is GroupKind.OTO:
        yield Problem("reduce_size", group.reduce_size, "False: the children of an oto are independent")
    yield from _sameness_problems(group)
    if group.kind is GroupKind.BRACKET and group.parent is not None:
        yield from _exit_problems(group.parent.side, group)
    if group.kind is not GroupKind.OTO:
        yield from _crossing_problems(group)


def _sameness_problems(group: OrderGroup) -> Iterator[Problem]:
    members = list(_members(group))
    seen = {group.key}
    for name, order in members:
        if order.key in seen:
            yield Problem(f"{name}.key", order.key, "a key that no other order of the group has")
        seen.add(order.key)
    for name, order in members[1:]:
        first_name, first = members[0]
        if order.symbol != first.symbol:
            yield Problem(f"{name}.symbol", order.symbol, f"{first.symbol!r}, as in {first_name}")
        comparable = sane(order.quantity) and sane(first.quantity)
        if group.kind is not GroupKind.OTO and comparable and order.quantity != first.quantity:
            yield Problem(f"{name}.quantity", order.quantity, f"{first.quantity}, as in {first_name}")


def _exit_problems(entry: Side, group: OrderGroup) -> Iterator[Problem]:
    for number, child in enumerate(group.children):
        if child.side is entry:
            yield Problem(
                f"children[{number}].side", child.side, f"{entry.opposite.value}: it leaves what the parent enters"
            )


def _crossing_problems(group: OrderGroup) -> Iterator[Problem]:
    """A limit must lie on the better side of each stop of its own side, or both would trade at once."""
    for number, one in enumerate(group.children):
        for other in group.children:
            if one.type is OrderType.LIMIT and one.side is other.side and _crosses(one, other):
                better = "below" if one.side is Side.BUY else "above"
                yield Problem(
                    f"children[{number}].limit_price", one.limit_price, f"{better} {other.stop_price}, a stop"
                )


def _crosses(one: Order, other: Order) -> bool:
    limit, stop = one.limit_price, other.stop_price
    if limit is None or stop is None or not (sane(limit) and sane(stop)):
        return False
    return limit >= stop if one.side is Side.BUY else limit <= stop


def _neighbours(value: Decimal, step: Decimal) -> str:
    points = (_on_step(value, step, rounding) for rounding in (Rounding.DOWN, Rounding.UP))
    return f", such as {' or '.join(str(point) for point in points if point)}"


def _listed(members: Iterable[enum.Enum]) -> str:
    return ", ".join(sorted(str(member.value) for member in members))
