"""Mailboxes: bounds, lanes, policies, and trio's channel interface; a model decides what must be inside."""

from collections import deque
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from runtime import Actor, Child, Conflate, DropOldest, Mailbox, MailboxPolicy, Ref, Reject, Runtime, message
from runtime.errors import CallTimeout, InvalidSpec, MailboxFull
from runtime.events import EventKind
from runtime.inspection import inspect, resume, suspend


class Sink(Actor):
    mailbox = MailboxPolicy(capacity=3, control_capacity=2)

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def take(self, value: Any) -> list[Any]:
        self.seen.append(value)
        return list(self.seen)

    @message(control=True)
    def urgent(self, value: Any) -> None:
        self.seen.append(value)

    def everything(self) -> list[Any]:
        return list(self.seen)


class DroppingSink(Sink):
    mailbox = MailboxPolicy(capacity=3, overflow=DropOldest())


class ConflatingSink(Sink):
    mailbox = MailboxPolicy(
        capacity=3, overflow=Conflate(lambda _, value: value[0] if isinstance(value, tuple) else None)
    )


async def held(rt: Runtime, cls: type[Sink]) -> Ref[Sink]:
    ref = await rt.start(Child("sink", cls))
    suspend(ref)
    return ref


async def test_reject_refuses_the_cast_and_tells_once(rt: Runtime, autojump_clock: Any) -> None:
    ref = await held(rt, Sink)
    for value in range(3):
        ref.cast(Sink.take, value)
    for _ in range(5):
        with pytest.raises(MailboxFull, match=r"/sink\.take: mailbox full \(3 messages\)") as caught:
            ref.cast(Sink.take, 9)
        assert caught.value.capacity == 3
    assert len(rt.events.recent(EventKind.MAILBOX_FULL)) == 1, "one event for one congestion"
    statistics = inspect(ref).mailbox
    assert statistics is not None
    assert (statistics.waiting, statistics.refused, statistics.most_waiting) == (3, 5, 3)
    resume(ref)
    assert await ref.call(Sink.everything) == [0, 1, 2]


async def test_a_call_to_a_full_mailbox_waits_for_room_within_its_deadline(rt: Runtime, autojump_clock: Any) -> None:
    ref = await held(rt, Sink)
    for value in range(3):
        ref.cast(Sink.take, value)
    results: list[Any] = []

    async def caller(value: Any) -> None:
        results.append(await ref.call(Sink.take, value))

    async with trio.open_nursery() as nursery:
        for name in ("first", "second"):
            nursery.start_soon(caller, name)
            await wait_all_tasks_blocked()
        statistics = inspect(ref).mailbox
        assert statistics is not None
        assert statistics.senders_waiting == 2
        resume(ref)
    assert max(results, key=len) == [0, 1, 2, "first", "second"]
    suspend(ref)
    for value in range(3):
        ref.cast(Sink.take, value)
    began = trio.current_time()
    with pytest.raises(CallTimeout):
        await ref.call(Sink.take, "never")
    assert trio.current_time() - began == pytest.approx(5, abs=0.05)
    resume(ref)
    assert "never" not in await ref.call(Sink.everything)


async def test_the_control_lane_is_bounded_too(rt: Runtime, autojump_clock: Any) -> None:
    ref = await held(rt, Sink)
    for value in range(2):
        ref.cast(Sink.urgent, value)
    with pytest.raises(MailboxFull):
        ref.cast(Sink.urgent, 2)
    with pytest.raises(MailboxFull):
        await ref.call(Sink.urgent, 2)
    resume(ref)
    assert await ref.call(Sink.everything) == [0, 1]


