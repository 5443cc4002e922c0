"""Clock, threads, faults and trace of the simulated world."""

import random
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from runtime.simulation import (
    BUGGIFY,
    CALM,
    EPOCH_NS,
    FaultCount,
    FaultPlan,
    Odds,
    SimulatedClock,
    SimulatedFaults,
    SimulatedWorld,
    Trace,
    TraceEvent,
    chance,
    fixed,
    on_hits,
    simulate,
)
from runtime.world import Clock, Faults, Threads, World
from tests.runtime.simulation.rehearsal import rehearsed

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


@rehearsed
async def test_a_simulated_world_is_a_world(world: SimulatedWorld) -> None:
    assert isinstance(world, World)
    assert isinstance(world.clock, Clock)
    assert isinstance(world.threads, Threads)
    assert isinstance(world.faults, Faults)


# The clock.


@rehearsed
async def test_both_clocks_follow_virtual_time(world: SimulatedWorld) -> None:
    await trio.sleep(90.5)
    assert world.clock.monotonic_ns() == 90_500_000_000
    assert world.clock.wall_ns() == EPOCH_NS + 90_500_000_000


def test_the_run_begins_when_it_is_told() -> None:
    async def scenario(world: SimulatedWorld) -> int:
        return world.clock.wall_ns()

    assert simulate(scenario, seed=1, epoch_ns=5 * HOUR).unwrap() == 5 * HOUR


@pytest.mark.parametrize("step", [SECOND, -SECOND, 30 * SECOND, -30 * SECOND, HOUR, -HOUR])
@rehearsed
async def test_f21_a_step_moves_the_wall_and_never_the_monotonic_clock_or_a_timer(
    world: SimulatedWorld, step: int
) -> None:
    await trio.sleep(10)
    world.clock.step(step)
    assert world.clock.wall_ns() == EPOCH_NS + 10 * SECOND + step
    await trio.sleep(10)
    assert world.clock.wall_ns() == EPOCH_NS + 20 * SECOND + step
    assert world.clock.monotonic_ns() == 20 * SECOND


@rehearsed
async def test_f21_a_drifting_wall_gains_or_loses_until_the_drift_ends(world: SimulatedWorld) -> None:
    world.clock.drift(200)
    await trio.sleep(1000)
    assert world.clock.wall_ns() == EPOCH_NS + 1000 * SECOND + SECOND // 5
    world.clock.drift(-100)
    await trio.sleep(1000)
    assert world.clock.wall_ns() == EPOCH_NS + 2000 * SECOND + SECOND // 10
    world.clock.drift(0)
    await trio.sleep(1000)
    assert world.clock.wall_ns() == EPOCH_NS + 3000 * SECOND + SECOND // 10
    assert world.clock.monotonic_ns() == 3000 * SECOND


@rehearsed
async def test_f38_while_the_world_is_frozen_no_task_runs_and_late_timers_fire_after_it(world: SimulatedWorld) -> None:
    fired: list[int] = []

    async def timer(seconds: float) -> None:
        await trio.sleep(seconds)
        fired.append(world.clock.monotonic_ns())

    async with trio.open_nursery() as nursery:
        for seconds in (1, 2, 50):
            nursery.start_soon(timer, seconds)
        await trio.testing.wait_all_tasks_blocked()
        world.clock.freeze(5.0)
        assert fired == []
    assert fired == [5 * SECOND, 5 * SECOND, 50 * SECOND]


async def test_a_clock_without_a_jump_says_that_it_cannot_freeze() -> None:
    with pytest.raises(RuntimeError, match="simulate"):
        SimulatedClock().freeze(1.0)


# Threads.


