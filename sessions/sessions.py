"""All sessions of a daemon: which should run, which do, and what an operator does to them, one session at a time.

What should run is on disk before anything is done about it, so a daemon that starts again resumes what ran. A session
whose restarts are spent stays down, is told of once, and harms no other; a person starts it again.
"""

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Protocol

import attrs
import msgspec
import trio

from brokers.account_manager import AccountManager
from brokers.errors import BrokerError
from brokers.guards.ladder import Cause, Cleared, Raised
from runtime import Actor, Child, Name, Restart, SupervisorRef, message
from runtime.calls import Reply
from runtime.errors import ActorError, NotFound
from runtime.monitors import Down, Monitor
from runtime.reasons import is_normal
from runtime.world import World
from sessions.journal import Entry, Journal, JournalError, Reader
from sessions.risk.gate import RiskGate
from sessions.session import SessionPlan, account_name, session_tree, trader_name
from sessions.strategy import Strategy, StrategyError
from sessions.trader.trader import Trader

SESSIONS: Final = ("sessions",)  # the topic of SessionStatus
FLAT_SECONDS: Final = 60.0
START_SECONDS: Final = 600.0
DESIRED: Final = "sessions"  # the stream of what should run; the newest entry of each session counts
_KIND: Final = "sessions.desired"
_MOVING: Final = "the session is being moved"


