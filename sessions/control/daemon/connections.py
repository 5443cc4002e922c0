"""The connections of a daemon: one for each configured broker, opened, reopened when one gives up, and closed.

A connection stands outside the sessions, so that no session's crash costs a token. One that does not open harms nobody
else: it is tried again, and the sessions that wait for it are started when it is up.
"""

import contextlib
from collections.abc import Collection
from typing import Any, Final

import attrs
import trio

from brokers.broker import Broker
from brokers.guards.breaker import Phase
from brokers.guards.guard import Guard
from brokers.guards.ladder import Cause, Cleared
from brokers.guards.timeline import SECOND_NS
from config.settings import BrokerSettings
from runtime import Actor, Backoff, Child, DynamicSupervisor, Ref, Restart, Runtime, message
from runtime.calls import Reply
from runtime.errors import CallError, NotFound
from runtime.monitors import Down, Monitor
from sessions.control.daemon.arming import LIVE
from sessions.control.daemon.house import House
from sessions.control.daemon.opening import LeftAlone, open_broker
from sessions.journal import Journal
from sessions.sessions import Condition, Sessions

CONNECTIONS: Final = "connections"  # the registered name, and the branch of the tree
OPEN_SECONDS: Final = 60.0  # that one attempt may take
FIRST_SECONDS: Final = 15.0  # that the sessions wait for their brokers when the daemon starts
REVIVE_SECONDS: Final = 600.0
_PAUSES: Final = Backoff(first=1, most=60)


@attrs.frozen
class ConnectionStatus:
    """How one configured broker stands; `why_not` is empty while it is open, `troubles` say what is kept back."""

    broker: str
    kind: str
    login: str
    environment: str
    accounts: tuple[str, ...]
    open: bool
    armed: bool
    attempts: int
    why_not: str
    troubles: tuple[str, ...] = ()


@attrs.define(eq=False)
class _Line:
    """One connection as this actor knows it."""

    settings: BrokerSettings
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    attempts: int = 0
    why_not: str = "it is being opened"
    first: trio.Event = attrs.field(factory=trio.Event)  # one attempt is over
    wait_s: float = 0.0  # that the broker wants no other attempt


async def brokers_tried(runtime: Runtime, *names: str) -> None:
    """Returns when each of these brokers, or of all, was tried once or has had its time, whatever came of it."""
    with trio.move_on_after(2 * FIRST_SECONDS), contextlib.suppress(CallError):
        await runtime.name(CONNECTIONS, Connections).call(Connections.tried, names)


