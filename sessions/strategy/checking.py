"""A strategy is asked, and its answer is held against what an answer must be, before anything is done.

Rubbish here is what no trader could understand: another type, a price that is no number, an unknown symbol or tag. What
is understood but not allowed, such as a price off the grid, is for risk and the broker's rules: it is denied, and the
strategy is told.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, cast

import attrs

from brokers.instruments import sane
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side
from runtime.quick import quick
from sessions.strategy.decisions import FLATTENING, Cancel, CancelAll, Decision, Flatten, Keep, Modify, Submit
from sessions.strategy.errors import BadDecision, StrategyFailed, shown
from sessions.strategy.events import Event
from sessions.strategy.state import UnfitState, encode_state
from sessions.strategy.strategy import Strategy
from sessions.strategy.view import UnknownSymbol, View
from sessions.strategy.wants import Wants

MAX_DECISIONS: Final = 256  # for one event; more is a loop gone wrong
MAX_TAG: Final = 64

Act = Submit | Modify | Cancel | CancelAll | Flatten


@quick
@attrs.frozen(weakref_slot=False)
class Answer:
    """What a strategy wants done, in order; `state_json` is None when the state stays as it is."""

    acts: tuple[Act, ...] = ()
    state: object = None
    state_json: str | None = None


_NOTHING: Final = Answer()


def consult(strategy: Strategy[Any, Any], event: Event, view: View[Any]) -> Answer:
    """Asks a strategy about an event; raises StrategyFailed or BadDecision, after which nothing of it counts."""
    try:
        returned = strategy.decide(event, view)
    except (Exception, SystemExit) as error:
        raise StrategyFailed(_name(strategy), event, error) from error
    if returned is None or (isinstance(returned, list | tuple) and not returned):
        return _NOTHING
    return _checked(strategy, event, view, returned)


def wants_of(strategy: Strategy[Any, Any]) -> Wants:
    """What a strategy asks for; raises StrategyFailed or BadDecision."""
    try:
        wants: object = strategy.wants()
    except (Exception, SystemExit) as error:
        raise StrategyFailed(_name(strategy), None, error) from error
    if not isinstance(wants, Wants):
        raise BadDecision(_name(strategy), None, wants, "its Wants")
    return wants


class _Rubbish(Exception):
    """What is wrong with a value, on its way to become a BadDecision."""

    def __init__(self, value: object, expected: str) -> None:
        self.value = value
        self.expected = expected


def _checked(strategy: Strategy[Any, Any], event: Event, view: View[Any], returned: object) -> Answer:
    acts: list[Act] = []
    state, state_json = view.state, None
    tags = set(view.orders)
    try:
        for decision in _listed(returned):
            if isinstance(decision, Keep):
                state, state_json = decision.state, _kept(strategy, view, decision)
            else:
                _check(decision, view, tags)
                acts.append(decision)
    except _Rubbish as rubbish:
        raise BadDecision(_name(strategy), event, rubbish.value, rubbish.expected) from rubbish.__cause__
    return Answer(tuple(acts), state, state_json)


def _listed(returned: object) -> list[Decision]:
    found = returned if isinstance(returned, list | tuple) else (returned,)
    if len(found) > MAX_DECISIONS:
        raise _Rubbish(f"{len(found)} decisions", f"at most {MAX_DECISIONS} for one event")
    decisions: list[Decision] = []
    for decision in found:
        if not isinstance(decision, Decision):
            raise _Rubbish(decision, "a decision, a list of decisions, or None")
        decisions.append(decision)
    return decisions


def _kept(strategy: Strategy[Any, Any], view: View[Any], keep: Keep) -> str | None:
    """The state's JSON, or None for the state that is kept already."""
    if keep.state is view.state:
        return None
    try:
        text = encode_state(type(strategy), keep.state)
    except UnfitState as error:
        raise _Rubbish(keep, error.expected) from error
    return None if keep.state == view.state else text


def _check(decision: Act, view: View[Any], tags: set[str]) -> None:
    match decision:
        case Submit():
            _check_submit(decision, view, tags)
        case Modify():
            _check_change(decision, tags)
        case Cancel():
            _check_tag(decision, decision.tag)
        case _:
            _check_symbol(decision, decision.symbol, view, optional=True)


