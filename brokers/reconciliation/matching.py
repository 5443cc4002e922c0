"""Which order of ours a listed order is: by key, else by the broker's id, else, without keys, by its attributes.

Attributes decide only between one candidate and one unresolved order; anything else is for a person.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import attrs

from brokers.capability import SECOND_NS, ClientKeys, KeyClass
from brokers.model import Order
from brokers.reconciliation.books import Claim
from brokers.reconciliation.draft import Draft, unresolved
from brokers.reconciliation.events import Escalated, made_up_id
from brokers.reconciliation.truth import Listing, Told

Attributes = tuple[object, ...]

AGAIN_NS: Final = 12 * 3600 * SECOND_NS  # an id that comes again within that is the same order, whatever clocks say
CANNOT_TELL: Final = "more than one order at the broker, or of ours, has these attributes"


@attrs.frozen
class Sight:
    """A listed order, and when the question that showed it was asked."""

    told: Told
    asked_ns: int


@attrs.frozen
class Matches:
    """Which orders were seen, by our key; and those that are not ours."""

    ours: dict[str, list[Sight]]
    others: list[Sight]


def attributes_of(order: Order) -> Attributes:
    """What tells orders apart where the broker keeps no key."""
    return (order.symbol, order.side, order.type, order.quantity, order.limit_price, order.stop_price)


def keyless(keys: ClientKeys) -> bool:
    """Whether orders are recognised by attributes: no key field, or one that no question can reach."""
    return keys.kind is KeyClass.ABSENT or not keys.query


def matched(draft: Draft) -> Matches:
    """Sorts every order told in this cycle; escalates what attributes leave open."""
    ours: dict[str, list[Sight]] = defaultdict(list)
    unowned: list[Sight] = []
    for sight in _latest(draft):
        key = _owner(draft, sight.told)
        if key is None:
            unowned.append(sight)
        else:
            ours[key].append(sight)
    others = _by_attributes(draft, ours, unowned) if keyless(draft.orders.keys) else unowned
    return Matches(ours, others)


def _latest(draft: Draft) -> Iterable[Sight]:
    """Each listed order once, from the latest question; a finished one is later than the same one open."""
    truth = draft.truth
    best: dict[tuple[str, str | None], tuple[tuple[int, bool, Decimal], Sight]] = {}
    for told, asked_ns in _all_told(
        (truth.open_orders, truth.orders),
        ((answer.told, answer.asked_ns) for answer in truth.answers.values() if answer.told),
    ):
        report = told.report
        name = (report.order.key, told.broker_order_id)
        rank = (asked_ns, report.state.final, report.filled)
        if name not in best or best[name][0] < rank:
            best[name] = (rank, Sight(told, asked_ns))
    return [sight for _, sight in best.values()]


def _all_told(
    listings: Iterable[Listing[Told] | None], answers: Iterable[tuple[Told, int]]
) -> Iterable[tuple[Told, int]]:
    for listing in listings:
        if listing is not None:
            yield from ((told, listing.asked_ns) for told in listing.items)
    yield from answers


def _owner(draft: Draft, told: Told) -> str | None:
    key = told.report.order.key
    if key in draft.claims or key in draft.fold.watched:
        return key
    for broker_order_id in reversed(told.report.broker_order_ids):
        owner = draft.by_broker_id.get(broker_order_id)
        if owner is not None and _same(draft, draft.claims[owner], told):
            return owner
    return None


def _same(draft: Draft, claim: Claim, told: Told) -> bool:
    """Whether an order under a known id is the one known: brokers use ids again, on another day."""
    ours, theirs = claim.life.order, told.report.order
    if (ours.symbol, ours.side) != (theirs.symbol, theirs.side):
        return False
    if ours.type is not theirs.type and not claim.sketched:
        return False
    if claim.life.state.final and not told.report.state.final and _made_after(draft, claim, told):
        return False
    return claim.sketched or _made_in_time(draft, draft.books.sent_wall_ns(claim, draft.now) - AGAIN_NS, told)


def _made_after(draft: Draft, claim: Claim, told: Told) -> bool:
    """Whether the order listed was made later than ours can have been."""
    age_ns = draft.now.ns - draft.books.last_send_ns(claim)
    latest = draft.now.wall_ns - age_ns + draft.orders.effect_ns + draft.books.policy.skew_ns
    return told.created_wall_ns is not None and told.created_wall_ns > latest


def _made_in_time(draft: Draft, sent_wall_ns: int, told: Told) -> bool:
    dated = told.dated_wall_ns
    return dated is None or dated >= sent_wall_ns - draft.books.policy.skew_ns


@attrs.frozen
class _Wanted:
    """An order of ours that the broker has not shown: in doubt, or proved absent and still looked out for."""

    key: str
    sent_wall_ns: int
    claim: Claim | None


def _by_attributes(draft: Draft, ours: dict[str, list[Sight]], unowned: list[Sight]) -> list[Sight]:
    """Gives a lone candidate to a lone order that is wanted; returns what is nobody's."""
    wanted = _wanted(draft, ours)
    candidates: dict[Attributes, list[Sight]] = defaultdict(list)
    others = []
    for sight in unowned:
        attributes = attributes_of(sight.told.report.order)
        rivals = wanted.get(attributes, [])
        if any(_made_in_time(draft, rival.sent_wall_ns, sight.told) for rival in rivals):
            candidates[attributes].append(sight)
        else:
            others.append(sight)
            for rival in rivals:
                draft.look_alikes[rival.key].append(_name(sight))
    for attributes, sights in candidates.items():
        rivals = wanted[attributes]
        doubtful = [rival.claim for rival in rivals if rival.claim is not None]
        if len(rivals) == len(sights) == 1 and sights[0].told.dated_wall_ns is not None:
            ours[rivals[0].key].append(sights[0])
        elif doubtful:
            _contest(draft, doubtful, sights)
        else:
            others += sights
    return others


