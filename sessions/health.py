"""Health: every so often all is looked at, what is ill takes its sessions down a rung, and a person is told once.

Being alive is one thing, the event loop turns; being ready to trade is another: the journal writes, the books agree
with the broker, the connection stands, the prices flow. What was found is judged by pure functions.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import attrs
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.broker import Broker
from brokers.guards.alerts import Alert, AlertDesk
from brokers.guards.health import Readiness
from brokers.guards.ladder import Cause
from brokers.guards.lag import LagStatistics, LoopWatch, SlowStep
from brokers.guards.timeline import Timeline
from brokers.market_data import MarketDataSource
from config.settings import HealthSettings
from runtime import Actor, Name, Reason, message
from runtime.errors import CallError
from sessions.journal import Journal, JournalStatistics
from sessions.risk.desk import RiskDesk
from sessions.session import source_name
from sessions.trader.causes import ALERTS

ANSWER_SECONDS: Final = 5.0
_READY: Final = "ready"
_MIB: Final = 1 << 20
_MS: Final = 1_000_000
_SECOND_NS: Final = 1_000_000_000

T = TypeVar("T")


@attrs.frozen(eq=False)
class Watched:
    """What is looked at; each function answers at once with what is true now.

    sessions  the sessions that run, each with its broker (None: not open), its account, and whether it has prices
    unarmed   the sessions that may not take new risk because nobody has armed their broker
    disarms   when the next arming ends by itself, in nanoseconds of the wall clock; None where none does
    free      the bytes that the disk of the state folder still takes
    """

    journal: Name[Journal]
    risk: Name[RiskDesk]
    settings: Callable[[], HealthSettings]
    sessions: Callable[[], Mapping[str, "Seat"]]
    unarmed: Callable[[], frozenset[str]]
    disarms: Callable[[], int | None]
    free: Callable[[], int]
    kept: Callable[[], None]  # called after each look, to keep what outlives the process; may raise OSError


@attrs.frozen(eq=False)
class Seat:
    """One running session's place."""

    broker: Broker | None
    account: str
    has_data: bool


@attrs.frozen
class Signs:
    """What one look found."""

    time_ns: int
    alive: bool
    lag: LagStatistics
    free_bytes: int | None
    journal: JournalStatistics | None
    readiness: Mapping[str, Readiness]
    unarmed: frozenset[str]


@attrs.frozen(order=True)
class Finding:
    """One thing that is not in order; with a cause it takes its session down."""

    session: str
    cause: Cause | None = attrs.field(order=lambda cause: "" if cause is None else cause.value)
    text: str


