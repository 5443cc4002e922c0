import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from brokers.errors import BrokerError, Code, ConnectionFailed
from brokers.guards.errors import BreakerOpen
from brokers.guards.health import Health, HealthMoved, Monitor, Readiness, Rhythm, Sign, State
from brokers.guards.operation import Pause
from brokers.guards.reconnect import Pacer, Reconnect
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import READ, Rig, timeline

GONE = ConnectionFailed("acme", Code.CONNECTION_FAILED)


class Broker:
    """The far side of a connection, as healthy as the test says."""

    def __init__(self) -> None:
        self.answers = True
        self.takes_s = 0.0
        self.accepts = True
        self.checks: list[float] = []
        self.connects: list[float] = []
        self.overlaps = 0
        self._busy = 0

    async def check(self) -> bool:
        self.checks.append(trio.current_time())
        self._busy += 1
        self.overlaps += self._busy > 1
        try:
            await trio.sleep(self.takes_s)
        finally:
            self._busy -= 1
        if not self.answers:
            raise GONE
        return True

    async def connect(self) -> None:
        self.connects.append(trio.current_time())
        if not self.accepts:
            raise GONE
        self.answers, self.takes_s = True, 0.0


@asynccontextmanager
async def watched(
    broker: Broker,
    tell: Callable[[HealthMoved], None] = lambda _moved: None,
    rhythm: Rhythm | None = None,
    seed: int = 1,
) -> AsyncIterator[Monitor]:
    line, chance = timeline(), random.Random(seed)
    monitor = Monitor(
        "acme-1",
        check=broker.check,
        reconnect=broker.connect,
        turns=Reconnect(Pacer(), line, chance),
        timeline=line,
        chance=chance,
        tell=tell,
        expects=(BrokerError,),
        rhythm=rhythm,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(monitor.run)
        await trio.sleep(0.001)
        yield monitor
        nursery.cancel_scope.cancel()


def state_of(monitor: Monitor) -> State:
    return monitor.health.state


def states(*signs: Sign) -> list[State]:
    health, seen = Health(), []
    for sign in signs:
        health = health.after(sign)
        seen.append(health.state)
    return seen


def test_b19_one_miss_degrades_and_two_bring_down() -> None:
    assert states(Sign.ANSWERED, Sign.MISSED, Sign.MISSED, Sign.MISSED, Sign.ANSWERED) == [
        State.UP,
        State.DEGRADED,
        State.DOWN,
        State.DOWN,
        State.UP,
    ]


def test_b19_a_silent_stream_brings_down_however_well_the_checks_go() -> None:
    assert states(Sign.ANSWERED, Sign.SILENT, Sign.ANSWERED, Sign.HEARD) == [
        State.UP,
        State.DOWN,
        State.DOWN,
        State.UP,
    ]


@given(st.lists(st.sampled_from(Sign), max_size=30))
def test_b19_the_state_follows_from_the_last_signs(signs: list[Sign]) -> None:
    state = states(*signs)[-1] if signs else Health().state
    checks = [sign for sign in signs if sign in (Sign.ANSWERED, Sign.MISSED)]
    stream = [sign for sign in signs if sign in (Sign.HEARD, Sign.SILENT)]
    down = checks[-2:] == [Sign.MISSED] * 2 or stream[-1:] == [Sign.SILENT]
    assert (state is State.DOWN) is down
    assert (state is State.UP) is (not down and checks[-1:] == [Sign.ANSWERED])


async def test_b19_checks_come_every_thirty_seconds_give_or_take_a_tenth(autojump_clock: MockClock) -> None:
    broker = Broker()
    async with watched(broker) as monitor:
        await trio.sleep(3600)
        assert state_of(monitor) is State.UP
    gaps = [later - earlier for earlier, later in pairwise(broker.checks)]
    assert len(gaps) > 100
    assert 27 <= min(gaps) < 28.5
    assert 31.5 < max(gaps) <= 33.001


async def test_b19_a_check_that_hangs_is_a_miss_after_five_seconds_and_never_overlaps(
    autojump_clock: MockClock,
) -> None:
    broker, moves = Broker(), list[HealthMoved]()
    async with watched(broker, moves.append) as monitor:
        start = trio.current_time()
        broker.takes_s, broker.accepts = 10_000, False
        await trio.sleep(600)
        assert state_of(monitor) is State.DOWN
    assert broker.overlaps == 0
    missed = [moved for moved in moves if moved.sign is Sign.MISSED]
    assert [moved.after for moved in missed] == [State.DEGRADED, State.DOWN]
    assert missed[1].at_ns - missed[0].at_ns <= 33 * SECOND_NS + 5 * SECOND_NS
    assert broker.checks[1] - start <= 33


async def test_b19_checks_do_not_overlap_even_when_one_takes_longer_than_the_interval(
    autojump_clock: MockClock,
) -> None:
    broker = Broker()
    broker.takes_s = 2.5
    async with watched(broker, rhythm=Rhythm(every_ns=SECOND_NS, timeout_ns=3 * SECOND_NS)):
        await trio.sleep(100)
    assert broker.overlaps == 0
    assert len(broker.checks) > 30


async def test_b19_checks_after_a_reconnect_do_not_overlap_the_regular_ones(autojump_clock: MockClock) -> None:
    broker = Broker()
    broker.answers, broker.takes_s = False, 0.8

    async def connect() -> None:
        broker.connects.append(trio.current_time())

    broker.connect = connect  # type: ignore[method-assign]  # a connect that does not help
    async with watched(broker, rhythm=Rhythm(every_ns=SECOND_NS)):
        await trio.sleep(300)
    assert len(broker.connects) > 15
    assert broker.overlaps == 0


async def test_b19_r21_a_half_open_stream_is_noticed_after_two_heartbeats(autojump_clock: MockClock) -> None:
    for heartbeat_s, expected_s in ((2.5, 5), (20, 40), (45, 60)):
        broker, moves = Broker(), list[HealthMoved]()
        broker.accepts = False
        rhythm = Rhythm(heartbeat_ns=int(heartbeat_s * SECOND_NS))
        async with watched(broker, moves.append, rhythm) as monitor:
            for _ in range(10):
                await trio.sleep(heartbeat_s)
                monitor.heard()
            last_heard_ns = monitor._timeline.now_ns()
            assert state_of(monitor) is State.UP
            await trio.sleep(61)
            assert state_of(monitor) is State.DOWN
        assert moves[-1].sign is Sign.SILENT
        assert moves[-1].at_ns - last_heard_ns == pytest.approx(expected_s * SECOND_NS, abs=1e6)


async def test_b19_a_stream_that_speaks_again_is_up_without_a_reconnect(autojump_clock: MockClock) -> None:
    broker = Broker()
    broker.accepts = False
    async with watched(broker, rhythm=Rhythm(heartbeat_ns=SECOND_NS)) as monitor:
        await trio.sleep(10)
        assert state_of(monitor) is State.DOWN
        monitor.heard()
        assert state_of(monitor) is State.UP
        connects = len(broker.connects)
        for _ in range(20):
            await trio.sleep(0.5)
            monitor.heard()
        assert len(broker.connects) == connects


async def test_b20_reconnecting_starts_from_down_and_goes_on_until_it_succeeds(autojump_clock: MockClock) -> None:
    broker = Broker()
    broker.answers = broker.accepts = False
    async with watched(broker) as monitor:
        await trio.sleep(300)
        assert state_of(monitor) is State.DOWN
        assert len(broker.connects) > 15, "the back-off is capped at 15 s"
        broker.accepts = True
        tried = len(broker.connects)
        await trio.sleep(15.1)
        assert state_of(monitor) is State.UP
        await trio.sleep(300)
        assert len(broker.connects) == tried + 1
        statistics = monitor.statistics()
        assert (statistics.state, statistics.reconnects) == (State.UP, tried + 1)
        assert statistics.checks == len(broker.checks)


async def test_b20_a_reconnect_is_proved_at_once_and_not_by_the_next_regular_check(autojump_clock: MockClock) -> None:
    for seed in range(10):
        broker, moves = Broker(), list[HealthMoved]()
        broker.answers = False
        async with watched(broker, moves.append, seed=seed):
            await trio.sleep(100)
        down_ns, up_ns = (moved.at_ns for moved in moves[-2:])
        assert moves[-1].after is State.UP
        assert up_ns - down_ns <= 0.6 * SECOND_NS


async def test_b20_a_connection_that_is_up_is_never_reconnected(autojump_clock: MockClock) -> None:
    broker = Broker()
    async with watched(broker):
        await trio.sleep(3600)
    assert not broker.connects


async def test_b20_a_reconnect_that_does_not_help_is_followed_by_another(autojump_clock: MockClock) -> None:
    broker = Broker()

    async def connect() -> None:
        broker.connects.append(trio.current_time())

    broker.answers, broker.connect = False, connect  # type: ignore[method-assign]  # a connect that lies
    async with watched(broker) as monitor:
        await trio.sleep(300)
        assert state_of(monitor) is State.DOWN
    assert len(broker.connects) > 15


async def test_checks_that_our_own_limits_keep_back_say_nothing_of_the_connection(autojump_clock: MockClock) -> None:
    broker, rig = Broker(), Rig()
    moves: list[HealthMoved] = []

    async def check() -> bool:
        await rig.guard.run(READ, rig.attempt)
        return True

    broker.check = check  # type: ignore[method-assign]  # a check that goes through a guard
    async with watched(broker, moves.append) as monitor:
        await trio.sleep(100)
        rig.host.pause(Pause(600 * SECOND_NS, "418"), rig.timeline.now_ns())
        await trio.sleep(500)
        assert state_of(monitor) is State.UP
    assert len(moves) == 1
    assert not broker.connects


async def test_a_breaker_that_refuses_a_check_counts_as_a_miss(autojump_clock: MockClock) -> None:
    broker = Broker()
    broker.accepts = False

    async def check() -> bool:
        raise BreakerOpen.of("acme", "check", "read", SECOND_NS)

    broker.check = check  # type: ignore[method-assign]  # a check that goes through a guard
    async with watched(broker) as monitor:
        await trio.sleep(100)
        assert state_of(monitor) is State.DOWN


async def test_an_undeclared_error_of_a_check_ends_the_monitor(autojump_clock: MockClock) -> None:
    broker = Broker()

    async def check() -> bool:
        raise KeyError("a bug")

    broker.check = check  # type: ignore[method-assign]  # a check that is broken
    with pytest.raises(BaseExceptionGroup) as caught:
        async with watched(broker):
            await trio.sleep(1)
    assert caught.group_contains(KeyError)


async def test_health_moves_are_told_once_each(autojump_clock: MockClock) -> None:
    broker, moves = Broker(), list[HealthMoved]()
    async with watched(broker, moves.append):
        await trio.sleep(100)
        broker.answers = broker.accepts = False
        await trio.sleep(200)
        broker.accepts = True
        await trio.sleep(100)
    assert [(moved.before, moved.after) for moved in moves] == [
        (State.DEGRADED, State.UP),
        (State.UP, State.DEGRADED),
        (State.DEGRADED, State.DOWN),
        (State.DOWN, State.UP),
    ]


@pytest.mark.parametrize("heartbeat_s", [0, 60, -1])
def test_a_heartbeat_that_cannot_be_watched_is_refused(heartbeat_s: int) -> None:
    with pytest.raises(ValueError, match="ping"):
        Rhythm(heartbeat_ns=heartbeat_s * SECOND_NS)


def test_b21_ready_is_only_who_lacks_nothing() -> None:
    assert Readiness(journal=True, reconciled=True, token=True, stream=True).ready
    for lacking in ("journal", "reconciled", "token", "stream"):
        fine = dict.fromkeys(("journal", "reconciled", "token", "stream"), True) | {lacking: False}
        readiness = Readiness(**fine)
        assert not readiness.ready
        assert readiness.missing == (lacking,)