async def test_drop_oldest_keeps_the_newest_casts_and_never_drops_a_call(rt: Runtime, autojump_clock: Any) -> None:
    ref = await held(rt, DroppingSink)
    results: list[Any] = []

    async def caller() -> None:
        results.append(await ref.call(Sink.take, "call"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        await wait_all_tasks_blocked()
        for value in range(10):
            ref.cast(Sink.take, value)
        statistics = inspect(ref).mailbox
        assert statistics is not None
        assert (statistics.waiting, statistics.dropped) == (3, 8)
        resume(ref)
    assert await ref.call(Sink.everything) == ["call", 8, 9]


async def test_conflate_replaces_in_place_by_key_and_refuses_beyond(rt: Runtime, autojump_clock: Any) -> None:
    ref = await held(rt, ConflatingSink)
    for value in (("ES", 1), ("NQ", 1), ("ES", 2), "plain", ("ES", 3), ("NQ", 2)):
        ref.cast(Sink.take, value)
    with pytest.raises(MailboxFull):
        ref.cast(Sink.take, ("CL", 1))
    statistics = inspect(ref).mailbox
    assert statistics is not None
    assert (statistics.waiting, statistics.conflated) == (3, 3)
    resume(ref)
    assert await ref.call(Sink.everything) == [("ES", 3), ("NQ", 2), "plain"]
    ref.cast(Sink.take, ("ES", 4))
    assert (await ref.call(Sink.everything))[-1] == ("ES", 4)


@given(
    capacity=st.integers(1, 4),
    keys=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 99)), max_size=40),
)
def test_conflation_agrees_with_a_model(capacity: int, keys: list[tuple[str, int]]) -> None:
    class Bounded(ConflatingSink):
        mailbox = MailboxPolicy(capacity=capacity, overflow=ConflatingSink.mailbox.overflow)

    model: dict[str, int] = {}

    async def main() -> None:
        from runtime import open_runtime  # noqa: PLC0415 - each example has a run of its own
        from tests.runtime.world import plain_world  # noqa: PLC0415 - as above

        async with open_runtime(plain_world()) as runtime:
            ref = await held(runtime, Bounded)
            for key, value in keys:
                try:
                    ref.cast(Sink.take, (key, value))
                except MailboxFull:
                    assert key not in model
                    assert len(model) == capacity
                else:
                    model[key] = value
            resume(ref)
            assert await ref.call(Sink.everything) == list(model.items())

    trio.run(main)


def test_wrong_policies_are_refused_with_the_value() -> None:
    for wrong in (0, -1, True, 1.5, "many"):
        with pytest.raises(InvalidSpec, match=r"MailboxPolicy\.capacity: expected a whole number of at least 1"):
            MailboxPolicy(capacity=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidSpec, match="overflow"):
        MailboxPolicy(overflow="drop")  # type: ignore[arg-type]


class TestAsATrioChannel:
    async def test_it_sends_receives_and_closes_like_one(self) -> None:
        mailbox: Mailbox[int] = Mailbox(MailboxPolicy(capacity=2))
        assert isinstance(mailbox, trio.abc.SendChannel)
        assert isinstance(mailbox, trio.abc.ReceiveChannel)
        with pytest.raises(trio.WouldBlock):
            mailbox.receive_nowait()
        await mailbox.send(1)
        mailbox.send_nowait(2)
        with pytest.raises(trio.WouldBlock):
            mailbox.send_nowait(3)
        assert [await mailbox.receive(), await mailbox.receive()] == [1, 2]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mailbox.send, 4)
            assert await mailbox.receive() == 4
        await mailbox.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await mailbox.send(5)
        with pytest.raises(trio.EndOfChannel):
            await mailbox.receive()

    async def test_a_blocked_sender_goes_on_when_there_is_room_and_leaves_when_cancelled(
        self, autojump_clock: Any
    ) -> None:
        mailbox: Mailbox[int] = Mailbox(MailboxPolicy(capacity=1))
        await mailbox.send(1)
        with trio.move_on_after(1) as scope:
            await mailbox.send(2)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mailbox.send, 3)
            await wait_all_tasks_blocked()
            assert await mailbox.receive() == 1
        assert await mailbox.receive() == 3

    async def test_a_waiting_receiver_leaves_when_cancelled_and_loses_nothing(self, autojump_clock: Any) -> None:
        mailbox: Mailbox[int] = Mailbox(MailboxPolicy())
        with trio.move_on_after(1):
            await mailbox.receive()
        mailbox.send_nowait(1)
        assert await mailbox.receive() == 1

    @given(st.lists(st.one_of(st.just("receive"), st.just("control"), st.just("data")), max_size=60))
    def test_control_first_then_data_each_in_order(self, actions: list[str]) -> None:
        mailbox: Mailbox[int] = Mailbox(MailboxPolicy(capacity=5, control_capacity=3))
        control: deque[int] = deque()
        data: deque[int] = deque()
        for number, action in enumerate(actions):
            if action == "receive":
                expected = control or data
                if expected:
                    assert mailbox.receive_nowait() == expected.popleft()
                else:
                    with pytest.raises(trio.WouldBlock):
                        mailbox.receive_nowait()
            elif action == "control":
                assert mailbox.put_control(number) == (len(control) < 3)
                if len(control) < 3:
                    control.append(number)
            else:
                assert mailbox.put(number) == (len(data) < 5)
                if len(data) < 5:
                    data.append(number)


def test_reject_is_the_default() -> None:
    assert Actor.mailbox.overflow == Reject()
