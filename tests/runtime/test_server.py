"""Generic server semantics: start, calls, casts, ending, watching; the numbers are those of the scenario table.

Rows that trio has no counterpart for: 8 (a failed start never reaches the starter but by its error), 15 (a handler may
return anything), 23 (an unknown message is the sender's NotAMessage), 27-29 and 31 (exit signals and absent
callbacks), 33 (what is reported is in test_seeing), 39 (hibernation, code change).
"""

import math
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime import (
    Actor,
    Child,
    Failed,
    Ignore,
    Killed,
    Normal,
    Reason,
    Ref,
    Refuse,
    Runtime,
    Shutdown,
    Strategy,
    Supervisor,
    message,
    open_runtime,
)
from runtime.calls import Reply
from runtime.crash import CrashReport
from runtime.errors import (
    ActorGone,
    BadMessage,
    CallCycle,
    CallTimeout,
    NameTaken,
    NoSuchActor,
    NotAMessage,
    StartFailed,
)
from runtime.events import EventKind
from runtime.inspection import inspect, replace_state, resume, suspend
from runtime.monitors import Down
from runtime.reasons import Unknown
from tests.runtime.world import plain_world


class Declared(Exception):
    pass


class Worker(Actor):
    """Does a bit of everything, and writes down what happened to it."""

    expects = (Declared,)
    safe = frozenset({"shown"})

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = [] if log is None else log
        self.secret = "canary"
        self.shown = 1
        self.replies: list[Reply] = []
        self.downs: list[Down] = []

    async def double(self, value: int) -> int:
        return value * 2

    def note(self, value: Any) -> list[Any]:
        self.log.append(value)
        return list(self.log)

    async def slow(self, seconds: float) -> str:
        await trio.sleep(seconds)
        self.log.append("slow done")
        return "slow"

    def refuse(self) -> None:
        raise Declared("no")

    async def crash(self, secret: str) -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("boom")

    @message(safe=True)
    def crash_openly(self, value: str) -> None:
        raise ValueError("boom")

    def end(self) -> str:
        self.stop()
        return "bye"

    def later(self) -> str:
        reply = self.defer()
        self.replies.append(reply)
        return reply.later  # type: ignore[no-any-return]

    def answer_all(self, value: str) -> None:
        for reply in self.replies:
            reply.send(value)

    async def continue_thrice(self) -> str:
        self.continue_with(Worker.step, 1)
        return "replied"

    def step(self, number: int) -> None:
        self.log.append(("step", number))
        if number < 3:
            self.continue_with(Worker.step, number + 1)

    def watch(self, ref: Ref[Any], times: int) -> None:
        self.monitors = [self.monitor(ref) for _ in range(times)]

    def unwatch(self) -> None:
        for monitor in self.monitors:
            monitor.cancel()

    async def on_down(self, down: Down) -> None:
        self.downs.append(down)

    def heard(self) -> list[Down]:
        return self.downs

    async def ask_self(self) -> int:
        return await self.ref.call(Worker.double, 1)

    async def ask(self, other: Ref["Worker"], back: bool) -> int:
        if back:
            return await other.call(Worker.ask, self.ref, False)
        return await other.call(Worker.double, 1)

    @message(control=True)
    def urgent(self, value: Any) -> None:
        self.log.append(value)

    async def on_stop(self, reason: Reason) -> None:
        self.log.append(("stopped", reason))


async def start(rt: Runtime, make: Any = Worker, **options: Any) -> Ref[Worker]:
    """A worker under a supervisor that restarts it."""
    top = await rt.start(Supervisor([Child("worker", make, **options)]))
    ref = top.child("worker")
    assert ref is not None
    return ref


# Start.


async def test_1_start_returns_after_on_start(rt: Runtime, autojump_clock: Any) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(10)
            self.log.append("up")

    ref = await start(rt, Slow)
    assert trio.current_time() == pytest.approx(10)
    assert await ref.call(Worker.note, 1) == ["up", 1]


async def test_2_a_refused_start_is_an_error_without_clean_up_and_frees_the_name(
    rt: Runtime, autojump_clock: Any
) -> None:
    log: list[Any] = []

    class Refusing(Worker):
        async def on_start(self) -> None:
            raise Refuse("not today")

    with pytest.raises(StartFailed) as caught:
        await rt.start(Child("worker", lambda: Refusing(log), name="w"))
    assert caught.value.reason == Shutdown("not today")
    assert log == []
    assert rt.registry.whereis("w") is None
    assert all(event.report is None for event in rt.events.recent(EventKind.START_FAILED)), "a refusal is no crash"


