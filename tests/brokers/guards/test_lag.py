import pytest
import trio
from trio.testing import MockClock

from brokers.guards.lag import LoopWatch, SlowCallback
from tests.brokers.guards.rig import MS, timeline


async def test_b26_a_callback_over_a_hundred_milliseconds_is_reported_with_its_actor(autojump_clock: MockClock) -> None:
    told: list[SlowCallback] = []
    watch = LoopWatch(timeline(), told.append)
    watch.observe("es-trend/trader", 0, 100 * MS)
    watch.observe("es-trend/data", 5 * MS, 106 * MS)
    assert [(slow.name, slow.took_ns) for slow in told] == [("es-trend/data", 101 * MS)]


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
