"""Orders that were not found where they had to be: when that proves something, and what.

An error is not a miss, a list that reaches too short is not a miss, and a list of open orders alone only leads to a
question. An order that the broker never showed was not accepted once two independent sources miss it after D + L and
a margin; one that it did show has ended once enough readings in a row miss it.
"""

import attrs

from brokers.model import OrderState
from brokers.order_events import LostTouch, Reconciled
from brokers.reconciliation.books import Claim, Misses
from brokers.reconciliation.draft import Draft, unresolved
from brokers.reconciliation.events import Ask, NeverSent, NotAccepted
from brokers.reconciliation.matching import CANNOT_TELL, escalate, look_alikes

MAX_ASKS = 10  # in one cycle
BEYOND_RETENTION = "the broker may have forgotten it by now"
NO_PROOF = "it was neither found nor proved absent in time"


def proves(misses: Misses, *, query: bool, listings: int) -> bool:
    """Whether these misses are independent and enough: the lists, and a question by key, or else a second reading."""
    if query:
        return misses.listed >= listings and misses.targeted >= 1
    return misses.listed >= max(listings, 2)


def counted(misses: Misses, *, listed_ns: int | None, targeted_ns: int | None, from_ns: int) -> Misses:
    """The misses with those of this cycle; only a question asked from `from_ns` on counts, and each only once."""
    if listed_ns is not None and listed_ns >= from_ns and listed_ns > misses.listed_ns:
        misses = attrs.evolve(misses, listed=misses.listed + 1, listed_ns=listed_ns)
    if targeted_ns is not None and targeted_ns >= from_ns and targeted_ns > misses.targeted_ns:
        misses = attrs.evolve(misses, targeted=misses.targeted + 1, targeted_ns=targeted_ns)
    return misses


def look(draft: Draft, seen: set[str]) -> None:
    """Counts what was missed, draws the conclusions that are proved, and collects what to ask."""
    misses: dict[str, Misses] = {}
    for claim in list(draft.claims.values()):
        if not claim.life.state.final and claim.key not in seen:
            _missed(draft, claim, misses)
    draft.note(misses=misses)
    _choose_asks(draft, seen)


def _missed(draft: Draft, claim: Claim, misses: dict[str, Misses]) -> None:
    if claim.life.state is OrderState.CREATED:
        if claim.survived and not claim.in_flight:
            draft.emit(NeverSent(claim.key))
        return
    note = draft.unsettle if _is_news(draft, claim) else draft.disagree
    note(claim.life.order.symbol)
    before = draft.notes.misses.get(claim.key, Misses())
    if claim.in_flight or draft.books.backlog or claim.key in draft.contested:
        misses[claim.key] = before
        return
    if claim.life.state is OrderState.PENDING_NEW and not claim.confirmed:
        draft.fits(claim.key, LostTouch("its request ended without an answer"))
        claim = draft.claims[claim.key]
    judge = _unconfirmed if unresolved(claim) else _confirmed
    misses[claim.key] = judge(draft, claim, before)


def _is_news(draft: Draft, claim: Claim) -> bool:
    """Whether the lists may be older than what we know of the order; at the start everything has to be shown."""
    listed = draft.truth.orders
    if draft.books.starting or claim.life.uncertain or listed is None:
        return False
    return bool(claim.in_flight) or claim.touched_ns + draft.orders.visibility_ns >= listed.asked_ns


def _unconfirmed(draft: Draft, claim: Claim, misses: Misses) -> Misses:
    """Proves that an order was never accepted, or asks a person where the broker may have forgotten it."""
    from_ns = draft.quiet_from_ns(claim)
    misses = _counted(draft, claim, misses, from_ns)
    draft.due_ns.append(from_ns)
    if proves(misses, query=draft.orders.keys.query, listings=1):
        doubles = look_alikes(draft, claim)
        if doubles:
            escalate(draft, claim, CANNOT_TELL, doubles)
        elif _remembered(draft, claim):
            draft.emit(NotAccepted(claim.key))
        elif not claim.escalated:
            escalate(draft, claim, BEYOND_RETENTION)
    return misses


def _confirmed(draft: Draft, claim: Claim, misses: Misses) -> Misses:
    """Ends an order that lived and is found no more; how it ended, its fills and the position tell."""
    from_ns = _settled_from_ns(draft, claim)
    misses = _counted(draft, claim, misses, from_ns)
    needed = 1 if draft.books.starting else draft.books.policy.absence_strikes
    if proves(misses, query=draft.orders.keys.query, listings=needed):
        word = _end(draft, claim)
        draft.fits(claim.key, Reconciled(word))
    return misses


