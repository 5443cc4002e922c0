"""What a request would do to the state of risk: the figures that all checks look at, computed once."""

from decimal import Decimal

import attrs

from brokers.guards.ladder import Action
from brokers.instruments import EXACT, Instrument, Kind, sane
from brokers.market import MarketStatus
from brokers.model import Change, GroupKind, Order, OrderGroup
from brokers.sides import Side
from runtime.quick import quick
from sessions.risk.book import RiskBook
from sessions.risk.denial import Denial, Reason
from sessions.risk.events import ChangeAsked, Placed, RiskEvent
from sessions.risk.lines import Line
from sessions.risk.open_orders import OpenOrder

_ZERO = Decimal(0)
_ONE = Decimal(1)


@attrs.frozen
class Amend:
    """Asks to change a live order, given as it stands."""

    order: Order
    change: Change


@attrs.frozen
class Cancel:
    """Asks to cancel an order."""

    key: str


Request = Order | OrderGroup | Amend | Cancel


@quick
@attrs.frozen(weakref_slot=False)
class Facts:
    """What is known of a request's symbol at this moment; what is not known is None, and then nothing new is risked.

    `rate` is what one unit of the instrument's price currency is worth in the currency of risk.
    """

    now_ns: int
    instrument: Instrument | None
    last: Decimal | None
    quoted_ns: int | None
    rate: Decimal | None = _ONE
    market: MarketStatus | None = None


@quick
@attrs.frozen(weakref_slot=False)
class Case:
    """A request and its worst consequences.

    `orders` are held against the limits of a single order: a bracket's parent, and all orders of other groups.
    `growth` is how much the worst position grows, `worth` the money value of one unit, None where it has no price.
    """

    action: Action
    facts: Facts
    orders: tuple[Order, ...]
    growth: Decimal
    worth: Decimal | None
    opened: int
    sent: int
    events: tuple[RiskEvent, ...]


def case_of(session: str, request: Order | OrderGroup | Amend, facts: Facts, book: RiskBook) -> Case | Denial:
    """The case of a request, whose numbers are sound, against a session's book; or why there is none."""
    if isinstance(request, Order):
        return _order_case(session, request, facts, book)
    if isinstance(request, OrderGroup):
        return _group_case(session, request, facts, book)
    return _change_case(session, request, facts, book)


def _order_case(session: str, order: Order, facts: Facts, book: RiskBook) -> Case:
    line = book.lines.seen(session, order.symbol)
    worth = unit_worth(facts, (order,))
    placed = Placed(session, order.key, order.symbol, order.side, order.quantity, facts.now_ns, worth)
    buys, sells = (order.quantity, _ZERO) if order.side is Side.BUY else (_ZERO, order.quantity)
    action = Action.REDUCE_RISK if _reduces(line, buys, sells) else Action.ADD_RISK
    growth = _growth(line, buys, sells)
    return Case(action, facts, (order,), growth, worth, 1, 1, (placed,))


def _group_case(session: str, group: OrderGroup, facts: Facts, book: RiskBook) -> Case | Denial:
    orders = group.orders
    if len({order.symbol for order in orders}) != 1:
        return Denial(Reason.MIXED_SYMBOLS, session, "expected one symbol in a group, got another number of them")
    bracket = group.kind is GroupKind.BRACKET
    if bracket and not _is_covered(group):
        text = "expected exits on the other side, each no larger than the entry; correct the bracket"
        return Denial(Reason.EXIT_NOT_COVERED, session, text)
    judged = (group.parent,) if bracket and group.parent is not None else orders
    worth = unit_worth(facts, judged)
    line = book.lines.seen(session, orders[0].symbol)
    buys, sells = (_together(judged, side, group.kind) for side in Side)
    reduces = group.kind is GroupKind.OCO and _reduces(line, buys, sells)
    return Case(
        action=Action.REDUCE_RISK if reduces else Action.ADD_RISK,
        facts=facts,
        orders=judged,
        growth=_growth(line, buys, sells),
        worth=worth,
        opened=len(orders),
        sent=len(orders),
        events=tuple(_placed(session, group, order, facts.now_ns, worth) for order in orders),
    )


