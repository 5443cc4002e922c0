from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from brokers.broker import Broker
from brokers.connection import Operations
from brokers.connection_check import ConnectionCheck
from brokers.errors import Code, ConnectionFailed, RateLimited
from brokers.guards.errors import BreakerOpen
from brokers.guards.guard import Guard
from brokers.guards.health import Health, HealthMoved, Readiness, Rhythm, State
from brokers.guards.host import Host
from brokers.guards.operation import Pause
from brokers.guards.timeline import SECOND_NS
from runtime import Child, Supervisor, open_runtime
from runtime.simulation import SimulatedWorld
from tests.runtime.simulation.rehearsal import rehearsed

GONE = ConnectionFailed("acme", Code.CONNECTION_FAILED)


@attrs.define(eq=False)
class Far:
    """The far side of a connection, as healthy as the test says."""

    error: Exception | None = None
    takes_s: float = 0.0
    checks: list[float] = attrs.field(factory=list)
    overlaps: int = 0
    busy: int = 0

    async def accounts(self) -> tuple[str, ...]:
        self.checks.append(trio.current_time())
        self.busy += 1
        self.overlaps += self.busy > 1
        try:
            await trio.sleep(self.takes_s)
        finally:
            self.busy -= 1
        if self.error is not None:
            raise self.error
        return ("A",)


@attrs.define(eq=False)
class Checked:
    """A connection under check, and what was told of it."""

    far: Far
    guard: Guard
    moves: list[HealthMoved] = attrs.field(factory=list)

    @property
    def states(self) -> list[State]:
        return [move.after for move in self.moves]


@asynccontextmanager
async def checked(world: SimulatedWorld, rhythm: Rhythm | None = None) -> AsyncIterator[Checked]:
    far = Far()
    guard = Guard("acme-1", Host("acme", (), clock=world.clock, tell=lambda _: None), chance=world.chance)
    told = Checked(far, guard)
    connection = cast("Any", _Connection(far, guard))
    async with open_runtime(world) as runtime:
        check = Child("check", lambda: ConnectionCheck(connection, told.moves.append, rhythm or Rhythm()))
        await runtime.start(Supervisor([check]))
        yield told


@attrs.frozen(eq=False)
class _Connection:
    """The part of a connection that is checked."""

    far: Far
    guard: Guard
    operations: Operations = Operations()  # noqa: RUF009 - frozen
    check = Broker.check

    def need_orders(self) -> Far:
        return self.far


@given(st.lists(st.booleans(), max_size=30))
def test_B19_one_miss_degrades_two_bring_down_and_an_answer_is_up_again(answers: list[bool]) -> None:
    health = Health()
    for answered in answers:
        health = health.after(answered=answered)
    misses = 0 if True in answers[-1:] else (answers[::-1].index(True) if True in answers else len(answers))
    assert health.state is (State.UP, State.DEGRADED, State.DOWN)[min(misses, 2)]


@rehearsed
async def test_B19_checks_come_every_thirty_seconds_give_or_take_a_tenth(world: SimulatedWorld) -> None:
    async with checked(world) as told:
        await trio.sleep(3600)
    gaps = [later - earlier for earlier, later in pairwise(told.far.checks)]
    assert len(gaps) > 100
    assert 27 <= min(gaps) < 28.5
    assert 31.5 < max(gaps) <= 33.001
    assert not told.moves, "a connection that was just opened is up, and stays it"


@rehearsed
async def test_B19_a_check_that_hangs_is_a_miss_after_five_seconds_and_never_overlaps(world: SimulatedWorld) -> None:
    async with checked(world) as told:
        told.far.takes_s = 10_000
        await trio.sleep(33 + 5)
        assert told.states == [State.DEGRADED]
        await trio.sleep(600)
    assert told.states == [State.DEGRADED, State.DOWN]
    assert told.moves[1].at_ns - told.moves[0].at_ns <= 33 * SECOND_NS
    assert told.far.overlaps == 0


@rehearsed
async def test_B19_checks_do_not_overlap_even_when_one_takes_longer_than_the_interval(world: SimulatedWorld) -> None:
    async with checked(world, Rhythm(every_ns=SECOND_NS, timeout_ns=3 * SECOND_NS)) as told:
        told.far.takes_s = 2.5
        await trio.sleep(100)
    assert told.far.overlaps == 0
    assert len(told.far.checks) > 30


@rehearsed
async def test_B19_health_moves_are_told_once_each_and_from_down_it_comes_up_by_itself(world: SimulatedWorld) -> None:
    async with checked(world) as told:
        await trio.sleep(100)
        told.far.error = GONE
        await trio.sleep(200)
        told.far.error = None
        await trio.sleep(330)
    assert [(move.before, move.after) for move in told.moves] == [
        (State.UP, State.DEGRADED),
        (State.DEGRADED, State.DOWN),
        (State.DOWN, State.UP),
    ]


@rehearsed
async def test_checks_that_limits_keep_back_say_nothing_of_the_connection(world: SimulatedWorld) -> None:
    async with checked(world) as told:
        told.guard.host.pause(Pause(600 * SECOND_NS, "418"), told.guard.host.timeline.now_ns())
        await trio.sleep(500)
        assert not told.far.checks, "a host that wants to be left alone is not even asked"
        await trio.sleep(200)
        told.far.error = RateLimited("acme", Code.RATE_LIMITED, "429")
        await trio.sleep(200)
    assert not told.moves


@pytest.mark.parametrize("error", [GONE, BreakerOpen.of("acme", "check", "read", SECOND_NS)])
def test_an_error_and_a_breaker_that_refuses_are_misses(error: Exception) -> None:
    @rehearsed
    async def play(world: SimulatedWorld) -> None:
        async with checked(world) as told:
            told.far.error = error
            await trio.sleep(100)
        assert told.states == [State.DEGRADED, State.DOWN]

    play()


def test_b21_ready_is_only_who_lacks_nothing() -> None:
    assert Readiness(journal=True, reconciled=True, token=True, stream=True).ready
    for lacking in ("journal", "reconciled", "token", "stream"):
        fine = dict.fromkeys(("journal", "reconciled", "token", "stream"), True) | {lacking: False}
        readiness = Readiness(**fine)
        assert not readiness.ready
        assert readiness.missing == (lacking,)
