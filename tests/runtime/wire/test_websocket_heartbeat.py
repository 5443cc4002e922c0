"""F03: a peer that is gone is noticed in time, and one that is alive is left in peace."""

import itertools
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio_websocket import WebSocketConnection

from runtime.simulation import Conditions
from runtime.wire.websocket_ends import Ending, WebSocketClosed
from runtime.wire.websocket_session import Heartbeat, WebSocketSession, WebSocketSettings
from tests.runtime.wire.peers import NIGHTLY
from tests.runtime.wire.websocket_peers import frame, listen, saying, sleep, socket_box, speaking


async def quiet(_: WebSocketConnection) -> None:
    """Says nothing, but the library answers pings."""


async def drain(session: WebSocketSession) -> WebSocketClosed:
    try:
        while True:
            await session.receive()
    except WebSocketClosed as end:
        return end


def beating(every: float, patience: float | None = None, text: str | None = None) -> WebSocketSettings:
    beat = None if text is None else (lambda: text)
    heartbeat = Heartbeat(every, beat=beat) if patience is None else Heartbeat(every, patience, beat)
    return WebSocketSettings(heartbeat=heartbeat, disconnect_seconds=0.5)


@given(every=st.integers(1, 30), moment=st.integers(0, 1000), chatty=st.booleans())
@settings(max_examples=25 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_f03_a_half_open_socket_is_noticed_within_two_heartbeats(
    autojump_clock: Any, every: int, moment: int, chatty: bool
) -> None:
    async def talk(socket: WebSocketConnection) -> None:
        while chatty:
            await trio.sleep(0.7)
            await socket.send_message("tick")

    async with socket_box(speaking(talk)) as box, box.open(settings=beating(every)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain, session)
            await trio.sleep(moment / 10)
            box.network.links[0].stall()
            stalled = trio.current_time()
        end = await drain(session)
        assert (end.reason, end.code, end.clean) == (Ending.PEER_SILENT, 1006, False)
        assert trio.current_time() - stalled <= 2 * every


async def test_f03_a_quiet_peer_that_answers_pings_is_kept_for_an_hour(autojump_clock: Any) -> None:
    async with socket_box(speaking(quiet)) as box, box.open(settings=beating(10)) as session:
        with trio.move_on_after(3600):
            await session.receive()
        assert trio.current_time() == 3600
        await session.send("still there")


async def test_f03_a_peer_that_ignores_pings_but_talks_is_kept(autojump_clock: Any) -> None:
    async def talk(stream: trio.abc.Stream) -> None:
        while True:
            await trio.sleep(15)
            await stream.send_all(frame(b"tick"))

    async with socket_box(saying(then=talk)) as box, box.open(settings=beating(10)) as session:
        for _ in range(100):
            assert await session.receive() == "tick"


async def test_f03_an_own_heartbeat_is_sent_in_time_and_nothing_else(autojump_clock: Any) -> None:
    seen: list[Any] = []

    async def answer(socket: WebSocketConnection) -> None:
        while True:
            seen.append((trio.current_time(), await socket.get_message()))
            await socket.send_message("h")

    async with socket_box(speaking(answer)) as box, box.open(settings=beating(2.5, text="[]")) as session:
        with trio.move_on_after(11):
            await drain(session)
    assert [text for _, text in seen] == ["[]"] * 4
    assert [record.body for record in box.records if record.body == "[]"] == ["[]"] * 4


async def test_f03_a_peer_that_ignores_an_own_heartbeat_is_gone(autojump_clock: Any) -> None:
    async with socket_box(saying(then=listen)) as box, box.open(settings=beating(2.5, 10, "[]")) as session:
        assert (await drain(session)).reason is Ending.PEER_SILENT
        assert trio.current_time() == 10


async def test_a_slow_reader_does_not_take_its_peer_for_dead(autojump_clock: Any) -> None:
    async def flood(socket: WebSocketConnection) -> None:
        for number in itertools.count():
            await socket.send_message(f"{number:>5000}")

    async with socket_box(speaking(flood)) as box, box.open(settings=beating(5)) as session:
        for number in range(200):
            assert int(await session.receive()) == number
            await trio.sleep(60 if number % 50 == 0 else 0)


async def test_a_peer_that_takes_no_bytes_is_gone(autojump_clock: Any) -> None:
    async def talk_only(stream: trio.abc.Stream) -> None:
        while True:
            await trio.sleep(1)
            await stream.send_all(frame(b"tick"))

    async with socket_box(saying(then=talk_only)) as box:
        box.network.shape(outward=Conditions(buffer=500))
        async with box.open(settings=beating(5)) as session, trio.open_nursery() as nursery:
            nursery.start_soon(drain, session)
            with pytest.raises(WebSocketClosed) as caught:
                await session.send("x" * 1000)
            assert caught.value.reason is Ending.PEER_SILENT
            assert trio.current_time() == 10


async def test_a_goodbye_that_nobody_waits_for_still_ends_the_session(autojump_clock: Any) -> None:
    goodbye = frame(b"\x03\xe8bye", opcode=8)
    async with socket_box(saying(goodbye, then=listen)) as box, box.open(settings=beating(5)) as session:
        await trio.sleep(60)
        assert not box.network.links
        assert (await drain(session)).reason is Ending.CLOSED_THERE


async def test_a_ping_that_crosses_our_goodbye_harms_nobody(autojump_clock: Any) -> None:
    async def ping_late(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(frame(b"?", opcode=9))
        await trio.sleep_forever()

    async with socket_box(saying(then=ping_late)) as box:
        async with box.open(settings=beating(5)) as session:
            await session.close()
        assert trio.current_time() == 0.5


async def test_a_stuck_peer_cannot_hold_up_the_end(autojump_clock: Any) -> None:
    async with socket_box(saying(then=sleep)) as box:
        box.network.shape(outward=Conditions(buffer=100))
        with trio.move_on_after(3):
            async with box.open(settings=beating(1000)) as session:
                await session.send("x" * 10_000)
        assert trio.current_time() == 3


@pytest.mark.parametrize("wrong", [{"every": 0}, {"every": 1, "patience": 0}, {"every": -1}])
def test_a_heartbeat_has_positive_times(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        Heartbeat(**wrong)  # type: ignore[arg-type]  # the names are parameters of the test