def _check_submit(submit: Submit, view: View[Any], tags: set[str]) -> None:
    request: object = submit.request
    if isinstance(request, OrderGroup):
        _check_group(submit, request)
    elif not isinstance(request, Order):
        raise _Rubbish(submit, "an Order or an OrderGroup to submit")
    for order in submit.orders:
        if not _is_plain(order):
            _check_fields(submit, order, _ORDER)
        _check_symbol(submit, order.symbol, view)
        _check_tag(submit, order.key)
        if order.key.startswith(FLATTENING):
            raise _Rubbish(submit, f"a tag that does not begin with {FLATTENING!r}, as those of closing orders do")
        if order.key in tags:
            raise _Rubbish(submit, f"a tag that is free; {order.key!r} is still open: modify or cancel it")
        tags.add(order.key)


def _is_plain(order: Order) -> bool:
    """Whether it is what most orders are, at a glance: at the market or at a limit, and nothing is odd about it."""
    return (
        type(order.side) is Side
        and type(order.type) is OrderType
        and type(order.time_in_force) is TimeInForce
        and _size(order.quantity)
        and (order.limit_price is None or sane(order.limit_price))
        and order.stop_price is order.trail_offset is order.trail_percent is None
        and order.expires_ns is None
        and order.extended_hours is order.reduce_only is order.post_only is False
    )


def _check_group(submit: Submit, group: OrderGroup) -> None:
    _check_tag(submit, group.key)
    kind, children, parent = cast("tuple[object, object, object]", (group.kind, group.children, group.parent))
    if not isinstance(kind, GroupKind) or not isinstance(children, tuple) or not children:
        raise _Rubbish(submit, "a group with a GroupKind and a tuple of children")
    members = children if parent is None else (parent, *children)
    if not all(isinstance(order, Order) for order in members):
        raise _Rubbish(submit, "a group of single orders")


def _check_change(modify: Modify, tags: set[str]) -> None:
    change: object = modify.change
    if not isinstance(change, Change):
        raise _Rubbish(modify, "a Change to make")
    _check_fields(modify, change, _CHANGE)
    _check_tag(modify, change.key)
    if change.key not in tags:
        raise _Rubbish(modify, f"the tag of an open order, which are {', '.join(sorted(tags)) or 'none now'}")


def _check_tag(decision: object, tag: object) -> None:
    if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG or not tag.isprintable():
        raise _Rubbish(decision, f"a tag of 1 to {MAX_TAG} printable characters")


def _check_symbol(decision: object, symbol: object, view: View[Any], *, optional: bool = False) -> None:
    if symbol is None and optional:
        return
    if not isinstance(symbol, str):
        raise _Rubbish(decision, "a symbol")
    try:
        contract = view.symbol(symbol)
    except UnknownSymbol as error:
        raise _Rubbish(decision, str(error)) from error
    if contract != symbol:
        raise _Rubbish(decision, f"a contract such as {contract!r}; {symbol!r} is its root: ask view.symbol")


def _check_fields(decision: object, value: Order | Change, fields: "_Fields") -> None:
    for name, fits, expected in fields:
        found = getattr(value, name)
        if not fits(found):
            raise _Rubbish(decision, f"{expected} as {name}, got {shown(found)}")


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: type(value) is kind


def _size(value: object) -> bool:
    return isinstance(value, Decimal) and sane(value) and value > 0


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _name(strategy: Strategy[Any, Any]) -> str:
    return type(strategy).__qualname__


_Fields = tuple[tuple[str, Callable[[object], bool], str], ...]

_PRICES: Final[_Fields] = tuple(
    (name, _or_none(sane), "a finite Decimal or None")
    for name in ("limit_price", "stop_price", "trail_offset", "trail_percent")
)
_FLAGS: Final[_Fields] = tuple(
    (name, _is(bool), "True or False") for name in ("extended_hours", "reduce_only", "post_only")
)
_ORDER: Final[_Fields] = (
    ("side", _is(Side), "a Side"),
    ("type", _is(OrderType), "an OrderType"),
    ("quantity", _size, "a Decimal above 0"),
    ("time_in_force", _is(TimeInForce), "a TimeInForce"),
    ("expires_ns", _or_none(_is(int)), "nanoseconds or None"),
    *_PRICES,
    *_FLAGS,
)
_CHANGE: Final[_Fields] = (("quantity", _or_none(_size), "a Decimal above 0 or None"), *_PRICES)
