"""AccountManager, written once: one session's orders in one account, from the intent to the last fill.

It validates, notes each step before it takes it, and sends each request once under guard. The books it works on
belong to the account and outlive the session; they fold what the broker says and publish it on the session's topic.
While a request is under way the actor goes on: cancels and other orders are served meanwhile. An order whose fate is
unknown is never sent again.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar

import attrs
import trio

from brokers.account_books import AccountBooks, Agreement, books_name
from brokers.account_desk import AccountDesk, Entry
from brokers.capability import SECOND_NS
from brokers.connection import Connection, Objection, nothing_against
from brokers.errors import BrokerError, Certainty, Code, DuplicateKey, broker_error
from brokers.flight import Flight
from brokers.guards.errors import Withdrawn
from brokers.instruments import Instrument
from brokers.keys import Key, new_key
from brokers.ledger import Mark
from brokers.lifecycle import LifecycleError
from brokers.market import Quote
from brokers.model import AccountSummary, Change, Order, OrderGroup, OrderReport, OrderState, OrderType, Position
from brokers.order_events import (
    Acknowledged,
    CancelRefused,
    CancelRequested,
    LostTouch,
    Rejected,
    ReplaceRefused,
    ReplaceRequested,
)
from brokers.order_log import Abandoned
from brokers.outcome import Accepted, Exists, NotSent, Outcome, Unknown
from brokers.outcome import Rejected as RejectedOutcome
from brokers.reconciliation import OrderEvent, keyless, may_submit
from brokers.sides import Side
from brokers.validation import Circumstances, validate_change, validate_group, validate_order
from runtime import Actor, MailboxPolicy, Name, Reason, Ref, message
from runtime.calls import Reply
from runtime.monitors import Down

RECONCILE_SECONDS = 60.0  # the longest that a start waits for the broker's answers
ANSWER_SECONDS = 5.0  # how long an answer is waited for that no task waits for
WISH_SECONDS = 1.0  # how often cancels that had to wait are looked at, and answers that do not come
CANCEL_SECONDS = 10.0  # how long a flatten waits for the end of orders before it closes what is held then
OWED_SECONDS = 0.05  # how often owed executions are looked for while positions wait to be closed

T = TypeVar("T")


class BooksGone(Exception):
    """The account's books ended under a session."""


@attrs.frozen
class AccountStatistics:
    """How one account manager does."""

    open_orders: int
    unknown_orders: int
    finished_orders: int
    requests: int
    refused: int
    problems: int
    last_problem: str


