"""The trader: it lets one strategy see the market and its orders, and carries out what the strategy decides.

Bookkeeping happens the moment news are published; only the strategy's turn waits in the inbox, orders before the
market. A strategy that raises, answers rubbish or is too slow ends this actor, and with it its own session only.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import attrs
import trio

from brokers.account_books import AccountBooks, Agreement, account_topic, books_name
from brokers.account_desk import AccountDesk
from brokers.calendar import SECOND_NS
from brokers.errors import BrokerError
from brokers.gateway import AccountNews, LinkNews
from brokers.guards.alerts import Alert
from brokers.guards.ladder import Cause, Cleared, Raised, Rung
from brokers.instruments import Instrument
from brokers.market import Bar, MarketEvent
from brokers.model import Fill, OrderReport
from runtime import Actor, MailboxPolicy, Name, Reason, message
from runtime.mishaps import Mishap
from runtime.timers import Timer
from sessions.connection_watch import ConnectionWatch, watch_name
from sessions.journal import JOURNAL, JournalDown, JournalUp
from sessions.risk.book import Snapshot
from sessions.risk.desk import RISK_TOPIC, SwitchStatus
from sessions.risk.events import DayBegan, LossLifted
from sessions.risk.gate import Origin
from sessions.strategy import (
    Cancel,
    CancelAll,
    Denied,
    Event,
    Flatten,
    Modify,
    Pace,
    ParametersChanged,
    Picture,
    Rolled,
    Started,
    Strategy,
    StrategyError,
    StrategyInsists,
    Submit,
    View,
    changed_keys,
    consult,
    encode_state,
    paced,
    restore_state,
    wants_of,
)
from sessions.strategy.checking import Act
from sessions.strategy.errors import shown
from sessions.trader import causes
from sessions.trader.blotter import Blotter, Ticket
from sessions.trader.clerk import Clerk
from sessions.trader.closing import Closing
from sessions.trader.dealer import Dealer
from sessions.trader.follower import Follower
from sessions.trader.history import HISTORY, HistoryNews
from sessions.trader.inbox import InboxFull
from sessions.trader.market import Market
from sessions.trader.moves import Moves
from sessions.trader.plan import RollMode, Surroundings, TraderPlan
from sessions.trader.schedule import Schedule
from sessions.trader.standing import Standing

BATCH: Final = 64  # events between two looks at what else waits
LOOK_SECONDS: Final = 1.0
START_SECONDS: Final = 60.0
MOST_DENIALS: Final = 10_000  # in a row; orders come before the market, so a strategy that insists hears of it no more
SLOW_LOOKS: Final = 60  # rolls are looked for, and the book of risk is kept, once in so many looks


class WantsOther(StrategyError):
    """A new version or other parameters ask for other market data, which needs a restart of the session."""

    def __init__(self, strategy: str) -> None:
        self.strategy = strategy
        super().__init__(
            f"{strategy} asks for other market data or timers than the session has; nothing was changed; "
            "restart the session with it"
        )


@attrs.frozen
class TraderStatistics:
    """How one trader does."""

    started: bool
    rung: Rung
    waiting: int
    conflated: int
    missed: int
    told: int
    decisions: int
    denied: int
    slowest_ns: int
    quarantined: int
    open_orders: int


def consult_point(session: str) -> str:
    """The fault point at which telling the strategy ends the trader."""
    return f"trader.consult {session}"


class Trader(Actor):
    """One session's strategy at work."""

    expects: ClassVar[tuple[type[Exception], ...]] = (StrategyError, BrokerError)
    mailbox = MailboxPolicy(capacity=100_000)

    def __init__(self, plan: TraderPlan, around: Surroundings, *, epoch: int = 0) -> None:
        self.plan, self.around, self.epoch = plan, around, epoch
        self.session, self.gate, self.inbox = plan.session, around.gate, around.inbox
        self.strategy: Strategy[Any, Any] = plan.strategy(plan.parameters)
        self.wants = wants_of(self.strategy)
        self.picture = Picture(around.catalogue.calendar)
        self.view: View[Any] = View(self.picture)
        self.blotter = Blotter(self.picture, plan.account)
        self.market = Market(
            self.picture, self.wants, self.inbox, around.catalogue.calendar, prints=_shows_prints(around)
        )
        self.pace = Pace()
        self.counts: Counter[str] = Counter()
        self.started = False
        self._point = consult_point(self.session)
        self.schedule: Schedule
        self.clerk: Clerk
        self.dealer: Dealer
        self.moves: Moves
        self.closing: Closing
        self.follower: Follower
        self.standing: Standing
        self._restored = self._awake = False
        self._leaves: list[Callable[[], None]] = []
        self._alarm: Timer | None = None
        self._alarm_ns: int | None = None
        self._looks = self._denials = 0

    # Life.

    async def on_start(self) -> None:
        """Takes up state, books and market; the strategy starts when the history that it asked for is there."""
        poison = self.inbox.begin()
        kept = await self.around.log.load()
        self._restore_state(kept.state)
        self.gate.enrol(self.session, self.plan.limits, None if kept.book is None else Snapshot.from_json(kept.book))
        self._make_helpers(await self._desk())
        now_ns = self.world.clock.wall_ns()
        self.schedule = Schedule(self.wants.timers, self.wants.symbols, self.around.catalogue.calendar, now_ns)
        self._listen()  # from here on news may come, and every piece of it asks what is due
        await self._hear_what_stands()
        await self._adopt_orders()
        self.clerk.compare(self.world.clock.wall_ns())
        with trio.fail_after(START_SECONDS):
            await self.standing.reconciled()
        for name in self.wants.symbols:
            await self.follower.follow(name)
        if poison is not None:
            text = f"{shown(poison)} ended the trader each time it was told; it was put aside"
            self.standing.tell_person("quarantined", text)
        self.every(LOOK_SECONDS, Trader.look)
        self.spawn(self._begin)

    async def _hold(self) -> None:
        """Ends all listening when this helper ends, which it does even where the actor is killed."""
        try:
            await trio.sleep_forever()
        finally:
            for leave in self._leaves:
                leave()
            self.follower.end()

    async def _begin(self) -> None:
        """Starts the strategy once no history is owed, or history has been given up."""
        while True:
            await self.follower.fetch()
            if self.follower.whole:
                break
            await trio.sleep(LOOK_SECONDS)
        self.started = True
        self.picture.now_ns = self.world.clock.wall_ns()
        self.inbox.put_first(Started(self._restored))
        self.market.tell(self.market.lines.values())
        self._wake()

    async def on_stop(self, reason: Reason) -> None:
        """Lets go of the market and keeps the book of risk; orders live on."""
        if hasattr(self, "clerk"):
            self._keep_book()
            await self.follower.release()

    def _restore_state(self, text: str | None) -> None:
        kind = self.plan.strategy
        self._restored = text is not None
        self.picture.state = kind.first_state() if text is None else restore_state(kind, text)

    async def _desk(self) -> AccountDesk:
        """The account's desk, once it has been compared with the broker."""
        with trio.fail_after(START_SECONDS):
            return await self._books().call(AccountBooks.enlist, self.session)

    def _books(self) -> Name[AccountBooks]:
        return self.runtime.name(books_name(self.around.orders.name, self.plan.account), AccountBooks)

    def _make_helpers(self, desk: AccountDesk) -> None:
        around, world = self.around, self.world
        self.clerk = Clerk(self.session, desk, self.gate, self.blotter, self.picture, self.inbox)
        self.standing = Standing(
            self.session, self.plan.account, self.gate, self._books(), world, self.spawn, self._publish_alert
        )
        account = around.account.resolve() or around.account  # it ends with this trader, and so need not be looked up
        self.dealer = Dealer(
            self.session, self.epoch, world, around.orders, account, self.gate, desk, self.blotter,
            self.market, around.log, self.request, self._tell,
        )  # fmt: skip
        self.moves = Moves(self.dealer, self.blotter, self.picture)
        self.closing = Closing(
            self.gate, around.account, self.blotter, self.dealer, lambda: bool(self.clerk.positions()), world.clock,
            self.spawn,
        )  # fmt: skip
        self.follower = Follower(
            world, self.runtime.topics, around.catalogue, around.data, around.source, self.market, self.picture,
            self._hear_market, self._wake, self._tell_history,
        )  # fmt: skip

    async def _adopt_orders(self) -> None:
        """Takes up the session's open orders under the tags that were kept with them."""
        desk = self.clerk.desk
        tags = await self.around.log.tags([key for key, one in desk.open.items() if one.session == self.session])
        for key, entry in list(desk.open.items()):
            if entry.session == self.session and key not in self.blotter.tickets:
                self.blotter.adopt(desk.report(entry), tags.get(key))

    # Listening: all of this runs while somebody publishes, so it must neither wait nor raise.

    def _listen(self) -> None:
        self.spawn(self._hold)  # first: whatever fails from here on, nobody calls a trader that is gone
        attach, broker = self.runtime.topics.attach, self.around.orders.name
        self._leaves += [
            attach(account_topic(broker, self.plan.account, self.session), self._hear_account),
            attach(causes.cause_topic(broker), self._hear_cause),
            attach(JOURNAL, self._hear_journal),
            attach(RISK_TOPIC, self._hear_risk),
        ]
        if self.around.data is not None:
            self._leaves.append(self.around.data.need_feed().listen(self._hear_link))

    def _hear_account(self, news: object) -> None:
        now_ns = self.world.clock.wall_ns()
        try:
            if isinstance(news, OrderReport):
                self.clerk.report(news, now_ns)
            elif isinstance(news, Fill):
                self.clerk.fill(news, now_ns)
            elif isinstance(news, AccountNews):
                self.picture.account = news.summary
            elif isinstance(news, Agreement):
                self.standing.agreement(news)
            elif isinstance(news, LinkNews):
                self.standing.step(causes.of_link(news, Cause.ORDER_STREAM_DOWN))
        except InboxFull as full:
            self.ref.kill(str(full))
            return
        self.moves.stir()
        self._wake()

    async def _hear_what_stands(self) -> None:
        """Takes up the causes that came before this session began to listen, and drops those that went unheard."""
        name = watch_name(self.around.orders.name)
        if self.runtime.registry.whereis(name) is None:
            return
        before = self.gate.ladder(self.session).causes
        stand = await self.runtime.name(name, ConnectionWatch).call(ConnectionWatch.standing)
        for event in (*stand, *causes.gone(before, stand)):
            self.standing.step(event)

    def _hear_cause(self, news: object) -> None:
        if isinstance(news, Raised | Cleared):
            self.standing.step(news)

    def _hear_journal(self, news: object) -> None:
        if isinstance(news, JournalDown | JournalUp):
            for event in causes.of_journal(news):
                self.standing.step(event)

    def _hear_risk(self, news: object) -> None:
        if isinstance(news, SwitchStatus) and news.mark is not None:
            self.closing.look()
        elif isinstance(news, DayBegan | LossLifted) and news.session == self.session:
            self._keep_book()

    def _hear_link(self, news: MarketEvent | LinkNews) -> None:
        if type(news) is not LinkNews:
            return
        now_ns = self.world.clock.wall_ns()
        self.standing.step(causes.of_link(news, Cause.DATA_STREAM_DOWN))
        if news.up:
            self.market.watched(now_ns, self.market.lines.values())
        else:
            self.market.lost(now_ns)
        self._wake()
        self._arm()

    def _hear_market(self, event: Any) -> None:
        """The hot path: a tick goes into the bars, and waits for the strategy if that wants it."""
        waits = self.market.hear(event, self.world.clock.wall_ns())
        if self.market.turned:
            self.market.turned = False
            self._arm()
        if waits and self.started and not self._awake:
            self._awake = True
            self.ref.tell(Trader.attend_at_once)

    # The strategy's turn.

    def _tell(self, event: Event) -> None:
        """Puts an event before the strategy."""
        if isinstance(event, Denied):
            self.counts["denied"] += 1
        self.inbox.put(event)
        self._wake()

    def _wake(self) -> None:
        inbox = self.inbox
        if (inbox.news or inbox.market) and self.started and not self._awake:
            self._awake = True
            self.ref.cast(Trader.attend)

    async def attend(self) -> None:
        """Tells the strategy what waits, a batch at a time; everybody else has a turn between two batches."""
        self._tell_batch()
        if self.inbox.news or self.inbox.market:
            await trio.lowlevel.checkpoint()
        self._rest()

    def attend_at_once(self) -> None:
        """Tells the strategy of a tick, and of what follows from it, in the turn of whoever brought it."""
        self._tell_batch()
        self._rest()

    def _rest(self) -> None:
        """The turn is over; what came and was not told by then asks for another."""
        self._awake = False
        self._wake()

    def _tell_batch(self) -> None:
        inbox, picture, clock = self.inbox, self.picture, self.world.clock
        picture.rung = self.gate.rung(self.session)
        for _ in range(BATCH):
            event = inbox.take()
            if event is None:
                break
            picture.now_ns = clock.wall_ns()
            if type(event) is Bar:
                picture.add_bar(event)
            self._consult(event)
            inbox.delivered()

    def _consult(self, event: Event) -> None:
        if self.world.faults.fires(self._point):
            raise Mishap(self._point)
        self._denials = self._denials + 1 if type(event) is Denied else 0
        if self._denials > MOST_DENIALS:
            raise StrategyInsists(type(self.strategy).__qualname__, event, MOST_DENIALS)
        clock, rule = self.world.clock, self.plan.pace
        began_ns = clock.monotonic_ns()
        answer = consult(self.strategy, event, self.view)
        ended_ns = clock.monotonic_ns()
        took_ns = ended_ns - began_ns
        self.counts["told"] += 1
        if took_ns > rule.slow_ns or took_ns > self.pace.slowest_ns:
            self.pace = paced(self.pace, rule, type(self.strategy).__qualname__, event, took_ns, ended_ns)
        if answer.state_json is not None:
            self.picture.state = answer.state
            self.around.log.keep_state(answer.state_json)
        for act in answer.acts:
            self.counts["decisions"] += 1
            self._carry_out(act)

    def _carry_out(self, act: Act) -> None:
        match act:
            case Submit():
                self.dealer.submit(act)
            case Modify():
                self.dealer.modify(act)
            case Cancel(tag):
                ticket = self.blotter.tagged(tag)
                self._cancel_all(() if ticket is None else (ticket,), Origin.STRATEGY)
            case CancelAll(symbol):
                self._cancel_all(self.blotter.of_symbol(symbol), Origin.STRATEGY)
            case Flatten(symbol):
                for one in self._exposed(symbol):
                    self.spawn(self.moves.flatten, one)

    def _cancel_all(self, tickets: Iterable[Ticket], origin: Origin) -> None:
        for ticket in tickets:
            self.dealer.cancel(ticket, origin)

    def _exposed(self, symbol: str | None) -> list[str]:
        """Where something is held or ordered."""
        held = [one.symbol for one in self.clerk.positions() if symbol in (None, one.symbol)]
        ordered = [ticket.report.order.symbol for ticket in self.blotter.of_symbol(symbol)]
        return list(dict.fromkeys((*held, *ordered)))

    # What time brings.

    def look(self) -> None:
        """Once a second: what nobody tells."""
        self._looks += 1
        now_ns = self.world.clock.wall_ns()
        self.dealer.sweep()
        self.dealer.mark(now_ns)
        self.clerk.compare(now_ns)
        for event in causes.of_data(self._quoted(now_ns), self.plan.limits, now_ns):
            self.standing.step(event)
        self.standing.climb()
        self.standing.owe_alerts()
        if self._looks % SLOW_LOOKS == 1:
            self._keep_book()
            self._look_for_rolls()
        self.closing.look()
        self.moves.stir()
        self.advance()

    def advance(self) -> None:
        """Finishes bars, and tells of timers and market hours that are due."""
        now_ns = self.world.clock.wall_ns()
        self.market.advance(now_ns)
        if self.started:
            for event in self.schedule.due(now_ns):
                self._tell(event)
            if next(self.market.missing(now_ns), None) is not None:
                self.spawn(self.follower.fetch)
        self._wake()
        self._arm()

    def _arm(self) -> None:
        """Sets the alarm for the next instant at which time alone brings something."""
        wakes = [when for when in (self.market.wakes_ns, self.schedule.next_ns) if when is not None]
        due_ns = min(wakes, default=None)
        if due_ns == self._alarm_ns:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_ns = None, due_ns
        if due_ns is not None:
            seconds = max((due_ns - self.world.clock.wall_ns()) / SECOND_NS, 0)
            self._alarm = self.send_after(seconds, Trader.ring)

    def ring(self) -> None:
        """The alarm."""
        self._alarm = self._alarm_ns = None
        self.advance()

    def _quoted(self, now_ns: int) -> dict[Instrument, int]:
        """When the quotes were true that should be fresh now."""
        calendar_of = self.around.catalogue.calendar
        return {
            line.instrument: max(line.heard_ns or 0, line.since_ns)
            for symbol, line in self.market.lines.items()
            if self.around.data is not None and calendar_of(symbol).status(now_ns).trading
        }

    def _look_for_rolls(self) -> None:
        mode = self.plan.roll
        if self.started and (mode is RollMode.FOLLOW or (mode is RollMode.MOVE and self.moves.unhindered())):
            self.spawn(self._roll)

    async def _roll(self) -> None:
        await self.follower.roll(self.moves, self._announce, move_position=self.plan.roll is RollMode.MOVE)

    def _announce(self, root: str, old: str, new: str) -> None:
        self._tell(Rolled(root, old, new))

    def _keep_book(self) -> None:
        self.around.log.keep_book(self.gate.book(self.session).snapshot().to_json())

    def _tell_history(self, done: int, total: int) -> None:
        self.runtime.topics.publish(HISTORY, HistoryNews(self.session, done, total))

    def _publish_alert(self, alert: Alert) -> None:
        self.runtime.topics.publish(causes.ALERTS, alert)

    # What is asked from outside.

    @message(control=True)
    def cancel(self, tag: str) -> bool:
        """Cancels an open order by its tag for an operator; whether there was one."""
        ticket = self.blotter.tagged(tag)
        if ticket is not None:
            self.dealer.cancel(ticket, Origin.OPERATOR)
        return ticket is not None

    @message(control=True)
    def reload(self, strategy: type[Strategy[Any, Any]], parameters: Any) -> tuple[str, ...]:
        """Goes on with another version of the strategy or other parameters; raises StrategyError and changes nothing.

        Returns the parameters that differ. One that wants other market data needs a restart of its session.
        """
        fresh = strategy(parameters)
        wants = wants_of(fresh)
        if wants != self.wants:
            raise WantsOther(strategy.__qualname__)
        state = self.picture.state
        if strategy is not self.plan.strategy:
            state = restore_state(strategy, encode_state(self.plan.strategy, state))
        keys = changed_keys(self.plan.parameters, parameters)
        self.strategy, self.picture.state = fresh, state
        self.plan = attrs.evolve(self.plan, strategy=strategy, parameters=parameters)
        self._tell(ParametersChanged(keys))
        return keys

    @message(control=True)
    def statistics(self) -> TraderStatistics:
        """Counts of this moment."""
        return TraderStatistics(
            started=self.started,
            rung=self.gate.rung(self.session),
            waiting=len(self.inbox),
            conflated=self.inbox.conflated,
            missed=self.inbox.missed,
            told=self.counts["told"],
            decisions=self.counts["decisions"],
            denied=self.counts["denied"],
            slowest_ns=self.pace.slowest_ns,
            quarantined=len(self.inbox.poisoned),
            open_orders=len(self.blotter.tickets),
        )


def _shows_prints(around: Surroundings) -> bool:
    data = None if around.data is None else around.data.capability.data
    return data is not None and data.trades
