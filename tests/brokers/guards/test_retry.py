from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from brokers.errors import Certainty, Code, CredentialError, NoClearAnswer, OrderRefused, RateLimited
from brokers.guards.breaker import BreakerSettings
from brokers.guards.errors import GuardRefused, Paused
from brokers.guards.events import BudgetSpent, PauseBegan
from brokers.guards.host import LONGEST_PAUSE_NS
from brokers.guards.lessons import Fate, lesson_of, lesson_of_error
from brokers.guards.operation import Kind, Operation
from brokers.guards.retry import RetryBudget, may_repeat
from brokers.guards.timeline import SECOND_NS
from brokers.outcome import NotSent, Rejected, Unknown
from tests.brokers.guards.rig import (
    CANCEL,
    DONE,
    LOST,
    NIGHTLY,
    PLACE,
    READ,
    REFUSED_CONNECTION,
    SERVER_ERROR,
    UNHEARD_QUESTION,
    UNSENT,
    Rig,
)

NEVER_OPENS = BreakerSettings(failures=10**9)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("fate", Fate)
def test_b03_only_reads_cancels_and_what_was_not_sent_are_repeated(kind: Kind, fate: Fate) -> None:
    expected = fate is Fate.NOT_SENT or (fate is Fate.UNKNOWN and kind in (Kind.READ, Kind.CANCEL))
    assert may_repeat(kind, fate) is expected


