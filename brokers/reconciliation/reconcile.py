"""Reconciliation: one pure function of our books, the broker's truth and the moment, which gives events.

The same function serves the start, every reconnect and every poll. It never writes to a broker; it only says how our
books must change, whom to ask, what a person should know, and whether trading may go on. Executions come first, then
the states of orders, then what was not found, and positions last.
"""

import attrs

from brokers.capability import Capability
from brokers.model import Fill
from brokers.reconciliation import absences, fills, orders, positions
from brokers.reconciliation.books import Books, Notes, Now
from brokers.reconciliation.draft import Draft
from brokers.reconciliation.events import Alert, Ask, Concern, Event
from brokers.reconciliation.matching import matched
from brokers.reconciliation.sift import sifted
from brokers.reconciliation.truth import Truth


class WrongAccount(ValueError):
    """The broker answers for another account; nothing was reconciled, and nothing may be traded."""

    def __init__(self, expected: str, told: str) -> None:
        super().__init__(
            f"expected answers for account {expected!r}, got account {told!r}; nothing was changed; "
            "give the credentials of the account in the journal, or start a journal for the other account"
        )
        self.expected = expected
        self.told = told


class NoOrders(ValueError):
    """The broker takes no orders, so there is nothing to reconcile."""

    def __init__(self, broker: str) -> None:
        super().__init__(f"{broker} takes no orders, so its account has no books; do not reconcile it")
        self.broker = broker


@attrs.frozen
class Reconciliation:
    """What one cycle found; `notes` go into the books of the next, `events` are folded into them."""

    events: tuple[Event, ...]
    asks: tuple[Ask, ...]
    alerts: tuple[Alert, ...]
    agreed: bool  # orders, fills and positions agree: trading may go on
    next_check_ns: int
    notes: Notes
    moved: bool = False  # nothing is wrong, but a position changed while it was read and could not be judged


def reconcile(books: Books, truth: Truth, now: Now, capability: Capability) -> Reconciliation:
    """What must change in our books; raises WrongAccount and NoOrders."""
    draft = _draft(books, truth, now, capability)
    seen = _look_at_orders(draft)
    fills.infer(draft)
    absences.look(draft, seen)
    absences.escalate_overdue(draft)
    orders.check_excess(draft)
    _tell_doubts(draft)
    positions.compare(draft)
    return _result(draft)


def heard(books: Books, fill: Fill, now: Now, capability: Capability) -> Reconciliation:
    """What one execution from the stream changes, by the same rules as one from a list."""
    draft = _draft(books, Truth(books.account), now, capability)
    fills.hear(draft, fill)
    return _result(draft)


def _draft(books: Books, truth: Truth, now: Now, capability: Capability) -> Draft:
    if truth.account != books.account:
        raise WrongAccount(books.account, truth.account)
    if capability.orders is None:
        raise NoOrders(capability.broker)
    return Draft(books, sifted(truth, books.instruments), now, capability.orders)


def _look_at_orders(draft: Draft) -> set[str]:
    """Takes over what is listed; returns the keys of the orders that were seen."""
    found = matched(draft)
    for key, sights in found.ours.items():
        for sight in sights:
            draft.name(key, sight.told.report.broker_order_ids)
            orders.reappear(draft, key, sight)
    draft.strangers = {sight.told.broker_order_id or "": sight.told for sight in found.others}
    for sight in found.others:
        orders.adopt(draft, sight)
    held_back = fills.hear_all(draft, draft.truth.fills.items if draft.truth.fills is not None else ())
    for key, sights in found.ours.items():
        if key in draft.claims:
            orders.judge(draft, key, sights)
    fills.hear_all(draft, held_back)  # now that what could have been theirs is decided
    return set(found.ours) | {draft.by_broker_id.get(name, "") for name in draft.strangers}


def _tell_doubts(draft: Draft) -> None:
    """Says what is in doubt or waits for a person, as long as it does."""
    for claim in draft.claims.values():
        if claim.life.uncertain:
            draft.disagree(claim.life.order.symbol)
        if claim.escalated:
            text = f"{claim.escalated}; look at the broker's own screen, then answer with `pitboss resolve`"
            draft.alert(Concern.ESCALATED, f"order {claim.key}", text)


def _result(draft: Draft) -> Reconciliation:
    standing = frozenset(draft.alerts)
    new = tuple(alert for alert in dict.fromkeys(draft.alerts) if alert not in draft.books.notes.alerts)
    alive = {key: ns for key, ns in draft.notes.alive.items() if key in draft.claims}
    draft.note(alerts=standing, alive=alive)
    poll_ns = draft.now.ns + draft.books.policy.poll_ns
    due_ns = min((due for due in draft.due_ns if due >= draft.now.ns), default=poll_ns)
    return Reconciliation(
        events=tuple(draft.events),
        asks=tuple(draft.asks),
        alerts=new,
        agreed=draft.agreed and not draft.events,
        next_check_ns=draft.now.ns if draft.asks else min(poll_ns, due_ns),
        notes=draft.notes,
        moved=draft.moved and not draft.events,
    )
