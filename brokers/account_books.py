"""AccountBooks, one actor an account, outside the sessions: the broker's truth, reconciled with what we believe.

It listens to the account's news, folds them into the desk and asks the broker for everything at the start, after
each reconnect and on a poll. Nothing here writes to a broker. A session's account manager works on the same desk, and
hears on its own topic what became of its orders.
"""

import contextlib
from collections.abc import Callable, Hashable, Sequence
from functools import partial

import attrs

from brokers import reconciliation as found
from brokers.account_desk import KEEP_FINISHED, AccountDesk
from brokers.capability import SECOND_NS
from brokers.connection import Connection
from brokers.errors import BrokerError, Code, broker_error
from brokers.gateway import AccountNews, CashNews, DoubtNews, LinkNews, News, OrderNews
from brokers.inquiry import Inquiry
from brokers.instruments import Instrument
from brokers.ledger import AccountTerms, TradeStatistics
from brokers.lifecycle import LifecycleError
from brokers.model import Fill, OrderReport, OrderState, Position
from brokers.order_events import Filled
from brokers.order_log import CashMoved, MemoryLog, OrderLog
from brokers.symbols import SymbolError
from runtime import Actor, MailboxPolicy, Reason, message
from runtime.calls import Reply
from runtime.errors import MailboxFull
from runtime.reasons import is_normal

OVERLAP_NS = 2 * 3600 * SECOND_NS  # how far before what we know a question reaches, for clocks that are wrong
DOUBT_SECONDS = 1.0  # between two looks at a broker that goes on telling what cannot be
MAX_ROUNDS = 3  # of targeted questions in one go
_AT_REST = frozenset({OrderState.HELD, OrderState.WORKING, OrderState.PARTIALLY_FILLED, OrderState.SUSPENDED})
SNAPSHOT_FACTS = 20_000  # a start folds little more than so many


def account_topic(broker: str, account: str, session: str | None) -> tuple[str, str, str, str | None]:
    """Where a session's order reports, fills and account views are published."""
    return ("account", broker, account, session)


def books_name(broker: str, account: str) -> tuple[str, str, str]:
    """The name of an account's books in the registry."""
    return ("books", broker, account)


@attrs.frozen
class Agreement:
    """What the last reconciliation came to, told to every session of the account when it changes."""

    agreed: bool
    escalated: tuple[str, ...]  # keys of orders that wait for a person
    alerts: tuple[found.Alert, ...]  # those that are new
    time_ns: int


@attrs.frozen
class SessionResult:
    """What one session's finished trades in one symbol came to; a session of None is nobody's."""

    session: str | None
    symbol: str
    currency: str
    trades: TradeStatistics


@attrs.frozen
class BooksStatistics:
    """How one account's books do."""

    reconciled: bool
    cycles: int
    failed_questions: int
    open_orders: int
    unknown_orders: int
    external_orders: int
    fills: int
    watched: int
    problems: int
    last_problem: str


