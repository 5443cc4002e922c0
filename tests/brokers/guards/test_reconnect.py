import random

import pytest
import trio
from trio.testing import MockClock

from brokers.guards.backoff import Backoff
from brokers.guards.reconnect import Pacer, Reconnect
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import MS, timeline


async def storm(pacer: Pacer, sessions: int, seed: int) -> list[float]:
    """When the sessions try to reconnect after all were dropped at once, each at its first success."""
    moments: list[float] = []
    line = timeline()

    async def session(number: int) -> None:
        stream = Reconnect(pacer, line, random.Random(f"{seed} {number}"))
        await stream.turn()
        moments.append(trio.current_time())

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(sessions):
            nursery.start_soon(session, number)
    return [moment - start for moment in moments]


def densest(moments: list[float], width: float) -> int:
    return max(sum(start <= other < start + width for other in moments) for start in moments)


@pytest.mark.parametrize("sessions", [20, 100, 300])
async def test_b02_dropped_sessions_come_back_spread_out(sessions: int, autojump_clock: MockClock) -> None:
    for seed in range(5):
        moments = await storm(Pacer(), sessions, seed)
        assert len(moments) == sessions
        assert densest(moments, 0.1) <= 0.15 * sessions


async def test_b02_jitter_alone_would_be_a_storm(autojump_clock: MockClock) -> None:
    moments = await storm(Pacer(gap_ns=0), 100, seed=1)
    assert densest(moments, 0.1) > 15


async def test_r20_a_hundred_dropped_streams_are_back_in_time(autojump_clock: MockClock) -> None:
    moments = sorted(await storm(Pacer(), 100, seed=2))
    assert moments[50] <= 2
    assert moments[-1] <= 15


async def test_a_connection_that_flaps_keeps_backing_off(autojump_clock: MockClock) -> None:
    stream = Reconnect(Pacer(), timeline(), random.Random(3), backoff=Backoff(SECOND_NS, 1000 * SECOND_NS))
    start = trio.current_time()
    for _ in range(8):
        await stream.turn()
        stream.connected()  # and dropped at once
    assert trio.current_time() - start > 30


async def test_a_connection_that_lasted_starts_the_back_off_anew(autojump_clock: MockClock) -> None:
    stream = Reconnect(Pacer(), timeline(), random.Random(3), backoff=Backoff(SECOND_NS, 1000 * SECOND_NS))
    for _ in range(12):
        await stream.turn()
    stream.connected()
    await trio.sleep(31)
    start = trio.current_time()
    await stream.turn()
    assert trio.current_time() - start <= 1.001


def test_turns_are_never_closer_than_the_gap() -> None:
    pacer = Pacer(10 * MS)
    turns = [pacer.book(now) for now in (0, 0, 5 * MS, 100 * MS, 100 * MS)]
    assert turns == [0, 10 * MS, 20 * MS, 100 * MS, 110 * MS]