async def test_3_ignore_frees_the_name(rt: Runtime, autojump_clock: Any) -> None:
    class Ignoring(Worker):
        async def on_start(self) -> None:
            raise Ignore

    top = await rt.start(Supervisor([]))
    assert await top.start_child(Child("worker", Ignoring, name="w")) is None
    assert rt.registry.whereis("w") is None
    assert top.child("worker") is None


async def test_4_a_raising_start_and_a_rubbish_start_are_typed_errors(rt: Runtime, autojump_clock: Any) -> None:
    class Raising(Worker):
        async def on_start(self) -> None:
            raise ValueError("oops")

    with pytest.raises(StartFailed, match=r"/: child 'worker' did not start: ValueError: oops") as caught:
        await rt.start(Child("worker", Raising))
    assert isinstance(caught.value.reason, Failed)
    with pytest.raises(StartFailed, match="expected a function that returns an Actor, got 'rubbish'"):
        await rt.start(Child("worker", lambda: "rubbish"))


async def test_6_a_start_with_a_limit_ends_there_and_leaves_nothing(rt: Runtime, autojump_clock: Any) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep_forever()

    with pytest.raises(StartFailed, match="on_start took too long"):
        await rt.start(Child("worker", Slow, start_limit=2, name="w"))
    assert trio.current_time() == pytest.approx(2)
    assert rt.registry.whereis("w") is None
    assert rt.cells() == []


async def test_7_a_taken_name_fails_the_start_and_names_the_owner(rt: Runtime, autojump_clock: Any) -> None:
    owner = await rt.start(Child("first", Worker, name="w"))
    with pytest.raises(StartFailed) as caught:
        await rt.start(Child("second", Worker, name="w"))
    assert isinstance(caught.value.reason, Failed)
    assert isinstance(caught.value.reason.error, NameTaken)
    assert caught.value.reason.error.owner is owner
    assert rt.registry.whereis("w") is owner


async def test_9_continues_run_before_any_message_and_chain(rt: Runtime, autojump_clock: Any) -> None:
    class Continuing(Worker):
        async def on_start(self) -> None:
            self.ref.cast(Worker.note, "queued")
            self.continue_with(Worker.step, 1)

    ref = await start(rt, Continuing)
    log = await ref.call(Worker.note, "last")
    assert log == [("step", 1), ("step", 2), ("step", 3), "queued", "last"]


# Calls.


