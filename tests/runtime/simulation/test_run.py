"""Simulated runs: the same seed is the same run, runs that would never end do end, and nothing is left behind."""

import gc
import itertools
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from runtime.simulation import (
    Conditions,
    DeadlockError,
    LivelockError,
    RealNetworkError,
    SimulatedWorld,
    StuckError,
    TimeLimitError,
    UnsupportedTrioError,
    fixed,
    simulate,
)
from runtime.simulation.scheduler import _trio_run
from tests.runtime.simulation.market import rehearse
from tests.runtime.simulation.rehearsal import NIGHTLY

ROOT = Path(__file__).parents[3]


def in_another_process(seeds: int, hash_seed: str) -> list[str]:
    """The runs of so many seeds of the market, one a line."""
    command = [sys.executable, "-m", "tests.runtime.simulation.market", str(seeds)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_r01_a_seed_gives_the_same_run_in_other_processes_with_other_hash_seeds() -> None:
    seeds = 2 * NIGHTLY
    first, second = in_another_process(seeds, "0"), in_another_process(seeds, "random")
    assert len(first) == seeds
    assert first == second
    assert len({line.split()[-1] for line in first}) == seeds
    assert first[0].endswith(rehearse(0).trace_hash)
    print(f"R01: {seeds} of {seeds} seeds equal in two processes")  # noqa: T201 - a figure for the report


def test_r01_a_seed_gives_the_same_run_again_in_the_same_process() -> None:
    first, second = rehearse(0), rehearse(0)
    assert first.trace_hash == second.trace_hash
    assert (first.unwrap(), first.events, first.virtual_seconds) == (
        second.unwrap(),
        second.events,
        second.virtual_seconds,
    )
    assert sum(count.fired for count in first.faults.values()) > 20


async def race(world: SimulatedWorld) -> str:
    """The order in which trio runs tasks that are all ready at once."""
    order: list[str] = []

    async def run(name: str) -> None:
        await trio.sleep(1)
        order.append(name)

    async with trio.open_nursery() as nursery:
        for name in "abcdefgh":
            nursery.start_soon(run, name)
    return "".join(order)


def test_the_scheduler_obeys_the_seed() -> None:
    orders = [simulate(race, seed=seed).unwrap() for seed in range(20)]
    assert orders == [simulate(race, seed=seed).unwrap() for seed in range(20)]
    assert len(set(orders)) > 15


def test_generators_do_not_shift_each_other() -> None:
    async def draws(world: SimulatedWorld, disturb: bool) -> list[object]:
        if disturb:
            for _ in range(5):
                world.chance.random()
        world.network.shape(outward=Conditions(latency=lambda chance: chance.random()))
        await world.network.listen("broker", 443)
        await world.network.connect("broker", 443)
        return [trio.current_time(), world.faults.fires("x"), await race(world)]

    assert simulate(draws, False, seed=5).unwrap() == simulate(draws, True, seed=5).unwrap()


def test_user_chance_comes_from_the_seed() -> None:
    async def draw(world: SimulatedWorld) -> float:
        return world.chance.random()

    values = [simulate(draw, seed=seed).unwrap() for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_libraries_that_draw_from_the_module_random_are_seeded_too() -> None:
    async def draw(world: SimulatedWorld) -> float:
        return random.random()

    values = [simulate(draw, seed=seed).unwrap() for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_the_collector_of_the_process_does_not_reach_into_a_run() -> None:
    async def leak(world: SimulatedWorld) -> None:
        class Cycle:
            def __init__(self) -> None:
                self.itself = self

            def __del__(self) -> None:
                world.trace.record("freed")

        for _ in range(6000):
            Cycle()
            await trio.sleep(1)

    def run_after(garbage: int) -> tuple[str, int]:
        kept = [[number] for number in range(garbage)]
        result = simulate(leak, seed=1)
        result.unwrap()
        assert len(kept) == garbage
        return result.trace_hash, result.events

    first = run_after(0)
    assert first == run_after(333)
    assert first[1] > 1000  # garbage is collected while the run goes on


def test_garbage_from_before_a_run_is_left_for_later() -> None:
    freed: list[int] = []

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            freed.append(1)

    async def many_passes(world: SimulatedWorld) -> int:
        for _ in range(20_000):
            await trio.lowlevel.checkpoint()
        return len(freed)

    gc.disable()
    try:
        Cycle()
        assert simulate(many_passes, seed=1).unwrap() == 0
        gc.collect()
        assert len(freed) == 1
    finally:
        gc.enable()


def test_a_run_tells_its_value_its_virtual_time_and_its_wall_time() -> None:
    async def add(world: SimulatedWorld, one: int, two: int) -> int:
        await trio.sleep(12.5)
        return one + two

    ticks = iter([100.0, 103.0])
    result = simulate(add, 1, 2, seed=1, stopwatch=lambda: next(ticks))
    assert (result.unwrap(), result.error) == (3, None)
    assert (result.virtual_seconds, result.wall_seconds) == (12.5, 3.0)


def test_an_error_is_part_of_the_result_and_raised_by_unwrap() -> None:
    async def fail(world: SimulatedWorld) -> None:
        await trio.sleep(1)
        raise ZeroDivisionError

    result = simulate(fail, seed=1)
    assert isinstance(result.error, ZeroDivisionError)
    assert result.virtual_seconds == 1.0
    with pytest.raises(ZeroDivisionError):
        result.unwrap()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_keyboard_interrupt_ends_the_program_and_not_only_the_run(wrapped: bool) -> None:
    async def interrupted(world: SimulatedWorld) -> None:
        if wrapped:
            raise BaseExceptionGroup("from a nursery", [KeyboardInterrupt()])
        raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        simulate(interrupted, seed=1)


# Runs that would never end.


def stuck(error: BaseException | None, kind: type[StuckError]) -> StuckError:
    """The error, which must be of that kind."""
    assert isinstance(error, kind)
    return error


def test_a_deadlock_ends_the_run_and_tells_what_every_task_waits_for() -> None:
    async def consumer() -> None:
        await trio.Event().wait()

    async def deadlock(world: SimulatedWorld) -> None:
        send, receive = trio.open_memory_channel[int](0)
        async with trio.open_nursery() as nursery, send:
            nursery.start_soon(consumer, name="the consumer")
            await trio.sleep(3)
            await receive.receive()

    error = stuck(simulate(deadlock, seed=1).error, DeadlockError)
    assert error.at_seconds == 3.0
    names = [task.name for task in error.tasks]
    assert "the consumer" in names
    assert len(names) == 2
    assert "consumer (test_run.py:" in str(error)
    assert "Event.wait" in str(error)
    assert "MemoryReceiveChannel.receive" in str(error)


def test_waiting_for_bytes_that_never_come_is_a_deadlock() -> None:
    async def wait(world: SimulatedWorld) -> None:
        await world.network.listen("broker", 443)
        await (await world.network.connect("broker", 443)).receive_some()

    assert "SimulatedStream.receive_some" in str(stuck(simulate(wait, seed=1).error, DeadlockError))


def test_a_deadlock_unwinds_the_tasks_so_that_their_clean_up_runs() -> None:
    cleaned: list[str] = []

    async def deadlock(world: SimulatedWorld) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
                cleaned.append("yes")

    result = simulate(deadlock, seed=1)
    stuck(result.error, DeadlockError)
    assert cleaned == ["yes"]
    assert result.virtual_seconds == 5.0


def test_a_deadlock_behind_a_shield_ends_too() -> None:
    ended: list[str] = []

    async def shielded(world: SimulatedWorld) -> None:
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        finally:
            ended.append("yes")

    assert "sleep_forever" in str(stuck(simulate(shielded, seed=1).error, DeadlockError))
    assert ended == ["yes"]


def test_a_runaway_ends_at_the_limit_and_tells_where_it_was() -> None:
    async def forever(world: SimulatedWorld) -> None:
        for _ in itertools.count():
            await trio.sleep(7)

    error = stuck(simulate(forever, seed=1, limit_seconds=100.0).error, TimeLimitError)
    assert error.at_seconds == 98.0
    assert "forever (test_run.py:" in str(error)


def test_a_runaway_has_a_minute_to_clean_up() -> None:
    cleaned: list[float] = []

    async def forever(world: SimulatedWorld) -> None:
        try:
            for _ in itertools.count():
                await trio.sleep(7)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(59)
                cleaned.append(trio.current_time())

    stuck(simulate(forever, seed=1, limit_seconds=100.0).error, TimeLimitError)
    assert cleaned == [98.0 + 59.0]


def test_a_timer_at_the_limit_still_fires() -> None:
    async def exact(world: SimulatedWorld) -> float:
        await trio.sleep(100)
        return trio.current_time()

    assert simulate(exact, seed=1, limit_seconds=100.0).unwrap() == 100.0


def test_a_loop_in_which_no_time_passes_ends() -> None:
    async def spin(world: SimulatedWorld) -> None:
        while True:
            await trio.lowlevel.checkpoint()

    error = stuck(simulate(spin, seed=1, passes_per_second=2000).error, LivelockError)
    assert "spin (test_run.py:" in str(error)


def test_a_busy_run_in_which_time_passes_is_no_livelock() -> None:
    async def busy(world: SimulatedWorld) -> None:
        for _ in range(20):
            for _ in range(100):
                await trio.lowlevel.checkpoint()
            await trio.sleep(0.5)

    simulate(busy, seed=1, passes_per_second=400).unwrap()


@pytest.mark.parametrize("idle", [True, False])
def test_even_a_task_that_refuses_to_be_cancelled_cannot_keep_a_run_alive(idle: bool) -> None:
    async def refuse(world: SimulatedWorld) -> None:
        while True:
            try:
                if idle:
                    await trio.sleep_forever()
                await trio.lowlevel.checkpoint()
            except trio.Cancelled:
                world.trace.record("refused")

    result = simulate(refuse, seed=1, passes_per_second=2000)
    stuck(result.error, DeadlockError if idle else LivelockError)
    assert result.events > 0
    assert simulate(race, seed=1).unwrap() == simulate(race, seed=1).unwrap()


def test_what_went_wrong_while_a_stuck_run_unwound_is_the_cause_of_its_error() -> None:
    async def deadlock(world: SimulatedWorld) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    error = stuck(simulate(deadlock, seed=1).error, DeadlockError)
    assert isinstance(error.__cause__, ZeroDivisionError)


def test_waiting_until_all_others_wait_does_not_move_the_clock() -> None:
    async def scenario(world: SimulatedWorld) -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 50)
            await trio.testing.wait_all_tasks_blocked()
            return trio.current_time()

    assert simulate(scenario, seed=1).unwrap() == 0.0


# What a run may not touch, and what it leaves.


def test_sleepers_wake_on_time_in_the_order_of_their_times_and_can_be_cancelled() -> None:
    woken: list[tuple[str, float]] = []

    async def nap(name: str, seconds: float) -> None:
        await trio.sleep(seconds)
        woken.append((name, trio.current_time()))

    async def main(_: SimulatedWorld) -> float:
        async with trio.open_nursery() as nursery:
            for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
                nursery.start_soon(nap, name, seconds)
            with trio.move_on_after(0.5) as scope:
                await nap("never", 9.0)
            assert scope.cancelled_caught
            assert trio.current_time() == 0.5
            await trio.sleep_until(1.5)
            assert trio.current_time() == 1.5
        return trio.current_time()

    assert simulate(main, seed=1).unwrap() == 3.0
    assert woken == [("early", 1.0), ("middle", 2.0), ("late", 3.0)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "over at 0"),
        (2.0, "over at 2"),
        (float("inf"), "cancelled at 5"),
        (-1.0, "`seconds` must be non-negative"),
        (float("nan"), "deadline must not be NaN"),
    ],
)
def test_a_sleep_is_what_it_is_in_trio(seconds: float, expected: str) -> None:
    async def main(_: SimulatedWorld) -> str:
        with trio.move_on_after(5):
            try:
                with trio.testing.assert_checkpoints():
                    await trio.sleep(seconds)
            except ValueError as error:
                return str(error)
            return f"over at {trio.current_time():g}"
        return f"cancelled at {trio.current_time():g}"

    assert simulate(main, seed=1).unwrap() == expected


