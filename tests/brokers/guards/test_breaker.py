import random
import statistics
import time

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from brokers.errors import BrokerError, Certainty, Code, OrderRefused, RateLimited
from brokers.guards.breaker import Breaker, BreakerSettings, Phase, Transition
from brokers.guards.errors import BreakerOpen
from brokers.guards.events import BreakerMoved
from brokers.guards.operation import Kind, Operation, Priority
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import CANCEL, DONE, LOST, MS, PLACE, READ, REFUSED_CONNECTION, SERVER_ERROR, UNSENT, Rig

CALM = random.Random(0)
STEADY = BreakerSettings(jitter_percent=0)


def finish(breaker: Breaker, good: bool | None, now: int) -> Transition | None:
    """One call in and out."""
    permit, _ = breaker.enter(now)
    return breaker.leave(permit, good, now, CALM)


def opened(settings: BreakerSettings = STEADY, now: int = 0) -> Breaker:
    breaker = Breaker(settings)
    for _ in range(settings.failures):
        finish(breaker, False, now)
    assert breaker.phase is Phase.OPEN
    return breaker


@pytest.mark.parametrize("failure", [LOST, UNSENT, SERVER_ERROR, REFUSED_CONNECTION, ValueError("a bug")])
async def test_b07_server_errors_timeouts_and_lost_connections_count(
    failure: object, autojump_clock: MockClock
) -> None:
    rig = Rig(attempts=1)
    rig.script = [failure] * 5  # type: ignore[list-item]  # the parameters are steps
    for _ in range(5):
        assert await rig.end_of(READ) is failure
    assert rig.guard.statistics().breakers[Kind.READ] is Phase.OPEN


@pytest.mark.parametrize(
    "answer",
    [OrderRefused("acme", Code.INSUFFICIENT_FUNDS), RateLimited("acme", Code.RATE_LIMITED, retry_after_ns=0)],
)
async def test_b07_refusals_and_rate_limits_do_not_count(answer: BrokerError, autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1)
    rig.script = [answer] * 50
    for _ in range(50):
        with pytest.raises(type(answer)):
            await rig.guard.run(READ, rig.attempt)
    assert rig.guard.statistics().breakers[Kind.READ] is Phase.CLOSED


