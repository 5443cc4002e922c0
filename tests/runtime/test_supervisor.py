"""Supervisors beyond the recorded runs: dynamic ones, back-off, stops that are held up, serving while a child starts."""

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime import (
    BRUTAL,
    Actor,
    AutoShutdown,
    Backoff,
    Child,
    DynamicSupervisor,
    Failed,
    Ignore,
    Normal,
    Reason,
    Restart,
    Runtime,
    Shutdown,
    Strategy,
    Supervisor,
    open_runtime,
)
from runtime.decisions import State
from runtime.errors import (
    ActorGone,
    AlreadyStarted,
    CallCycle,
    InvalidSpec,
    NotFound,
    StartFailed,
    TooManyChildren,
)
from runtime.events import EventKind
from runtime.reasons import GaveUp, is_normal
from tests.runtime.world import plain_world


class Worker(Actor):
    async def die(self) -> None:
        raise ValueError("boom")

    def end(self) -> None:
        self.stop()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def hello(self) -> str:
        return self.path


class SlowStart(Worker):
    async def on_start(self) -> None:
        await trio.sleep(10)


class SlowStop(Worker):
    async def on_stop(self, reason: Reason) -> None:
        await trio.sleep(3.5)


# Dynamic supervisors; the numbers are those of the scenario table.


async def test_1_2_max_children_is_kept_without_trying_and_a_stop_frees_the_place(
    rt: Runtime, autojump_clock: Any
) -> None:
    made: list[str] = []

    def make() -> Worker:
        made.append("made")
        return Worker()

    top = await rt.start(DynamicSupervisor(max_children=2))
    await top.start_child(Child("a", make))
    await top.start_child(Child("b", make))
    with pytest.raises(TooManyChildren, match=r"/main: child 'c' was not started"):
        await top.start_child(Child("c", make))
    assert made == ["made", "made"]
    await top.terminate_child("a")
    with pytest.raises(NotFound):
        await top.terminate_child("a")
    await top.start_child(Child("c", make))
    assert [row.id for row in top.which_children()] == ["b", "c"]


async def test_3_4_a_restarting_child_counts_and_can_be_terminated(rt: Runtime, autojump_clock: Any) -> None:
    failing = False

    class Flaky(Worker):
        async def on_start(self) -> None:
            await trio.sleep(1)
            if failing:
                raise ValueError("still failing")

    top = await rt.start(DynamicSupervisor(max_children=1, max_restarts=100, within=1000))
    ref = await top.start_child(Child("a", Flaky))
    assert ref is not None
    failing = True
    ref.cast(Worker.die)
    await trio.sleep(1.5)
    (row,) = top.which_children()
    assert (row.state, row.ref) == (State.RESTARTING, None)
    counts = top.count_children()
    assert (counts.active, counts.workers) == (0, 1)
    with pytest.raises(TooManyChildren):
        await top.start_child(Child("b", Worker))
    await top.terminate_child("a")
    assert top.which_children() == []


async def test_6_7_what_ignores_or_fails_leaves_nothing(rt: Runtime, autojump_clock: Any) -> None:
    ignoring = False

    class Optional(Worker):
        async def on_start(self) -> None:
            if ignoring:
                raise Ignore

    top = await rt.start(DynamicSupervisor())
    ref = await top.start_child(Child("a", Optional))
    assert ref is not None
    ignoring = True
    ref.cast(Worker.die)
    await ref.ended()
    await wait_all_tasks_blocked()
    assert top.which_children() == []
    assert await top.start_child(Child("b", Optional)) is None
    assert top.which_children() == []

    def broken() -> Worker:
        raise ValueError("no")

    with pytest.raises(StartFailed):
        await top.start_child(Child("c", broken))
    assert top.which_children() == []


