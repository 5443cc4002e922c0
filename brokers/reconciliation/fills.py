"""Executions: each is booked once, on the order that it belongs to, and takes the place of what was made up for it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from brokers.executions import Execution
from brokers.instruments import EXACT
from brokers.ledger import Correction
from brokers.lifecycle import LifecycleError, OrderLife, advance
from brokers.model import Fill, Order, OrderReport, OrderType
from brokers.order_events import Acknowledged, Corrected, Filled
from brokers.reconciliation.books import Claim
from brokers.reconciliation.draft import Draft, unresolved
from brokers.reconciliation.events import (
    Adopted,
    Concern,
    ExternalFill,
    InferredFill,
    LateAcceptance,
    OrderEvent,
    Superseded,
    made_up_id,
)
from brokers.reconciliation.lives import life_of
from brokers.reconciliation.matching import AGAIN_NS, external_key
from brokers.reconciliation.prices import quotient
from brokers.sides import Side

_ZERO = Decimal(0)


def hear_all(draft: Draft, fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """Books executions in the order in which they happened; returns those that an order in doubt may have had."""
    for fill in sorted(fills, key=lambda fill: (fill.time_ns, fill.id)):
        hear(draft, fill)
    held_back, draft.held_back = tuple(draft.held_back), []
    return held_back


def hear(draft: Draft, fill: Fill) -> None:
    """Books one execution wherever it belongs; one that is known, or repeats its legs, is at most corrected."""
    if fill.symbol in draft.truth.combos:
        return
    if draft.fold.knows(fill.id):
        _restate(draft, fill)
        return
    claim = _revived(draft, fill) if fill.order_key in draft.fold.watched else _claim_of(draft, fill)
    if claim is None:
        _external(draft, fill)
    elif claim.life.order.symbol != fill.symbol and claim.life.order.symbol in draft.truth.combos:
        _supersede(draft, fill)
        draft.emit(ExternalFill(attrs.evolve(fill, session=claim.session)))
    else:
        _of_order(draft, claim, fill)
    if draft.fold.knows(fill.id):
        draft.disagree(fill.symbol, draft.now.ns)  # to be compared with positions that are read from now on


def _restate(draft: Draft, fill: Fill) -> None:
    """Takes over what the broker lists otherwise than it was told, once no list can be older.

    A list that shows no fee may not have it yet. Where counts alone tell, the list of executions is made of what was
    told, and says nothing new.
    """
    if not draft.orders.fill_ids:
        return
    claim, asked = _claim_of(draft, fill), draft.truth.fills
    if claim is None or asked is None or asked.asked_ns < claim.touched_ns + draft.orders.visibility_ns:
        return
    known = claim.life.executions.by_id.get(fill.id)
    if known is None:
        return
    if not fill.fee:
        fill = attrs.evolve(fill, fee=known.fee)
    if known != Execution(fill.quantity, fill.price, fill.fee) and draft.fits(claim.key, Corrected(fill.id, fill)):
        draft.disagree(fill.symbol, draft.now.ns)


def restate(draft: Draft, claim: Claim, report: OrderReport) -> None:
    """Takes over the average of a broker that tells of no executions, where it counts just what we have booked.

    Which of it was corrected is not told, so all of it is, to the average. Less than half a tick may be rounded.
    """
    known, order, average = claim.life.executions, claim.life.order, report.average_price
    made_up = [fill for fill in draft.fold.inferred.values() if fill.order_key == claim.key]
    quantity = sum((fill.quantity for fill in made_up), known.quantity)
    instrument = draft.books.instruments.get(order.symbol)
    if average is None or instrument is None or not quantity or quantity != report.filled:
        return
    value = sum((EXACT.multiply(fill.quantity, fill.price) for fill in made_up), known.value)
    if abs(EXACT.subtract(EXACT.multiply(average, quantity), value)) * 2 < instrument.tick * quantity:
        return
    for fill in made_up:
        right = attrs.evolve(fill, id=made_up_id("rest", fill.id, f"{average:f}"), price=average)
        number = made_up_id("superseded", fill.id, f"{average:f}")
        draft.emit(Superseded(Correction(number, fill, right, fill.time_ns)))
    for id_, one in known.by_id.items():
        if one is not None:
            fill = Fill(
                id=id_,
                broker=draft.books.broker,
                account=draft.books.account,
                symbol=order.symbol,
                side=order.side,
                quantity=one.quantity,
                price=average,
                time_ns=draft.now.wall_ns,
                order_key=claim.key,
                broker_order_id=next(reversed(claim.life.broker_order_ids), None),
                fee=one.fee,
            )
            draft.fits(claim.key, Corrected(id_, fill))


def _is_renamed(draft: Draft, claim: Claim, fill: Fill) -> bool:
    """Whether it is one that we know by another id, as a broker may have one in its stream and one in its lists.

    It must be more than was ordered, and the list must show nothing under the id that we know.
    """
    executions, listing = claim.life.executions, draft.truth.fills
    if listing is None or EXACT.add(executions.quantity, fill.quantity) <= claim.life.order.quantity:
        return False
    gone = draft.renamed | {one.id for one in listing.items}
    known = next((id_ for id_, one in executions.by_id.items() if id_ not in gone and _alike(one, fill)), None)
    if known is not None:
        draft.renamed.add(known)
    return known is not None


def _alike(known: Execution | None, fill: Fill) -> bool:
    return known is not None and (known.quantity, known.price) == (fill.quantity, fill.price)


def _of_order(draft: Draft, claim: Claim, fill: Fill) -> None:
    if _is_renamed(draft, claim, fill):
        return
    try:
        after = advance(claim.life, Filled(fill))
    except LifecycleError as error:
        _put_aside(draft, fill, str(error))
        return
    if claim.life.order.quantity < fill.quantity and not claim.sketched:
        _put_aside(draft, fill, f"{fill.quantity} in one execution of an order for {claim.life.order.quantity}")
        return
    if claim.session is None:
        fill = attrs.evolve(fill, session=_owner_of(draft, fill))
    _supersede_of_order(draft, claim.key, after)
    _supersede(draft, fill)
    draft.take(claim, Filled(fill), after)


def _put_aside(draft: Draft, fill: Fill, why: str) -> None:
    draft.agreed = False
    draft.alert(Concern.QUARANTINED, f"execution {fill.id}", f"{why}; put aside; look at the broker's own screen")


def _claim_of(draft: Draft, fill: Fill) -> Claim | None:
    if fill.order_key in draft.claims:
        return draft.claims[fill.order_key]
    key = draft.by_broker_id.get(fill.broker_order_id or "")
    if key is None:
        return None
    claim = draft.claims[key]
    order = claim.life.order
    ours = (order.symbol, order.side) == (fill.symbol, fill.side) or order.symbol in draft.truth.combos
    in_time = fill.time_ns >= draft.books.sent_wall_ns(claim, draft.now) - AGAIN_NS
    return claim if ours and (in_time or claim.session is None) else None


def _revived(draft: Draft, fill: Fill) -> Claim:
    """The order of a fill that proves that the order was not absent."""
    watched = draft.fold.watched[fill.order_key or ""]
    life = advance(OrderLife(watched.order), Acknowledged(broker_order_id=fill.broker_order_id))
    revive(draft, life, watched.session, watched.sent_wall_ns)
    return draft.claims[watched.order.key]


def revive(draft: Draft, life: OrderLife, session: str | None, wall_ns: int) -> None:
    """Brings an order that was held for dead back into the books."""
    key = life.order.key
    draft.adopt(LateAcceptance(key, life, session, wall_ns, draft.books.policy.remedy), key)
    draft.alert(Concern.LATE_ACCEPTANCE, f"order {key}", f"lives at the broker; {draft.books.policy.remedy.value}")


def _external(draft: Draft, fill: Fill) -> None:
    if may_be_ours(draft, fill.symbol, fill.side):
        draft.disagree(fill.symbol)
        draft.held_back.append(fill)
        return
    fill = attrs.evolve(fill, session=_owner_of(draft, fill))
    _supersede(draft, fill)
    draft.alert(
        Concern.EXTERNAL, f"execution {fill.id}", f"{fill.side.value} {fill.quantity} {fill.symbol} is not ours"
    )
    if fill.broker_order_id is None or not draft.books.policy.adopt:
        draft.emit(ExternalFill(fill))
        return
    told = draft.strangers.get(fill.broker_order_id)
    if told is not None and (told.report.order.symbol, told.report.order.side) != (fill.symbol, fill.side):
        told = None
    wall_ns = fill.time_ns if told is None else told.dated_wall_ns or fill.time_ns
    key = external_key(fill.broker, fill.account, fill.broker_order_id, wall_ns)
    if told is None:
        order = Order(key, fill.symbol, fill.side, OrderType.MARKET, fill.quantity)
        life = advance(OrderLife(order), Acknowledged(broker_order_id=fill.broker_order_id))
    else:
        life = life_of(attrs.evolve(told.report.order, key=key), told)
    draft.adopt(Adopted(key, life, draft.books.owners.get(fill.symbol), wall_ns, sketched=told is None), key)
    draft.emit(OrderEvent(key, Filled(attrs.evolve(fill, order_key=key))))


def may_be_ours(draft: Draft, symbol: str, side: Side) -> bool:
    """Whether an order of ours in doubt may be what was filled; then nobody else's order is made of it."""
    rivals = [
        claim
        for claim in draft.claims.values()
        if unresolved(claim) and (claim.life.order.symbol, claim.life.order.side) == (symbol, side)
    ]
    draft.contested |= {claim.key for claim in rivals}
    return bool(rivals)


