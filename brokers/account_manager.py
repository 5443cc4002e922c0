"""AccountManager, written once: a session's orders in one account, from the intent to the last fill.

It validates, gives each order its life, sends each request once under guard, folds the broker's news into the lives and
the fills into a ledger, and publishes what changed. While a request is under way the actor goes on: news, cancels and
other orders are served meanwhile. An order whose fate is unknown stays UNKNOWN until the broker shows it.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import attrs

from brokers.connection import Connection
from brokers.errors import BrokerError, Code, DuplicateKey, broker_error
from brokers.gateway import AccountNews, LinkNews, News, OrderNews
from brokers.instruments import Instrument
from brokers.keys import Key, new_key
from brokers.ledger import AccountTerms, Ledger, LedgerError, Mark
from brokers.lifecycle import LifecycleError, OrderLife, advance
from brokers.market import Quote
from brokers.model import (
    AccountSummary,
    Change,
    Fill,
    Order,
    OrderGroup,
    OrderReport,
    OrderState,
    OrderType,
    Position,
)
from brokers.order_events import (
    Acknowledged,
    CancelRefused,
    CancelRequested,
    Event,
    Filled,
    LateLife,
    LostTouch,
    Owed,
    Reconciled,
    Rejected,
    ReplaceRefused,
    ReplaceRequested,
    Sent,
    Withheld,
)
from brokers.outcome import Accepted, Exists, NotSent, Outcome, Unknown
from brokers.outcome import Rejected as RejectedOutcome
from brokers.sides import Side
from brokers.symbols import SymbolError
from brokers.validation import Circumstances, validate_change, validate_group, validate_order
from runtime import Actor, MailboxPolicy, Reason, message
from runtime.calls import Reply
from runtime.errors import MailboxFull

POLL_SECONDS = 5.0
KEEP_FINISHED = 10_000
OVERLAP_NS = 60 * 1_000_000_000  # how far before its own start a manager asks, for clocks that differ

T = TypeVar("T")
_DOUBTFUL = (Withheld, LateLife, Owed)  # the broker knows something that we do not


def account_topic(broker: str, account: str, session: str | None) -> tuple[str, str, str, str | None]:
    """Where a session's order reports, fills and account views are published."""
    return ("account", broker, account, session)


@attrs.frozen
class AccountStatistics:
    """How one account manager does."""

    open_orders: int
    unknown_orders: int
    finished_orders: int
    fills: int
    link_up: bool
    problems: int
    last_problem: str