@rehearsed
async def test_work_runs_inline_and_returns_its_value_or_raises_its_error(world: SimulatedWorld) -> None:
    assert await world.threads.run(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await world.threads.run(lambda: 1 // 0)
    assert trio.current_time() == 0.0


@rehearsed
async def test_what_hears_a_result_hears_it_before_the_caller_and_no_error(world: SimulatedWorld) -> None:
    world.threads.latency = fixed(3.0)
    heard: list[tuple[float, int]] = []
    assert await world.threads.run(lambda: 42, lambda result: heard.append((trio.current_time(), result))) == 42
    assert heard == [(3.0, 42)]
    with pytest.raises(ZeroDivisionError):
        await world.threads.run(lambda: 1 // 0, lambda _: heard.clear())
    with pytest.raises(ZeroDivisionError):
        await world.threads.run(lambda: 0, lambda zero: 1 // zero)
    assert len(heard) == 1


@rehearsed
async def test_threads_may_be_slow(world: SimulatedWorld) -> None:
    world.threads.latency = fixed(3.0)
    await world.threads.run(lambda: None)
    assert trio.current_time() == 3.0


@rehearsed
async def test_work_that_began_runs_to_its_end_like_a_thread(world: SimulatedWorld) -> None:
    world.threads.latency = fixed(3.0)
    done: list[str] = []
    with trio.move_on_after(1):
        await world.threads.run(lambda: done.append("first"))
        await world.threads.run(lambda: done.append("second"))
    assert done == ["first"]
    assert trio.current_time() == 3.0


# Faults.


def hits(faults: SimulatedFaults, point: str, count: int) -> list[int]:
    """The hits, counted from 1, at which the point fires."""
    return [hit for hit in range(1, count + 1) if faults.fires(point)]


def test_without_a_plan_no_point_fires_and_every_hit_is_counted() -> None:
    faults = SimulatedFaults()
    assert hits(faults, "journal.commit", 50) == []
    assert faults.counts() == {"journal.commit": FaultCount(hits=50, fired=0)}


def test_a_point_fires_at_the_hits_of_its_schedule() -> None:
    faults = SimulatedFaults(FaultPlan({"journal.commit": on_hits(2, 5)}))
    assert hits(faults, "journal.commit", 9) == [2, 5]
    assert hits(faults, "other", 9) == []
    assert faults.counts()["journal.commit"] == FaultCount(hits=9, fired=2)


def test_a_point_fires_with_its_probability() -> None:
    fired = len(hits(SimulatedFaults(FaultPlan({"x": chance(0.1)}), seed=3), "x", 10_000))
    assert 900 < fired < 1100


def test_an_armed_point_fires_once_at_the_nth_hit_from_now() -> None:
    faults = SimulatedFaults()
    hits(faults, "x", 4)
    faults.arm("x", 3)
    assert hits(faults, "x", 9) == [3]


def test_buggify_enables_a_quarter_of_the_points_in_a_run_and_fires_those_a_quarter_of_the_time() -> None:
    plan = FaultPlan(otherwise=BUGGIFY)
    rates = [len(hits(SimulatedFaults(plan, seed), "x", 400)) / 400 for seed in range(400)]
    enabled = [rate for rate in rates if rate > 0]
    assert 70 < len(enabled) < 130
    assert all(0.15 < rate < 0.35 for rate in enabled)


def test_swarm_selection_differs_by_seed_and_by_point_and_not_by_run() -> None:
    plan = FaultPlan(otherwise=Odds(enabled=0.5, firing=1.0))

    def swarm(seed: int) -> tuple[bool, ...]:
        return tuple(SimulatedFaults(plan, seed).fires(f"point{n}") for n in range(16))

    assert swarm(1) == swarm(1)
    assert len({swarm(seed) for seed in range(20)}) == 20


def test_points_do_not_disturb_each_other() -> None:
    plan = FaultPlan(otherwise=chance(0.3))
    alone, together = SimulatedFaults(plan, 7), SimulatedFaults(plan, 7)
    expected = hits(alone, "x", 100)
    got = []
    for hit in range(1, 101):
        together.fires(f"other{hit % 3}")
        if together.fires("x"):
            got.append(hit)
    assert got == expected


def test_silence_ends_all_faults_also_armed_ones_and_those_of_points_not_reached_yet() -> None:
    faults = SimulatedFaults(FaultPlan(otherwise=chance(1.0)))
    assert faults.fires("x")
    faults.arm("y")
    faults.silence()
    assert hits(faults, "x", 10) == hits(faults, "y", 10) == hits(faults, "new", 10) == []


@pytest.mark.parametrize("wrong", [{"enabled": 1.5}, {"firing": -0.1}])
def test_odds_outside_of_zero_to_one_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Odds(**wrong)  # type: ignore[arg-type]  # the names are right


def test_the_rough_points_of_network_and_disk_fire_only_when_they_are_named() -> None:
    plan = FaultPlan({"disk.sync": chance(1.0)}, otherwise=chance(1.0))
    faults = SimulatedFaults(plan)
    fired = {point: faults.fires(point) for point in ("network.reset", "disk.power_cut", "disk.sync", "mine")}
    assert fired == {"network.reset": False, "disk.power_cut": False, "disk.sync": True, "mine": True}


def test_a_firing_is_traced() -> None:
    async def scenario(world: SimulatedWorld) -> None:
        world.faults.fires("x")
        world.faults.fires("x")

    tail = simulate(scenario, seed=1, faults=FaultPlan({"x": on_hits(2)}), tail=9).tail
    assert tail == (TraceEvent(0, "fault", {"point": "x", "hit": 2}),)


# The trace.


def trace_of(*events: tuple[str, dict[str, object]]) -> Trace:
    trace = Trace(lambda: 5)
    for kind, fields in events:
        trace.record(kind, **fields)
    return trace


def test_the_hash_depends_on_kind_fields_order_and_time() -> None:
    traces = [
        trace_of(("a", {"x": 1}), ("b", {})),
        trace_of(("b", {}), ("a", {"x": 1})),
        trace_of(("a", {"x": 2}), ("b", {})),
        trace_of(("a", {"y": 1}), ("b", {})),
        trace_of(("a", {"x": 1})),
        trace_of(),
    ]
    late = Trace(lambda: 6)
    late.record("a", x=1)
    assert len({trace.hash for trace in traces} | {late.hash}) == 7
    assert traces[0].hash == trace_of(("a", {"x": 1}), ("b", {})).hash


def test_events_do_not_run_into_each_other() -> None:
    assert trace_of(("a", {}), ("b", {})).hash != trace_of(("a", {"b": None})).hash


def test_the_tail_keeps_the_newest_events_only() -> None:
    trace = Trace(lambda: 1_500_000_000, tail=2)
    for number in range(5):
        trace.record("tick", number=number)
    assert [event.fields["number"] for event in trace.tail] == [3, 4]
    assert trace.count == 5
    assert trace.tail[1].line() == "      1.500000  tick  number=4"


def test_an_event_takes_numbers_names_paths_errors_and_sets() -> None:
    fields = {"price": Decimal("1.10"), "at": Path("/x"), "error": OSError("no"), "names": {"b", "a"}, "raw": b"\0"}
    assert trace_of(("x", fields)).hash == trace_of(("x", dict(fields))).hash


def test_an_event_with_an_object_that_has_no_lasting_form_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold Random"):
        trace_of(("x", {"chance": random.Random(1)}))


def test_calm_is_the_plan_in_which_nothing_fires() -> None:
    assert FaultPlan() == CALM