@pytest.mark.parametrize("failure", [LOST, SERVER_ERROR, NoClearAnswer("acme", Code.TIMEOUT)])
async def test_b03_an_order_whose_fate_is_unknown_arrives_once(failure: object, autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [failure] * 5  # type: ignore[list-item]  # the parameters are steps
    with trio.fail_after(60):
        assert await rig.end_of(PLACE) is failure
    assert len(rig.arrivals) == 1


async def test_b03_an_order_that_never_left_is_sent_again(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [UNSENT, REFUSED_CONNECTION]
    assert await rig.guard.run(PLACE, rig.attempt) is DONE
    assert len(rig.arrivals) == 3


async def test_b03_an_order_stops_being_repeated_once_its_fate_is_unknown(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [UNSENT, LOST]
    assert await rig.guard.run(PLACE, rig.attempt) is LOST
    assert len(rig.arrivals) == 2


@pytest.mark.parametrize("operation", [READ, CANCEL])
async def test_b03_reads_and_cancels_are_repeated_after_doubt(operation: Operation, autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [SERVER_ERROR, UNHEARD_QUESTION]
    assert await rig.guard.run(operation, rig.attempt) is DONE
    assert len(rig.arrivals) == 3


async def test_a_cancel_in_doubt_stays_in_doubt_when_its_repeats_never_leave(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [LOST, UNSENT, UNSENT, UNSENT]
    assert await rig.guard.run(CANCEL, rig.attempt) is LOST
    assert len(rig.arrivals) == 4


async def test_a_cancel_in_doubt_stays_in_doubt_when_its_repeat_is_refused(autojump_clock: MockClock) -> None:
    refusal = OrderRefused("acme", Code.ORDER_NOT_OPEN)
    rig = Rig()
    rig.script = [LOST, Rejected(refusal)]
    answer = await rig.guard.run(CANCEL, rig.attempt)
    assert isinstance(answer, Unknown)
    assert (answer.error.code, answer.error.certainty) == (Code.ORDER_NOT_OPEN, Certainty.UNKNOWN)


async def test_a_cancel_that_never_left_before_is_refused_for_certain(autojump_clock: MockClock) -> None:
    rejected = Rejected(OrderRefused("acme", Code.ORDER_NOT_OPEN))
    rig = Rig()
    rig.script = [UNSENT, rejected]
    assert await rig.guard.run(CANCEL, rig.attempt) is rejected


async def test_a_cancel_in_doubt_stays_in_doubt_when_a_guard_refuses_its_repeat(autojump_clock: MockClock) -> None:
    rig = Rig(breaker=BreakerSettings(failures=1))
    rig.script = [LOST]
    assert await rig.guard.run(CANCEL, rig.attempt) is LOST
    assert len(rig.arrivals) == 1


@pytest.mark.parametrize(
    "answer",
    [
        OrderRefused("acme", Code.INSUFFICIENT_FUNDS),
        CredentialError("acme", Code.SESSION_EXPIRED),
        OrderRefused("acme", Code.MARKET_CLOSED, retry_after_ns=SECOND_NS),
        Rejected(OrderRefused("acme", Code.MARKET_CLOSED, retry_after_ns=SECOND_NS)),
        NotSent(CredentialError("acme", Code.SESSION_EXPIRED)),
    ],
)
async def test_a_definite_no_is_not_repeated(answer: object, autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [answer]  # type: ignore[list-item]  # the parameters are steps
    assert await rig.end_of(READ) is answer
    assert len(rig.arrivals) == 1
    assert not rig.told


async def test_b04_a_host_that_always_fails_sees_a_tenth_more_calls(autojump_clock: MockClock) -> None:
    rig = Rig(breaker=NEVER_OPENS, pools={"reads": 1_000})
    calls = 1_000 * NIGHTLY
    rig.script.extend([SERVER_ERROR] * calls * 4)

    async def call() -> None:
        with pytest.raises(NoClearAnswer):
            await rig.guard.run(READ, rig.attempt)

    async with trio.open_nursery() as nursery:
        for _ in range(calls):
            nursery.start_soon(call)
            await trio.sleep(0.05)
    worst = max(
        sum(start <= moment <= start + 60 * SECOND_NS for moment in rig.arrivals)
        for start in rig.arrivals[:: max(1, calls // 200)]
    )
    assert len(rig.arrivals) <= 1.1 * calls + 3
    assert rig.guard.statistics().repeated > 0.05 * calls
    assert worst <= 1.1 * 1_200 + 3
    assert any(isinstance(event, BudgetSpent) for event in rig.told)


@given(st.lists(st.tuples(st.integers(0, 5 * SECOND_NS), st.booleans()), max_size=200))
def test_b04_repeats_within_a_minute_never_exceed_their_share(steps: list[tuple[int, bool]]) -> None:
    budget, now, calls, repeats = RetryBudget(), 0, [], []
    for gap, repeat in steps:
        now += gap
        if not repeat:
            budget.called(now)
            calls.append(now)
        elif budget.spend(now):
            repeats.append(now)
            recent = sum(now - moment <= 60 * SECOND_NS for moment in calls)
            certain = sum(now - moment <= 59 * SECOND_NS for moment in repeats)
            assert certain <= max(3, recent // 10)


@pytest.mark.parametrize("seconds", [0.2, 3, 25])
async def test_b05_r22_the_stated_wait_is_kept_whatever_the_backoff_says(
    seconds: float, autojump_clock: MockClock
) -> None:
    for seed in range(10):
        rig = Rig(seed=seed)
        rig.script = [RateLimited("acme", Code.RATE_LIMITED, retry_after_ns=int(seconds * SECOND_NS))]
        with trio.fail_after(100):
            assert await rig.guard.run(READ, rig.attempt) is DONE
        waited = rig.arrivals[1] - rig.arrivals[0]
        assert seconds * SECOND_NS <= waited <= (max(seconds, 0.5) + 0.001) * SECOND_NS


async def test_b05_a_wait_beyond_the_maximum_is_capped_and_told(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [RateLimited("acme", Code.RATE_LIMITED, retry_after_ns=10**20)]
    with trio.move_on_after(5), pytest.raises(RateLimited):
        await rig.guard.run(READ, rig.attempt)
    (event,) = rig.told
    assert isinstance(event, PauseBegan)
    assert event.capped
    assert event.asked_ns == 10**20
    assert event.until_ns - event.at_ns == LONGEST_PAUSE_NS


async def test_b05_an_ordinary_wait_is_not_told_as_capped(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [RateLimited("acme", Code.RATE_LIMITED, retry_after_ns=SECOND_NS)]
    await rig.guard.run(READ, rig.attempt)
    assert [event.capped for event in rig.told if isinstance(event, PauseBegan)] == [False]


async def test_b01_repeats_are_spaced_by_the_backoff(autojump_clock: MockClock) -> None:
    gaps: list[list[int]] = [[], [], []]
    for seed in range(50):
        rig = Rig(seed=seed)
        rig.script = [UNHEARD_QUESTION] * 3
        await rig.guard.run(READ, rig.attempt)
        for number in range(3):
            gaps[number].append(rig.arrivals[number + 1] - rig.arrivals[number])
    for ceiling_s, taken in zip((0.5, 1, 2), gaps, strict=True):
        assert max(taken) <= ceiling_s * SECOND_NS + 1
        assert 0.3 * ceiling_s < sum(taken) / len(taken) / SECOND_NS < 0.7 * ceiling_s


@pytest.mark.parametrize("deadline", [0.3, 1.0, 2.5, 7.0, 30.0])
async def test_b06_a_repeat_that_would_come_too_late_is_left_out_and_the_caller_hears_why(
    deadline: float, autojump_clock: MockClock
) -> None:
    for seed in range(20):
        rig = Rig(seed=seed, breaker=NEVER_OPENS, attempts=100)
        rig.host.budget = RetryBudget(free=100)
        rig.script = [SERVER_ERROR] * 100
        with pytest.raises(NoClearAnswer), trio.fail_after(deadline):
            await rig.guard.run(READ, rig.attempt)


@pytest.mark.parametrize("deadline", [0.3, 1.0, 2.5, 7.0, 30.0])
async def test_b06_attempts_and_waits_end_before_the_callers_deadline(
    deadline: float, autojump_clock: MockClock
) -> None:
    for seed in range(20):
        rig = Rig(seed=seed, breaker=NEVER_OPENS, attempts=100)
        rig.host.budget = RetryBudget(free=100)
        rig.takes_s = 0.05
        rig.script = [SERVER_ERROR] * 100
        start = trio.current_time()
        with pytest.raises((NoClearAnswer, trio.TooSlowError)), trio.fail_after(deadline):
            await rig.guard.run(READ, rig.attempt)
        assert trio.current_time() - start <= deadline + 1e-9


async def test_b06_a_wait_that_cannot_end_in_time_is_not_begun(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.script = [RateLimited("acme", Code.RATE_LIMITED, retry_after_ns=60 * SECOND_NS)]
    start = trio.current_time()
    with trio.fail_after(10), pytest.raises(RateLimited):
        await rig.guard.run(READ, rig.attempt)
    with trio.fail_after(10), pytest.raises(Paused) as caught:
        await rig.guard.run(READ, rig.attempt)
    assert trio.current_time() - start <= 0.6
    assert caught.value.retry_after_ns is not None
    assert 59 * SECOND_NS < caught.value.retry_after_ns <= 60 * SECOND_NS


@pytest.mark.parametrize(
    ("result", "fate", "good"),
    [
        (DONE, Fate.SETTLED, True),
        (["a", "list"], Fate.SETTLED, True),
        (UNSENT, Fate.NOT_SENT, False),
        (LOST, Fate.UNKNOWN, False),
    ],
)
def test_what_an_attempt_returned_is_read_for_fate_and_health(result: object, fate: Fate, good: bool) -> None:
    lesson = lesson_of(result)
    assert (lesson.fate, lesson.good) == (fate, good)


def test_a_refusal_of_another_guard_tells_nothing_of_the_broker() -> None:
    refusal = Paused.of("other", "login", "", "ban", 10**9)
    lesson = lesson_of_error(refusal)
    assert (lesson.fate, lesson.good, lesson.wait_ns) == (Fate.NOT_SENT, None, None)
    assert isinstance(refusal, GuardRefused)


def test_an_undeclared_error_speaks_against_the_broker_and_leaves_the_fate_open() -> None:
    lesson = lesson_of_error(ValueError("what is this?"))
    assert (lesson.fate, lesson.good) == (Fate.UNKNOWN, False)


async def test_f10_many_429_of_one_moment_count_once(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=1)
    rig.takes_s = 0.1
    rig.script = [RateLimited("acme", Code.RATE_LIMITED)] * 8

    async def call() -> None:
        with pytest.raises(RateLimited):
            await rig.guard.run(READ, rig.attempt)

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(call)
    (event,) = rig.told
    assert isinstance(event, PauseBegan)
    assert event.until_ns - event.at_ns == SECOND_NS


async def test_f10_a_429_without_a_time_pauses_the_host_ever_longer(autojump_clock: MockClock) -> None:
    rig = Rig(attempts=6)
    rig.script = [RateLimited("acme", Code.RATE_LIMITED)] * 3
    with trio.fail_after(100):
        await rig.guard.run(READ, rig.attempt)
    gaps = [later - earlier for earlier, later in pairwise(rig.arrivals)]
    assert [gap // SECOND_NS for gap in gaps] == [1, 2, 4]
    rig.host.budget = RetryBudget()
    rig.script = [RateLimited("acme", Code.RATE_LIMITED)]
    start = trio.current_time()
    await rig.guard.run(READ, rig.attempt)
    assert trio.current_time() - start < 2, "a good answer starts the pauses anew"
