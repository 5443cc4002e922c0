"""What a strategy may answer, as values that do nothing by themselves.

In a decision the `key` of an order is a tag: the strategy's own name for it, by which it changes and cancels the order
and is told of it. The trader puts a real key in its place (`keyed`) before anything is journalled or sent. A tag is
free again when its order is done. The orders of a bracket with the tag `entry` are `entry`, `entry.stop` and
`entry.target`, together `entry.group`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side
from runtime.quick import quick


@quick
@attrs.frozen(weakref_slot=False)
class Submit:
    """Send an order, or a group of orders as one; keys are tags."""

    request: Order | OrderGroup

    @property
    def tag(self) -> str:
        """The tag of the order, or of the first order of the group."""
        return self.orders[0].key

    @property
    def orders(self) -> tuple[Order, ...]:
        """The order, or the orders of the group."""
        return self.request.orders if isinstance(self.request, OrderGroup) else (self.request,)


@attrs.frozen
class Modify:
    """Give an open order new terms; the key of the change is the order's tag."""

    change: Change

    @property
    def tag(self) -> str:
        """The tag of the order."""
        return self.change.key


@attrs.frozen
class Cancel:
    """Cancel an order; one that is done already is fine."""

    tag: str


@attrs.frozen
class CancelAll:
    """Cancel the session's open orders, of one contract or of all."""

    symbol: str | None = None


@attrs.frozen
class Flatten:
    """Cancel the open orders and close the position at the market, of one contract or of all.

    Until it is done, a closing order is open under the tag `flatten.` with its contract, such as `flatten.ESZ26`.
    """

    symbol: str | None = None


@attrs.frozen
class Keep:
    """Have this as the state from the next event on; it is journalled, and survives a restart."""

    state: Any


FLATTENING: Final = "flatten."  # begins the tags of closing orders; no strategy may use it for its own

Decision = Submit | Modify | Cancel | CancelAll | Flatten | Keep
Decisions = Decision | Sequence[Decision] | None


def buy(
    symbol: str,
    quantity: Decimal | int,
    *,
    tag: str = "entry",
    limit: Decimal | None = None,
    trigger: Decimal | None = None,
    stop: Decimal | None = None,
    target: Decimal | None = None,
    reduce_size: bool = False,
    **terms: Any,
) -> Submit:
    """Buys at the market, at `limit` or better, or once the price is at `trigger`.

    With `stop` or `target` it becomes a bracket whose exits live until cancelled; with `reduce_size` a part fill of
    one exit shrinks the other, where the broker can do that. `terms` are further fields of the entry's Order.
    """
    entry = _entry(Side.BUY, symbol, quantity, tag, limit, trigger, terms)
    return _with_exits(entry, stop, target, reduce_size)


def sell(
    symbol: str,
    quantity: Decimal | int,
    *,
    tag: str = "entry",
    limit: Decimal | None = None,
    trigger: Decimal | None = None,
    stop: Decimal | None = None,
    target: Decimal | None = None,
    reduce_size: bool = False,
    **terms: Any,
) -> Submit:
    """Sells; the mirror image of `buy`."""
    entry = _entry(Side.SELL, symbol, quantity, tag, limit, trigger, terms)
    return _with_exits(entry, stop, target, reduce_size)


def modify(
    tag: str,
    *,
    quantity: Decimal | int | None = None,
    limit: Decimal | None = None,
    trigger: Decimal | None = None,
) -> Modify:
    """New terms for an open order; None keeps the term, and `quantity` counts what is filled already."""
    return Modify(Change(tag, None if quantity is None else Decimal(quantity), limit, trigger))


_TYPES = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}


def _entry(
    side: Side,
    symbol: str,
    quantity: Decimal | int,
    tag: str,
    limit: Decimal | None,
    trigger: Decimal | None,
    terms: dict[str, Any],
) -> Order:
    kind = _TYPES[limit is not None, trigger is not None]
    return Order(tag, symbol, side, kind, Decimal(quantity), limit_price=limit, stop_price=trigger, **terms)


def _with_exits(entry: Order, stop: Decimal | None, target: Decimal | None, reduce_size: bool) -> Submit:
    exits: list[Order] = []
    if stop is not None:
        exits.append(attrs.evolve(_exit(entry, "stop", OrderType.STOP), stop_price=stop))
    if target is not None:
        exits.append(attrs.evolve(_exit(entry, "target", OrderType.LIMIT), limit_price=target))
    if not exits:
        return Submit(entry)
    return Submit(OrderGroup(f"{entry.key}.group", GroupKind.BRACKET, entry, tuple(exits), reduce_size))


def _exit(entry: Order, name: str, kind: OrderType) -> Order:
    tag = f"{entry.key}.{name}"
    return Order(tag, entry.symbol, entry.side.opposite, kind, entry.quantity, time_in_force=TimeInForce.GTC)


def keyed(request: Order | OrderGroup, keys: Mapping[str, str]) -> Order | OrderGroup:
    """The request with real keys in place of its tags; raises KeyError for a tag without a key."""
    if isinstance(request, Order):
        return attrs.evolve(request, key=keys[request.key])
    return attrs.evolve(
        request,
        key=keys[request.key],
        parent=None if request.parent is None else attrs.evolve(request.parent, key=keys[request.parent.key]),
        children=tuple(attrs.evolve(child, key=keys[child.key]) for child in request.children),
    )