def _change_case(session: str, request: Amend, facts: Facts, book: RiskBook) -> Case | Denial:
    known = book.orders.orders.get(request.order.key)
    if known is None or known.session != session:
        text = f"no order {request.order.key!r} of this session is open; look it up before changing it"
        return Denial(Reason.ORDER_UNKNOWN, session, text, value=request.order.key)
    changed = request.change.applied_to(request.order)
    worth = unit_worth(facts, (changed,))
    more = book.orders.growth_at(known, changed.quantity)
    buys, sells = (more, _ZERO) if known.side is Side.BUY else (_ZERO, more)
    line = book.lines.seen(session, known.symbol)
    harmless = _only_shrinks(request.change, known) or _reduces(line, buys, sells, known.side)
    return Case(
        action=Action.REDUCE_RISK if harmless else Action.ADD_RISK,
        facts=facts,
        orders=(changed,),
        growth=_growth(line, buys, sells),
        worth=worth,
        opened=0,
        sent=1,
        events=(ChangeAsked(session, known.key, changed.quantity, facts.now_ns, worth),),
    )


def _reduces(line: Line, buys: Decimal, sells: Decimal, side: Side | None = None) -> bool:
    """Whether the position bears what more could fill, with all open orders of that side: a flip is no reduction."""
    held = line.held
    if held > 0:
        return not buys and side is not Side.BUY and EXACT.add(line.sells, sells) <= held
    if held < 0:
        return not sells and side is not Side.SELL and EXACT.add(line.buys, buys) <= held.copy_negate()
    return False


def _growth(line: Line, buys: Decimal, sells: Decimal) -> Decimal:
    after, before = line.worst_with(buys, sells), line.worst
    return EXACT.subtract(after, before) if after > before else _ZERO


def _only_shrinks(change: Change, known: OpenOrder) -> bool:
    prices = (change.limit_price, change.stop_price, change.trail_offset, change.trail_percent)
    return all(price is None for price in prices) and change.quantity is not None and change.quantity <= known.quantity


def _is_covered(group: OrderGroup) -> bool:
    entry = group.parent
    if entry is None:
        return False
    return all(child.side is not entry.side and child.quantity <= entry.quantity for child in group.children)


def _together(orders: tuple[Order, ...], side: Side, kind: GroupKind) -> Decimal:
    """How much orders that come together can fill on a side: of an OCO only one does."""
    quantities = [order.quantity for order in orders if order.side is side]
    if kind is GroupKind.OCO:
        return max(quantities, default=_ZERO)
    total = _ZERO
    for quantity in quantities:
        total = EXACT.add(total, quantity)
    return total


def _placed(session: str, group: OrderGroup, order: Order, now_ns: int, worth: Decimal | None) -> Placed:
    """The order as placed; entries and the children of an OTO stand alone, exits and an OCO's orders in their group."""
    placed = Placed(session, order.key, order.symbol, order.side, order.quantity, now_ns, worth)
    if group.kind is GroupKind.OTO or order is group.parent:
        return placed
    return attrs.evolve(placed, group=group.key, parent=None if group.parent is None else group.parent.key)


def unit_worth(facts: Facts, orders: tuple[Order, ...]) -> Decimal | None:
    """The money value of one unit at the last price, or at an order's own price where that is farther from nought."""
    instrument, rate, price = facts.instrument, facts.rate, facts.last
    if instrument is None or rate is None or price is None:
        return None
    if not (sane(price) and (rate is _ONE or (sane(rate) and rate > 0))):
        return None
    if instrument.kind is Kind.INVERSE:  # sized in its price currency already
        return EXACT.multiply(instrument.multiplier, rate)
    price = price.copy_abs()
    for order in orders:
        for own in (order.limit_price, order.stop_price):
            if own is not None and own.copy_abs() > price:
                price = own.copy_abs()
    worth = EXACT.multiply(price, instrument.multiplier)
    return worth if rate is _ONE else EXACT.multiply(worth, rate)