async def test_10_a_reply_with_continue_answers_first(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    assert await ref.call(Worker.continue_thrice) == "replied"
    assert await ref.call(Worker.note, "x") == [("step", 1), ("step", 2), ("step", 3), "x"]


async def test_11_a_timed_out_call_leaves_the_server_alone_and_its_late_reply_is_dropped(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref = await start(rt)
    with pytest.raises(CallTimeout, match=r"/main/worker.slow: no answer within 5 s") as caught:
        await ref.call(Worker.slow, 8)
    assert caught.value.seconds == pytest.approx(5)
    assert isinstance(caught.value, TimeoutError)
    await trio.sleep(10)
    assert await ref.call(Worker.note, "x") == ["slow done", "x"]


async def test_the_callers_own_scope_bounds_a_call_longer_and_shorter_than_the_default(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref = await start(rt)
    with trio.fail_after(60):
        assert await ref.call(Worker.slow, 30) == "slow"
    began = trio.current_time()
    with trio.move_on_after(1) as scope:
        await ref.call(Worker.slow, 30)
    assert scope.cancelled_caught
    assert trio.current_time() - began == pytest.approx(1)


async def test_the_deadline_covers_the_wait_in_the_queue(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    ref.cast(Worker.slow, 100)
    began = trio.current_time()
    with pytest.raises(CallTimeout):
        await ref.call(Worker.double, 1)
    assert trio.current_time() - began == pytest.approx(5, abs=0.05)


async def test_an_expired_request_is_dropped_before_it_is_handled(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    ref.cast(Worker.slow, 10)
    with trio.move_on_after(1):
        await ref.call(Worker.note, "too late")
    await trio.sleep(20)
    assert await ref.call(Worker.note, "x") == ["slow done", "x"]


async def test_a_nested_call_inherits_the_time_that_is_left(rt: Runtime, autojump_clock: Any) -> None:
    class Front(Worker):
        async def through(self, other: Ref[Worker]) -> str:
            try:
                return await other.call(Worker.slow, 100)
            except CallTimeout as error:
                self.log.append(round(error.seconds))
                raise Declared("late") from error

    back = await start(rt)
    front = await rt.start(Child("front", Front))
    with trio.move_on_after(3):
        await front.call(Front.through, back)
    assert await front.call(Worker.note, "x") == [3, "x"]


async def test_12_a_call_to_the_dead_or_unknown_fails_at_once_with_path_and_reason(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref = await rt.start(Child("worker", Worker))
    await ref.stop()
    began = trio.current_time()
    with pytest.raises(ActorGone, match=r"/worker\.double: the actor is gone \(normal\)") as caught:
        await ref.call(Worker.double, 1)
    assert caught.value.reason == Normal()
    with pytest.raises(NoSuchActor, match=r"'nobody'\.double: no actor has that name"):
        await rt.name("nobody", Worker).call(Worker.double, 1)
    assert trio.current_time() == began


@pytest.mark.parametrize(("how", "reason"), [("crash", Failed), ("kill", Killed), ("stop", Shutdown)])
async def test_13_a_server_that_ends_during_a_call_tells_its_reason_at_once(
    rt: Runtime, autojump_clock: Any, how: str, reason: type[Any]
) -> None:
    ref = await rt.start(Child("worker", Worker))
    errors: list[ActorGone] = []

    async def caller() -> None:
        try:
            assert await ref.call(Worker.slow, 1) == "slow"
        except ActorGone as error:
            errors.append(error)

    async def waiting_caller() -> None:
        with pytest.raises(ActorGone) as caught:
            await ref.call(Worker.double, 1)
        errors.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        await wait_all_tasks_blocked()
        nursery.start_soon(waiting_caller)
        await wait_all_tasks_blocked()
        if how == "crash":
            cell = ref.cell()
            cell.crash(ValueError("from a helper"))
        elif how == "kill":
            ref.kill()
        else:
            nursery.start_soon(ref.stop, Shutdown("enough"))
    # An orderly stop lets the message in work finish, so only the one that waits fails.
    assert len(errors) == (1 if how == "stop" else 2)
    assert all(isinstance(error.reason, reason) for error in errors)


async def test_14_an_undeclared_error_crashes_the_actor_and_its_caller_sees_it(
    rt: Runtime, autojump_clock: Any
) -> None:
    log: list[Any] = []
    ref = await start(rt, lambda: Worker(log))
    with pytest.raises(ActorGone) as caught:
        await ref.call(Worker.crash, "canary")
    assert isinstance(caught.value.reason, Failed)
    assert isinstance(caught.value.reason.error, ValueError)
    await wait_all_tasks_blocked()
    assert log == [("stopped", caught.value.reason)]


async def test_declared_errors_return_to_the_caller_and_the_actor_lives(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    with pytest.raises(Declared, match="no"):
        await ref.call(Worker.refuse)
    assert ref.alive
    assert await ref.call(Worker.double, 2) == 4


async def test_a_declared_error_in_a_cast_has_nobody_to_return_to_and_crashes(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    ref.cast(Worker.refuse)
    assert isinstance(await ref.ended(), Failed)


async def test_34_a_crash_report_holds_message_and_state_and_hides_what_is_not_marked_safe(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref = await start(rt)
    with pytest.raises(ActorGone):
        await ref.call(Worker.crash, "canary")
    await wait_all_tasks_blocked()
    (event,) = rt.events.recent(EventKind.FAILED)
    report = event.report
    assert isinstance(report, CrashReport)
    assert report.message == "crash(<str>)"
    assert report.state["shown"] == "1"
    assert report.state["secret"] == "<str>"
    assert "ValueError: boom" in report.trace()
    assert "canary" not in repr(report) + report.trace()
    again = rt.registry
    assert again.count() == 0


async def test_a_message_marked_safe_shows_its_arguments(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    ref.cast(Worker.crash_openly, "fine to see")
    await ref.ended()
    (event,) = rt.events.recent(EventKind.FAILED)
    assert event.report.message == "crash_openly('fine to see')"


async def test_16_a_stop_with_reply_cleans_up_first(rt: Runtime, autojump_clock: Any) -> None:
    class Careful(Worker):
        async def on_stop(self, reason: Reason) -> None:
            await trio.sleep(0.15)

    ref = await rt.start(Child("worker", Careful))
    began = trio.current_time()
    assert await ref.call(Worker.end) == "bye"
    assert trio.current_time() - began == pytest.approx(0.15)


async def test_17_a_deferred_reply_that_never_came_fails_with_the_reason(rt: Runtime, autojump_clock: Any) -> None:
    ref = await rt.start(Child("worker", Worker))
    seen: list[Reason] = []

    async def caller() -> None:
        with pytest.raises(ActorGone) as caught:
            await ref.call(Worker.later)
        seen.append(caught.value.reason)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        await wait_all_tasks_blocked()
        await ref.stop(Shutdown("over"))
    assert seen == [Shutdown("over")]


async def test_18_deferred_late_and_second_replies(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    answers: list[str] = []

    async def caller() -> None:
        answers.append(await ref.call(Worker.later))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        await wait_all_tasks_blocked()
        assert await ref.call(Worker.double, 4) == 8, "the actor serves others meanwhile"
        await ref.call(Worker.answer_all, "first")
        await ref.call(Worker.answer_all, "second")
    assert answers == ["first"]
    with trio.move_on_after(1):
        await ref.call(Worker.later)
    await ref.call(Worker.answer_all, "late")
    assert await ref.call(Worker.double, 1) == 2


async def test_19_a_call_to_oneself_raises_at_once(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    with pytest.raises(ActorGone) as caught:
        await ref.call(Worker.ask_self)
    assert isinstance(caught.value.reason, Failed)
    assert isinstance(caught.value.reason.error, CallCycle)
    assert caught.value.reason.error.hops == (("/main/worker", "(waits)"), ("/main/worker", "double"))
    assert trio.current_time() == 0


async def test_a_cycle_of_calls_raises_with_every_hop(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", Worker), Child("b", Worker)], strategy=Strategy.ONE_FOR_ONE))
    a, b = top.child("a"), top.child("b")
    assert a is not None
    assert b is not None
    with pytest.raises(ActorGone):
        await a.call(Worker.ask, b, True)
    errors = [event.report.error for event in rt.events.recent(EventKind.FAILED)]
    (cycle,) = [error for error in errors if isinstance(error, CallCycle)]
    assert cycle.hops == (("/main/b", "(waits)"), ("/main/a", "double"), ("/main/b", "ask"))
    assert "/main/b.(waits) -> /main/a.double -> /main/b.ask" in str(cycle)


async def test_20_a_method_of_another_class_is_refused_with_both_names(rt: Runtime, autojump_clock: Any) -> None:
    class Other(Actor):
        def hello(self) -> None: ...

    ref: Any = await start(rt)
    for wrong in (Other.hello, Worker.on_stop, Worker.stop, Worker.__init__, len, Worker.path):
        with pytest.raises(NotAMessage, match="/main/worker: expected a public method of Worker, got"):
            await ref.call(wrong)
        with pytest.raises(NotAMessage):
            ref.cast(wrong)
    assert ref.alive


async def test_a_base_classs_method_reaches_the_override(rt: Runtime, autojump_clock: Any) -> None:
    class Tripler(Worker):
        async def double(self, value: int) -> int:
            return value * 3

    ref: Ref[Worker] = await start(rt, Tripler)
    assert await ref.call(Worker.double, 2) == 6


async def test_arguments_that_do_not_fit_are_the_senders_error_and_harm_nobody(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref: Any = await start(rt)
    with pytest.raises(BadMessage, match=r"/main/worker\.double: the arguments do not fit"):
        await ref.call(Worker.double)
    ref.cast(Worker.note)
    await wait_all_tasks_blocked()
    assert ref.alive
    assert len(rt.events.recent(EventKind.BAD_MESSAGE)) == 2


# Casts.


async def test_21_a_cast_to_the_dead_or_unknown_is_fine_and_an_event(rt: Runtime, autojump_clock: Any) -> None:
    ref = await rt.start(Child("worker", Worker))
    await ref.stop()
    ref.cast(Worker.note, 1)
    rt.name("nobody", Worker).cast(Worker.note, 1)
    lost = rt.events.recent(EventKind.CAST_LOST)
    assert [(event.path, event.reason) for event in lost] == [("/worker", Normal()), ("'nobody'", Unknown())]


async def test_22_messages_of_one_sender_are_handled_in_order(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    for value in range(500):
        ref.cast(Worker.note, value)
    assert await ref.call(Worker.note, 500) == list(range(501))


async def test_24_messages_behind_a_stop_are_lost_and_their_callers_told(rt: Runtime, autojump_clock: Any) -> None:
    log: list[Any] = []
    ref = await rt.start(Child("worker", lambda: Worker(log)))
    ref.cast(Worker.end)
    ref.cast(Worker.note, "after")
    with pytest.raises(ActorGone):
        await ref.call(Worker.double, 1)
    await ref.ended()
    assert log == [("stopped", Normal())]


# Ending.


async def test_26_clean_up_runs_on_stop_crash_and_outside_cancel_but_not_on_kill(
    rt: Runtime, autojump_clock: Any
) -> None:
    for how in ("stop", "crash", "kill"):
        log: list[Any] = []
        ref = await rt.start(Child("worker", lambda log=log: Worker(log)))  # type: ignore[misc]
        if how == "stop":
            await ref.stop()
        elif how == "crash":
            ref.cast(Worker.crash, "x")
        else:
            ref.kill()
        reason = await ref.ended()
        assert log == ([] if how == "kill" else [("stopped", reason)])


async def test_30_a_clean_up_that_raises_replaces_the_reason(rt: Runtime, autojump_clock: Any) -> None:
    class Messy(Worker):
        async def on_stop(self, reason: Reason) -> None:
            raise ValueError("while cleaning")

    ref = await rt.start(Child("worker", Messy))
    reason = await ref.stop()
    assert isinstance(reason, Failed)
    assert str(reason.error) == "while cleaning"


async def test_32_a_stop_that_the_caller_gave_up_on_still_happens(rt: Runtime, autojump_clock: Any) -> None:
    ref = await rt.start(Child("worker", Worker))
    ref.cast(Worker.slow, 3)
    await wait_all_tasks_blocked()
    with trio.move_on_after(1) as scope:
        await ref.stop()
    assert scope.cancelled_caught
    with pytest.raises(ActorGone):
        await ref.call(Worker.double, 1)
    assert await ref.ended() == Normal()
    assert trio.current_time() == pytest.approx(3)


async def test_a_clean_up_beyond_its_limit_is_cut_and_the_reason_says_so(rt: Runtime, autojump_clock: Any) -> None:
    class Endless(Worker):
        async def on_stop(self, reason: Reason) -> None:
            await trio.sleep_forever()

    ref = await rt.start(Child("worker", Endless, shutdown=2))
    assert await ref.stop() == Killed("its clean-up took longer than 2 s")
    assert trio.current_time() == pytest.approx(2)


async def test_a_cancelled_run_still_cleans_up_inside_the_limit(autojump_clock: Any) -> None:
    log: list[Any] = []
    with trio.move_on_after(1):
        async with open_runtime(plain_world()) as runtime:
            await runtime.start(Child("worker", lambda: Worker(log)))
            await trio.sleep_forever()
    assert [entry[0] for entry in log] == ["stopped"]


# Watching and steering.


async def test_35_two_monitors_tell_twice_and_a_dead_target_at_once(rt: Runtime, autojump_clock: Any) -> None:
    watcher = await rt.start(Child("watcher", Worker))
    target = await rt.start(Child("target", Worker))
    await watcher.call(Worker.watch, target, 2)
    await target.stop(Shutdown("over"))
    downs = await watcher.call(Worker.heard)
    assert [down.reason for down in downs] == [Shutdown("over")] * 2
    await watcher.call(Worker.watch, target, 1)
    downs = await watcher.call(Worker.heard)
    assert [down.reason for down in downs] == [Shutdown("over")] * 3


async def test_35_a_cancelled_monitor_tells_nothing(rt: Runtime, autojump_clock: Any) -> None:
    watcher = await rt.start(Child("watcher", Worker))
    target = await rt.start(Child("target", Worker))
    await watcher.call(Worker.watch, target, 2)
    await watcher.call(Worker.unwatch)
    await target.stop()
    assert await watcher.call(Worker.heard) == []


async def test_35_a_monitor_cancelled_after_the_end_drops_the_down_that_waits(rt: Runtime, autojump_clock: Any) -> None:
    watcher = await rt.start(Child("watcher", Worker))
    target = await rt.start(Child("target", Worker))
    await watcher.call(Worker.watch, target, 1)
    suspend(watcher)
    await target.stop()
    watcher.cell().actor.monitors[0].cancel()  # type: ignore[attr-defined]
    resume(watcher)
    assert await watcher.call(Worker.heard) == []


async def test_a_monitor_on_a_name_nobody_has_tells_at_once(rt: Runtime, autojump_clock: Any) -> None:
    class NameWatcher(Worker):
        def watch_name(self, key: str) -> None:
            self.monitor(self.runtime.name(key))

    watcher = await rt.start(Child("watcher", NameWatcher))
    await watcher.call(NameWatcher.watch_name, "nobody")
    downs = await watcher.call(Worker.heard)
    assert [down.reason for down in downs] == [Unknown()]


async def test_36_a_suspended_actor_handles_nothing_shows_its_state_and_goes_on_in_order(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref = await start(rt)
    suspend(ref)
    for value in range(3):
        ref.cast(Worker.note, value)
    with pytest.raises(CallTimeout):
        await ref.call(Worker.double, 1)
    shown = inspect(ref)
    assert shown.suspended
    assert shown.state["shown"] == "1"
    assert shown.mailbox is not None
    assert shown.mailbox.waiting == 4
    resume(ref)
    assert await ref.call(Worker.note, 3) == [0, 1, 2, 3]


async def test_a_suspended_actor_that_is_stopped_fails_its_callers_at_once(rt: Runtime, autojump_clock: Any) -> None:
    ref = await rt.start(Child("worker", Worker))
    suspend(ref)
    seen: list[Reason] = []

    async def caller() -> None:
        with pytest.raises(ActorGone) as caught:
            await ref.call(Worker.double, 1)
        seen.append(caught.value.reason)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        await wait_all_tasks_blocked()
        await ref.stop(Shutdown("over"))
    assert seen == [Shutdown("over")]
    assert trio.current_time() == 0


async def test_37_replace_state_changes_all_or_nothing(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    replace_state(ref, lambda state: {**state, "log": ["replaced"]})
    assert await ref.call(Worker.note, 1) == ["replaced", 1]

    def fail(state: dict[str, Any]) -> dict[str, Any]:
        state["log"] = []
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the very error that was raised above
        replace_state(ref, fail)
    assert await ref.call(Worker.note, 2) == ["replaced", 1, 2]


async def test_38_the_name_is_free_when_the_down_arrives(rt: Runtime, autojump_clock: Any) -> None:
    seen: list[Any] = []
    ref = await rt.start(Child("worker", Worker, name="w"))
    ref.cell().on_end(lambda _: seen.append(rt.registry.whereis("w")))
    await ref.stop()
    assert seen == [None]


async def test_inspect_tells_what_an_actor_does_and_for_whom_it_waits(rt: Runtime, autojump_clock: Any) -> None:
    a = await rt.start(Child("a", Worker))
    b = await rt.start(Child("b", Worker))
    suspend(b)
    a.cast(Worker.ask, b, False)
    await trio.sleep(2)
    shown = inspect(a)
    assert shown.message == "ask(<Ref>, <bool>)"
    assert shown.message_age == pytest.approx(2)
    assert shown.waits_for == "/b.double"
    assert "test_server.py" in shown.waits_in
    resume(b)


# Timers and helpers.


async def test_timers_fire_at_their_time_and_die_with_the_actor(rt: Runtime, autojump_clock: Any) -> None:
    log: list[Any] = []

    class Timed(Worker):
        async def on_start(self) -> None:
            self.send_after(2, Worker.note, "once")
            self.every(1, Timed.tick)
            self.send_after(1000, Worker.note, "never").cancel()
            self.send_after(1000, Worker.note, "never")

        def tick(self) -> None:
            self.log.append(trio.current_time())

    ref = await rt.start(Child("worker", lambda: Timed(log)))
    await trio.sleep(3.5)
    assert log in ([1, "once", 2, 3], [1, 2, "once", 3])
    await ref.stop()
    assert rt.timers.pending() == 0
    await trio.sleep(2000)
    assert len(log) == 5


async def test_ticks_do_not_pile_up_behind_a_slow_actor(rt: Runtime, autojump_clock: Any) -> None:
    class Timed(Worker):
        async def on_start(self) -> None:
            self.every(1, Timed.tick)

        async def tick(self) -> None:
            self.log.append(trio.current_time())
            await trio.sleep(9.5 if len(self.log) == 1 else 0)

    log: list[Any] = []
    await rt.start(Child("worker", lambda: Timed(log)))
    await trio.sleep(13.5)
    assert log == [1, 10.5, 11, 12, 13]


async def test_25_an_idle_message_comes_only_if_no_other_does_and_must_be_asked_for_again(
    rt: Runtime, autojump_clock: Any
) -> None:
    class Idling(Worker):
        async def on_start(self) -> None:
            self.idle_after(5, Idling.idle)

        def idle(self) -> None:
            self.log.append(("idle", trio.current_time()))

        def wait_again(self) -> None:
            self.idle_after(5, Idling.idle)

    log: list[Any] = []
    ref = await rt.start(Child("worker", lambda: Idling(log)))
    await trio.sleep(4)
    ref.cast(Idling.wait_again)
    await trio.sleep(3)
    assert log == [], "the message at 4 s called the first one off"
    await trio.sleep(100)
    assert log == [("idle", 9)], "once"
    await ref.call(Idling.wait_again)
    await trio.sleep(1)
    await ref.call(Worker.note, "busy")
    await trio.sleep(100)
    assert log == [("idle", 9), "busy"]


async def test_a_helper_that_fails_takes_its_actor_along_even_in_mid_message(rt: Runtime, autojump_clock: Any) -> None:
    class Helped(Worker):
        async def on_start(self) -> None:
            self.spawn(self.fail_later, 1)

        async def fail_later(self, seconds: float) -> None:
            await trio.sleep(seconds)
            raise ValueError("helper")

    log: list[Any] = []
    ref = await rt.start(Child("worker", lambda: Helped(log)))
    ref.cast(Worker.slow, 100)
    reason = await ref.ended()
    assert isinstance(reason, Failed)
    assert str(reason.error) == "helper"
    assert trio.current_time() == pytest.approx(1)
    assert log == [("stopped", reason)]


async def test_helpers_outlive_on_stop_and_are_gone_before_the_end_is_told(rt: Runtime, autojump_clock: Any) -> None:
    events: list[str] = []

    class Helped(Worker):
        async def on_start(self) -> None:
            self.spawn(self.background)

        async def background(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                events.append("helper gone")

        async def on_stop(self, reason: Reason) -> None:
            await trio.sleep(1)
            events.append("cleaned up")

    ref = await rt.start(Child("worker", Helped))
    ref.cell().on_end(lambda _: events.append("told"))
    await ref.stop()
    assert events == ["cleaned up", "helper gone", "told"]


async def test_control_messages_overtake_data(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    suspend(ref)
    for value in range(100):
        ref.cast(Worker.note, value)
    ref.cast(Worker.urgent, "urgent")
    resume(ref)
    log = await ref.call(Worker.note, "last")
    assert log[0] == "urgent"
    assert log[1:] == [*range(100), "last"]


async def test_a_slow_call_is_an_event(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    await ref.call(Worker.slow, 2)
    (event,) = rt.events.recent(EventKind.CALL_SLOW)
    assert event.detail == "slow took 2.000 s"


async def test_slotted_attrs_classes_can_be_actors(rt: Runtime, autojump_clock: Any) -> None:
    @attrs.define
    class Slotted(Actor):
        count: int = 0

        def add(self, value: int) -> int:
            self.count += value
            return self.count

    ref = await rt.start(Child("slotted", Slotted))
    assert await ref.call(Slotted.add, 3) == 3
    assert inspect(ref).state == {"count": "<int>"}


async def test_the_loop_stays_fair_while_an_actor_drains_a_backlog(rt: Runtime, autojump_clock: Any) -> None:
    ref = await start(rt)
    progress: list[int] = []
    suspend(ref)
    for value in range(1000):
        ref.cast(Worker.note, value)
    resume(ref)
    for _ in range(3):
        await trio.lowlevel.checkpoint()
        progress.append(len(ref.cell().actor.log))  # type: ignore[attr-defined]
    assert progress[-1] < 1000
    assert math.isfinite(progress[0])