async def test_8_ids_are_kept_and_unique_and_ended_children_are_forgotten(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(DynamicSupervisor())
    first = await top.start_child(Child("a", Worker, restart=Restart.TRANSIENT))
    assert first is not None
    with pytest.raises(AlreadyStarted) as caught:
        await top.start_child(Child("a", Worker))
    assert caught.value.ref is first
    first.cast(Worker.end)
    await first.ended()
    await wait_all_tasks_blocked()
    again = await top.start_child(Child("a", Worker))
    assert again is not None
    assert again is not first


async def test_9_all_stop_at_once_each_under_its_own_limit(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(DynamicSupervisor())
    for name, limit in (("a", 1.0), ("b", 2.0), ("c", 2.0)):
        await top.start_child(Child(name, SlowStop, shutdown=limit))
    began = trio.current_time()
    await top.stop()
    assert trio.current_time() - began == pytest.approx(2)


async def test_5_the_budget_is_shared(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(DynamicSupervisor(max_restarts=1, within=5))
    refs = [await top.start_child(Child(name, Worker)) for name in "ab"]
    for ref in refs:
        assert ref is not None
        ref.cast(Worker.die)
        await ref.ended()
        await wait_all_tasks_blocked()
    reason = await top.ended()
    assert isinstance(reason, Shutdown)
    assert isinstance(reason.detail, GaveUp)
    assert reason.detail.child == "b"
    assert not is_normal(reason)
    assert [event.path for event in rt.events.recent(EventKind.GAVE_UP)] == ["/main"]


async def test_ten_thousand_children_come_and_go(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(DynamicSupervisor())
    for number in range(2_000):
        await top.start_child(Child(f"c{number}", Worker))
    for number in range(0, 2_000, 2):
        await top.terminate_child(f"c{number}")
    assert top.count_children().active == 1_000
    assert top.which_children()[0].id == "c1"


# Serving while a child starts or stops.


async def test_queries_are_answered_while_a_child_starts(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", Worker)]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(top.start_child, Child("slow", SlowStart))
        await trio.sleep(1)
        assert [(row.id, row.state) for row in top.which_children()] == [("a", State.UP), ("slow", State.DOWN)]
        assert top.count_children().active == 1
        assert top.child_spec("slow").id == "slow"
        assert trio.current_time() == pytest.approx(1)


async def test_a_stop_interrupts_a_start_after_its_limit(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", Worker)]))
    async with trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises((StartFailed, ActorGone)):
                await top.start_child(Child("slow", SlowStart, shutdown=2))

        nursery.start_soon(start)
        await trio.sleep(1)
        await top.stop()
    assert trio.current_time() == pytest.approx(3)


async def test_a_stop_interrupts_a_boot(autojump_clock: Any) -> None:
    async def boot(runtime: Runtime) -> None:
        with pytest.raises((StartFailed, ActorGone)):
            await runtime.start(Supervisor([Child("a", Worker), Child("slow", SlowStart, shutdown=1)]))

    async with trio.open_nursery() as nursery, open_runtime(plain_world()) as runtime:
        nursery.start_soon(boot, runtime)
        await trio.sleep(2)
    assert trio.current_time() == pytest.approx(3)


async def test_administration_waits_its_turn_and_a_caller_who_left_is_skipped(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(top.start_child, Child("slow", SlowStart))
        await trio.sleep(1)
        with trio.move_on_after(1):
            await top.start_child(Child("never", Worker))
    assert [row.id for row in top.which_children()] == ["slow"]


async def test_a_child_that_calls_its_own_supervisor_from_on_start_is_told_of_the_cycle(
    rt: Runtime, autojump_clock: Any
) -> None:
    class Caller(Worker):
        async def on_start(self) -> None:
            await self.runtime.root.ref.supervisor("main").start_child(Child("other", Worker))

    top = await rt.start(Supervisor([]))
    with pytest.raises(StartFailed) as caught:
        await top.start_child(Child("caller", Caller))
    assert isinstance(caught.value.reason, Failed)
    assert isinstance(caught.value.reason.error, CallCycle)
    assert caught.value.reason.error.hops == (
        ("/main/caller", "(waits)"),
        ("/main", "start_child"),
        ("/main/caller", "on_start"),
    )


async def test_a_child_that_terminates_itself_through_its_supervisor_is_told_of_the_cycle(
    rt: Runtime, autojump_clock: Any
) -> None:
    class Suicidal(Worker):
        expects = (CallCycle,)

        async def leave(self) -> None:
            await self.runtime.root.ref.supervisor("main").terminate_child("a")

    top = await rt.start(Supervisor([Child("a", Suicidal)]))
    ref = top.child("a")
    assert ref is not None
    with pytest.raises(CallCycle):
        await ref.call(Suicidal.leave)
    assert ref.alive


# Stopping.


async def test_who_holds_a_stop_up_is_told_each_second_with_the_place(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", SlowStop)]))
    await top.stop()
    told = rt.events.recent(EventKind.STOP_SLOW)
    assert [round(event.time) for event in told if event.path == "/main/a"] == [1, 2, 3]
    assert "test_supervisor.py" in told[0].detail
    assert "SlowStop.on_stop" in told[0].detail


async def test_a_child_that_ignores_cancellation_is_reported_until_it_ends(rt: Runtime, autojump_clock: Any) -> None:
    class Shielded(Worker):
        async def on_stop(self, reason: Reason) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(5.5)

    top = await rt.start(Supervisor([Child("a", Shielded, shutdown=1)]))
    await top.stop()
    assert trio.current_time() == pytest.approx(5.5)
    assert len([e for e in rt.events.recent(EventKind.STOP_SLOW) if e.path == "/main/a"]) == 5


async def test_brutal_skips_the_clean_up_of_a_stop_but_not_of_a_crash(rt: Runtime, autojump_clock: Any) -> None:
    log: list[Reason] = []

    class Logged(Worker):
        async def on_stop(self, reason: Reason) -> None:
            log.append(reason)

    top = await rt.start(Supervisor([Child("a", Logged, shutdown=BRUTAL)]))
    ref = top.child("a")
    assert ref is not None
    ref.cast(Worker.die)
    await ref.ended()
    assert len(log) == 1
    await top.stop()
    assert len(log) == 1


async def test_children_in_a_long_message_are_killed_after_their_limit(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", Worker, shutdown=2)]))
    ref = top.child("a")
    assert ref is not None
    ref.cast(Worker.sleep, 1000)
    await wait_all_tasks_blocked()
    await top.stop()
    assert trio.current_time() == pytest.approx(2)


# Restarts.


async def test_backoff_waits_longer_each_time_and_starts_anew_after_a_quiet_window(
    rt: Runtime, autojump_clock: Any
) -> None:
    starts: list[float] = []

    class Noted(Worker):
        async def on_start(self) -> None:
            starts.append(trio.current_time())

    backoff = Backoff(first=1, most=5, factor=2, jitter=0)
    child = Child("a", Noted, backoff=backoff, name="a")
    await rt.start(Supervisor([child], max_restarts=100, within=10))
    for _ in range(5):
        (await rt.registry.wait_for("a")).cast(Worker.die)
        await trio.sleep(6)
    gaps = [round(later - earlier) for earlier, later in pairwise(starts)]
    assert gaps == [1, 6 + 2 - 1, 6 + 4 - 2, 6 + 5 - 4, 6]
    await trio.sleep(20)
    (await rt.registry.wait_for("a")).cast(Worker.die)
    await trio.sleep(6)
    assert starts[-1] - starts[-2] == pytest.approx(20 + 6 - 5 + 1)


def test_backoff_stays_within_its_bounds_and_jitter_only_shortens() -> None:
    backoff = Backoff(first=1, most=8, factor=2, jitter=0.5)
    assert [backoff.delay(attempt, 0) for attempt in range(1, 6)] == [1, 2, 4, 8, 8]
    assert backoff.delay(10_000, 0.999) == pytest.approx(8 * (1 - 0.5 * 0.999))


async def test_a_stop_ends_a_backoff_at_once(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", Worker, backoff=Backoff(first=100, most=100))]))
    ref = top.child("a")
    assert ref is not None
    ref.cast(Worker.die)
    await ref.ended()
    await trio.sleep(1)
    assert top.which_children()[0].state is State.RESTARTING
    await top.stop()
    assert trio.current_time() == pytest.approx(1)


async def test_under_one_for_all_the_delay_comes_before_the_group(rt: Runtime, autojump_clock: Any) -> None:
    children = [Child("a", Worker), Child("b", Worker, backoff=Backoff(first=2, most=2, jitter=0))]
    top = await rt.start(Supervisor(children, strategy=Strategy.ONE_FOR_ALL))
    ref = top.child("b")
    assert ref is not None
    ref.cast(Worker.die)
    await trio.sleep(1)
    assert top.count_children().active == 0
    await trio.sleep(1.5)
    assert top.count_children().active == 2


async def test_a_group_restart_tells_the_victims_why(rt: Runtime, autojump_clock: Any) -> None:
    reasons: list[str] = []

    class Victim(Worker):
        async def on_stop(self, reason: Reason) -> None:
            reasons.append(str(reason))

    top = await rt.start(Supervisor([Child("a", Worker), Child("b", Victim)], strategy=Strategy.ONE_FOR_ALL))
    ref = top.child("a")
    assert ref is not None
    ref.cast(Worker.die)
    await ref.ended()
    await wait_all_tasks_blocked()
    assert reasons == ["shutdown (sibling 'a' ended: ValueError: boom)"]


async def test_a_transient_supervisor_that_gave_up_is_brought_back(rt: Runtime, autojump_clock: Any) -> None:
    inner = Supervisor([Child("x", Worker)], max_restarts=0)
    top = await rt.start(Supervisor([Child("inner", inner, restart=Restart.TRANSIENT)]))
    below = top.supervisor("inner")
    ref = below.child("x")
    assert ref is not None
    ref.cast(Worker.die)
    await below.ended()
    await wait_all_tasks_blocked()
    assert top.supervisor("inner") is not below
    assert top.count_children().active == 1


async def test_names_below_a_restarted_supervisor_resolve_to_the_new_instances(
    rt: Runtime, autojump_clock: Any
) -> None:
    inner = Supervisor([Child("x", Worker, name="x")], max_restarts=0)
    await rt.start(Supervisor([Child("inner", inner)]))
    name = rt.name("x", Worker)
    first = name.resolve()
    name.cast(Worker.die)
    assert first is not None
    await first.ended()
    second = await rt.registry.wait_for("x")
    assert second is not first
    assert await name.call(Worker.hello) == "/main/inner/x"


# Descriptions.


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Child("", Worker), "Child.id"),
        (lambda: Child("a/b", Worker), "Child.id"),
        (lambda: Child("a", 7), "start"),  # type: ignore[arg-type]
        (lambda: Child("a", Worker, restart="sometimes"), "restart"),  # type: ignore[arg-type]
        (lambda: Child("a", Worker, shutdown=-1), "shutdown"),
        (lambda: Child("a", Worker, start_limit=0), "start_limit"),
        (lambda: Child("a", Worker, significant=1), "significant"),  # type: ignore[arg-type]
        (lambda: Child("a", Worker, backoff=3), "backoff"),  # type: ignore[arg-type]
        (lambda: Supervisor([Child("a", Worker), Child("a", Worker)]), "children"),
        (lambda: Supervisor([7]), "child"),  # type: ignore[list-item]
        (lambda: Supervisor([], strategy="all"), "strategy"),  # type: ignore[arg-type]
        (lambda: Supervisor([], max_restarts=-1), "max_restarts"),
        (lambda: Supervisor([], max_restarts=True), "max_restarts"),
        (lambda: Supervisor([], within=0), "within"),
        (lambda: Supervisor([], auto_shutdown="any"), "auto_shutdown"),  # type: ignore[arg-type]
        (lambda: Supervisor([Child("a", Worker, restart=Restart.TRANSIENT, significant=True)]), "significant"),
        (
            lambda: Supervisor([Child("a", Worker, significant=True)], auto_shutdown=AutoShutdown.ANY_SIGNIFICANT),
            "significant",
        ),
        (lambda: DynamicSupervisor(max_children=-1), "max_children"),
        (lambda: DynamicSupervisor(within=-1), "within"),
        (lambda: Backoff(first=0, most=1), "Backoff.first"),
        (lambda: Backoff(first=2, most=1), "Backoff.most"),
        (lambda: Backoff(first=1, most=1, factor=0.5), "Backoff.factor"),
        (lambda: Backoff(first=1, most=1, jitter=2), "Backoff.jitter"),
    ],
)
def test_what_cannot_be_run_is_refused_with_field_value_and_what_is_allowed(make: Any, field: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        make()
    assert field in caught.value.field
    assert caught.value.expected
    assert repr(caught.value.value) in str(caught.value)


async def test_a_significant_child_is_refused_by_a_supervisor_that_never_shuts_down(
    rt: Runtime, autojump_clock: Any
) -> None:
    top = await rt.start(Supervisor([]))
    with pytest.raises(InvalidSpec, match="significant"):
        await top.start_child(Child("a", Worker, restart=Restart.TEMPORARY, significant=True))


async def test_administration_of_an_ended_supervisor_fails_at_once(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([]))
    await top.stop()
    with pytest.raises(ActorGone, match=r"/main\.start_child: the actor is gone \(normal\)"):
        await top.start_child(Child("a", Worker))
    assert top.which_children() == []
    assert await top.ended() == Normal()


async def test_waiting_administration_is_told_when_the_supervisor_ends(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([]))
    async with trio.open_nursery() as nursery:

        async def start(child: Child[Any]) -> None:
            with pytest.raises((StartFailed, ActorGone)):
                await top.start_child(child)

        nursery.start_soon(start, Child("slow", SlowStart, shutdown=0.5))
        await wait_all_tasks_blocked()
        nursery.start_soon(start, Child("next", Worker))
        await wait_all_tasks_blocked()
        await top.stop()