def test_sleeps_that_were_broken_off_hold_nothing_up() -> None:
    """A long one that nobody waits for any more is no event that time could leap to, however many there were."""

    async def main(_: SimulatedWorld) -> None:
        for _attempt in range(1_000):
            with trio.move_on_after(0.001):
                await trio.sleep(86_400)
        await trio.sleep_forever()

    error = simulate(main, seed=1).error
    assert isinstance(error, DeadlockError)
    assert error.at_seconds == pytest.approx(1.0)


def test_a_run_cannot_open_a_real_socket_or_ask_for_a_real_name() -> None:
    async def dial(world: SimulatedWorld) -> None:
        with pytest.raises(RealNetworkError, match=r"world\.network"):
            trio.socket.socket()
        with pytest.raises(RealNetworkError, match="localhost"):
            await trio.socket.getaddrinfo("localhost", 443)
        with pytest.raises(RealNetworkError, match=r"127\.0\.0\.1"):
            await trio.socket.getnameinfo(("127.0.0.1", 443), 0)

    simulate(dial, seed=1).unwrap()


def test_a_run_leaves_the_process_as_it_was() -> None:
    async def fail(world: SimulatedWorld) -> None:
        random.random()
        await race(world)
        raise ZeroDivisionError

    def state() -> tuple[object, ...]:
        return (
            _trio_run._ALLOW_DETERMINISTIC_SCHEDULING,
            _trio_run._r.getstate(),
            random.getstate(),
            gc.isenabled(),
            gc.get_freeze_count(),
        )

    before = state()
    simulate(fail, seed=1)
    assert state() == before


