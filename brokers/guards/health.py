"""Whether a connection lives: UP, DEGRADED after one missed check, DOWN after two or when its stream is silent."""

import enum
import random
from collections.abc import Awaitable, Callable

import attrs
import trio

from brokers.guards.errors import LimitReached, Paused, QueueFull
from brokers.guards.reconnect import Reconnect
from brokers.guards.timeline import NEVER_NS, SECOND_NS, Timeline

LONGEST_SILENCE_NS = 60 * SECOND_NS


class State(enum.Enum):
    """The health of one connection."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


class Sign(enum.Enum):
    """What can be observed of a connection."""

    ANSWERED = "check answered"
    MISSED = "check missed"
    HEARD = "stream heard"
    SILENT = "stream silent"


@attrs.frozen
class Health:
    """The state and what it follows from; until the first good check a connection counts as degraded."""

    proven: bool = False
    misses: int = 0
    silent: bool = False

    @property
    def state(self) -> State:
        """UP, DEGRADED or DOWN."""
        if self.silent or self.misses >= 2:
            return State.DOWN
        return State.UP if self.proven and not self.misses else State.DEGRADED

    def after(self, sign: Sign) -> "Health":
        """The health once the sign is known."""
        match sign:
            case Sign.ANSWERED:
                return Health(True, 0, self.silent)
            case Sign.MISSED:
                return Health(self.proven, min(self.misses + 1, 2), self.silent)
            case Sign.HEARD:
                return Health(self.proven, self.misses, False)
            case Sign.SILENT:
                return Health(self.proven, self.misses, True)


@attrs.frozen
class HealthMoved:
    """A connection's health changed; told once."""

    connection: str
    before: State
    after: State
    sign: Sign
    at_ns: int


def _audible(_rhythm: object, _field: object, heartbeat_ns: int | None) -> None:
    if heartbeat_ns is not None and not 0 < heartbeat_ns < LONGEST_SILENCE_NS:
        raise ValueError(
            f"a stream's heartbeat must be between 0 and {LONGEST_SILENCE_NS} ns, got {heartbeat_ns}; "
            "have the adapter ping the broker more often"
        )


@attrs.frozen
class Rhythm:
    """How often to check, how long to wait for an answer, and the stream's heartbeat (None: it has none)."""

    every_ns: int = 30 * SECOND_NS
    jitter_percent: int = 10
    timeout_ns: int = 5 * SECOND_NS
    heartbeat_ns: int | None = attrs.field(default=None, validator=_audible)

    def pause_ns(self, chance: random.Random) -> int:
        """The time between the starts of two checks."""
        jitter_ns = self.every_ns * self.jitter_percent // 100
        return self.every_ns + chance.randint(-jitter_ns, jitter_ns)

    def silent_from_ns(self, heard_ns: int) -> int:
        """When a stream last heard then counts as silent: after two heartbeats, never later than 60 s."""
        if self.heartbeat_ns is None:
            return NEVER_NS
        return heard_ns + min(2 * self.heartbeat_ns, LONGEST_SILENCE_NS)


@attrs.frozen
class MonitorStatistics:
    """How a connection fares."""

    connection: str
    state: State
    checks: int
    reconnects: int  # attempts
    heard_ns: int  # when the stream last delivered something


class Monitor:
    """Checks one connection, watches its stream and reconnects it whenever it is DOWN, from the start too.

    `check` asks the broker and says whether it answered well, `reconnect` makes one attempt; an error they raise
    that is among `expects` counts as a miss or a failed attempt, any other one ends the monitor.
    """

    def __init__(
        self,
        connection: str,
        *,
        check: Callable[[], Awaitable[bool]],
        reconnect: Callable[[], Awaitable[None]],
        turns: Reconnect,
        timeline: Timeline,
        chance: random.Random,
        tell: Callable[[HealthMoved], None],
        expects: tuple[type[Exception], ...],
        rhythm: Rhythm | None = None,
    ) -> None:
        self.connection = connection
        self.health = Health()
        self._check = check
        self._reconnect = reconnect
        self._turns = turns
        self._timeline = timeline
        self._chance = chance
        self._tell = tell
        self._expects = expects
        self._rhythm = rhythm or Rhythm()
        self._heard_ns = timeline.now_ns()
        self._down = trio.Event()
        self._checks = self._reconnects = 0
        self._one_check = trio.Lock()  # checks never overlap

    def heard(self) -> None:
        """Tells that the stream delivered something, a heartbeat will do."""
        self._heard_ns = self._timeline.now_ns()
        if self.health.silent:
            self._learn(Sign.HEARD)

    def statistics(self) -> MonitorStatistics:
        """State and counts, for status and metrics."""
        return MonitorStatistics(self.connection, self.health.state, self._checks, self._reconnects, self._heard_ns)

    async def run(self) -> None:
        """Watches until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._checking)
            nursery.start_soon(self._listening)
            nursery.start_soon(self._reconnecting)

    async def _checking(self) -> None:
        while True:
            next_ns = self._timeline.now_ns() + self._rhythm.pause_ns(self._chance)
            await self._check_once()
            await self._timeline.reach(next_ns)

    async def _check_once(self) -> None:
        async with self._one_check:
            self._checks += 1
            sign = await self._sign()
            if sign is not None:
                self._learn(sign)

    async def _sign(self) -> Sign | None:
        """What one check shows; None when our own limits kept it back."""
        with trio.move_on_after(self._rhythm.timeout_ns / SECOND_NS):
            try:
                return Sign.ANSWERED if await self._check() else Sign.MISSED
            except (Paused, LimitReached, QueueFull):
                return None
            except self._expects:
                return Sign.MISSED
        return Sign.MISSED

    async def _listening(self) -> None:
        heartbeat_ns = self._rhythm.heartbeat_ns
        while heartbeat_ns is not None:
            silent_ns = self._rhythm.silent_from_ns(self._heard_ns)
            if self._timeline.now_ns() >= silent_ns:
                self._learn(Sign.SILENT)
                silent_ns = self._timeline.now_ns() + heartbeat_ns
            await self._timeline.reach(silent_ns)

    async def _reconnecting(self) -> None:
        while True:
            await self._down.wait()
            await self._turns.turn()
            if self.health.state is State.DOWN:  # and has not recovered by itself
                await self._reconnect_once()

    async def _reconnect_once(self) -> None:
        self._reconnects += 1
        try:
            await self._reconnect()
        except self._expects:
            return
        self._turns.connected()
        self.heard()
        await self._check_once()

    def _learn(self, sign: Sign) -> None:
        before, self.health = self.health.state, self.health.after(sign)
        after = self.health.state
        if after is State.DOWN:
            self._down.set()
        elif self._down.is_set():
            self._down = trio.Event()
        if after is not before:
            self._tell(HealthMoved(self.connection, before, after, sign, self._timeline.now_ns()))


@attrs.frozen
class Readiness:
    """Whether a session may trade, which is more than being alive."""

    journal: bool
    reconciled: bool
    token: bool
    stream: bool

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not in order, by name."""
        return tuple(name for name, fine in attrs.asdict(self).items() if not fine)