def _wanted(draft: Draft, ours: dict[str, list[Sight]]) -> dict[Attributes, list[_Wanted]]:
    wanted: dict[Attributes, list[_Wanted]] = defaultdict(list)
    for claim in draft.claims.values():
        if unresolved(claim) and claim.key not in ours:
            wanted[attributes_of(claim.life.order)].append(
                _Wanted(claim.key, draft.books.sent_wall_ns(claim, draft.now), claim)
            )
    for key, watched in draft.fold.watched.items():
        if key not in ours:
            wanted[attributes_of(watched.order)].append(_Wanted(key, watched.sent_wall_ns, None))
    return wanted


def _contest(draft: Draft, rivals: list[Claim], sights: list[Sight]) -> None:
    names = tuple(sorted(map(_name, sights)))
    for claim in rivals:
        draft.contested.add(claim.key)
        escalate(draft, claim, CANNOT_TELL, names)


def _name(sight: Sight) -> str:
    return sight.told.broker_order_id or "without an id"


def look_alikes(draft: Draft, claim: Claim) -> tuple[str, ...]:
    """What nobody had seen before our order was sent, and looks like it though its date says that it was there.

    Dates are as good as the clocks of both sides; as long as there is such an order nothing proves that ours is not it.
    """
    if not keyless(draft.orders.keys):
        return ()
    attributes = attributes_of(claim.life.order)
    adopted = (
        other.life.broker_order_ids[-1]
        for other in draft.claims.values()
        if other.session is None
        and other.life.broker_order_ids
        and other.sent_ns + draft.orders.effect_ns >= claim.sent_ns > 0  # which is when its request ended
        and attributes_of(other.life.order) == attributes
    )
    return tuple(sorted({*draft.look_alikes[claim.key], *adopted}))


def escalate(draft: Draft, claim: Claim, why: str, candidates: tuple[str, ...] = ()) -> None:
    """Asks a person, once."""
    if claim.escalated != why:
        draft.emit(Escalated(claim.key, why, candidates))


def external_key(broker: str, account: str, broker_order_id: str, dated_wall_ns: int) -> str:
    """Our key of an order that is not ours; the date tells uses of the same id apart."""
    return made_up_id("external", broker, account, broker_order_id, dated_wall_ns)