@pytest.mark.parametrize("flag", [True, False])
def test_deterministic_scheduling_stays_as_the_process_had_it(flag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", flag)
    simulate(race, seed=1).unwrap()
    assert _trio_run._ALLOW_DETERMINISTIC_SCHEDULING is flag


@pytest.mark.parametrize(
    ("owner", "name"),
    [(_trio_run, "_r"), (_trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING"), (trio.testing.MockClock, "_autojump")],
)
def test_another_trio_without_the_private_names_is_refused_by_name(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(owner, name)
    with pytest.raises(UnsupportedTrioError, match=name) as caught:
        simulate(race, seed=1)
    assert caught.value.name.endswith(name)


# Speed.


async def ping_pong(world: SimulatedWorld, rounds: int) -> None:
    """Messages there and back over a link with latency."""
    way = Conditions(latency=fixed(0.05))
    world.network.shape(outward=way, inward=way)
    listener = (await world.network.listen("broker", 443))[0]

    async def answer() -> None:
        async with await listener.accept() as stream:
            async for data in stream:
                await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        async with await world.network.connect("broker", 443) as stream:
            for _ in range(rounds):
                await stream.send_all(b"ping")
                await stream.receive_some()


def test_r02_speed_of_a_ping_pong_is_told() -> None:
    rounds = 1000 * NIGHTLY
    results = [simulate(ping_pong, rounds, seed=seed) for seed in range(3)]
    for result in results:
        assert result.unwrap() is None
        assert result.virtual_seconds == pytest.approx(0.1 + 0.1 * rounds, abs=0.06)
    speed = statistics.median(result.virtual_seconds / result.wall_seconds for result in results)
    cost = statistics.median(result.wall_seconds / rounds for result in results) * 1e6
    figure = f"R02: ping-pong at {speed:,.0f} virtual seconds a wall second, {cost:.0f} us a round trip"
    print(figure)  # noqa: T201 - a figure for the report