@attrs.frozen
class Checkup:
    """The last look and what follows from it."""

    signs: Signs
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Whether everything is in order."""
        return not self.findings


def findings(signs: Signs, settings: HealthSettings) -> tuple[Finding, ...]:
    """What is not in order; a finding of the whole daemon stands under every session, and once without one."""
    found = [Finding("", None, text) for text in _of_daemon(signs, settings)]
    for session, readiness in signs.readiness.items():
        found += [Finding(session, cause, text) for cause, text in _shared(signs, settings)]
        found += [Finding(session, None, f"{missing} is not in order") for missing in readiness.missing]
        if session in signs.unarmed:
            found.append(Finding(session, Cause.HELD_BACK, "its live broker is not armed"))
    return tuple(sorted(found))


def _of_daemon(signs: Signs, settings: HealthSettings) -> list[str]:
    texts = [text for _, text in _shared(signs, settings)]
    if signs.journal is None or signs.journal.state.value != _READY:
        texts.append("the journal does not write")
    return texts


def _shared(signs: Signs, settings: HealthSettings) -> list[tuple[Cause, str]]:
    found = []
    if not signs.alive or signs.lag.p99_ns > settings.loop_lag_ms * _MS:
        found.append((Cause.LOOP_LAG, "the event loop is late"))
    if signs.free_bytes is None or signs.free_bytes < settings.disk_free_mib * _MIB:
        found.append((Cause.HELD_BACK, "the disk of the state folder is nearly full"))
    return found


class Health(Actor):
    """Looks, judges, tells the risk desk what takes a session down, and people what they should know."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.checkup: Checkup | None = None
        self.told: frozenset[Finding] = frozenset()
        self.disarms_ns: int | None = None  # for which a look is ordered
        self.loop: LoopWatch
        self.alerts: AlertDesk

    async def on_start(self) -> None:
        """Begins to look."""
        settings, timeline = self.watched.settings(), Timeline(self.world.clock)
        self.loop = LoopWatch(timeline, self._slow)
        self.alerts = AlertDesk(self._send, timeline, window_ns=settings.alert_repeat_s * _SECOND_NS)
        self.spawn(self.loop.run)
        self.spawn(self.alerts.run)
        self.every(settings.check_s, Health.look)
        self.continue_with(Health.look)

    async def on_stop(self, reason: Reason) -> None:
        """Keeps what outlives the process."""
        self._keep()

    async def look(self) -> Checkup:
        """Looks at everything now."""
        signs = await self._signs()
        self.checkup = Checkup(signs, findings(signs, self.watched.settings()))
        self._tell(frozenset(self.checkup.findings))
        self._keep()
        self._look_when_disarmed()
        return self.checkup

    def _look_when_disarmed(self) -> None:
        """An arming ends on time, not with the next look."""
        until_ns = self.watched.disarms()
        if until_ns is not None and until_ns != self.disarms_ns:
            self.disarms_ns = until_ns
            self.send_after(max(until_ns - self.world.clock.wall_ns(), 0) / _SECOND_NS, Health.look)

    @message(control=True)
    def latest(self) -> Checkup | None:
        """What the last look found; None before the first."""
        return self.checkup

    async def _signs(self) -> Signs:
        watched = self.watched
        return Signs(
            time_ns=self.world.clock.wall_ns(),
            alive=self.loop.alive(),
            lag=self.loop.statistics(),
            free_bytes=_free(watched.free),
            journal=(journal := await _answer(watched.journal.call(Journal.statistics))),
            readiness={
                session: await self._readiness(session, seat, journal) for session, seat in watched.sessions().items()
            },
            unarmed=watched.unarmed(),
        )

    async def _readiness(self, session: str, seat: Seat, journal: JournalStatistics | None) -> Readiness:
        return Readiness(
            journal=journal is not None and journal.state.value == _READY,
            reconciled=seat.broker is not None and await self._agreed(seat.broker, seat.account),
            token=seat.broker is not None,
            stream=not seat.has_data or await self._flows(session),
        )

    async def _agreed(self, broker: Broker, account: str) -> bool:
        books = self.runtime.name(books_name(broker.name, account), AccountBooks)
        agreement = await _answer(books.call(AccountBooks.agreed))
        return agreement is not None and agreement.agreed

    async def _flows(self, session: str) -> bool:
        source = self.runtime.name(source_name(session), MarketDataSource)
        statistics = await _answer(source.call(MarketDataSource.statistics))
        return statistics is not None and statistics.up

    def _tell(self, found: frozenset[Finding]) -> None:
        risk = self.watched.risk
        for finding in sorted(self.told - found):
            if finding.cause is not None:
                risk.cast(RiskDesk.cleared, finding.session, finding.cause, finding.text)
        for finding in sorted(found - self.told):
            if finding.cause is not None:
                risk.cast(RiskDesk.raised, finding.session, finding.cause, finding.text)
        for finding in sorted(found):
            self.alerts.alert(f"health: {finding.text}", finding.session, finding.text)
        self.told = found

    def _keep(self) -> None:
        try:
            self.watched.kept()
        except OSError as error:
            self.alerts.alert("health: keep", "", f"the portfolio's book was not kept: {error}")

    def _slow(self, step: SlowStep) -> None:
        text = f"{step.name} kept the event loop to itself for {step.took_ns // _MS} ms"
        self.alerts.alert("health: slow step", step.name, text)

    def _send(self, alert: Alert) -> None:
        self.runtime.topics.publish(ALERTS, alert)


async def _answer(question: Awaitable[T]) -> T | None:
    """The answer, or None from whoever does not give one in time."""
    with trio.move_on_after(ANSWER_SECONDS):
        try:
            return await question
        except CallError:
            return None
    return None


def _free(free: Callable[[], int]) -> int | None:
    try:
        return free()
    except OSError:
        return None
