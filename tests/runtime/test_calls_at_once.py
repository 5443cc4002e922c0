"""Calls and tells to an actor that has nothing to do are handled in the sender's task; only the time taken shows that."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from runtime import Actor, Child, Failed, Ref, Runtime, Supervisor, message, open_runtime
from runtime.calls import Reply
from runtime.errors import ActorGone, BadMessage, CallTimeout
from runtime.events import EventKind
from runtime.inspection import resume, suspend
from runtime.server import BATCH
from tests.runtime.world import plain_world


class Declared(Exception):
    pass


class Plain(Actor):
    """Plain functions, each of which notes the task that it ran in."""

    expects = (Declared,)

    def __init__(self) -> None:
        self.log: list[object] = []
        self.tasks: list[trio.lowlevel.Task] = []
        self.reply: Reply | None = None
        self.then: Callable[[], None] | None = None

    def act(self, value: object) -> None:
        if self.then is not None:
            self.then()
        self.log.append(value)

    def note(self, value: object) -> list[object]:
        self.tasks.append(trio.lowlevel.current_task())
        self.log.append(value)
        return list(self.log)

    @message(control=True)
    def urgent(self) -> None:
        self.tasks.append(trio.lowlevel.current_task())

    def refuse(self) -> None:
        raise Declared("no")

    @message(safe=True)
    def crash(self, value: str) -> None:
        raise ValueError(value)

    def end(self) -> str:
        self.stop()
        return "bye"

    def later(self) -> str:
        self.reply = self.defer()
        later: str = self.reply.later
        return later

    def answer(self, value: str) -> None:
        assert self.reply is not None
        self.reply.send(value)

    def go_on(self) -> None:
        self.continue_with(Plain.note, "went on")

    async def on_stop(self, reason: object) -> None:
        self.log.append("stopped")


async def started(rt: Runtime) -> tuple[Ref[Plain], Plain]:
    """An actor that has handled one message and waits for the next."""
    actor = Plain()
    top = await rt.start(Supervisor([Child("plain", lambda: actor)]))
    ref = top.child("plain")
    assert ref is not None
    ref.cast(Plain.note, "first")
    await trio.testing.wait_all_tasks_blocked()
    actor.tasks.clear()
    return ref, actor


async def test_a_call_to_an_idle_actor_runs_in_the_callers_task(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    assert await ref.call(Plain.note, 1) == ["first", 1]
    await ref.call(Plain.urgent)
    assert actor.tasks == [trio.lowlevel.current_task()] * 2


async def test_what_was_sent_before_is_handled_before(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    ref.cast(Plain.note, 1)
    assert await ref.call(Plain.note, 2) == ["first", 1, 2]
    assert trio.lowlevel.current_task() not in actor.tasks


async def test_a_task_that_only_calls_lets_others_have_their_turn(rt: Runtime, autojump_clock: Any) -> None:
    ref, _ = await started(rt)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for number in range(10 * BATCH):
            await ref.call(Plain.note, number)
        nursery.cancel_scope.cancel()
    assert turns >= 9


async def test_a_cancelled_caller_is_told_and_its_request_is_not_handled(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    with trio.CancelScope() as scope:
        scope.cancel()
        await ref.call(Plain.note, 1)
    assert scope.cancelled_caught
    assert actor.log == ["first"]


async def test_a_caller_whose_time_is_up_is_not_served(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    with trio.move_on_at(trio.current_time()) as scope:
        await ref.call(Plain.note, 1)
    assert scope.cancelled_caught
    assert actor.log == ["first"]


async def test_a_suspended_actor_handles_nothing_until_it_is_resumed(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    suspend(ref)
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ref.call, Plain.note, 1)
        await trio.testing.wait_all_tasks_blocked()
        assert actor.log == ["first"]
        resume(ref)
    assert actor.log == ["first", 1]


async def test_a_declared_error_returns_to_the_caller_and_the_actor_lives(rt: Runtime, autojump_clock: Any) -> None:
    ref, _ = await started(rt)
    with pytest.raises(Declared, match="no"):
        await ref.call(Plain.refuse)
    with pytest.raises(BadMessage):
        await ref.call(Plain.note)  # type: ignore[call-overload]  # too few on purpose
    assert await ref.call(Plain.note, 1) == ["first", 1]


async def test_an_undeclared_error_ends_the_actor_not_the_caller(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    reports: list[Any] = []
    rt.events.listen(lambda event: reports.append(event.report) if event.kind is EventKind.FAILED else None)
    with pytest.raises(ActorGone, match="boom") as gone:
        await ref.call(Plain.crash, "boom")
    assert isinstance(gone.value.reason, Failed)
    assert isinstance(await ref.ended(), Failed)
    assert actor.log == ["first", "stopped"]
    assert "boom" in str(reports[0].message)
    assert "crash" in reports[0].trace()


async def test_calls_that_come_between_an_error_and_the_end_are_refused(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    refused = 0

    async def ask(method: Any, value: str) -> None:
        nonlocal refused
        with pytest.raises(ActorGone):
            await ref.call(method, value)
        refused += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, Plain.crash, "one")
        nursery.start_soon(ask, Plain.crash, "two")
    assert refused == 2
    assert actor.log == ["first", "stopped"]


async def test_an_actor_that_stops_itself_answers_after_its_clean_up(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    assert await ref.call(Plain.end) == "bye"
    assert actor.log == ["first", "stopped"]


async def test_a_deferred_reply_wakes_its_caller_or_times_out(rt: Runtime, autojump_clock: Any) -> None:
    ref, _ = await started(rt)
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await ref.call(Plain.later))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        await ref.call(Plain.answer, "late")
    assert answers == ["late"]
    with pytest.raises(CallTimeout):
        await ref.call(Plain.later)


async def test_what_a_handler_wants_to_go_on_with_is_done(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    await ref.call(Plain.go_on)
    await trio.testing.wait_all_tasks_blocked()
    assert actor.log == ["first", "went on"]


async def test_a_tell_to_an_idle_actor_is_handled_before_it_returns(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    assert ref.idle
    ref.tell(Plain.note, 1)
    assert actor.log == ["first", 1]
    assert actor.tasks == [trio.lowlevel.current_task()]


async def test_a_tell_waits_behind_what_was_sent_before(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    ref.cast(Plain.note, 1)
    assert not ref.idle
    ref.tell(Plain.note, 2)
    assert actor.log == ["first"]
    await trio.testing.wait_all_tasks_blocked()
    assert actor.log == ["first", 1, 2]


async def test_what_is_told_while_a_message_is_handled_comes_after_it(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    actor.then = lambda: ref.tell(Plain.note, "told")
    ref.tell(Plain.act, "acted")
    await trio.testing.wait_all_tasks_blocked()
    assert actor.log == ["first", "acted", "told"]


async def test_an_error_in_what_was_told_ends_the_actor_and_not_the_teller(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    reports: list[Any] = []
    rt.events.listen(lambda event: reports.append(event.report) if event.kind is EventKind.FAILED else None)
    ref.tell(Plain.crash, "boom")
    ref.tell(Plain.note, "too late")
    assert isinstance(await ref.ended(), Failed)
    assert actor.log == ["first", "stopped"]
    assert "boom" in str(reports[0].message)


async def test_a_suspended_actor_is_told_when_it_is_resumed(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    suspend(ref)
    await trio.testing.wait_all_tasks_blocked()
    ref.tell(Plain.note, 1)
    assert actor.log == ["first"]
    resume(ref)
    await trio.testing.wait_all_tasks_blocked()
    assert actor.log == ["first", 1]


async def test_an_actor_that_was_told_to_end_ends(rt: Runtime, autojump_clock: Any) -> None:
    ref, actor = await started(rt)
    ref.tell(Plain.end)
    ref.tell(Plain.note, "too late")
    await ref.ended()
    assert actor.log == ["first", "stopped"]


@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["cast", "tell", "ask", "call", "rest"])), max_size=60)
)
def test_each_sender_is_served_in_its_order_whatever_way_its_messages_take(steps: list[tuple[int, str]]) -> None:
    async def main() -> None:
        async with open_runtime(plain_world()) as rt:
            ref, actor = await started(rt)

            answers: list[object] = []

            async def call(entry: tuple[int, int]) -> None:
                assert entry in await ref.call(Plain.note, entry)

            async def rest(_: tuple[int, int]) -> None:
                await trio.lowlevel.checkpoint()

            ways: dict[str, Callable[[tuple[int, int]], object]] = {
                "cast": lambda entry: ref.cast(Plain.note, entry),
                "tell": lambda entry: ref.tell(Plain.note, entry),
                "ask": lambda entry: actor.request(
                    ref, lambda answer: answers.append(answer.unwrap()), Plain.note, entry
                ),
                "call": call,
                "rest": rest,
            }

            async def send(sender: int) -> None:
                for number, (who, how) in enumerate(steps):
                    if who == sender:
                        waiting = ways[how]((sender, number))
                        if inspect.isawaitable(waiting):
                            await waiting

            async with trio.open_nursery() as nursery:
                for sender in range(3):
                    nursery.start_soon(send, sender)
            await trio.testing.wait_all_tasks_blocked()
            assert len(answers) == sum(how == "ask" for _, how in steps)
            for sender in range(3):
                sent = [(who, number) for number, (who, how) in enumerate(steps) if who == sender and how != "rest"]
                assert [entry for entry in actor.log if isinstance(entry, tuple) and entry[0] == sender] == sent

    trio.run(main)
