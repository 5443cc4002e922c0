"""How the findings of a reconciliation change the books: the one place, for the cycle itself and for the journal."""

from collections.abc import Iterable

import attrs

from brokers import order_events
from brokers.errors import Code
from brokers.instruments import EXACT, Kind
from brokers.lifecycle import OrderLife, advance
from brokers.model import Fill, OrderState
from brokers.order_events import Filled, Rejected
from brokers.reconciliation import events as found
from brokers.reconciliation.books import FLAT, Books, Claim, Holding, HoldingKey, Watched

NEVER_SENT = Rejected(Code.CONNECTION_FAILED, "no attempt was made before the process ended")
"""What NeverSent means to an order's life."""


class Fold:
    """Books that take one event after the other; `books()` is what they have come to."""

    def __init__(self, books: Books, now_ns: int) -> None:
        self._before = books
        self._now_ns = now_ns
        self.claims = dict(books.claims)
        self.holdings = dict(books.holdings)
        self.watched = dict(books.watched)
        self.inferred = dict(books.inferred)
        self.fills: set[str] = set()

    def books(self) -> Books:
        """The books after all events."""
        known = self._before.known_fills
        return attrs.evolve(
            self._before,
            claims=self.claims,
            holdings=self.holdings,
            watched=self.watched,
            inferred=self.inferred,
            known_fills=known | self.fills if self.fills else known,
        )

    def knows(self, fill_id: str) -> bool:
        """Whether a fill is booked."""
        return fill_id in self.fills or fill_id in self._before.known_fills

    def apply(self, event: found.Event) -> None:
        """Takes in one event; raises LifecycleError for one that its order cannot take."""
        match event:
            case found.OrderEvent(key, happened):
                self._advance(self.claims[key], happened)
            case found.NotAccepted(key):
                self._watch(self.claims[key])
                self._advance(self.claims[key], found.PROVED_ABSENT)
            case found.NeverSent(key):
                self._advance(self.claims[key], NEVER_SENT)
            case found.Escalated(key, why):
                self.claims[key] = attrs.evolve(self.claims[key], escalated=why)
            case found.Adopted(key, life, session, wall_ns, sketched):
                self._admit(life, session, wall_ns, sketched=sketched)
            case found.LateAcceptance(key, life, session, wall_ns):
                self.watched.pop(key, None)
                self._admit(life, session, wall_ns)
            case found.Resolved():
                pass  # for the record; what was decided follows as an event of its own
            case _:
                self._apply_to_holdings(event)

    def move(self, claim: Claim, event: order_events.Event, life: OrderLife) -> None:
        """Takes in an order's event whose outcome is known."""
        why = claim.escalated if life.state is OrderState.UNKNOWN else ""
        self.claims[claim.key] = attrs.evolve(claim, life=life, touched_ns=self._now_ns, escalated=why)
        if isinstance(event, Filled):
            self._book(event.fill, event.fill.session or claim.session)

    def _apply_to_holdings(
        self, event: found.ExternalFill | found.InferredFill | found.PositionCorrected | found.Superseded
    ) -> None:
        match event:
            case found.ExternalFill(fill):
                self._book(fill, fill.session)
            case found.InferredFill(fill):
                self._infer(fill, None)
            case found.PositionCorrected(fill, position_id):
                self._infer(fill, position_id)
            case found.Superseded(correction):
                self._take_back(correction.original)
                if correction.replacement is not None:
                    self._infer(correction.replacement, None)

    def _admit(self, life: OrderLife, session: str | None, wall_ns: int, *, sketched: bool = False) -> None:
        """Takes in an order that the broker showed; what it filled comes as executions."""
        self.claims[life.order.key] = Claim(life, session, self._now_ns, wall_ns, self._now_ns, sketched=sketched)

    def _advance(self, claim: Claim, event: order_events.Event) -> None:
        self.move(claim, event, advance(claim.life, event))

    def _watch(self, claim: Claim) -> None:
        self.watched[claim.key] = Watched(claim.life.order, claim.session, self._now_ns, claim.sent_wall_ns)

    def _infer(self, fill: Fill, position_id: str | None) -> None:
        self.inferred[fill.id] = fill
        self._book(fill, fill.session, position_id)

    def _take_back(self, fill: Fill) -> None:
        del self.inferred[fill.id]
        self._hold((fill.symbol, None), attrs.evolve(fill, side=fill.side.opposite), fill.session)

    def _book(self, fill: Fill, session: str | None, position_id: str | None = None) -> None:
        if not self.knows(fill.id):
            self.fills.add(fill.id)
            self._hold((fill.symbol, position_id), fill, session)

    def _hold(self, key: HoldingKey, fill: Fill, session: str | None) -> None:
        """Moves a holding; its average is the ledger's to tell."""
        before = self.holdings.get(key, FLAT)
        instrument = self._before.instruments.get(fill.symbol)
        change = fill.signed_quantity
        if instrument is not None and instrument.kind is Kind.SPOT and fill.fee_currency == instrument.base:
            change = EXACT.subtract(change, fill.fee)
        share = EXACT.add(before.shares.get(session, FLAT.quantity), change)
        self.holdings[key] = Holding(
            EXACT.add(before.quantity, change), None, {**before.shares, session: share}, self._now_ns
        )


def folded(books: Books, events: Iterable[found.Event], now_ns: int) -> Books:
    """The books after the events."""
    fold = Fold(books, now_ns)
    for event in events:
        fold.apply(event)
    return fold.books()