async def test_b07_cancellations_do_not_count(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.takes_s = 10
    for _ in range(50):
        with trio.move_on_after(0.1):
            await rig.guard.run(READ, rig.attempt)
    assert len(rig.arrivals) == 50
    assert rig.guard.statistics().breakers[Kind.READ] is Phase.CLOSED


def test_b08_four_failures_do_not_open_five_do() -> None:
    breaker = Breaker(STEADY)
    assert [finish(breaker, False, 0) for _ in range(4)] == [None] * 4
    assert finish(breaker, False, 0) == Transition(Phase.CLOSED, Phase.OPEN, 0, 15 * SECOND_NS, 1)


def test_b08_failures_below_half_do_not_open() -> None:
    breaker = Breaker(STEADY)
    for _ in range(30):
        finish(breaker, True, 0)
    assert all(finish(breaker, False, 0) is None for _ in range(29))
    assert finish(breaker, False, 0) is not None


def test_b08_failures_spread_over_more_than_ten_seconds_do_not_open() -> None:
    breaker = Breaker(STEADY)
    for number in range(40):
        assert finish(breaker, False, number * 2_600 * MS) is None
    close = Breaker(STEADY)
    moves = [finish(close, False, number * 2_490 * MS) for number in range(5)]
    assert moves[-1] is not None


def test_b08_openings_in_a_row_double_up_to_five_minutes() -> None:
    breaker, now, lengths = opened(), 0, []
    for _ in range(7):
        wait = breaker.refusal_ns(now)
        assert wait is not None
        lengths.append(wait / SECOND_NS)
        now += wait
        assert breaker.refusal_ns(now) is None
        assert finish(breaker, False, now) is not None
    assert lengths == [15, 30, 60, 120, 240, 300, 300]


def test_b08_r27_the_opening_is_jittered_by_a_tenth() -> None:
    chance = random.Random(8)
    lengths = [BreakerSettings().opening_ns(1, chance) / SECOND_NS for _ in range(1000)]
    assert 13.5 <= min(lengths) < 13.6
    assert 16.4 < max(lengths) <= 16.5


def test_b08_two_successes_close_and_forget_the_openings() -> None:
    breaker, now = opened(), 15 * SECOND_NS
    assert finish(breaker, True, now) is None
    assert breaker.phase is Phase.HALF_OPEN
    moved = finish(breaker, True, now)
    assert moved == Transition(Phase.HALF_OPEN, Phase.CLOSED, now, 15 * SECOND_NS, 1)
    for _ in range(4):
        assert finish(breaker, False, now) is None
    again = finish(breaker, False, now)
    assert again is not None
    assert again.until_ns - now == 15 * SECOND_NS


def test_b08_one_failure_of_a_probe_opens_again() -> None:
    breaker, now = opened(), 15 * SECOND_NS
    finish(breaker, True, now)
    moved = finish(breaker, False, now)
    assert moved == Transition(Phase.HALF_OPEN, Phase.OPEN, now, now + 30 * SECOND_NS, 2)


def test_b08_successes_of_an_earlier_half_open_do_not_count() -> None:
    breaker, now = opened(), 15 * SECOND_NS
    finish(breaker, True, now)
    finish(breaker, False, now)
    now += 30 * SECOND_NS
    assert finish(breaker, True, now) is None
    assert finish(breaker, True, now) is not None


def test_b08_a_breaker_closes_with_a_clean_slate_however_long_its_window() -> None:
    settings = BreakerSettings(window_ns=10**15, jitter_percent=0)
    breaker = Breaker(settings)
    for good in [True] * 10 + [False] * 10:
        finish(breaker, good, 0)
    now = 15 * SECOND_NS
    for _ in range(2):
        finish(breaker, True, now)
    assert breaker.phase is Phase.CLOSED
    assert [finish(breaker, False, now) is None for _ in range(5)] == [True, True, True, True, False]


def test_b08_a_probe_that_says_nothing_makes_way_for_another() -> None:
    breaker, now = opened(), 15 * SECOND_NS
    assert finish(breaker, None, now) is None
    assert breaker.refusal_ns(now) is None
    finish(breaker, True, now)
    assert finish(breaker, True, now) is not None


def test_b08_calls_from_before_the_opening_do_not_speak_for_the_probe() -> None:
    breaker = Breaker(STEADY)
    early, _ = breaker.enter(0)
    for _ in range(5):
        finish(breaker, False, 0)
    now = 15 * SECOND_NS
    probe, moved = breaker.enter(now)
    assert moved is not None
    assert breaker.leave(early, True, now, CALM) is None
    assert breaker.refusal_ns(now) == 0, "the probe is still under way"
    breaker.leave(probe, False, now, CALM)
    assert breaker.phase is Phase.OPEN


async def test_b08_r27_exactly_one_probe_goes_when_the_wait_is_over(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1, breaker=STEADY)
    await break_it(rig, READ)
    rig.takes_s = 2
    refused = 0

    async def call() -> None:
        nonlocal refused
        try:
            await rig.guard.run(READ, rig.attempt)
        except BreakerOpen:
            refused += 1

    await trio.sleep(14.999)
    assert len(rig.arrivals) == 5
    await trio.sleep(0.002)
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(call)
    assert len(rig.arrivals) == 6
    assert refused == 99


@given(st.lists(st.tuples(st.integers(0, 20 * SECOND_NS), st.sampled_from([True, False, None])), max_size=150))
def test_b08_at_most_one_probe_is_ever_under_way(steps: list[tuple[int, bool | None]]) -> None:
    breaker, now = Breaker(BreakerSettings(failures=2)), 0
    under_way: list[tuple[int, Phase]] = []
    for gap, good in steps:
        now += gap
        if breaker.refusal_ns(now) is None:
            permit, _ = breaker.enter(now)
            under_way.append((permit, breaker.phase))
        current = [permit for permit, phase in under_way if phase is Phase.HALF_OPEN]
        assert len([permit for permit in current if permit == max(current)]) <= 1
        if under_way and (good is not None or gap % 2):
            permit, _ = under_way.pop(gap % len(under_way))
            breaker.leave(permit, good, now, CALM)


async def break_it(rig: Rig, operation: Operation) -> None:
    rig.script = [LOST] * 5
    for _ in range(5):
        await rig.guard.run(operation, rig.attempt)


async def test_b09_an_open_breaker_refuses_a_submit_in_under_a_millisecond(autojump_clock: MockClock) -> None:
    rig = Rig()
    await break_it(rig, PLACE)
    took = []
    for _ in range(100):
        start = time.perf_counter()
        refusal = await rig.end_of(PLACE)
        took.append(time.perf_counter() - start)
        assert isinstance(refusal, BreakerOpen)
        assert refusal.certainty is Certainty.DEFINITE
        assert refusal.retry_after_ns is not None
        assert 0 < refusal.retry_after_ns <= 16.5 * SECOND_NS
    assert statistics.median(took) < 0.001
    assert len(rig.arrivals) == 5


async def test_b09_cancels_and_reads_go_on_while_submits_are_broken(autojump_clock: MockClock) -> None:
    rig = Rig()
    await break_it(rig, PLACE)
    assert await rig.guard.run(CANCEL, rig.attempt) is DONE
    assert await rig.guard.run(READ, rig.attempt) is DONE


async def test_b09_the_kill_path_ignores_open_breakers_and_full_pools(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1)
    await break_it(rig, CANCEL)
    await break_it(rig, PLACE)
    rig.takes_s = 1_000
    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(trio_run_kill, rig)
        await trio.sleep(0.1)
        assert len(rig.arrivals) == 16
        nursery.cancel_scope.cancel()
    assert rig.guard.statistics().pools["cancels"] == 0


async def trio_run_kill(rig: Rig) -> None:
    await rig.guard.run(CANCEL, rig.attempt, priority=Priority.KILL)


async def test_b10_each_transition_is_told_once(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1, breaker=STEADY)
    await break_it(rig, READ)
    for _ in range(10):
        with pytest.raises(BreakerOpen):
            await rig.guard.run(READ, rig.attempt)
    await trio.sleep(15)
    for _ in range(3):
        await rig.guard.run(READ, rig.attempt)
    moves = [(event.transition.before, event.transition.after) for event in rig.told if isinstance(event, BreakerMoved)]
    assert moves == [
        (Phase.CLOSED, Phase.OPEN),
        (Phase.OPEN, Phase.HALF_OPEN),
        (Phase.HALF_OPEN, Phase.CLOSED),
    ]


@pytest.mark.parametrize(("down_s", "phase"), [(0.0, Phase.OPEN), (14.9, Phase.OPEN), (15.1, Phase.CLOSED)])
async def test_b10_an_open_breaker_survives_a_restart_within_its_window(
    down_s: float, phase: Phase, autojump_clock: MockClock
) -> None:
    rig = Rig(attempts=1, breaker=STEADY)
    await break_it(rig, READ)
    await trio.sleep(down_s)
    after = rig.restarted(breaker=STEADY)
    assert after.guard.statistics().breakers[Kind.READ] is phase
    assert after.guard.statistics().breakers[Kind.SUBMIT] is Phase.CLOSED
    assert not after.told, "it was told before the restart"


async def test_b10_a_restored_breaker_counts_on_from_its_openings(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1, breaker=STEADY)
    await break_it(rig, READ)
    after = rig.restarted(attempts=1, breaker=STEADY)
    await trio.sleep(15)
    after.script = [LOST]
    await after.end_of(READ)
    moves = [event.transition for event in after.told if isinstance(event, BreakerMoved)]
    assert [(move.after, move.openings) for move in moves] == [(Phase.HALF_OPEN, 1), (Phase.OPEN, 2)]
    assert moves[-1].until_ns == after.timeline.now_ns() + 30 * SECOND_NS


async def test_a_call_that_waited_while_the_breaker_opened_does_not_go(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1, pools={"reads": 5})
    rig.takes_s = 1
    rig.script = [LOST] * 5
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(rig.guard.run, READ, rig.attempt)
        await trio.sleep(0.5)
        with trio.fail_after(5), pytest.raises(BreakerOpen):
            await rig.guard.run(READ, rig.attempt)
    assert len(rig.arrivals) == 5
    assert rig.guard.statistics().pools["reads"] == 0