def escalate_overdue(draft: Draft) -> None:
    """Asks a person about orders that are still in doubt a poll after the first answer that could have settled them."""
    if draft.books.backlog or not (draft.truth.open_orders or draft.truth.orders):
        return  # while the broker says nothing, or is not heard, waiting is all there is
    since = {}
    for claim in list(draft.claims.values()):
        if claim.life.state is OrderState.UNKNOWN and not claim.in_flight and _over(draft, claim):
            since[claim.key] = first_ns = draft.notes.overdue_since_ns.get(claim.key, draft.now.ns)
            if not claim.escalated and draft.now.ns >= first_ns + draft.books.policy.poll_ns:
                escalate(draft, claim, NO_PROOF)
    draft.note(overdue_since_ns=since)


def _over(draft: Draft, claim: Claim) -> bool:
    return draft.now.ns >= draft.quiet_from_ns(claim)


def _end(draft: Draft, claim: Claim) -> OrderState:
    if claim.life.filled >= claim.life.order.quantity:
        return OrderState.FILLED
    expires = claim.expires_wall_ns
    expired = expires is not None and draft.now.wall_ns >= expires and not claim.life.canceling
    return OrderState.EXPIRED if expired else OrderState.CANCELED


def _settled_from_ns(draft: Draft, claim: Claim) -> int:
    """From when on a list shows what we know of the order already."""
    touched_ns = max(claim.touched_ns, draft.books.started_ns) if claim.survived else claim.touched_ns
    return touched_ns + draft.orders.visibility_ns


def _counted(draft: Draft, claim: Claim, misses: Misses, from_ns: int) -> Misses:
    answer = draft.truth.answers.get(claim.key)
    missing = answer is not None and answer.told is None and answer.finished_too
    return counted(
        misses,
        listed_ns=_listed_ns(draft, claim),
        targeted_ns=answer.asked_ns if missing and answer is not None else None,
        from_ns=from_ns,
    )


def _listed_ns(draft: Draft, claim: Claim) -> int | None:
    """When the lists that miss the order were asked for; None where they could not have shown it."""
    orders, fills = draft.truth.orders, draft.truth.fills
    reach_ns = draft.books.sent_wall_ns(claim, draft.now) - draft.books.policy.skew_ns
    if orders is None or fills is None or not (orders.sound and fills.sound):
        return None
    if not (orders.reaches(reach_ns) and fills.reaches(reach_ns)):
        return None
    return min(orders.asked_ns, fills.asked_ns)


def _remembered(draft: Draft, claim: Claim) -> bool:
    """Whether the broker would still show it if it had refused it at once."""
    retention_ns = draft.orders.retention_ns
    age_ns = max(draft.now.wall_ns - claim.sent_wall_ns, draft.now.ns - draft.books.last_send_ns(claim))
    return retention_ns is None or age_ns < retention_ns


def _choose_asks(draft: Draft, seen: set[str]) -> None:
    """Asks for the orders that the lists leave open: those in doubt first, then those not asked for longest.

    Each once a poll, and once more as soon as an answer can prove something: until then the lists show as much.
    """
    if not draft.orders.keys.query:
        return
    asked = draft.notes.asked_ns
    open_claims = [claim for claim in draft.claims.values() if _wants_answer(claim, seen)]
    open_claims.sort(
        key=lambda claim: (claim.life.state is not OrderState.UNKNOWN, asked.get(claim.key, -1), claim.key)
    )
    chosen = [claim for claim in open_claims if _may_ask(draft, claim)][:MAX_ASKS]
    draft.asks = [Ask(claim.key, next(reversed(claim.life.broker_order_ids), None)) for claim in chosen]
    now_ns = {claim.key: draft.now.ns for claim in chosen}
    draft.note(asked_ns={claim.key: asked[claim.key] for claim in open_claims if claim.key in asked} | now_ns)


def _wants_answer(claim: Claim, seen: set[str]) -> bool:
    state = claim.life.state
    return not state.final and state is not OrderState.CREATED and claim.key not in seen and not claim.in_flight


def _may_ask(draft: Draft, claim: Claim) -> bool:
    last_ns, proves_from_ns = draft.notes.asked_ns.get(claim.key), draft.quiet_from_ns(claim)
    if last_ns is None or draft.now.ns >= last_ns + draft.books.policy.poll_ns:
        return True
    return last_ns < proves_from_ns <= draft.now.ns
