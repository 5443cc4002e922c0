from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from brokers.guards.lag import LoopWatch, SlowStep
from tests.brokers.guards.rig import MS, timeline


async def test_b26_who_holds_the_loop_up_for_over_a_hundred_milliseconds_is_named_once_it_was_late(
    autojump_clock: MockClock,
) -> None:
    told: list[SlowStep] = []
    watch = LoopWatch(timeline(), told.append)

    async def trader() -> None:
        for pause, takes in ((1.11, 0.3), (1.03, 0.09), (10.07, 0.12), (70.13, 0.3), (2.09, 0.2)):
            await trio.sleep(pause)
            autojump_clock.jump(takes)  # what a callback that blocks does to everybody

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.lowlevel.checkpoint()
        await nursery.start(_named, trader)
        await trio.sleep(90)
        nursery.cancel_scope.cancel()
    assert [(slow.name, round(slow.took_ns / MS)) for slow in told] == [("/es/trader", 120), ("/es/trader", 200)], (
        "the third and the last: before them the loop had been late within a minute"
    )


async def _named(work: Callable[[], Awaitable[None]], task_status: trio.TaskStatus[None]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, name="/es/trader")
        task_status.started()


async def test_b26_the_lag_of_the_loop_is_measured(autojump_clock: MockClock) -> None:
    watch = LoopWatch(timeline(), lambda _slow: None, every_ns=100 * MS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(10.05)
        assert watch.statistics().p99_ns < MS
        autojump_clock.jump(0.350)  # what a callback that blocks does to everybody
        await trio.sleep(0.01)
        statistics = watch.statistics()
        assert statistics.measured == 101
        assert statistics.median_ns < MS
        assert statistics.worst_ns == pytest.approx(300 * MS, abs=MS)
        nursery.cancel_scope.cancel()


async def test_b21_alive_is_who_is_less_than_a_second_late(autojump_clock: MockClock) -> None:
    watch = LoopWatch(timeline(), lambda _slow: None, every_ns=100 * MS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(5.05)
        assert watch.alive()
        autojump_clock.jump(0.9)
        assert watch.alive()
        autojump_clock.jump(0.3)
        assert not watch.alive(), "seen from the callback that blocks"
        await trio.sleep(0.01)
        assert not watch.alive(), "it has just been late"
        await trio.sleep(0.2)
        assert watch.alive()
        nursery.cancel_scope.cancel()


async def test_b26_statistics_without_a_measurement_are_zero(autojump_clock: MockClock) -> None:
    statistics = LoopWatch(timeline(), lambda _slow: None).statistics()
    assert (statistics.measured, statistics.worst_ns) == (0, 0)
