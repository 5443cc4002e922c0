"""What listed orders say of ours: states are taken forward, terms are compared, orders that are not ours adopted."""

from decimal import Decimal

import attrs

from brokers.lifecycle import OrderLife
from brokers.model import Change, Order, OrderState
from brokers.order_events import Reconciled, ReplaceConfirmed, Snapshot
from brokers.reconciliation.books import Claim
from brokers.reconciliation.draft import Draft
from brokers.reconciliation.events import Adopted, Concern
from brokers.reconciliation.fills import count_alone, may_be_ours, restate, revive
from brokers.reconciliation.lives import life_of
from brokers.reconciliation.matching import Sight, external_key
from brokers.reconciliation.truth import Told

_TERMS = ("quantity", "limit_price", "stop_price", "trail_offset", "trail_percent")
_SILENT = frozenset({OrderState.CREATED, OrderState.UNKNOWN})  # words that tell nothing
_REQUESTED = frozenset({OrderState.PENDING_CANCEL, OrderState.PENDING_REPLACE})


# Before the fills: who is there.


def adopt(draft: Draft, sight: Sight) -> None:
    """Takes an order that is not ours into the books: a living one, or one of which no executions will ever be told.

    Any other that is finished counts by its executions.
    """
    told, alone = sight.told, _counts_alone(draft, sight.told)
    if told.report.state in _SILENT or (told.report.state.final and not alone):
        return
    name = told.broker_order_id or told.report.order.key
    order = told.report.order
    if alone and may_be_ours(draft, order.symbol, order.side):
        draft.disagree(order.symbol)
        return
    draft.alert(Concern.EXTERNAL, f"order {name}", f"{order.side.value} {order.quantity} {order.symbol} is not ours")
    if not draft.books.policy.adopt:
        draft.agreed = False
        return
    dated = told.dated_wall_ns or draft.now.wall_ns
    key = external_key(draft.books.broker, draft.books.account, name, dated)
    if key not in draft.claims:
        session = draft.books.owners.get(order.symbol)
        draft.adopt(Adopted(key, life_of(attrs.evolve(order, key=key), told), session, dated), key)
        if alone:
            count_alone(draft, key, dated)


def _counts_alone(draft: Draft, told: Told) -> bool:
    """Whether a finished order executed something, since our books were whole, that only its own count tells."""
    listing, report = draft.truth.orders, told.report
    if draft.orders.fill_ids or not (report.state.final and report.filled and draft.books.policy.adopt):
        return False
    return listing is not None and told.dated_wall_ns is not None and listing.reaches(told.dated_wall_ns)


def reappear(draft: Draft, key: str, sight: Sight) -> None:
    """Learns what a sketched order really is, and brings back one held for dead that the broker shows alive."""
    watched, told = draft.fold.watched.get(key), sight.told
    if watched is not None:
        if not told.report.state.final or told.report.filled:
            revive(draft, life_of(watched.order, told), watched.session, watched.sent_wall_ns)
        return
    claim = draft.claims[key]
    if claim.sketched:
        wall_ns = told.dated_wall_ns or claim.sent_wall_ns
        draft.adopt(Adopted(key, _shown(claim, told), claim.session, wall_ns), key)
    elif _contradicts(draft, claim, sight) and _again(draft, claim, sight):
        revive(draft, _shown(claim, told), claim.session, claim.sent_wall_ns)


def _shown(claim: Claim, told: Told) -> OrderLife:
    """An order of ours as the broker tells it, with the executions that we know."""
    return life_of(attrs.evolve(told.report.order, key=claim.key), told, claim.life.executions)


def _contradicts(draft: Draft, claim: Claim, sight: Sight) -> bool:
    """Whether a finished order is told alive, under the id in force, too late for the lag of the broker's lists."""
    life, state = claim.life, sight.told.report.state
    dead = life.state.final and life.state is not OrderState.FILLED
    ours = sight.told.broker_order_id in (None, *life.broker_order_ids[-1:]) or not life.broker_order_ids
    late = sight.asked_ns > claim.touched_ns + draft.orders.visibility_ns
    return dead and ours and late and not state.final and state not in _SILENT


def _again(draft: Draft, claim: Claim, sight: Sight) -> bool:
    """Whether it was so in an earlier reading already; one reading alone may be stale."""
    draft.agreed = False
    first_ns = draft.notes.alive.get(claim.key)
    if first_ns is None:
        draft.note(alive={**draft.notes.alive, claim.key: sight.asked_ns})
    return first_ns is not None and sight.asked_ns > first_ns


# After the fills: how they stand.


def judge(draft: Draft, key: str, sights: list[Sight]) -> None:
    """Takes over what is told of one order; a second order under its key is a duplicate and is said aloud."""
    claim = draft.claims[key]
    ours = [sight for sight in sights if _in_force(claim, sight.told)]
    for sight in sights:
        if sight not in ours and not _of_chain(claim, sight.told) and not sight.told.report.state.final:
            draft.agreed = False
            text = f"a second order {sight.told.broker_order_id} lives under this key; cancel one of them"
            draft.alert(Concern.CONTRADICTION, f"order {key}", text)
    for sight in ours:
        _judge(draft, draft.claims[key], sight)