class AccountManager(Actor):
    """One session's orders and sub-position in one account of one broker."""

    expects = (BrokerError, LifecycleError)
    mailbox = MailboxPolicy(capacity=100_000)

    def __init__(
        self,
        connection: Connection,
        account: str,
        *,
        session: str | None = None,
        epoch: int = 0,
        keep_finished: int = KEEP_FINISHED,
    ) -> None:
        self.connection = connection
        self.gateway = connection.need_orders()
        self.account = account
        self.session = session
        self.epoch = epoch
        self.topic = account_topic(connection.name, account, session)
        self.lives: dict[str, OrderLife] = {}
        self.by_broker_id: dict[str, str] = {}
        self.suspects: dict[str, None] = {}
        self.finished: deque[str] = deque()
        self.keep_finished = keep_finished
        self.instruments: dict[str, Instrument] = {}
        self.ledger: Ledger
        self.since_ns = 0
        self.view: AccountNews | None = None
        self.quotes: dict[str, Quote] = {}
        self.fill_count = 0
        self.link_up = True
        self.problems = 0
        self.last_problem = ""
        self._leave: Callable[[], None] | None = None

    async def on_start(self) -> None:
        """Listens first, then asks: what happens in between is heard twice rather than never."""
        self._leave = self.gateway.listen(self.account, self._offer)
        self.since_ns = self.world.clock.wall_ns() - OVERLAP_NS
        summary = await self._ask(partial(self.gateway.summary, self.account))
        terms = AccountTerms(self.connection.name, self.account, summary.currency)
        self.ledger = Ledger(terms, self.instruments)
        self.view = AccountNews(self.account, summary, (), summary.time_ns)
        self.every(POLL_SECONDS, AccountManager.look_for_suspects)

    async def on_stop(self, reason: Reason) -> None:
        """Stops listening; orders live on at the broker."""
        if self._leave is not None:
            self._leave()

    def _offer(self, news: News) -> None:
        try:
            self.ref.cast(AccountManager.hear, news)
        except MailboxFull:
            # News of orders must never be dropped: a new instance asks the broker for everything.
            self.ref.kill("more news waited than the mailbox holds; the next instance asks the broker anew")

    def new_key(self) -> Key:
        """A fresh order key of this owner epoch."""
        return new_key(self.epoch, self.world.chance)

    # Requests.

    def submit(self, order: Order | OrderGroup) -> tuple[OrderReport, ...]:
        """Places an order or a group once; the same one again answers what is known of it.

        Raises InvalidOrder before anything is sent, DuplicateKey for another order under a known key, and another
        BrokerError when the broker's definite answer is no. An order in doubt is reported UNKNOWN, not raised.
        """
        members = _members(order)
        known = [self.lives[member.key] for member in members if member.key in self.lives]
        if known:
            if [life.order for life in known] == list(members):
                return tuple(self._report(life) for life in known)
            text = f"another order has the key {known[0].order.key}; make a new key for a new order"
            raise DuplicateKey(self.connection.name, Code.DUPLICATE_KEY, text)
        self._validate(order)
        for member in members:
            self.lives[member.key] = advance(OrderLife(member), Sent())
        reply = self.defer()
        self.spawn(self._place, order, reply)
        later: tuple[OrderReport, ...] = reply.later
        return later

    async def _place(self, order: Order | OrderGroup, reply: Reply) -> None:
        members = _members(order)
        outcome = await self.connection.place(self.account, order)
        try:
            ids = _broker_ids(outcome, len(members))
            for member, broker_order_id in zip(members, ids, strict=True):
                self._settle_place(member.key, outcome, broker_order_id)
        except BrokerError as error:
            reply.fail(error)
        else:
            reply.send(tuple(self._report(self.lives[member.key]) for member in members))

    def _settle_place(self, key: str, outcome: Outcome, broker_order_id: str | None) -> None:
        match outcome:
            case Accepted():
                self._fold(key, Acknowledged(broker_order_id=broker_order_id))
            case RejectedOutcome(error):
                self._fold(key, Rejected(error.code, error.text))
                raise error
            case NotSent(error):
                self._forget_unsent(key)
                raise error
            case Exists(error) | Unknown(error):
                self._fold(key, LostTouch(str(error)))

    def _forget_unsent(self, key: str) -> None:
        """Nothing left the process: the key may be used again, unless the broker has said otherwise meanwhile."""
        life = self.lives[key]
        if life.state is OrderState.PENDING_NEW and not life.broker_order_ids and not life.filled:
            del self.lives[key]

    def modify(self, change: Change) -> OrderReport:
        """Asks for new terms; the report shows PENDING_REPLACE until the broker answers, or UNKNOWN.

        Raises InvalidOrder before anything is sent, IllegalMove where the order's state forbids a change, and another
        BrokerError for a definite no.
        """
        life = self._life(change.key)
        validate_change(life.order, change, life.filled, self._circumstances(life.order.symbol))
        self._fold(change.key, ReplaceRequested(change))
        reply = self.defer()
        request = partial(self.connection.change, self.account, change, _last(life))
        self.spawn(self._request, change.key, request, ReplaceRefused, reply)
        later: OrderReport = reply.later
        return later

    @message(control=True)
    def cancel(self, key: str) -> OrderReport:
        """Asks for the end of an order; overtakes data. The end itself comes as news.

        Raises OrderRefused with order_not_found, IllegalMove for a finished order, BrokerError for a definite no.
        """
        life = self._life(key)
        self._fold(key, CancelRequested())
        reply = self.defer()
        request = partial(self.connection.cancel, self.account, key, _last(life))
        self.spawn(self._request, key, request, CancelRefused, reply)
        later: OrderReport = reply.later
        return later

    async def _request(
        self,
        key: str,
        request: Callable[[], Awaitable[Outcome]],
        refused: type[CancelRefused] | type[ReplaceRefused],
        reply: Reply,
    ) -> None:
        outcome = await request()
        match outcome:
            case RejectedOutcome(error) | NotSent(error):
                self._fold(key, refused(error.code, error.text))
                reply.fail(error)
                return
            case Exists(error) | Unknown(error):
                self._fold(key, LostTouch(str(error)))
        reply.send(self._report(self.lives[key]))

    @message(control=True)
    async def flatten(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        """Cancels every open order and closes every position of this session, in one symbol or all.

        Returns the closing orders; a cancel or an order that is refused is a problem in the statistics.
        """
        reply = self.defer()
        self.spawn(self._flatten, symbol, reply)
        later: tuple[OrderReport, ...] = reply.later
        return later

    async def _flatten(self, symbol: str | None, reply: Reply) -> None:
        for life in [life for life in self.lives.values() if not life.state.final]:
            if symbol in (None, life.order.symbol) and life.state is not OrderState.PENDING_CANCEL:
                await self._quietly(self.ref.call(AccountManager.cancel, life.order.key))
        closing = []
        for position in self.ledger.positions():
            if position.quantity and symbol in (None, position.symbol):
                order = self._closing_order(position)
                await self._quietly(self.ref.call(AccountManager.submit, order))
                closing += [self._report(self.lives[order.key])] if order.key in self.lives else []
        reply.send(tuple(closing))

    async def _quietly(self, request: Awaitable[object]) -> None:
        try:
            await request
        except (BrokerError, LifecycleError) as error:
            self._problem(error)

    def _closing_order(self, position: Position) -> Order:
        return Order(
            key=str(self.new_key()),
            symbol=position.symbol,
            side=Side.SELL if position.quantity > 0 else Side.BUY,
            type=OrderType.MARKET,
            quantity=abs(position.quantity),
            reduce_only=self.connection.capability.orders is not None and self.connection.capability.orders.reduce_only,
        )

    # News.

    def hear(self, news: News) -> None:
        """Folds one piece of news into the books, then publishes what changed."""
        match news:
            case OrderNews():
                self._hear_of_order(news)
            case AccountNews():
                self.view = news
                self._publish(news)
            case LinkNews():
                self.link_up = news.up
                self._publish(news)
                if news.up:
                    self.continue_with(AccountManager.catch_up)

    def _hear_of_order(self, news: OrderNews) -> None:
        key = news.key if news.key in self.lives else self.by_broker_id.get(news.broker_order_id or "")
        if key is not None:
            self._fold(key, news.event)

    def _fold(self, key: str, event: Event) -> None:
        """Takes an event into an order's life; one that does not fit is a problem and changes nothing."""
        before = self.lives[key]
        try:
            life = advance(before, event)
        except LifecycleError as error:
            self._problem(error)
            if isinstance(event, CancelRequested | ReplaceRequested):
                raise
            return
        self.lives[key] = life
        for broker_order_id in life.broker_order_ids[len(before.broker_order_ids) :]:
            self.by_broker_id[broker_order_id] = key
        if isinstance(event, Filled) and event.fill.id not in before.executions.by_id:
            self._book(event.fill)
        if life.state is OrderState.UNKNOWN or any(isinstance(fact, _DOUBTFUL) for fact in life.facts):
            self.suspects[key] = None
        if life != before:
            self._publish(self._report(life))
        if life.state.final and not before.state.final:
            self._finish(key)

    def _book(self, fill: Fill) -> None:
        fill = attrs.evolve(fill, session=self.session)
        try:
            self.instrument(fill.symbol)
            entry = self.ledger.apply(fill)
        except LedgerError as error:
            self._problem(error)
            return
        if entry is not None:
            self.fill_count += 1
            self._publish(fill)

    def _finish(self, key: str) -> None:
        self.finished.append(key)
        while len(self.finished) > self.keep_finished:
            oldest = self.finished.popleft()
            for broker_order_id in self.lives.pop(oldest).broker_order_ids:
                self.by_broker_id.pop(broker_order_id, None)

    def _problem(self, error: Exception) -> None:
        self.problems += 1
        self.last_problem = str(error)

    def _publish(self, change: object) -> None:
        self.runtime.topics.publish(self.topic, change)

    # Doubt.

    async def catch_up(self) -> None:
        """Asks for everything that may have been missed while the stream was down."""
        self.suspects.update({key: None for key, life in self.lives.items() if not life.state.final})
        await self.look_for_suspects()

    async def look_for_suspects(self) -> None:
        """Asks the broker for each order in doubt; what it does not show stays in doubt until the next poll."""
        if not self.suspects:
            return
        try:
            fills = await self._ask(partial(self.gateway.fills_since, self.account, self.since_ns))
            reports = await self._ask(partial(self.gateway.orders_since, self.account, self.since_ns))
        except BrokerError as error:
            self._problem(error)
            return
        for fill in fills:
            key = fill.order_key or self.by_broker_id.get(fill.broker_order_id or "")
            if key in self.lives:
                self._fold(key, Filled(fill))
        shown = {report.order.key: report for report in reports}
        shown |= {i: report for report in reports for i in report.broker_order_ids}
        for key in [key for key in self.suspects if key in self.lives]:
            ids = [key, *reversed(self.lives[key].broker_order_ids)]
            self._look_at(key, next((shown[i] for i in ids if i in shown), None))

    def _look_at(self, key: str, report: OrderReport | None) -> None:
        if report is None:
            return
        last = report.broker_order_ids[-1] if report.broker_order_ids else None
        self._fold(key, Reconciled(report.state, report.filled, report.average_price, last))
        if self.lives[key].state is not OrderState.UNKNOWN:
            self.suspects.pop(key, None)

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        return await self.connection.ask(question, self.account)

    # Checks.

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; raises OrderRefused with symbol_not_found."""
        known = self.instruments.get(symbol)
        if known is None:
            if not self.connection.symbols.supports_symbol(symbol):
                raise broker_error(self.connection.name, Code.SYMBOL_NOT_FOUND, f"no symbol {symbol!r} here")
            try:
                known = self.connection.catalogue.instrument(symbol)
            except LookupError as error:
                raise broker_error(self.connection.name, Code.SYMBOL_NOT_FOUND, str(error)) from error
            except SymbolError as error:
                raise broker_error(self.connection.name, Code.SYMBOL_NOT_FOUND, str(error)) from error
            self.instruments[symbol] = known
        return known

    def _validate(self, order: Order | OrderGroup) -> None:
        given = self._circumstances(_members(order)[0].symbol)
        if isinstance(order, OrderGroup):
            validate_group(order, given)
        else:
            validate_order(order, given)

    def _circumstances(self, symbol: str) -> Circumstances:
        instrument = self.instrument(symbol)
        now = self.world.clock.wall_ns()
        quote = self.quotes.get(symbol)
        return Circumstances(
            capability=self.connection.capability,
            instruments=self.instruments,
            market=self.gateway.market_status(symbol)
            or self.connection.catalogue.calendars[instrument.calendar].status(now),
            now_ns=now,
            position=self.ledger.quantity(symbol),
            reference_price=(quote.ask or quote.bid) if quote is not None else None,
        )

    def _life(self, key: str) -> OrderLife:
        life = self.lives.get(key)
        if life is None:
            raise broker_error(self.connection.name, Code.ORDER_NOT_FOUND, f"no order of this session has key {key!r}")
        return life

    # Questions.

    def mark(self, quote: Quote) -> None:
        """Values the session's position at a quote."""
        self.quotes[quote.symbol] = quote
        if quote.symbol in self.instruments and (quote.bid is not None or quote.ask is not None):
            self.ledger.mark(Mark(quote.symbol, quote.time_ns, quote.bid, quote.ask))

    def order(self, key: str) -> OrderReport:
        """One order; raises OrderRefused with order_not_found."""
        return self._report(self._life(key))

    def orders(self) -> tuple[OrderReport, ...]:
        """The open orders and the latest finished ones, oldest first."""
        return tuple(self._report(life) for life in self.lives.values())

    def positions(self) -> tuple[Position, ...]:
        """What this session holds, by its own fills; flat positions included."""
        return self.ledger.positions()

    async def summary(self) -> AccountSummary:
        """The money of the whole account as the broker tells it; raises BrokerError."""
        return await self._ask(partial(self.gateway.summary, self.account))

    def statistics(self) -> AccountStatistics:
        """Counts of this moment."""
        open_orders = sum(not life.state.final for life in self.lives.values())
        return AccountStatistics(
            open_orders=open_orders,
            unknown_orders=sum(life.state is OrderState.UNKNOWN for life in self.lives.values()),
            finished_orders=len(self.lives) - open_orders,
            fills=self.fill_count,
            link_up=self.link_up,
            problems=self.problems,
            last_problem=self.last_problem,
        )

    def _report(self, life: OrderLife) -> OrderReport:
        return life.report(self.account, self.world.clock.wall_ns())


def _members(order: Order | OrderGroup) -> tuple[Order, ...]:
    return (order,) if isinstance(order, Order) else order.orders


def _broker_ids(outcome: Outcome, count: int) -> list[str | None]:
    """The broker's id of each member of a group, the parent's first; None where it was not told."""
    if not isinstance(outcome, Accepted):
        return [None] * count
    ids: list[str | None] = [outcome.broker_order_id, *outcome.legs]
    return (ids + [None] * count)[:count]


def _last(life: OrderLife) -> str | None:
    return life.broker_order_ids[-1] if life.broker_order_ids else None