def _owner_of(draft: Draft, fill: Fill) -> str | None:
    """Whose position an external fill moves: its claimant's, or that of the one session whose holding it reduces.

    The order itself stays nobody's, so that no session cancels it.
    """
    claimed = draft.books.owners.get(fill.symbol)
    if claimed is not None:
        return claimed
    return reduced_owner(draft, fill.symbol, fill.signed_quantity)


def reduced_owner(draft: Draft, symbol: str, change: Decimal) -> str | None:
    """The one session that holds a symbol, where the change only takes from what it holds."""
    holding = draft.fold.holdings.get((symbol, None))
    if holding is None or holding.quantity * change >= 0 or abs(change) > abs(holding.quantity):
        return None
    return holding.sole_owner()


# What was made up gives way.


def _supersede_of_order(draft: Draft, key: str, after: OrderLife) -> None:
    """Takes back as much of an order's inferred fills as the executions now show."""
    inferred = [fill for fill in draft.fold.inferred.values() if fill.order_key == key]
    if not inferred:
        return
    excess = EXACT.subtract(sum((fill.quantity for fill in inferred), _ZERO), after.executions.owed)
    for fill in inferred:
        excess = _take_back(draft, fill, excess)


def _supersede(draft: Draft, fill: Fill) -> None:
    """Takes back as much of the earlier corrections of a position as this execution explains."""
    left = fill.quantity
    for made_up in list(draft.fold.inferred.values()):
        same = (made_up.symbol, made_up.side) == (fill.symbol, fill.side)
        if same and made_up.order_key is None and fill.time_ns <= made_up.time_ns:
            left = _take_back(draft, made_up, left)


