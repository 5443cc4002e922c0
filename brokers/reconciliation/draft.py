"""One cycle in the making: the books as they stand after the findings so far, and what is still to be said."""

from collections import defaultdict
from typing import Any

import attrs

from brokers.capability import OrderSupport
from brokers.lifecycle import LifecycleError, OrderLife, advance
from brokers.model import Fill, OrderState
from brokers.order_events import Event as LifeEvent
from brokers.order_events import LateFill
from brokers.reconciliation.books import Books, Claim, Now
from brokers.reconciliation.events import Alert, Ask, Concern, Event, OrderEvent
from brokers.reconciliation.fold import Fold
from brokers.reconciliation.truth import Told, Truth


class Draft:
    """The findings of one cycle; every event is folded at once, so that later rules see what earlier ones found."""

    def __init__(self, books: Books, truth: Truth, now: Now, orders: OrderSupport) -> None:
        self.books = books
        self.truth = truth
        self.now = now
        self.orders = orders
        self.fold = Fold(books, now.ns)
        self.claims = self.fold.claims
        self.by_broker_id = _by_broker_id(books)
        self.events: list[Event] = []
        self.alerts: list[Alert] = list(truth.quarantined)
        self.asks: list[Ask] = []
        self.due_ns: list[int] = []
        self.unsettled: set[str] = set()  # symbols whose positions cannot be judged yet
        self.contested: set[str] = set()  # unresolved orders that what is listed may or may not be
        self.look_alikes: dict[str, list[str]] = defaultdict(list)  # by order in doubt: what its date alone rules out
        self.strangers: dict[str, Told] = {}  # listed orders that are not ours, by the broker's id
        self.held_back: list[Fill] = []
        self.renamed: set[str] = set()  # executions in the books that are listed under another id
        self.agreed = truth.complete and not truth.quarantined and not books.backlog
        self.moved = False  # a position changed between its two readings, and that alone keeps us from agreeing
        self.notes = books.notes

    def emit(self, event: Event) -> None:
        """Notes and folds a finding."""
        self.fold.apply(event)
        self.events.append(event)

    def alert(self, concern: Concern, subject: str, text: str) -> None:
        """Notes what a person should know."""
        self.alerts.append(Alert(concern, subject, text))

    def unsettle(self, symbol: str) -> None:
        """Notes that a symbol moves while we look, which is no disagreement, but forbids to judge its position."""
        self.unsettled.add(symbol)

    def disagree(self, symbol: str, due_ns: int | None = None) -> None:
        """Notes that a symbol is not settled, and when that may have changed."""
        self.agreed = False
        self.unsettled.add(symbol)
        if due_ns is not None:
            self.due_ns.append(due_ns)

    def fits(self, key: str, event: LifeEvent) -> bool:
        """Emits an order's event if it changes the order; False, with an alert, where it contradicts what is known."""
        claim = self.claims[key]
        try:
            life = advance(claim.life, event)
        except LifecycleError as error:
            self.agreed = False
            self.alert(Concern.CONTRADICTION, f"order {key}", str(error))
            return False
        if _tells_more(claim.life, life):
            self.take(claim, event, life)
        return True

    def take(self, claim: Claim, event: LifeEvent, life: OrderLife) -> None:
        """Notes and folds an order's event whose outcome is known."""
        self.fold.move(claim, event, life)
        self.events.append(OrderEvent(claim.key, event))
        self._tell(claim, life.facts)
        if life.broker_order_ids != claim.life.broker_order_ids:
            self.name(claim.key, life.broker_order_ids)

    def _tell(self, claim: Claim, facts: tuple[object, ...]) -> None:
        for fact in facts:
            if isinstance(fact, LateFill):
                text = f"{fact.fill.quantity} at {fact.fill.price} after the order was {claim.life.state.value}"
                self.alert(Concern.LATE_FILL, f"order {claim.key}", text)

    def name(self, key: str, broker_order_ids: tuple[str, ...]) -> None:
        """Notes under which ids the broker has an order, so that its executions find it."""
        if key in self.claims:
            self.by_broker_id |= dict.fromkeys(broker_order_ids, key)

    def adopt(self, event: Event, key: str) -> None:
        """Emits the event that brings an order into the books, under its broker id too."""
        self.emit(event)
        self.name(key, self.claims[key].life.broker_order_ids)

    def quiet_from_ns(self, claim: Claim) -> int:
        """From when on nothing that we sent about the order can still take effect unseen."""
        return self.books.last_send_ns(claim) + self.orders.quiet_ns

    def note(self, **fields: Any) -> None:
        """Changes what is remembered for the next cycle."""
        self.notes = attrs.evolve(self.notes, **fields)


def unresolved(claim: Claim) -> bool:
    """Whether the broker may or may not have the order, and has shown nothing of it."""
    return claim.life.state in (OrderState.UNKNOWN, OrderState.PENDING_NEW) and not claim.confirmed


def _tells_more(before: OrderLife, after: OrderLife) -> bool:
    """Whether a life changed; a report that only counts the executions known is no change."""
    told = before.executions, after.executions
    if told[0].by_id == told[1].by_id and (told[0].filled, told[0].owed) == (told[1].filled, told[1].owed):
        after = attrs.evolve(after, executions=before.executions)
    return before != after


def _by_broker_id(books: Books) -> dict[str, str]:
    """Whose order an id is; of orders that had the same one, the open one's, else the latest's."""
    ranked = sorted(books.claims.values(), key=lambda claim: (not claim.life.state.final, claim.sent_wall_ns))
    return {id_: claim.key for claim in ranked for id_ in claim.life.broker_order_ids}
