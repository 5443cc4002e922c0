"""Sending: frames are never cut, senders learn when theirs is written, and whether it may have left."""

from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio_websocket import ConnectionClosed, WebSocketConnection

from runtime.simulation import Conditions
from runtime.wire.delivery import Delivery, Phase, Sent
from runtime.wire.websocket_ends import Ending, WebSocketClosed
from runtime.wire.websocket_session import Heartbeat, WebSocketSession, WebSocketSettings
from tests.runtime.wire.peers import NIGHTLY
from tests.runtime.wire.websocket_peers import SocketBox, echo, frame, listen, saying, sleep, socket_box, speaking

PATIENT = Heartbeat(every=1000)
SMALL = WebSocketSettings(send_queue=2, heartbeat=PATIENT)


def narrow(box: SocketBox, buffer: int = 100) -> None:
    box.network.shape(outward=Conditions(buffer=buffer))


async def test_send_returns_when_the_frame_is_written(autojump_clock: Any) -> None:
    async def wake_up_late(stream: trio.abc.Stream) -> None:
        await trio.sleep(60)
        while await stream.receive_some(65536):
            pass

    async with socket_box(saying(then=wake_up_late)) as box:
        narrow(box, 1000)
        async with box.open(settings=SMALL) as session:
            await session.send("x" * 500)
            assert trio.current_time() == 0
            await session.send("x" * 5000)
            assert trio.current_time() == 60


@pytest.mark.parametrize("message", [{"op": "ping"}, None, 5, "\ud800"])
async def test_what_is_no_message_hurts_its_sender_alone(autojump_clock: Any, message: Any) -> None:
    async with socket_box(speaking(echo)) as box, box.open() as session:
        with pytest.raises((TypeError, UnicodeEncodeError)):
            await session.send(message)
        await session.send("fine")
        assert await session.receive() == "fine"


async def test_frames_go_out_in_the_order_of_the_calls(autojump_clock: Any) -> None:
    seen: list[Any] = []

    async def collect(socket: WebSocketConnection) -> None:
        seen.extend([await socket.get_message() for _ in range(50)])

    async with socket_box(speaking(collect)) as box, box.open(settings=SMALL) as session:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(session.send, f"{number}")
                await trio.testing.wait_all_tasks_blocked()
        await session.close()
    assert seen == [f"{number}" for number in range(50)]


class Crowd:
    """Senders who give up at their own times, and what each of them learned."""

    def __init__(self, session: WebSocketSession) -> None:
        self.session = session
        self.deliveries: dict[str, Delivery] = {}
        self.errors: dict[str, WebSocketClosed] = {}

    async def send(self, text: str, patience: float) -> None:
        delivery = self.deliveries[text] = Delivery()
        with trio.move_on_after(patience):
            try:
                await self.session.send(text, delivery)
            except WebSocketClosed as error:
                self.errors[text] = error


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 30)), min_size=1, max_size=12),
    st.integers(10, 600),
    st.integers(0, 20),
)
@settings(max_examples=40 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_cancelled_sender_never_cuts_a_frame_and_knows_whether_it_left(
    autojump_clock: Any, senders: list[tuple[int, int]], buffer: int, pause: int
) -> None:
    seen: list[Any] = []

    goodbyes: list[Any] = []
    done = trio.Event()

    async def collect_late(socket: WebSocketConnection) -> None:
        try:
            while True:
                await trio.sleep(pause / 10)
                seen.append(await socket.get_message())
        except ConnectionClosed as closed:
            goodbyes.append(closed.reason)
            done.set()

    limits = WebSocketSettings(send_queue=2, heartbeat=PATIENT, disconnect_seconds=500)
    async with socket_box(speaking(collect_late)) as box:
        narrow(box, buffer)
        async with box.open(settings=limits) as session:
            crowd = Crowd(session)
            async with trio.open_nursery() as nursery:
                for number, (size, patience) in enumerate(senders):
                    nursery.start_soon(crowd.send, f"{number}".ljust(size, "."), patience / 10)
            await session.send("last")
        await done.wait()
    assert [goodbye.code for goodbye in goodbyes] == [1000]  # the stream is intact to its end
    assert len(seen) == len(set(seen))
    assert seen[-1] == "last"
    for text, delivery in crowd.deliveries.items():
        assert (text in seen) == (delivery.sent is Sent.MAYBE)
    assert crowd.errors == {}


async def test_what_waits_at_the_end_learns_whether_it_may_have_left(autojump_clock: Any) -> None:
    async with socket_box(saying(then=sleep)) as box:
        narrow(box)
        async with box.open(settings=SMALL) as session:
            crowd = Crowd(session)
            async with trio.open_nursery() as nursery:
                for number in range(6):
                    nursery.start_soon(crowd.send, f"{number}" * 300, 1e9)
                    await trio.testing.wait_all_tasks_blocked()
                box.network.links[0].reset()
    assert [crowd.errors[f"{number}" * 300].sent for number in range(6)] == [Sent.MAYBE, *[Sent.NOTHING] * 5]
    assert {error.reason for error in crowd.errors.values()} == {Ending.LOST}
    assert "look it up" in str(crowd.errors["0" * 300])


def phases(crowd: Crowd) -> list[Phase]:
    return [delivery.phase for delivery in crowd.deliveries.values()]


async def test_a_withdrawn_frame_leaves_no_trace(autojump_clock: Any) -> None:
    seen: list[Any] = []

    async def collect(socket: WebSocketConnection) -> None:
        while True:
            seen.append(await socket.get_message())

    async with socket_box(speaking(collect)) as box:
        narrow(box)
        async with box.open(settings=SMALL) as session:
            crowd = Crowd(session)
            box.network.links[0].delay(10)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crowd.send, "a" * 5000, 1)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(crowd.send, "b", 1)
            assert phases(crowd) == [Phase.SEND, Phase.QUEUE]
            await session.send("c")
            await trio.sleep(30)
            assert phases(crowd) == [Phase.DONE, Phase.QUEUE]
    assert seen == ["a" * 5000, "c"]
    assert [record.body[:1] for record in box.records if record.direction.value == "out"][1:] == ["a", "c"]


@pytest.mark.parametrize("hang_up", [True, False])
async def test_a_frame_after_the_peers_goodbye_is_refused_and_did_not_leave(autojump_clock: Any, hang_up: bool) -> None:
    async def leave(stream: trio.abc.Stream) -> None:
        await trio.sleep(1)
        await stream.send_all(frame(b"\x0f\xa1bye", opcode=8))
        if not hang_up:
            await listen(stream)

    async with socket_box(saying(then=leave)) as box, box.open() as session:
        await trio.sleep(2)
        with pytest.raises(WebSocketClosed) as caught:
            await session.send("late")
        assert (caught.value.reason, caught.value.code, caught.value.sent) == (
            Ending.CLOSED_THERE,
            4001,
            Sent.NOTHING,
        )