def _take_back(draft: Draft, fill: Fill, quantity: Decimal) -> Decimal:
    """Takes back at most this quantity of a synthetic fill; returns what is left of it."""
    if quantity <= 0:
        return quantity
    rest = EXACT.subtract(fill.quantity, quantity)
    smaller = attrs.evolve(fill, id=made_up_id("rest", fill.id, f"{rest:f}"), quantity=rest) if rest > 0 else None
    correction = Correction(made_up_id("superseded", fill.id, f"{max(rest, _ZERO):f}"), fill, smaller, fill.time_ns)
    draft.emit(Superseded(correction))
    return max(-rest, _ZERO)


# What was not told is made up.


def count_alone(draft: Draft, key: str, executed_wall_ns: int) -> None:
    """Makes up at once what an order counts that nobody will tell the executions of; it was executed after that moment.

    What its position was corrected by since then is taken back.
    """
    claim = draft.claims[key]
    _infer(draft, claim, claim.life.executions.owed, since_wall_ns=executed_wall_ns)


def infer(draft: Draft) -> None:
    """Makes up what reports count and no execution has shown, once it has had its time to come.

    What was made up for more than is counted by now is taken back.
    """
    since, made_up = {}, _made_up(draft)
    for claim in list(draft.claims.values()):
        missing = EXACT.subtract(claim.life.executions.owed, made_up.get(claim.key, _ZERO))
        if missing < 0:
            _supersede_of_order(draft, claim.key, claim.life)
        if missing <= 0:
            continue
        since[claim.key] = first_ns = draft.notes.owed_since_ns.get(claim.key, draft.now.ns)
        due_ns = first_ns + (draft.books.policy.grace_ns if draft.orders.fill_ids else 0)
        asked = draft.truth.fills
        if draft.now.ns < due_ns or asked is None or asked.asked_ns < due_ns:
            draft.disagree(claim.life.order.symbol, due_ns)
        else:
            _infer(draft, claim, missing)
    draft.note(owed_since_ns=since)


