"""One account's orders, fills and positions as far as they are known, for all sessions that trade in it.

A desk is a fold of facts: `record` notes what just happened in the log and takes it in, `fold` takes in what comes
from the log. What changes for a session is handed to `tell`; what the log holds was told by an earlier life.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

import attrs

from brokers import reconciliation as found
from brokers.collector import collector_paused
from brokers.desk_entry import Entry, KnownFills
from brokers.desk_state import FORMAT, BadSnapshot, DeskState
from brokers.errors import BrokerError
from brokers.executions import Restatement
from brokers.instruments import Instrument
from brokers.ledger import AccountTerms, Correction, Ledger, LedgerError, Print, RecentIds, dump, load
from brokers.lifecycle import LifecycleError, OrderLife, advance
from brokers.model import Fill, Order, OrderGroup, OrderReport, OrderState
from brokers.order_events import Busted, Corrected, Event, Filled, Sent
from brokers.order_log import Abandoned, Attempted, CashMoved, Happening, Intended, OrderFact, OrderLog, Snapshot
from brokers.reconciliation.books import HoldingKey
from brokers.reconciliation.events import PROVED_ABSENT
from brokers.reconciliation.fold import NEVER_SENT
from runtime.world import Clock

__all__ = ["CLOSED", "KEEP_FINISHED", "AccountDesk", "Entry", "Tell"]

KEEP_FINISHED = 2_000
CLOSED = 20_000

Tell = Callable[[str | None, OrderReport | Fill], None]


class AccountDesk:
    """The books of one account."""

    def __init__(
        self,
        terms: AccountTerms,
        instruments: Callable[[str], Instrument],
        tell: Tell,
        log: OrderLog,
        clock: Clock,
        policy: found.Policy,
        *,
        keep_finished: int = KEEP_FINISHED,
    ) -> None:
        """`instruments` finds the instrument of a symbol, or raises LookupError or BrokerError."""
        self.broker, self.account = terms.broker, terms.account
        self.instruments: dict[str, Instrument] = {}
        self.fill_ids = RecentIds()
        self.ledger = Ledger(terms, self.instruments, fills=self.fill_ids)
        self.terms = terms
        self.log, self.clock, self.policy = log, clock, policy
        self.entries: dict[str, Entry] = {}
        self.open: dict[str, Entry] = {}  # those that are not finished
        self.doubted: dict[str, Entry] = {}  # those whose state is UNKNOWN
        self.by_broker_id: dict[str, str] = {}
        self.watched: dict[str, found.Watched] = {}
        self.inferred: dict[str, Fill] = {}
        self.finished: deque[str] = deque()
        self.closed = RecentIds(CLOSED)  # keys and broker ids of finished orders that are no longer in the books
        self.moved_ns: dict[str, int] = {}  # when a symbol's position last moved
        self.known_wall_ns = 0  # of the latest fact
        self.unsaved = 0  # facts since the latest snapshot
        self.fill_count = 0
        self.problems = 0
        self.last_problem = ""
        self._instrument = instruments
        self._tell = tell
        self._keep_finished = keep_finished
        self._quiet = False

    # The fold.

    def record(self, what: Happening) -> None:
        """Takes in what just happened and notes it; what changes nothing is not noted."""
        if type(what) is found.OrderEvent:
            self.hear(what.key, what.event)
        else:
            self.apply(self._note(what, self.clock.wall_ns()), self.clock.monotonic_ns())

    def intend(self, request: Order | OrderGroup, keys: tuple[str, ...], session: str | None) -> None:
        """Notes that a request to place is to be sent, and that from now on its first byte may have left."""
        now_ns, wall_ns = self.clock.monotonic_ns(), self.clock.wall_ns()
        intended = Intended(request, session)
        self._note(intended, wall_ns)
        self._note(Attempted(keys, 1), wall_ns)
        for order in intended.orders:  # what folding the two facts comes to, in one step
            life = OrderLife(order, OrderState.PENDING_NEW)
            self.entries[order.key] = self.open[order.key] = Entry(life, session, now_ns, wall_ns, now_ns, 1)

    def hear(self, key: str, event: Event) -> str:
        """Takes in and notes what was told of an order; what is wrong with it, and then nothing was taken in."""
        try:
            if self.happen(key, event, self.clock.monotonic_ns()):
                self._note(found.OrderEvent(key, event), self.clock.wall_ns())
        except (LifecycleError, LedgerError, BrokerError) as error:
            self.problem(error)
            return str(error)
        return ""

    def ask(self, key: str, event: Event) -> None:
        """Records a request of ours; raises LifecycleError where the order's state forbids it."""
        if self.happen(key, event, self.clock.monotonic_ns()):
            self._note(found.OrderEvent(key, event), self.clock.wall_ns())

    def _note(self, what: Happening, wall_ns: int) -> OrderFact:
        fact = OrderFact(wall_ns, what)
        self.log.note(fact)
        self.known_wall_ns = max(self.known_wall_ns, wall_ns)
        self.unsaved += 1
        return fact

    def save(self) -> None:
        """Notes a snapshot of everything, with which the next life can begin."""
        self.log.note(OrderFact(self.clock.wall_ns(), Snapshot(self.state())))
        self.unsaved = 0

    def fold(self, facts: Iterable[OrderFact], now_ns: int) -> None:
        """Takes in what the log holds and tells nobody; its orders outlived their process. Raises BadSnapshot."""
        self._quiet = True
        try:
            with collector_paused():
                for fact in facts:
                    self._fold_one(fact, now_ns)
        finally:
            self._quiet = False
        for entry in self.entries.values():
            entry.survived = True

    def _fold_one(self, fact: OrderFact, now_ns: int) -> None:
        if type(fact.what) is Snapshot:
            self.restore(fact.what.state, now_ns)
        else:
            self.apply(fact, now_ns)
            self.unsaved += 1

    def apply(self, fact: OrderFact, now_ns: int) -> None:
        """Takes in a fact; one that does not fit what is known is a problem and changes nothing else."""
        self.known_wall_ns = max(self.known_wall_ns, fact.wall_ns)
        try:
            self._apply(fact.what, now_ns, fact.wall_ns)
        except (LifecycleError, LedgerError, BrokerError) as error:
            self.problem(error)

    def _apply(self, what: Any, now_ns: int, wall_ns: int) -> None:
        if type(what) is found.OrderEvent:  # most facts are: no pattern is asked
            self.happen(what.key, what.event, now_ns)
            return
        match what:
            case Intended(_, session):
                for order in what.orders:
                    entry = Entry(OrderLife(order), session, touched_ns=now_ns)
                    self.entries[order.key] = self.open[order.key] = entry
            case Attempted(keys, number):
                for key in keys:
                    self._attempt(self.entries[key], number, now_ns, wall_ns)
            case Abandoned(keys):
                for key in keys:
                    self._drop(key)
            case _:
                self._apply_found(what, now_ns, wall_ns)

    def _apply_found(self, what: found.Event, now_ns: int, wall_ns: int) -> None:
        match what:
            case found.Adopted(_, life, session, _, sketched):
                self._admit(life, session, now_ns, wall_ns, sketched=sketched)
            case found.LateAcceptance(key, life, session):
                self.watched.pop(key, None)
                self._admit(life, session, now_ns, wall_ns)
            case found.NotAccepted(key):
                entry = self.entries[key]
                self.watched[key] = found.Watched(entry.life.order, entry.session, now_ns, entry.sent_wall_ns)
                self.happen(key, PROVED_ABSENT, now_ns)
            case found.NeverSent(key):
                self.happen(key, NEVER_SENT, now_ns)
            case found.Escalated(key, why):
                self.entries[key].escalated = why
            case found.Resolved():
                pass  # for the record: the decision follows as a fact of its own
            case _:
                self._apply_to_ledger(what, now_ns)

    def _apply_to_ledger(self, what: Any, now_ns: int) -> None:
        match what:
            case CashMoved(flow):
                self.ledger.post(flow)
            case found.ExternalFill(fill):
                self._book(fill, fill.session, now_ns)
            case found.InferredFill(fill) | found.PositionCorrected(fill):
                self.inferred[fill.id] = fill
                self._book(fill, fill.session, now_ns)
            case found.Superseded(correction):
                self.inferred.pop(correction.original.id, None)
                if correction.replacement is not None:
                    self.inferred[correction.replacement.id] = correction.replacement
                self.moved_ns[correction.original.symbol] = now_ns
                self.ledger.correct(correction)

    def happen(self, key: str, event: Event, now_ns: int) -> bool:
        """Folds an event into an order's life; False where it changes nothing; raises LifecycleError, LedgerError."""
        entry = self.entries[key]
        before = entry.life
        life = advance(before, event)
        if life is before or (life.facts and life == before):
            return False
        entry.life = life
        entry.touched_ns = now_ns
        ids = life.broker_order_ids
        if ids is not before.broker_order_ids:
            for broker_order_id in ids[len(before.broker_order_ids) :]:
                self.by_broker_id[broker_order_id] = key
        kind = type(event)
        if kind is Filled:
            fill = event.fill  # type: ignore[union-attr]  # the kind was asked for
            self._book(fill, fill.session or entry.session, now_ns)  # a stranger's order may move a session's position
        elif kind is Corrected or kind is Busted:
            self._correct(entry, before, event)  # type: ignore[arg-type]  # the kind was asked for
        if life.uncertain:
            self.doubted[key] = entry
        elif before.uncertain:
            self.doubted.pop(key, None)
            entry.escalated = ""
        if not self._quiet:
            self._tell(entry.session, self.report(entry))
        if life.standing.final and life.state.final and key in self.open:
            self._finish(key)
        return True

    def _attempt(self, entry: Entry, number: int, now_ns: int, wall_ns: int) -> None:
        entry.life = advance(entry.life, Sent())
        entry.attempts = number
        entry.sent_ns = entry.touched_ns = now_ns
        entry.sent_wall_ns = entry.sent_wall_ns or wall_ns

    def _admit(
        self, life: OrderLife, session: str | None, now_ns: int, wall_ns: int, *, sketched: bool = False
    ) -> None:
        key = life.order.key
        self.entries[key] = entry = Entry(life, session, now_ns, wall_ns, now_ns, 1, sketched=sketched)
        self.by_broker_id.update(dict.fromkeys(life.broker_order_ids, key))
        self._show(entry)
        if life.state.final:
            self._finish(key)
        else:
            self.open[key] = entry

    def _book(self, fill: Fill, session: str | None, now_ns: int) -> None:
        if fill.session != session:
            fill = fill.attributed(fill.fee, session)
        if fill.symbol not in self.instruments:
            self.instrument(fill.symbol)
        if self.ledger.apply(fill) is not None:
            self.fill_count += 1
            self.moved_ns[fill.symbol] = now_ns
            if not self._quiet:
                self._tell(session, fill)

    def _show(self, entry: Entry) -> None:
        if self._quiet:
            entry.changed_wall_ns = self.known_wall_ns
        else:
            entry.changed_wall_ns = self.clock.wall_ns()
            self._tell(entry.session, self.report(entry))

    def is_rival(self, key: str, fill: Fill) -> bool:
        """Whether an execution of an order may have to take the place of something that was made up."""
        if fill.id in self.entries[key].life.executions.by_id:
            return False
        return any(one.order_key == key or _may_be(fill, one) for one in self.inferred.values())

    def _correct(self, entry: Entry, before: OrderLife, event: Corrected | Busted) -> None:
        """Takes back in the ledger what an execution was, and books what stands for it now.

        The broker may correct one that it has not told of yet, or the same one several times.
        """
        id_, known = event.execution_id, before.executions.by_id
        was, (booked_as, next_id) = known.get(id_), self._names_of(id_)
        replacement = None
        if isinstance(event, Corrected) and _reads_anew(event, known, entry.life.executions.by_id):
            fill, same_id = event.fill, booked_as if was is None else next_id
            replacement = attrs.evolve(fill, session=fill.session or entry.session)
            if fill.id == id_:
                booked = self.fill_ids.get(booked_as)  # the same execution: it stays where it was in time
                time_ns = fill.time_ns if booked is None else booked.time_ns
                replacement = attrs.evolve(replacement, id=same_id, time_ns=time_ns)
        if was is None:
            if replacement is not None:
                self._book(replacement, replacement.session, entry.touched_ns)
            return
        order = entry.life.order
        time_ns = replacement.time_ns if replacement is not None else entry.touched_ns
        original = Fill(
            booked_as, self.broker, self.account, order.symbol, order.side, was.quantity, was.price, time_ns,
            fee=was.fee, session=entry.session,
        )  # fmt: skip
        self.moved_ns[order.symbol] = entry.touched_ns
        self.ledger.correct(Correction(f"{booked_as}/taken back", original, replacement, time_ns))

    def _names_of(self, execution_id: str) -> tuple[str, str]:
        """What an execution is called in the ledger, where no id comes twice, and what its next reading will be."""
        name, number = execution_id, 1
        while True:
            following = f"{execution_id}/restated" if number == 1 else f"{execution_id}/restated/{number}"
            if not self.ledger.is_reversed(name):
                return name, following
            name, number = following, number + 1

    def _drop(self, key: str) -> None:
        self.entries.pop(key, None)
        self.open.pop(key, None)
        self.doubted.pop(key, None)

    def _finish(self, key: str) -> None:
        self.open.pop(key, None)
        self.finished.append(key)
        if len(self.finished) > self._keep_finished:
            self._forget_finished()

    def _forget_finished(self) -> None:
        while len(self.finished) > self._keep_finished:
            oldest = self.finished.popleft()
            entry = None if oldest in self.open else self.entries.pop(oldest, None)
            if entry is None:  # abandoned, or alive again
                continue
            self.closed.remember(oldest, Print(entry.touched_ns))
            for broker_order_id in entry.life.broker_order_ids:
                self.by_broker_id.pop(broker_order_id, None)
                self.closed.remember(broker_order_id, Print(entry.touched_ns))
            if self.inferred:
                self.inferred = {id_: fill for id_, fill in self.inferred.items() if fill.order_key != oldest}

    def problem(self, error: Exception) -> None:
        """Counts something that could not be taken in."""
        self.problems += 1
        self.last_problem = str(error)

    # The state.

    def state(self) -> DeskState:
        """Everything that the facts so far come to."""
        return DeskState(
            FORMAT,
            orders=tuple(entry.kept() for entry in self.entries.values()),
            open=tuple(self.open),
            doubted=tuple(self.doubted),
            finished=tuple(self.finished),
            by_broker_id=dict(self.by_broker_id),
            watched=tuple(attrs.evolve(watched, since_ns=0) for watched in self.watched.values()),
            inferred=tuple(self.inferred.values()),
            closed=tuple(self.closed),
            moved=tuple(self.moved_ns),
            instruments=tuple(self.instruments[symbol] for symbol in self.ledger.symbols()),
            ledger={**dump(self.ledger), "marks": [], "rates": []},
            known_wall_ns=self.known_wall_ns,
            fill_count=self.fill_count,
        )

    def restore(self, state: DeskState, now_ns: int) -> None:
        """Takes over a state in place of everything known, all of it or nothing; raises BadSnapshot."""
        state.check()
        for kept in state.instruments:
            self.instruments[kept.symbol] = self._instrument_or(kept)
        try:
            ledger = load(state.ledger, self.terms, self.instruments)
        except LedgerError as error:
            raise BadSnapshot("ledger", str(error), f"the ledger of {self.broker}/{self.account}") from error
        self._take_over(state, ledger, now_ns)

    def _instrument_or(self, kept: Instrument) -> Instrument:
        """The instrument by today's word, or as it was where nobody knows it any more."""
        try:
            return self.instrument(kept.symbol)
        except (LookupError, BrokerError):
            return kept

    def _take_over(self, state: DeskState, ledger: Ledger, now_ns: int) -> None:
        self.ledger = ledger
        self.fill_ids = cast("RecentIds", ledger.account.fills)
        self.entries = {kept.order.key: Entry.restored(kept, now_ns) for kept in state.orders}
        self.open = {key: self.entries[key] for key in state.open}
        self.doubted = {key: self.entries[key] for key in state.doubted}
        self.finished = deque(state.finished)
        self.by_broker_id = dict(state.by_broker_id)
        self.watched = {one.order.key: attrs.evolve(one, since_ns=now_ns) for one in state.watched}
        self.inferred = {fill.id: fill for fill in state.inferred}
        self.closed.restore(dict.fromkeys(state.closed, Print(now_ns)))
        self.moved_ns = dict.fromkeys(state.moved, now_ns)
        self.known_wall_ns = state.known_wall_ns
        self.fill_count = state.fill_count
        self.unsaved = 0

    # Questions.

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; raises what the finder raises."""
        known = self.instruments.get(symbol)
        if known is None:
            self.instruments[symbol] = known = self._instrument(symbol)
        return known

    def quantity(self, symbol: str, session: str | None) -> Decimal:
        """What a session holds of a symbol, by its own fills."""
        return self.ledger.session_quantity(symbol, session)

    def report(self, entry: Entry) -> OrderReport:
        """What is known of an order, and since when."""
        return entry.life.report(self.account, entry.changed_wall_ns or self.clock.wall_ns())

    def key_of(self, key: str | None, broker_order_id: str | None) -> str | None:
        """The order that a broker's word is about, None for one that is not in the books."""
        if key is not None and key in self.entries:
            return key
        return self.by_broker_id.get(broker_order_id or "")

    def books(self, notes: found.Notes, *, started_ns: int, starting: bool) -> found.Books:
        """Everything as reconciliation sees it."""
        return found.Books(
            broker=self.broker,
            account=self.account,
            instruments=self.instruments,
            claims={key: entry.claim() for key, entry in self.entries.items()},
            holdings=self._holdings(),
            known_fills=KnownFills(self.fill_ids),
            watched=dict(self.watched),
            inferred=dict(self.inferred),
            policy=self.policy,
            notes=notes,
            started_ns=started_ns,
            starting=starting,
        )

    def _holdings(self) -> Mapping[HoldingKey, found.Holding]:
        holdings: dict[HoldingKey, found.Holding] = {}
        for position in self.ledger.positions():
            shares: dict[str | None, Decimal] = {
                share.session: share.position.quantity for share in self.ledger.session_positions(position.symbol)
            }
            moved_ns = self.moved_ns.get(position.symbol, 0)
            holdings[position.symbol, None] = found.Holding(position.quantity, position.average_price, shares, moved_ns)
        return holdings


def _reads_anew(event: Corrected, before: Restatement, after: Restatement) -> bool:
    """Whether a correction makes an execution count as it did not before; one that is void stays so."""
    id_ = event.fill.id
    return after.get(id_) is not None and (id_ == event.execution_id or id_ not in before)


def _may_be(fill: Fill, correction: Fill) -> bool:
    """Whether an execution may be what a position was corrected by."""
    same = (correction.symbol, correction.side) == (fill.symbol, fill.side)
    return correction.order_key is None and same and fill.time_ns <= correction.time_ns