class Condition(enum.Enum):
    """What a session does."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"  # it ended by itself and stays down until somebody starts it


@attrs.frozen
class SessionStatus:
    """One session: whether it should run, what it does, and why."""

    session: str
    wanted: bool
    condition: Condition
    why: str = ""


class SessionError(Exception):
    """A request about a session that was refused; `session` names it."""

    def __init__(self, session: str, text: str) -> None:
        self.session = session
        super().__init__(f"session {session}: {text}")


class UnknownSession(SessionError):
    """A session that is not configured."""

    def __init__(self, session: str, known: Iterable[str]) -> None:
        self.known = tuple(known)
        super().__init__(session, f"it is not configured; there are {', '.join(self.known) or 'none'}")


class NotRunning(SessionError):
    """A request that needs a running session."""

    def __init__(self, session: str, condition: Condition) -> None:
        self.condition = condition
        super().__init__(session, f"expected it to run, it is {condition.value}; start it first")


class MoveRefused(SessionError):
    """A session that still holds or has ordered something where it is."""

    def __init__(self, session: str, held: Mapping[str, str], orders: tuple[str, ...]) -> None:
        self.held = held
        self.orders = orders
        what = ", ".join(f"{quantity} {symbol}" for symbol, quantity in held.items()) or "nothing"
        super().__init__(session, f"it holds {what} and has {len(orders)} open orders; it was not moved")


# What should run.


class DesiredLog(Protocol):
    """Where it is kept which sessions should run."""

    async def load(self) -> Mapping[str, bool]:
        """What was wanted last, by session; raises JournalError."""
        ...

    async def keep(self, session: str, *, wanted: bool) -> None:
        """Returns when it is durable; raises JournalError."""
        ...


class JournalDesired:
    """A log in the journal, in one stream."""

    def __init__(self, journal: Name[Journal], world: World) -> None:
        self._journal = journal
        self._world = world

    async def load(self) -> Mapping[str, bool]:
        """What was wanted last, by session; raises JournalError."""
        writer = await self._journal.call(Journal.handle)
        database = await writer.perform(lambda store: store.database)
        return await self._world.threads.run(lambda: _wanted(database))

    async def keep(self, session: str, *, wanted: bool) -> None:
        """Returns when it is durable; raises JournalError."""
        clock = self._world.clock
        body = msgspec.json.encode({"session": session, "wanted": wanted}).decode()
        entry = Entry(_KIND, DESIRED, session, body, clock.wall_ns(), clock.monotonic_ns())
        await self._journal.call(Journal.commit, (entry,))


class _Wanted(msgspec.Struct):
    session: str
    wanted: bool


def _wanted(database: str) -> dict[str, bool]:
    with Reader(database) as reader:
        told = (msgspec.json.decode(row.entry.body, type=_Wanted) for row in reader.by_stream(DESIRED))
        return {one.session: one.wanted for one in told}


# The actor.


@attrs.define(eq=False)
class _Seat:
    """One session as this actor knows it."""

    wanted: bool
    condition: Condition = Condition.STOPPED
    why: str = ""
    plan: SessionPlan | None = None  # of the tree that runs
    turn: trio.Lock = attrs.field(factory=trio.Lock)


async def _at_once(_: str) -> None:
    """Brokers that stand already."""


class Sessions(Actor):
    """The one that starts and stops sessions; they run beside it, and its own end ends none of them."""

    expects: ClassVar[tuple[type[Exception], ...]] = (
        SessionError, StrategyError, BrokerError, JournalError, ActorError,
    )  # fmt: skip

    def __init__(
        self,
        pool: SupervisorRef,
        configured: Mapping[str, bool],
        plans: Callable[[str], SessionPlan],
        gate: RiskGate,
        desired: DesiredLog,
        brokers: Callable[[str], Awaitable[None]] = _at_once,
    ) -> None:
        """`configured` tells of each session whether it runs by itself the first time; `plans` makes its plan.

        `brokers` returns when those of a session were tried: so long one that should run waits for them.
        """
        self.pool, self.plans, self.gate, self.desired, self.brokers = pool, plans, gate, desired, brokers
        self.configured = dict(configured)
        self.seats: dict[str, _Seat] = {}
        self.watched: dict[Monitor, str] = {}
        self.first = trio.Event()  # each that should run was tried once

    async def on_start(self) -> None:
        """Takes up those that run already, and starts those that should."""
        kept = await self.desired.load()
        self.seats = {one: _Seat(kept.get(one, first)) for one, first in self.configured.items()}
        for row in self.pool.which_children():
            seat = self.seats.get(row.id)
            if seat is not None and row.ref is not None:
                seat.condition, seat.plan = Condition.RUNNING, self.plans(row.id)
                self.watched[self.monitor(row.ref)] = row.id
        self.continue_with(Sessions.resume)

    def resume(self) -> None:
        """Starts every session that should run and does not."""
        down = [one for one, seat in self.seats.items() if seat.wanted and seat.condition is Condition.STOPPED]
        for session in down:
            self._become(session, Condition.STARTING, "it waits for its broker")
        self.spawn(self._resume_all, down)

    async def _resume_all(self, sessions: Iterable[str]) -> None:
        async with trio.open_nursery() as nursery:
            for session in sessions:
                nursery.start_soon(self._resume, session)
        self.first.set()

    async def _resume(self, session: str) -> None:
        await self.brokers(session)
        try:
            async with (seat := self._seat(session)).turn:
                if seat.condition is Condition.STARTING:  # nobody stopped or started it meanwhile
                    await self._launch(session)
        except self.expects:
            return  # its status says why, and it was told

    async def on_down(self, down: Down) -> None:
        """A session ended: by request, or because its restarts are spent."""
        session = self.watched.pop(down.monitor)
        seat = self.seats[session]
        if seat.condition is Condition.RUNNING and not is_normal(down.reason):
            seat.plan = None
            self._fail(session, str(down.reason))

    # Requests.

    @message(control=True)
    def statuses(self) -> tuple[SessionStatus, ...]:
        """How every session stands."""
        return tuple(map(self._status, self.seats))

    def resumed(self) -> None:
        """Answers when each session that should run was tried once since this keeper began."""
        reply = self.defer()
        self.spawn(self._when_resumed, reply)
        return reply.later  # type: ignore[no-any-return]

    async def _when_resumed(self, reply: Reply) -> None:
        await self.first.wait()
        reply.send(None)

    def start(self, session: str) -> SessionStatus:
        """Has a session run from now on; answers when its trader is up."""
        return self._perform(session, self._start)  # type: ignore[no-any-return]

    def halt(self, session: str) -> SessionStatus:
        """Has a session stay down from now on; its orders and its position stay as they are."""
        return self._perform(session, self._halt)  # type: ignore[no-any-return]

    def restart(self, session: str) -> SessionStatus:
        """Ends a session and starts it again by its present plan."""
        return self._perform(session, self._restart)  # type: ignore[no-any-return]

    def reload(self, session: str, strategy: type[Strategy[Any, Any]], parameters: Any) -> tuple[str, ...]:
        """Gives a running session other parameters or another version of its strategy; returns what differs."""

        async def change(name: str) -> tuple[str, ...]:
            self._need_running(name)
            trader = self.runtime.name(trader_name(name), Trader)
            return await trader.call(Trader.reload, strategy, parameters)

        return self._perform(session, change)  # type: ignore[no-any-return]

    def move(self, session: str, *, flatten: bool = False) -> SessionStatus:
        """Takes a session to where its plan wants it now; one that holds something is flattened first, or refused."""

        async def change(name: str) -> SessionStatus:
            return await self._move(name, flatten=flatten)

        return self._perform(session, change)  # type: ignore[no-any-return]

    def _perform(self, session: str, work: Callable[[str], Awaitable[Any]]) -> Any:
        """Answers the present call when the work is done; other sessions are served meanwhile."""
        self._seat(session)
        reply = self.defer()
        self.spawn(self._in_turn, session, work, reply)
        return reply.later

    async def _in_turn(self, session: str, work: Callable[[str], Awaitable[Any]], reply: Reply) -> None:
        try:
            async with self._seat(session).turn:
                result = await work(session)
        except self.expects as error:
            reply.fail(error)
        else:
            reply.send(result)

    # The work.

    async def _start(self, session: str) -> SessionStatus:
        await self.desired.keep(session, wanted=True)
        self._seat(session).wanted = True
        if self._seat(session).condition is not Condition.RUNNING:
            await self._launch(session)
        return self._status(session)

    async def _halt(self, session: str) -> SessionStatus:
        await self.desired.keep(session, wanted=False)
        self._seat(session).wanted = False
        await self._end(session)
        return self._status(session)

    async def _restart(self, session: str) -> SessionStatus:
        await self._end(session)
        await self._launch(session)
        return self._status(session)

    async def _launch(self, session: str) -> None:
        seat = self._seat(session)
        self._become(session, Condition.STARTING)
        try:
            plan = self.plans(session)
            if session in self.gate.sessions():
                self.gate.tell(session, Cleared(Cause.RESTARTS_SPENT), self.world.clock.wall_ns())
            child: Child[Any] = Child(session, session_tree(plan, self.gate, self.runtime), restart=Restart.TEMPORARY)
            with trio.fail_after(START_SECONDS):
                ref = await self.pool.start_child(child)
        except Exception as error:
            self._fail(session, f"{type(error).__name__}: {error}")
            raise
        seat.plan = plan
        self._become(session, Condition.RUNNING)
        if ref is not None:
            self.watched[self.monitor(ref)] = session

    async def _end(self, session: str) -> None:
        self._become(session, Condition.STOPPED)
        self._seat(session).plan = None
        try:
            await self.pool.terminate_child(session)
        except NotFound:
            return  # it does not run

    async def _move(self, session: str, *, flatten: bool) -> SessionStatus:
        self._need_running(session)
        now_ns = self.world.clock.wall_ns
        self.plans(session)  # a plan that cannot be made must not cost a position
        self.gate.tell(session, Raised(Cause.HELD_BACK, _MOVING), now_ns())
        try:
            await self._need_flat(session, flatten=flatten)
            await self._end(session)
        finally:
            self.gate.tell(session, Cleared(Cause.HELD_BACK, _MOVING), now_ns())
        await self._launch(session)
        return self._status(session)

    async def _need_flat(self, session: str, *, flatten: bool) -> None:
        """Makes sure that nothing is held or ordered any more; raises MoveRefused."""
        account = self.runtime.name(account_name(session), AccountManager)
        if flatten and await self._exposure(account) != ({}, ()):
            with trio.move_on_after(FLAT_SECONDS):
                await account.call(AccountManager.flatten)
                while await self._exposure(account) != ({}, ()):  # noqa: ASYNC110 - the account is asked, it tells no event
                    await trio.sleep(0.1)
        held, orders = await self._exposure(account)
        if held or orders:
            raise MoveRefused(session, held, orders)

    async def _exposure(self, account: Name[AccountManager]) -> tuple[dict[str, str], tuple[str, ...]]:
        positions = await account.call(AccountManager.positions)
        reports = await account.call(AccountManager.orders)
        held = {one.symbol: str(one.quantity) for one in positions if one.quantity}
        return held, tuple(report.order.key for report in reports if not report.state.final)

    # Words.

    def _seat(self, session: str) -> _Seat:
        seat = self.seats.get(session)
        if seat is None:
            raise UnknownSession(session, self.seats)
        return seat

    def _need_running(self, session: str) -> None:
        condition = self._seat(session).condition
        if condition is not Condition.RUNNING:
            raise NotRunning(session, condition)

    def _status(self, session: str) -> SessionStatus:
        seat = self._seat(session)
        return SessionStatus(session, seat.wanted, seat.condition, seat.why)

    def _fail(self, session: str, why: str) -> None:
        if session in self.gate.sessions():
            self.gate.tell(session, Raised(Cause.RESTARTS_SPENT), self.world.clock.wall_ns())
        self._become(session, Condition.FAILED, why)

    def _become(self, session: str, condition: Condition, why: str = "") -> None:
        seat = self._seat(session)
        seat.condition, seat.why = condition, why
        self.runtime.topics.publish(SESSIONS, self._status(session))