def _made_up(draft: Draft) -> Mapping[str, Decimal]:
    """How much is made up, by order."""
    amounts: dict[str, Decimal] = {}
    for fill in draft.fold.inferred.values():
        if fill.order_key is not None:
            amounts[fill.order_key] = EXACT.add(amounts.get(fill.order_key, _ZERO), fill.quantity)
    return amounts


def _infer(draft: Draft, claim: Claim, quantity: Decimal, *, since_wall_ns: int | None = None) -> None:
    price = _price(draft, claim, quantity)
    if price is None:
        text = f"{quantity} is filled at a price that nobody told; the position will show it"
        draft.alert(Concern.INFERRED, f"order {claim.key}", text)
        return
    order = claim.life.order
    fill = Fill(
        id=_inferred_id(draft, claim),
        broker=draft.books.broker,
        account=draft.books.account,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        time_ns=draft.now.wall_ns,
        order_key=claim.key,
        broker_order_id=next(reversed(claim.life.broker_order_ids), None),
        session=claim.session,
    )
    if claim.session is None:
        fill = attrs.evolve(fill, session=_owner_of(draft, fill))
    if since_wall_ns is not None:
        _supersede(draft, attrs.evolve(fill, time_ns=since_wall_ns))
    draft.emit(InferredFill(fill))
    draft.disagree(order.symbol, draft.now.ns)
    draft.alert(Concern.INFERRED, f"order {claim.key}", f"{quantity} at {price} is counted without an execution")


def _inferred_id(draft: Draft, claim: Claim) -> str:
    """The id of what is made up for a count: another one where it was taken back with the count, which came again."""
    count = f"{EXACT.normalize(claim.life.executions.reported):f}"
    id_ = made_up_id("inferred", draft.books.broker, draft.books.account, claim.key, count)
    while draft.fold.knows(id_):
        id_ = made_up_id("inferred", id_)
    return id_


def _price(draft: Draft, claim: Claim, quantity: Decimal) -> Decimal | None:
    """The price that makes the known fills come out at the reported average; else the order's limit."""
    executions = claim.life.executions
    if executions.reported_average is None:
        return claim.life.order.limit_price
    made_up = [fill for fill in draft.fold.inferred.values() if fill.order_key == claim.key]
    booked = sum((EXACT.multiply(fill.quantity, fill.price) for fill in made_up), executions.value)
    value = EXACT.subtract(EXACT.multiply(executions.reported_average, executions.reported), booked)
    price = quotient(value, quantity)
    return price if price > 0 else executions.reported_average
