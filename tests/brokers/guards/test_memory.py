"""B10, B16: what the guards told is all that has to be kept for their next process to go on where they stood."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from brokers import codec
from brokers.guards.breaker import Phase, Transition
from brokers.guards.events import BreakerMoved, PauseBegan
from brokers.guards.memory import GuardMemory, Kept
from brokers.guards.operation import Kind, Pause
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import CANCEL, LOST, PLACE, READ, Rig

HOUR_NS = 3600 * SECOND_NS
BAN = PauseBegan("acme", "", 0, HOUR_NS, HOUR_NS, "418")
OPENED = BreakerMoved("acme-1", Kind.SUBMIT, Transition(Phase.CLOSED, Phase.OPEN, 0, 15 * SECOND_NS, 1))


def moved(after: Phase, until_ns: int = 0) -> BreakerMoved:
    return BreakerMoved("acme-1", Kind.SUBMIT, Transition(Phase.OPEN, after, 0, until_ns, 1))


@pytest.mark.parametrize("event", [BAN, OPENED])
def test_what_is_told_can_be_kept_as_json(event: Kept) -> None:
    assert codec.decode(codec.encode(event), type(event)) == event


@pytest.mark.parametrize("last", [moved(Phase.HALF_OPEN, HOUR_NS), moved(Phase.CLOSED, HOUR_NS)])
def test_B10_only_a_breaker_whose_last_word_was_open_stands(last: BreakerMoved) -> None:
    assert GuardMemory.of([OPENED]).openings("acme-1", 1)
    assert not GuardMemory.of([OPENED, last]).openings("acme-1", 1)
    assert not GuardMemory.of([OPENED]).openings("acme-2", 1)


@given(st.lists(st.sampled_from([BAN, OPENED]), max_size=3), st.integers(-2 * HOUR_NS, 2 * HOUR_NS))
def test_B10_B16_nothing_lasts_longer_than_it_was_told_wherever_the_wall_was_set(told: list[Kept], now_ns: int) -> None:
    memory = GuardMemory.of(told)
    for pause in memory.pauses("acme", now_ns):
        assert now_ns < pause.until_ns <= now_ns + HOUR_NS
        assert now_ns < 0 or pause.until_ns == HOUR_NS, "with a right clock the end stays where it was"
    for opening in memory.openings("acme-1", now_ns):
        assert now_ns < opening.transition.until_ns <= now_ns + 15 * SECOND_NS
    assert bool(memory.pauses("acme", now_ns)) is (BAN in told and now_ns < HOUR_NS)


@pytest.mark.parametrize("seed", range(8))
async def test_B10_B16_the_next_process_stands_where_the_last_one_stood(seed: int, autojump_clock: MockClock) -> None:
    rig, chance = Rig(attempts=1), random.Random(seed)
    for _ in range(60):
        if chance.random() < 0.05:
            rig.host.pause(Pause(chance.randint(1, 60) * SECOND_NS, "429", chance.choice(["", "quotes"])), now(rig))
        rig.script = [LOST] if chance.random() < 0.7 else []
        await rig.end_of(chance.choice([PLACE, CANCEL, READ]))
    after = rig.restarted()
    before = {kind: one.phase for kind, one in rig.guard.breakers.items() if one.refusal_ns(now(rig))}
    assert {kind: one.phase for kind, one in after.guard.breakers.items() if one.refusal_ns(now(after))} == before
    assert set(after.host.limiter.pauses.held(now(after))) == set(rig.host.limiter.pauses.held(now(rig)))


def now(rig: Rig) -> int:
    return rig.timeline.now_ns()