class Connections(Actor):
    """Opens what is configured and keeps it open."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.lines: dict[str, _Line] = {}
        self.watched: dict[Monitor, str] = {}
        self.tried_all = trio.Event()  # who waits for brokers waits no longer

    async def on_start(self) -> None:
        """Takes up what is open already, and begins to open the rest."""
        house = self.house
        house.epoch = (await house.journal.call(Journal.statistics)).epoch
        await house.arms.load()
        running = {row.id: row.ref for row in house.pool(CONNECTIONS).which_children() if row.ref is not None}
        for name, settings in house.settings.brokers.items():
            ref = running.get(name)
            if ref is not None and name in house.brokers:
                self.lines[name] = _Line(settings, why_not="")
                self.watched[self.monitor(ref)] = name
            else:
                house.brokers.pop(name, None)
                self._begin(name, settings)
        self.spawn(self._try_all)

    async def _try_all(self) -> None:
        await self._first_attempts()
        self.tried_all.set()

    async def _first_attempts(self, names: Collection[str] = ()) -> None:
        """Waits a while for one attempt at each of these, or of all."""
        with trio.move_on_after(FIRST_SECONDS):
            for name, line in list(self.lines.items()):
                if line.why_not and (name in names or not names):
                    await line.first.wait()

    async def on_down(self, down: Down) -> None:
        """A connection spent its restarts: it is opened anew, and its sessions start again with it."""
        name = self.watched.pop(down.monitor, None)
        if name is not None and name in self.lines:
            self.house.brokers.pop(name, None)
            self._begin(name, self.lines[name].settings)

    @message(control=True)
    def statuses(self) -> tuple[ConnectionStatus, ...]:
        """How every configured broker stands."""
        return tuple(self._status(name, line) for name, line in self.lines.items())

    def tried(self, names: Collection[str]) -> None:
        """Answers when each of these brokers, or of all, was tried once or has had its time for that."""
        reply = self.defer()
        self.spawn(self._when_tried, names, reply)
        return reply.later  # type: ignore[no-any-return]

    async def _when_tried(self, names: Collection[str], reply: Reply) -> None:
        await self._first_attempts(names)
        reply.send(None)

    def retry(self, name: str) -> None:
        """Tries a broker at once that is not open, such as one that was just armed."""
        line = self.lines.get(name)
        if line is not None and name not in self.house.brokers:
            line.scope.cancel()
            self._begin(name, line.settings)

    def reconfigure(self) -> None:
        """Closes what is configured no longer or otherwise, and opens what is new; answers when that is done."""
        reply = self.defer()
        self.spawn(self._reconfigure, reply)
        return reply.later  # type: ignore[no-any-return]

    async def _reconfigure(self, reply: Reply) -> None:
        wanted = self.house.settings.brokers
        for name in [name for name, line in self.lines.items() if wanted.get(name) != line.settings]:
            await self._close(name)
        for name in [name for name in wanted if name not in self.lines]:
            self._begin(name, wanted[name])
        await self._first_attempts()
        reply.send(None)

    async def _close(self, name: str) -> None:
        self.lines.pop(name).scope.cancel()
        self.house.brokers.pop(name, None)
        await self._clear(name)

    async def _clear(self, name: str) -> None:
        try:
            await self.house.pool(CONNECTIONS).terminate_child(name)
        except NotFound:
            return  # nothing of it runs

    # Opening.

    def _begin(self, name: str, settings: BrokerSettings) -> None:
        again = name in self.lines
        line = self.lines[name] = _Line(settings)
        self.spawn(self._persist, name, line, again)

    async def _persist(self, name: str, line: _Line, again: bool) -> None:
        """Tries until the broker is open or nobody wants it any more."""
        with line.scope:
            while not await self._attempt(name, line):
                line.first.set()
                again = True
                if not self.house.arms.permits(name, line.settings):
                    return  # whoever arms it has it tried again
                await trio.sleep(max(_PAUSES.delay(line.attempts, self.world.chance.random()), line.wait_s))
            line.first.set()
            if again or self.tried_all.is_set():  # the sessions did not wait for it
                await self._revive(name)

    async def _attempt(self, name: str, line: _Line) -> bool:
        if not self.house.arms.permits(name, line.settings):
            line.why_not = f"it is live and nobody has armed it, see `pitboss arm {name}`"
            return False
        line.attempts += 1
        line.wait_s = 0.0
        try:
            with trio.fail_after(OPEN_SECONDS):
                await self._open(name, line)
        except Exception as error:  # noqa: BLE001 - whatever one broker raises must not cost the others
            line.why_not = self.house.redactor.line(f"{type(error).__name__}: {error}")
            line.wait_s = error.left_s if isinstance(error, LeftAlone) else 0.0
            await self._clear(name)
            return False
        return True

    async def _open(self, name: str, line: _Line) -> None:
        await self._clear(name)
        under = DynamicSupervisor(max_restarts=10, within=60)
        ref: Ref[Any] | None = await self.house.pool(CONNECTIONS).start_child(
            Child(name, under, restart=Restart.TEMPORARY)
        )
        branch = self.house.pool(CONNECTIONS).supervisor(name)
        broker: Broker = await open_broker(self.house, name, line.settings, branch)
        self._opened(name, line, ref, broker)

    def _opened(self, name: str, line: _Line, ref: Ref[Any] | None, broker: Broker) -> None:
        self.house.brokers[name], line.why_not = broker, ""
        if ref is not None:
            self.watched[self.monitor(ref)] = name

    async def _revive(self, name: str) -> None:
        """Starts the sessions on a broker that is up at last; those that ran on its former self start anew."""
        house = self.house
        if house.sessions.resolve() is None:
            return  # the daemon starts; they come by themselves
        statuses = {one.session: one for one in await house.sessions.call(Sessions.statuses)}
        for session in house.sessions_on(name):
            status = statuses.get(session)
            if status is None or not status.wanted:
                continue
            self._forget_former(session)
            method = Sessions.restart if status.condition is Condition.RUNNING else Sessions.start
            with trio.move_on_after(REVIVE_SECONDS):
                try:
                    await house.sessions.call(method, session)
                except Sessions.expects:
                    continue  # its status says why

    def _forget_former(self, session: str) -> None:
        """The streams of the former connection will never say that they are up again; those of this one are."""
        if session in self.house.gate.sessions():
            for cause in (Cause.DATA_STREAM_DOWN, Cause.ORDER_STREAM_DOWN):
                self.house.gate.tell(session, Cleared(cause), self.world.clock.wall_ns())

    def _status(self, name: str, line: _Line) -> ConnectionStatus:
        settings, broker = line.settings, self.house.brokers.get(name)
        return ConnectionStatus(
            broker=name,
            kind=settings.kind,
            login=settings.login,
            environment=settings.environment,
            accounts=settings.accounts,
            open=broker is not None,
            armed=settings.environment == LIVE and self.house.arms.permits(name, settings),
            attempts=line.attempts,
            why_not=line.why_not,
            troubles=() if broker is None else _troubles(broker.guard),
        )


def _troubles(guard: Guard) -> tuple[str, ...]:
    """What the guard of a connection keeps back now, in words."""
    statistics, now_ns = guard.statistics(), guard.host.timeline.now_ns()
    pauses = statistics.limiter.pauses
    return (
        *(
            f"{one.category or 'everything'} waits {(one.until_ns - now_ns) / SECOND_NS:.0f} s: {one.reason}"
            for one in pauses
        ),
        *(f"{kind.value} keeps failing" for kind, phase in statistics.breakers.items() if phase is not Phase.CLOSED),
    )