class AccountManager(Actor):
    """One session's orders and sub-position in one account of one broker."""

    expects = (BrokerError, LifecycleError)
    mailbox = MailboxPolicy(capacity=100_000)

    def __init__(self, connection: Connection, account: str, *, session: str | None = None, epoch: int = 0) -> None:
        self.connection = connection
        self.gateway = connection.need_orders()
        self.account = account
        self.session = session
        self.epoch = epoch
        self.books: Name[AccountBooks]
        self._books: Ref[AccountBooks]  # those that it began with, and ends with
        self.desk: AccountDesk
        orders = connection.capability.orders
        self._keyless = orders is not None and keyless(orders.keys)
        self.quotes: dict[str, Quote] = {}
        self._unrecorded: dict[Flight, None] = {}  # of orders that wait for the log
        self._unanswered: dict[Flight, tuple[int, Reply]] = {}  # and since when, of orders that no task waits for
        self.requests = 0
        self.refused = 0
        self.problems = 0
        self.last_problem = ""

    async def on_start(self) -> None:
        """Takes a seat at the account's desk, once its books have been compared with the broker."""
        name = books_name(self.connection.name, self.account)
        self.books = self.runtime.name(name, AccountBooks)
        with trio.fail_after(RECONCILE_SECONDS):
            self._books = await self.runtime.registry.wait_for(name)
            self.monitor(self.books)
            self.desk = await self.books.call(AccountBooks.enlist, self.session)
        self.at_end(self._lose_unanswered)
        self.every(WISH_SECONDS, AccountManager.look)

    async def on_stop(self, reason: Reason) -> None:
        """Leaves the desk; orders live on at the broker and in the books."""
        self.books.cast(AccountBooks.dismiss, self.session)

    async def on_down(self, down: Down) -> None:
        """Without books nothing may be traded: the session starts again on new ones."""
        raise BooksGone(f"the books of {self.account} ended ({down.reason}); the session starts again on new ones")

    def new_key(self) -> Key:
        """A fresh order key of this owner epoch."""
        return new_key(self.epoch, self.world.chance)

    # Requests.

    def submit(self, order: Order | OrderGroup, objection: Objection = nothing_against) -> tuple[OrderReport, ...]:
        """Places an order or a group once; the same one again answers what is known of it.

        It may have to wait before it leaves, and is not sent if there is an `objection` by then. Raises InvalidOrder
        before anything is sent, DuplicateKey for another order under a known key, NotRecorded when the journal cannot
        take it, and another BrokerError when the broker's definite answer is no. An order in doubt is reported
        UNKNOWN, not raised.
        """
        desk, members = self.desk, _members(order)
        keys = tuple([member.key for member in members])
        if not desk.entries.keys().isdisjoint(keys):
            return self._known_before(members)
        self._validate(order, members[0])
        self._need_clear_sight(members)
        desk.intend(order, keys, self.session)
        flight, reply = Flight(desk, keys), self.defer()
        self._unrecorded[flight] = None
        desk.log.when_durable(self.receiver(partial(self._send, order, objection, flight, reply)))
        later: tuple[OrderReport, ...] = reply.later
        return later

    def _known_before(self, members: tuple[Order, ...]) -> tuple[OrderReport, ...]:
        """What is known of orders that were submitted before; raises DuplicateKey for others with their keys."""
        entries = self.desk.entries
        known = [entries[member.key] for member in members if member.key in entries]
        if [entry.life.order for entry in known] == list(members):
            return tuple(map(self.desk.report, known))
        text = f"another order has the key {known[0].life.order.key}; make a new key for a new order"
        raise DuplicateKey(self.connection.name, Code.DUPLICATE_KEY, text)

    def _send(
        self,
        order: Order | OrderGroup,
        objection: Objection,
        flight: Flight,
        reply: Reply,
        failure: BrokerError | None,
    ) -> None:
        """Sends an order whose intent is durable; one that could not be recorded, or was given up, is not sent."""
        self._unrecorded.pop(flight, None)
        why = objection()
        if why:
            failure = failure or Withdrawn.of(self.connection.name, "place an order", why)
        if failure is not None:
            self._placed(flight, reply, NotSent(failure))
        elif flight.under_way and not self._begin_place(order, flight, reply):
            self.spawn(self._place, order, objection, flight, reply)

    def _begin_place(self, order: Order | OrderGroup, flight: Flight, reply: Reply) -> bool:
        """Sends an order in this step, where neither guard nor gateway makes it wait; else does nothing."""
        then = partial(self._placed, flight, reply)
        flight.admission = self.connection.begin_place(self.request, self.account, order, then)
        if flight.admission is None:
            return False
        self.requests += 1
        if flight.under_way:
            self._unanswered[flight] = (self.desk.clock.monotonic_ns(), reply)
        return True

    def _give_up_waiting(self) -> None:
        """Lets go of answers that do not come: what those orders came to is for the books to find out."""
        overdue_ns = self.desk.clock.monotonic_ns() - int(ANSWER_SECONDS * SECOND_NS)
        for flight, (since_ns, reply) in list(self._unanswered.items()):
            if since_ns <= overdue_ns:
                text = f"no answer within {ANSWER_SECONDS:g} s"
                error = broker_error(self.connection.name, Code.TIMEOUT, text, certainty=Certainty.UNKNOWN)
                outcome = Unknown(error)
                if flight.admission is not None:
                    flight.admission.end(outcome)
                self._placed(flight, reply, outcome)

    def _lose_unanswered(self, _: Reason) -> None:
        for flight in (*self._unrecorded, *self._unanswered):
            flight.lose()

    def _placed(self, flight: Flight, reply: Reply, outcome: Outcome) -> None:
        if not flight.under_way:  # given up: what is true shows in the broker's lists and news
            return
        self._unanswered.pop(flight, None)
        if self._books.idle:
            flight.land()
            self._end_place(flight, reply, outcome)
        else:
            self.spawn(self._land, flight, reply, outcome)

    async def _land(self, flight: Flight, reply: Reply, outcome: Outcome) -> None:
        with flight:
            await self._news_first()
        self._end_place(flight, reply, outcome)

    async def _place(self, order: Order | OrderGroup, objection: Objection, flight: Flight, reply: Reply) -> None:
        with flight:
            self.requests += 1
            outcome = await self.connection.place(self.account, order, objection)
            await self._news_first()
        self._end_place(flight, reply, outcome)

    def _end_place(self, flight: Flight, reply: Reply, outcome: Outcome) -> None:
        refusal = self._settle_place(flight.keys, outcome)
        if refusal is not None:
            self.refused += 1
            reply.fail(refusal)
            return
        reply.send(tuple(map(self.desk.report, flight.entries)))
        for entry in flight.entries:
            if entry.life.canceling:
                self.continue_cancel(entry)

    async def _recorded(self, request: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Sends a request once what was noted before it is durable; without that nothing is sent."""
        try:
            await self.desk.log.sync()
        except BrokerError as failure:
            return NotSent(failure)
        self.requests += 1
        return await request()

    async def _news_first(self) -> None:
        """Lets the books fold what was told before an answer that came without waiting, so that it shows in ours."""
        if not self._books.idle:
            await trio.lowlevel.cancel_shielded_checkpoint()

    def _settle_place(self, keys: tuple[str, ...], outcome: Outcome) -> BrokerError | None:
        """Notes what became of an attempt; returns the error of a definite no."""
        record = self.desk.record
        match outcome:
            case Accepted():
                for key, broker_order_id in zip(keys, _broker_ids(outcome, len(keys)), strict=True):
                    if broker_order_id not in self.desk.entries[key].life.broker_order_ids:  # else news said as much
                        record(OrderEvent(key, Acknowledged(broker_order_id=broker_order_id)))
                return None
            case RejectedOutcome(error):
                for key in keys:
                    record(OrderEvent(key, Rejected(error.code, error.text)))
                return error
            case NotSent(error):
                self._withdraw(keys, error)
                return error
            case Exists(error) | Unknown(error):
                for key in keys:
                    record(OrderEvent(key, LostTouch(str(error))))
                self.books.cast(AccountBooks.look)
                return None

    def _withdraw(self, keys: tuple[str, ...], error: BrokerError) -> None:
        """Nothing left the process: the keys may be used again, unless the broker has said otherwise meanwhile."""
        lives = [self.desk.entries[key].life for key in keys]
        if all(_untouched(life.state, bool(life.broker_order_ids), bool(life.filled)) for life in lives):
            self.desk.record(Abandoned(keys, str(error)))

    def modify(self, change: Change) -> OrderReport:
        """Asks for new terms; the report shows PENDING_REPLACE until the broker answers, or UNKNOWN.

        Raises InvalidOrder before anything is sent, IllegalMove where the order's state forbids a change, NotRecorded,
        and another BrokerError for a definite no.
        """
        entry = self._entry(change.key)
        validate_change(entry.life.order, change, entry.life.filled, self._circumstances(entry.life.order.symbol))
        self.desk.ask(change.key, ReplaceRequested(change))
        reply = self.defer()
        request = partial(self.connection.change, self.account, change, _last(entry))
        self.spawn(self._request, Flight(self.desk, (change.key,)), request, ReplaceRefused, reply)
        later: OrderReport = reply.later
        return later

    @message(control=True)
    def cancel(self, key: str) -> OrderReport:
        """Asks for the end of an order; overtakes data. The end itself comes as news.

        An order that the broker has not taken yet is cancelled once it has; a second cancel sends nothing. Raises
        OrderRefused with order_not_found, IllegalMove for a finished order, BrokerError for a definite no.
        """
        entry = self._entry(key)
        waits = entry.life.canceling
        self.desk.ask(key, CancelRequested())
        if waits or entry.life.state is not OrderState.PENDING_CANCEL:
            return self.desk.report(entry)
        reply = self.defer()
        self.continue_cancel(entry, reply)
        later: OrderReport = reply.later
        return later

    def continue_cancel(self, entry: Entry, reply: Reply | None = None) -> None:
        """Sends the one cancel of an order."""
        if entry.cancel_sent or entry.life.state is not OrderState.PENDING_CANCEL:
            return
        entry.cancel_sent = True
        key = entry.life.order.key
        request = partial(self.connection.cancel, self.account, key, _last(entry))
        self.spawn(self._request, Flight(self.desk, (key,)), request, CancelRefused, reply)

    def look(self) -> None:
        """Lets go of answers that do not come, and sends the cancels that had to wait."""
        if self._unanswered:
            self._give_up_waiting()
        self.send_waiting_cancels()

    def send_waiting_cancels(self) -> None:
        """Sends the cancels of orders that had to be found at the broker first."""
        for entry in list(self._open()):
            if entry.life.canceling and not entry.cancel_sent:
                self.continue_cancel(entry)

    async def _request(
        self,
        flight: Flight,
        request: Callable[[], Awaitable[Outcome]],
        refused: type[CancelRefused] | type[ReplaceRefused],
        reply: Reply | None,
    ) -> None:
        (entry,) = flight.entries
        with flight:
            # A cancel does not wait for the journal: it must get through with a full disk, too.
            outcome = await (self._recorded(request) if refused is ReplaceRefused else request())
            await self._news_first()
        refusal = self._settle_request(entry, outcome, refused)
        if reply is None:
            return
        if refusal is not None:
            self.refused += 1
            reply.fail(refusal)
        else:
            reply.send(self.desk.report(entry))

    def _settle_request(
        self, entry: Entry, outcome: Outcome, refused: type[CancelRefused] | type[ReplaceRefused]
    ) -> BrokerError | None:
        """Notes what became of a change or a cancel; returns the error of a definite no."""
        key = entry.life.order.key
        match outcome:
            case RejectedOutcome(error) | NotSent(error):
                if refused is CancelRefused:
                    entry.cancel_sent = False
                self.desk.record(OrderEvent(key, refused(error.code, error.text)))
                return error
            case Exists(error) | Unknown(error):
                self.desk.record(OrderEvent(key, LostTouch(str(error))))
                self.books.cast(AccountBooks.look)
        return None

    @message(control=True)
    async def flatten(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        """Cancels every open order and closes every position of this session, in one symbol or all.

        An order is part of a position until it has ended, and so are executions that the broker counts and has not
        shown yet: both are waited for, the latter as long as the books themselves would. Returns the closing orders;
        a cancel or an order that is refused is a problem in the statistics.
        """
        reply = self.defer()
        self.spawn(self._flatten, symbol, reply)
        later: tuple[OrderReport, ...] = reply.later
        return later

    async def _flatten(self, symbol: str | None, reply: Reply) -> None:
        for entry in list(self._open()):
            if symbol in (None, entry.life.order.symbol) and not entry.life.canceling:
                await self._quietly(self.ref.call(AccountManager.cancel, entry.life.order.key))
        await self._ended(symbol)
        await self._executions_in(symbol)
        closing = []
        for position in self.positions():
            if position.quantity and symbol in (None, position.symbol):
                order = self._closing_order(position)
                await self._quietly(self.ref.call(AccountManager.submit, order))
                entry_or_none = self.desk.entries.get(order.key)
                closing += [self.desk.report(entry_or_none)] if entry_or_none is not None else []
        reply.send(tuple(closing))

    async def _ended(self, symbol: str | None) -> None:
        """Waits until what is being canceled has ended: till then it may fill beside the order that closes."""
        with trio.move_on_after(CANCEL_SECONDS):
            while self._ending(symbol):  # noqa: ASYNC110 - the desk is told of an order's end without an event
                await trio.sleep(OWED_SECONDS)

    def _ending(self, symbol: str | None) -> bool:
        """Whether an order of this session that is not in doubt is open yet."""
        mine = (entry.life for entry in self._open())
        return any(not life.uncertain and symbol in (None, life.order.symbol) for life in mine)

    async def _executions_in(self, symbol: str | None) -> None:
        """Asks for executions that are owed, and waits until they are in or the books have given them up."""
        if self._owing(symbol):
            self.books.cast(AccountBooks.look)
        while self._owing(symbol):  # noqa: ASYNC110 - the desk is told of fills without an event, and this is rare
            await trio.sleep(OWED_SECONDS)

    def _owing(self, symbol: str | None) -> bool:
        """Whether executions of this session's orders are still to be expected."""
        policy, now_ns = self.desk.policy, self.world.clock.monotonic_ns()
        from_ns = now_ns - policy.grace_ns - 2 * policy.poll_ns  # by then the books have made up what was not told
        return any(
            entry.touched_ns > from_ns and self._missing(entry)
            for entry in self.desk.entries.values()
            if entry.session == self.session and symbol in (None, entry.life.order.symbol)
        )

    def _missing(self, entry: Entry) -> bool:
        """Whether the broker counts more of an order than was executed, or made up for want of an execution."""
        owed = entry.life.executions.owed
        if not owed:
            return False
        key = entry.life.order.key
        return owed > sum(fill.quantity for fill in self.desk.inferred.values() if fill.order_key == key)

    async def _quietly(self, request: Awaitable[object]) -> None:
        try:
            await request
        except (BrokerError, LifecycleError) as error:
            self.problems += 1
            self.last_problem = str(error)

    def _closing_order(self, position: Position) -> Order:
        orders = self.connection.capability.orders
        # The account's net may stand on the other side because of other sessions: there nothing could be reduced.
        same_side = self.desk.ledger.quantity(position.symbol) * position.quantity > 0
        return Order(
            key=str(self.new_key()),
            symbol=position.symbol,
            side=Side.SELL if position.quantity > 0 else Side.BUY,
            type=OrderType.MARKET,
            quantity=abs(position.quantity),
            reduce_only=orders is not None and orders.reduce_only and same_side,
        )

    # Checks.

    def _validate(self, order: Order | OrderGroup, first: Order) -> None:
        given = self._circumstances(first.symbol)
        if isinstance(order, OrderGroup):
            validate_group(order, given)
        else:
            validate_order(order, given)

    def _need_clear_sight(self, members: tuple[Order, ...]) -> None:
        """Refuses an order that could not be told apart from one in doubt."""
        orders = self.connection.capability.orders
        if orders is None or not (self.desk.doubted or self._keyless):
            return
        rivals = self.desk.open if self._keyless else self.desk.doubted
        claims = [entry.claim() for entry in rivals.values()]
        for member in members:
            refusal = may_submit(member, claims, orders.keys, self.desk.policy)
            if refusal is not None:
                raise broker_error(self.connection.name, Code.ORDER_REJECTED, f"nothing was sent: {refusal.value}")

    def _circumstances(self, symbol: str) -> Circumstances:
        desk, connection = self.desk, self.connection
        instrument, quote, now = desk.instrument(symbol), self.quotes.get(symbol), desk.clock.wall_ns()
        return Circumstances(
            connection.capability,
            desk.instruments,
            self.gateway.market_status(symbol) or connection.catalogue.calendars[instrument.calendar].status(now),
            now,
            desk.ledger.quantity(symbol),
            (quote.ask or quote.bid) if quote is not None else None,
        )

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; raises OrderRefused with symbol_not_found."""
        return self.desk.instrument(symbol)

    def _entry(self, key: str) -> Entry:
        entry = self.desk.entries.get(key)
        if entry is None or entry.session != self.session:
            raise broker_error(self.connection.name, Code.ORDER_NOT_FOUND, f"no order of this session has key {key!r}")
        return entry

    def _open(self) -> Iterator[Entry]:
        return (entry for entry in self.desk.open.values() if entry.session == self.session)

    # Questions.

    def mark(self, quote: Quote) -> None:
        """Values the account's position at a quote."""
        self.quotes[quote.symbol] = quote
        if quote.symbol in self.desk.instruments and (quote.bid is not None or quote.ask is not None):
            self.desk.ledger.mark(Mark(quote.symbol, quote.time_ns, quote.bid, quote.ask))

    def order(self, key: str) -> OrderReport:
        """One order; raises OrderRefused with order_not_found."""
        return self.desk.report(self._entry(key))

    def orders(self) -> tuple[OrderReport, ...]:
        """The session's open orders and its latest finished ones, oldest first."""
        mine = (entry for entry in self.desk.entries.values() if entry.session == self.session)
        return tuple(map(self.desk.report, mine))

    def positions(self) -> tuple[Position, ...]:
        """What this session holds, by its own fills; flat positions included."""
        return tuple(
            share.position
            for symbol in self.desk.ledger.symbols()
            for share in self.desk.ledger.session_positions(symbol)
            if share.session == self.session
        )

    async def summary(self) -> AccountSummary:
        """The money of the whole account as the broker tells it; raises BrokerError."""
        return await self.connection.ask(partial(self.gateway.summary, self.account), self.account)

    async def agreement(self) -> Agreement:
        """What the account's last reconciliation came to."""
        return await self.books.call(AccountBooks.agreed)

    def statistics(self) -> AccountStatistics:
        """Counts of this moment."""
        mine = [entry for entry in self.desk.entries.values() if entry.session == self.session]
        open_orders = sum(not entry.life.state.final for entry in mine)
        return AccountStatistics(
            open_orders=open_orders,
            unknown_orders=sum(entry.life.uncertain for entry in mine),
            finished_orders=len(mine) - open_orders,
            requests=self.requests,
            refused=self.refused,
            problems=self.problems + self.desk.problems,
            last_problem=self.last_problem or self.desk.last_problem,
        )


def _untouched(state: OrderState, has_id: bool, has_fill: bool) -> bool:
    return state is OrderState.PENDING_NEW and not has_id and not has_fill


def _members(order: Order | OrderGroup) -> tuple[Order, ...]:
    return (order,) if isinstance(order, Order) else order.orders


def _broker_ids(outcome: Accepted, count: int) -> list[str | None]:
    """The broker's id of each member of a group, the parent's first; None where it was not told."""
    ids: list[str | None] = [outcome.broker_order_id, *outcome.legs]
    return (ids + [None] * count)[:count]


def _last(entry: Entry) -> str | None:
    ids = entry.life.broker_order_ids
    return ids[-1] if ids else None