def _in_force(claim: Claim, told: Told) -> bool:
    """Whether the report is of the order as it lives now: its id is ours, or continues ours."""
    ids = claim.life.broker_order_ids
    if told.broker_order_id is None or not ids or told.broker_order_id == ids[-1]:
        return True
    replaced = bool(set(ids) & set(told.report.broker_order_ids)) or claim.life.change is not None
    return replaced and not _of_chain(claim, told)


def _of_chain(claim: Claim, told: Told) -> bool:
    return told.broker_order_id in claim.life.broker_order_ids


def _judge(draft: Draft, claim: Claim, sight: Sight) -> None:
    report = sight.told.report
    fresh = sight.asked_ns >= claim.touched_ns
    if report.state in _SILENT or (claim.life.state.final and not report.state.final):
        return
    if not (fresh or report.state.final):
        return
    if report.filled > max(claim.life.filled, claim.life.order.quantity, report.order.quantity):
        draft.agreed = False
        text = f"expected at most {claim.life.order.quantity} filled, got {report.filled}; put aside"
        draft.alert(Concern.QUARANTINED, f"order {claim.key}", text)
        return
    settled = sight.asked_ns >= claim.touched_ns + draft.orders.visibility_ns
    if settled and not claim.life.state.final:
        _take_terms(draft, claim, sight.told)
    if settled and not draft.orders.fill_ids:
        restate(draft, claim, report)
    _take_word(draft, draft.claims[claim.key], sight)


def _take_terms(draft: Draft, claim: Claim, told: Told) -> None:
    """Takes over terms that are in force at the broker, whoever asked for them."""
    news = _news(claim.life.order, told.report.order)
    renamed = told.broker_order_id not in (None, *claim.life.broker_order_ids) and bool(claim.life.broker_order_ids)
    if claim.sketched:
        news.pop("quantity", None)
    if news or renamed:
        terms = Change(claim.key, **news)
        draft.fits(claim.key, ReplaceConfirmed(terms, broker_order_id=told.broker_order_id))


def _news(ours: Order, theirs: Order) -> dict[str, Decimal]:
    """The terms that the broker tells otherwise than we know them; what it does not tell is no news."""
    told = {term: getattr(theirs, term) for term in _TERMS}
    return {term: value for term, value in told.items() if value is not None and value != getattr(ours, term)}


def _take_word(draft: Draft, claim: Claim, sight: Sight) -> None:
    report, life = sight.told.report, claim.life
    word = _word(draft, claim, report.state)
    told = (word, report.filled, report.average_price)
    answered = life.state in _REQUESTED and _unanswered(draft, claim, sight) and word not in _REQUESTED
    if life.uncertain or answered:
        draft.fits(claim.key, Reconciled(*told, sight.told.broker_order_id))
    elif not _is_known(life, word, report.filled, sight.told.broker_order_id):
        draft.fits(claim.key, Snapshot(*told, broker_order_id=sight.told.broker_order_id))


def _is_known(life: OrderLife, word: OrderState, filled: Decimal, broker_order_id: str | None) -> bool:
    """Whether a finished order is told just as its executions have it: then nothing comes of it, and most are."""
    known = life.executions.quantity
    return (
        word.final
        and word is life.state
        and filled == known == life.filled
        and (word is not OrderState.FILLED or known >= life.order.quantity)
        and broker_order_id in (None, *life.broker_order_ids[-1:])
    )


def _unanswered(draft: Draft, claim: Claim, sight: Sight) -> bool:
    """Whether a request can no longer take effect."""
    return not claim.in_flight and sight.asked_ns >= draft.quiet_from_ns(claim)


def _word(draft: Draft, claim: Claim, state: OrderState) -> OrderState:
    """The broker's word, with what it cannot know: a request of ours on its way, and the end of its time."""
    life = claim.life
    if state is OrderState.CANCELED and ended_by_time(draft, claim):
        return OrderState.EXPIRED
    if state.final or not life.uncertain or draft.now.ns >= draft.quiet_from_ns(claim):
        return state
    if life.canceling:
        return OrderState.PENDING_CANCEL
    return OrderState.PENDING_REPLACE if life.change is not None else state


def ended_by_time(draft: Draft, claim: Claim) -> bool:
    """Whether an order that ended without a word ended by time; in doubt it was cancelled."""
    if draft.orders.explicit_expiry or claim.life.canceling or claim.expires_wall_ns is None:
        return False
    return draft.now.wall_ns >= claim.expires_wall_ns


def check_excess(draft: Draft) -> None:
    """Says aloud as long as more is filled than was ordered."""
    for claim in draft.claims.values():
        excess = claim.life.filled - claim.life.order.quantity
        if excess > 0 and not claim.sketched:
            draft.alert(Concern.OVERFILL, f"order {claim.key}", f"{excess} more is filled than was ordered")