class AccountBooks(Actor):
    """The books of one account of one broker."""

    expects = (BrokerError, LifecycleError, found.CannotResolve)
    mailbox = MailboxPolicy(capacity=100_000)

    def __init__(
        self,
        connection: Connection,
        account: str,
        *,
        log: OrderLog | None = None,
        policy: found.Policy | None = None,
        keep_finished: int = KEEP_FINISHED,
    ) -> None:
        self.connection = connection
        self.gateway = connection.need_orders()
        self.account = account
        self.log: OrderLog = log or MemoryLog()
        self.policy = policy or found.Policy()
        self.keep_finished = keep_finished
        self.notes = found.Notes()
        self.agreement = Agreement(False, (), (), 0)
        self.view: AccountNews | None = None
        self.link_up = True
        self.cycles = 0
        self.sessions: dict[str | None, None] = {}
        self._topics: dict[str | None, Hashable] = {}
        self.inquiry: Inquiry
        self.desk: AccountDesk
        self._tell_all: Callable[[Hashable, object], object]
        self._tell_us: Callable[..., object]
        self._starting = True
        self._started_ns = 0
        self._cycling = False
        self._again = False
        self._doubted = False  # something was put aside after the truth that is being gathered was asked for
        self._soon: object | None = None
        self._rounds = 0
        self._asks: tuple[found.Ask, ...] = ()
        self._fresh_until_ns = 0  # until when a session may begin with what was reconciled last
        self._read_wall_ns = 0  # up to when fills and orders are known to be complete
        self._waiting: list[Reply] = []
        self._leave: Callable[[], None] | None = None

    async def on_start(self) -> None:
        """Listens first, then folds the log, then asks: what happens in between is heard twice rather than never."""
        self._tell_all, self._tell_us = self.runtime.topics.publish, self.ref.tell
        self._leave = self.gateway.listen(self.account, self._offer)
        self.inquiry = Inquiry(self.connection, self.account, self.world.clock)
        summary = await self.inquiry.ask(partial(self.gateway.summary, self.account))
        self.view = AccountNews(self.account, summary, (), summary.time_ns)
        terms = AccountTerms(self.connection.name, self.account, summary.currency)
        self.desk = AccountDesk(
            terms,
            self._instrument,
            self._publish,
            self.log,
            self.world.clock,
            self.policy,
            keep_finished=self.keep_finished,
        )
        self._started_ns = now_ns = self.world.clock.monotonic_ns()
        self.desk.fold(await self.log.load(), now_ns)
        self._read_wall_ns = self.desk.known_wall_ns or self.world.clock.wall_ns()
        self.every(self.policy.poll_ns / SECOND_NS, AccountBooks.look)
        self.continue_with(AccountBooks.look)

    async def on_stop(self, reason: Reason) -> None:
        """Stops listening; orders live on at the broker, and an orderly end leaves the next start little to fold."""
        if self._leave is not None:
            self._leave()
        if is_normal(reason) and hasattr(self, "desk") and self.desk.unsaved:
            self.desk.save()

    def _offer(self, news: News) -> None:
        try:
            self._tell_us(AccountBooks.hear, news)
        except MailboxFull:
            # News of orders must never be dropped: a new instance asks the broker for everything.
            self.ref.kill("more news waited than the mailbox holds; the next instance asks the broker anew")

    # Sessions.

    def enlist(self, session: str | None) -> AccountDesk:
        """The desk for a session's account manager, once a whole reconciliation has been made for it.

        The last one does while the next is not due and nothing is on its way: so a session that crashes again and again
        costs no requests, and the others keep their share of what the broker allows.
        """
        self.sessions[session] = None
        if self._is_fresh():
            return self.desk
        reply = self.defer()
        self._waiting.append(reply)
        self.look()
        later: AccountDesk = reply.later
        return later

    def _is_fresh(self) -> bool:
        known = self.agreement.agreed and self.link_up and self.world.clock.monotonic_ns() < self._fresh_until_ns
        return known and all(entry.life.state in _AT_REST for entry in self.desk.open.values())

    def dismiss(self, session: str | None) -> None:
        """A session has ended; its orders and its share stay in the books."""
        self.sessions.pop(session, None)

    # News.

    def hear(self, news: News) -> None:
        """Folds one piece of news into the books."""
        if type(news) is OrderNews:  # most are: no pattern is asked
            self._hear_of_order(news)
            return
        match news:
            case AccountNews():
                self.view = news
                for session in self.sessions:
                    self._publish(session, news)
            case CashNews(_, flow):
                self.desk.record(CashMoved(flow))
                for session in self.sessions:
                    self._publish(session, news)
            case LinkNews():
                self.link_up = news.up
                self._fresh_until_ns = 0
                for session in self.sessions:
                    self._publish(session, news)
                if news.up:
                    self.look()
            case DoubtNews(what, text):
                self._doubt(what, text)

    def _hear_of_order(self, news: OrderNews) -> None:
        key = self.desk.key_of(news.key, news.broker_order_id)
        if key is None:
            self._hear_of_stranger(news)
            return
        event = news.event
        wrong = self.desk.entries[key].excess(event)
        if not wrong:
            if self.desk.inferred and type(event) is Filled and self.desk.is_rival(key, event.fill):
                self._hear_of_fill(event.fill)
                return
            wrong = self.desk.hear(key, event)
        if wrong:
            self._doubt(f"order {key}", wrong)

    def _doubt(self, what: str, text: str) -> None:
        """Something that was told cannot be: until books and broker were compared, nothing adds risk."""
        self._doubted = True
        if not self.agreement.agreed:
            self._look_soon()
            return
        alert = found.Alert(found.Concern.QUARANTINED, what, f"{text}; put aside until the broker's lists are compared")
        self._agreed(Agreement(False, self.agreement.escalated, (alert,), self.world.clock.wall_ns()))
        self.look()

    def _look_soon(self) -> None:
        """A broker that goes on telling what cannot be is asked once in a while, not each time."""
        if self._soon is None:
            self._soon = self.send_after(DOUBT_SECONDS, AccountBooks.look)

    def _hear_of_stranger(self, news: OrderNews) -> None:
        """News of an order that is not in the books."""
        if isinstance(news.event, Filled):
            self._hear_of_fill(news.event.fill)
        else:
            self.look()

    def _hear_of_fill(self, fill: Fill) -> None:
        """An execution of an order that we do not know yet, or that takes the place of what was made up."""
        now = self._now()
        result = found.heard(self._books(), fill, now, self.connection.capability)
        self._take(result.events)
        self.look()

    # Reconciliation.

    def look(self) -> None:
        """Begins a round of questions, or another one after the round that is under way."""
        self._soon = None
        if self._cycling:
            self._again = True
            return
        self._cycling, self._doubted = True, False
        self.spawn(self._gather)

    async def _gather(self) -> None:
        wall_ns = self.world.clock.wall_ns()
        truth = await self.inquiry.truth(self._since_wall_ns(), self._asks, self._forgotten, self._holds)
        if truth.orders is not None and truth.fills is not None:
            self._read_wall_ns = wall_ns
        self.ref.cast(AccountBooks.settle, truth)

    def _forgotten(self, report: OrderReport) -> bool:
        """Whether an order was finished in our books so long ago that they forgot it."""
        closed = self.desk.closed
        if not report.state.final or report.order.key in self.desk.entries:
            return False
        names = (report.order.key, *report.broker_order_ids)
        return any(closed.get(name) is not None for name in names)

    def _holds(self, listing: found.Listing[found.Held]) -> bool:
        """Whether positions are exactly what the books hold now."""
        ledger, held = self.desk.ledger, {one.symbol: one for one in listing.items if one.quantity}
        if any(one.position_id is not None for one in listing.items) or not listing.sound:
            return False
        return all(
            ledger.quantity(symbol) == (held[symbol].quantity if symbol in held else 0)
            for symbol in held.keys() | set(ledger.symbols())
        )

    def _since_wall_ns(self) -> int:
        """From when on the lists must be complete: the oldest order in doubt, and what we read last."""
        doubtful = [entry.sent_wall_ns for entry in self.desk.open.values() if entry.sent_wall_ns]
        orders = self.connection.capability.orders
        margin_ns = OVERLAP_NS + (orders.effect_ns if orders is not None else 0) + self.policy.skew_ns
        return max(min([*doubtful, self._read_wall_ns]) - margin_ns, 0)

    def settle(self, truth: found.Truth) -> None:
        """Corrects the books by the broker's truth; news that came before it are folded already."""
        self._cycling = False
        self.cycles += 1
        self._learn_instruments(truth)
        now = self._now()
        result = found.reconcile(self._books(), truth, now, self.connection.capability)
        self.notes, self._asks = result.notes, result.asks
        self._take(result.events)
        self._forget_watched(now.ns)
        if truth.complete:
            self._starting = False
            self._fresh_until_ns = now.ns + self.policy.poll_ns
        self._agree(result)
        if truth.complete and not (result.asks and self._rounds < MAX_ROUNDS):
            self._answer_waiting()
        self._look_again(result)
        if self.desk.unsaved >= SNAPSHOT_FACTS:
            self.save()

    def save(self) -> None:
        """Notes a snapshot of the books, so that less has to be folded at the next start."""
        self.desk.save()

    def _learn_instruments(self, truth: found.Truth) -> None:
        """Looks up what the broker speaks of; reconciliation puts aside, with a word, what nobody knows."""
        lists = (truth.positions_after, truth.fills, truth.open_orders, truth.orders)
        items = [item for one in lists if one is not None for item in one.items]
        symbols = {item.report.order.symbol if isinstance(item, found.Told) else item.symbol for item in items}
        for symbol in sorted(symbols - self.desk.instruments.keys()):
            with contextlib.suppress(BrokerError):
                self.desk.instrument(symbol)

    def _look_again(self, result: found.Reconciliation) -> None:
        urgent = bool(result.asks or result.events or result.moved) and self._rounds < MAX_ROUNDS
        if self._again or urgent:
            self._again = False
            self._rounds = self._rounds + 1 if urgent else 0
            self.look()
            return
        self._rounds = 0
        wait_ns = result.next_check_ns - self.world.clock.monotonic_ns()
        if 0 < wait_ns < self.policy.poll_ns:
            self.send_after(wait_ns / SECOND_NS, AccountBooks.look)

    def _take(self, events: Sequence[found.Event]) -> None:
        for event in events:
            self.desk.record(event)

    def _agree(self, result: found.Reconciliation) -> None:
        escalated = tuple(key for key, entry in self.desk.doubted.items() if entry.escalated)
        before = self.agreement
        passing = bool(result.events) or result.moved
        if before.agreed and passing and self._rounds < MAX_ROUNDS and not result.alerts:
            return  # it is put right or still in motion, and looked at again at once: only what persists is told
        agreed = result.agreed and not self._doubted
        after = Agreement(agreed, escalated, result.alerts, self.world.clock.wall_ns())
        if result.alerts or (before.agreed, before.escalated) != (agreed, escalated):
            self._agreed(after)
        else:
            self.agreement = after

    def _agreed(self, agreement: Agreement) -> None:
        self.agreement = agreement
        for session in self.sessions:
            self._publish(session, agreement)

    def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for reply in waiting:
            reply.send(self.desk)

    def _forget_watched(self, now_ns: int) -> None:
        old = [key for key, one in self.desk.watched.items() if now_ns - one.since_ns > self.policy.watch_ns]
        for key in old:
            del self.desk.watched[key]

    def _books(self) -> found.Books:
        return self.desk.books(self.notes, started_ns=self._started_ns, starting=self._starting)

    def _now(self) -> found.Now:
        clock = self.world.clock
        return found.Now(clock.monotonic_ns(), clock.wall_ns())

    # A person.

    def resolve(self, key: str, answer: "found.Found | found.Absent", user: str) -> OrderReport:
        """Takes a person's word for what became of an order in doubt; raises CannotResolve."""
        now = self._now()
        self._take(found.resolve(self._books(), key, answer, user, now))
        self.look()
        return self.desk.report(self.desk.entries[key])

    # Questions.

    def orders(self) -> tuple[OrderReport, ...]:
        """All orders of the account in the books, external ones too."""
        return tuple(map(self.desk.report, self.desk.entries.values()))

    def positions(self) -> tuple[Position, ...]:
        """The account's net positions by its fills."""
        return self.desk.ledger.positions()

    def results(self) -> tuple[SessionResult, ...]:
        """The finished trades of every session, by symbol and session."""
        ledger = self.desk.ledger
        return tuple(
            SessionResult(share.session, one.symbol, one.currency, ledger.session_statistics(one.symbol, share.session))
            for one in ledger.positions()
            for share in ledger.session_positions(one.symbol)
        )

    @message(control=True)
    def agreed(self) -> Agreement:
        """What the last reconciliation came to."""
        return self.agreement

    def statistics(self) -> BooksStatistics:
        """Counts of this moment."""
        entries = self.desk.entries.values()
        return BooksStatistics(
            reconciled=self.agreement.agreed,
            cycles=self.cycles,
            failed_questions=self.inquiry.failed,
            open_orders=len(self.desk.open),
            unknown_orders=len(self.desk.doubted),
            external_orders=sum(entry.session is None for entry in entries),
            fills=self.desk.fill_count,
            watched=len(self.desk.watched),
            problems=self.desk.problems,
            last_problem=self.desk.last_problem or self.inquiry.last_failure,
        )

    def _publish(self, session: str | None, change: object) -> None:
        topic = self._topics.get(session)
        if topic is None:
            self._topics[session] = topic = account_topic(self.connection.name, self.account, session)
        self._tell_all(topic, change)

    def _instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; raises OrderRefused with symbol_not_found."""
        connection = self.connection
        if not connection.symbols.supports_symbol(symbol):
            raise broker_error(connection.name, Code.SYMBOL_NOT_FOUND, f"no symbol {symbol!r} here")
        try:
            return connection.catalogue.instrument(symbol)
        except (LookupError, SymbolError) as error:
            raise broker_error(connection.name, Code.SYMBOL_NOT_FOUND, str(error)) from error
