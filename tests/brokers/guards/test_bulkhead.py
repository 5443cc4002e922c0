"""One broker's trouble stays its own."""

import random
import statistics

import pytest
import trio
from trio.testing import MockClock

from brokers.errors import BrokerError
from brokers.guards.bulkhead import Pool
from brokers.guards.limits import Bucket
from brokers.guards.operation import Charge, Kind, Operation, Pause
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import CANCEL, LOST, PLACE, READ, Rig

ORDER = Operation("order", Kind.SUBMIT, (Charge("calls"),))


async def latencies(rig: Rig, number: int, seed: int) -> list[float]:
    """How long orders take, asked for at random moments."""
    chance, taken = random.Random(seed), []

    async def order() -> None:
        start = trio.current_time()
        await rig.guard.run(ORDER, rig.attempt)
        taken.append(trio.current_time() - start)

    async with trio.open_nursery() as nursery:
        for _ in range(number):
            await trio.sleep(chance.expovariate(8))
            nursery.start_soon(order)
    return taken


def p99(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=100)[-1]


def healthy() -> Rig:
    rig = Rig([Bucket("calls", 10, SECOND_NS, burst=10)])
    rig.takes_s = 0.05
    return rig


@pytest.mark.parametrize("trouble", ["hangs", "is banned", "fails"])
async def test_b17_f40_a_broker_in_trouble_leaves_the_orders_of_another_alone(
    trouble: str, autojump_clock: MockClock
) -> None:
    alone = p99(await latencies(healthy(), 600, seed=7))
    sick, well = healthy(), healthy()
    if trouble == "hangs":
        sick.takes_s = 60
    elif trouble == "fails":
        sick.script = [LOST] * 10_000
    else:
        sick.host.pause(Pause(10**12, "418"), sick.timeline.now_ns())

    async def suffer() -> None:
        with trio.move_on_after(60):
            try:
                await sick.guard.run(random.Random(1).choice([PLACE, CANCEL, READ]), sick.attempt)
            except BrokerError:
                return

    async with trio.open_nursery() as nursery:
        for _ in range(500):
            nursery.start_soon(suffer)
        beside = p99(await latencies(well, 600, seed=7))
        nursery.cancel_scope.cancel()
    assert beside <= alone * 1.05


async def test_b17_hanging_reads_of_a_connection_hold_up_neither_its_orders_nor_its_cancels(
    autojump_clock: MockClock,
) -> None:
    rig = Rig()
    rig.takes_s = 1_000
    async with trio.open_nursery() as nursery:
        for operation in [READ] * 20 + [PLACE] * 20 + [CANCEL]:
            nursery.start_soon(rig.guard.run, operation, rig.attempt)
        await trio.sleep(0.1)
        assert rig.guard.statistics().pools == {"orders": 4, "cancels": 1, "reads": 8, "sessions": 0}
        nursery.cancel_scope.cancel()


async def test_a_place_can_be_held_for_as_long_as_a_stream_lives(autojump_clock: MockClock) -> None:
    rig = Rig(pools={"quote streams": 1})
    stream = Operation("open quotes", Kind.SESSION, pool="quote streams")
    async with rig.guard.admit(stream) as admission:
        admission.settle("open")
        await trio.sleep(3600)
        with trio.fail_after(1), pytest.raises(BrokerError):
            await rig.guard.admit(stream).__aenter__()
    async with rig.guard.admit(stream):
        assert rig.guard.statistics().pools["quote streams"] == 1


def test_a_pool_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Pool("orders", 0)
