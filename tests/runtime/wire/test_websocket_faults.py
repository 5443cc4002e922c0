"""F01, F02, F36: cut, endless and senseless bytes end a session with one typed error and no partial message."""

from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio_websocket import WebSocketConnection

from runtime.simulation import Conditions, Cut
from runtime.simulation import Ending as Fate
from runtime.wire.websocket_ends import Ending, Refusal, WebSocketClosed, WebSocketRefused
from runtime.wire.websocket_session import Heartbeat, Message, WebSocketSettings
from tests.runtime.wire.peers import NIGHTLY
from tests.runtime.wire.websocket_peers import SocketBox, frame, listen, saying, shake_hands, socket_box, speaking

TICKS = ['{"price":"5000.25"}', "", "x" * 126, "ünïcode", '{"price":"5000.50"}']
MIB = 1024 * 1024


async def follow(box: SocketBox, seen: list[Message], limits: WebSocketSettings | None = None) -> None:
    async with box.open(settings=limits) as session:
        while True:
            seen.append(await session.receive())


async def end_of(box: SocketBox, seen: list[Message], limits: WebSocketSettings | None = None) -> WebSocketClosed:
    with pytest.raises(WebSocketClosed) as caught:
        await follow(box, seen, limits)
    return caught.value


async def talk(socket: WebSocketConnection) -> None:
    for tick in TICKS:
        await socket.send_message(tick)


@pytest.mark.parametrize("fate", Fate)
async def test_f01_f02_a_stream_cut_at_any_byte_delivers_whole_messages_and_one_end(
    autojump_clock: Any, fate: Fate
) -> None:
    async with socket_box(speaking(talk)) as box:
        async with box.open() as session:
            for _ in TICKS:
                await session.receive()
            total = box.network.links[0].inward.delivered
        reasons = set()
        for kept in range(1, total):
            box.network.shape(inward=Conditions(cut=Cut(kept, fate)))
            seen: list[Message] = []
            reasons.add(await reason_of_the_end(box, seen))
            assert seen == TICKS[: len(seen)]
    assert reasons == ({Refusal.TIMEOUT, Ending.PEER_SILENT} if fate is Fate.STALL else {Refusal.LOST, Ending.LOST})


async def reason_of_the_end(box: SocketBox, seen: list[Message]) -> Ending | Refusal:
    reason: Ending | Refusal
    try:
        await follow(box, seen)
    except WebSocketClosed as end:
        reason = end.reason
    except WebSocketRefused as end:
        reason = end.reason
    return reason


@pytest.mark.parametrize("size", [MIB + 1, 5 * MIB])
async def test_s57_f36_a_message_above_the_limit_ends_the_session(autojump_clock: Any, size: int) -> None:
    async with socket_box(saying(frame(b"ok"), frame(b"x" * size))) as box:
        seen: list[Message] = []
        end = await end_of(box, seen)
        assert (end.reason, end.code, end.clean) == (Ending.TOO_LARGE, 1009, False)
        assert seen == ["ok"]
        assert box.network.statistics().bytes_received < MIB + 200_000


async def test_a_larger_limit_lets_larger_messages_through(autojump_clock: Any) -> None:
    limits = WebSocketSettings(max_message=2 * MIB)
    async with socket_box(saying(frame(b"x" * 2 * MIB))) as box, box.open(settings=limits) as session:
        assert len(await session.receive()) == 2 * MIB


async def endless_fragments(stream: trio.abc.Stream, payload: bytes) -> None:
    await stream.send_all(frame(b"start", last=False))
    while True:
        await stream.send_all(frame(payload, opcode=0, last=False) * 100)
        await trio.sleep(0.01)


@pytest.mark.parametrize("payload", [b"more", b""])
async def test_s57_a_message_of_fragments_without_end_is_closed(autojump_clock: Any, payload: bytes) -> None:
    async def flood(stream: trio.abc.Stream) -> None:
        await endless_fragments(stream, payload)

    limits = WebSocketSettings(max_message=100_000, heartbeat=Heartbeat(1))
    async with socket_box(saying(then=flood)) as box:
        end = await end_of(box, [], limits)
        assert (end.reason, end.clean) == (Ending.TOO_LARGE, False)
        assert trio.current_time() <= 4


@pytest.mark.parametrize(
    "junk",
    [
        b"\xc1\x00",  # a reserved bit: compressed, which nobody asked for
        b"\x83\x00",  # a reserved opcode
        b"\x81\x80\x00\x00\x00\x00",  # masked
        b"\x09\x00",  # a control frame in fragments
        b"\x89\x7e\x00\xff",  # a long control frame
        b"\x80\x00",  # a continuation of nothing
        b"\x81\x7e\x00\x01x",  # a length in too many bytes
        b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00",  # an impossible length
        b"\x81\x02\xc3\x28",  # no UTF-8
        b"\x88\x01\x03",  # half a close code
        b"\x88\x02\x00\x01",  # an impossible close code
    ],
)
async def test_f36_a_peer_that_breaks_the_protocol_ends_the_session(autojump_clock: Any, junk: bytes) -> None:
    async with socket_box(saying(frame(b"ok") + junk)) as box:
        seen: list[Message] = []
        end = await end_of(box, seen)
        assert (end.reason, end.clean) == (Ending.PROTOCOL, False)
        assert end.code in (1002, 1007)
        assert seen == ["ok"]
        assert trio.current_time() == 0


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
@settings(max_examples=60 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_f36_any_bytes_after_the_handshake_end_in_the_one_error(
    autojump_clock: Any, pieces: list[bytes], stay: bool
) -> None:
    async def leave(_: trio.abc.Stream) -> None:
        return

    async with socket_box(saying(*pieces, then=listen if stay else leave)) as box:
        with trio.fail_after(100):
            await end_of(box, [])


@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 101 X\r\n", b"HTTP/1.1 200 OK\r\n"]))
@settings(max_examples=40 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_f36_any_answer_to_the_handshake_ends_in_the_one_refusal(
    autojump_clock: Any, junk: bytes, start: bytes
) -> None:
    async def answer(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(start + junk)

    async with socket_box(answer) as box:
        with pytest.raises(WebSocketRefused):
            await follow(box, [])


async def test_f02_a_first_message_in_the_same_piece_as_the_handshake_is_not_lost(autojump_clock: Any) -> None:
    class Joined:
        """Collects what the handshake sends, to send it together with a frame."""

        def __init__(self, stream: trio.abc.Stream) -> None:
            self.stream = stream
            self.receive_some = stream.receive_some

        async def send_all(self, data: bytes) -> None:
            await self.stream.send_all(data + frame(b"first"))

    async def handler(stream: trio.abc.Stream) -> None:
        await shake_hands(Joined(stream))  # type: ignore[arg-type]  # it needs no more than these two methods
        await listen(stream)

    async with socket_box(handler) as box, box.open() as session:
        assert await session.receive() == "first"


async def test_s12_the_text_of_a_goodbye_is_one_line(autojump_clock: Any) -> None:
    text = "evil\r\n\x1b[31mnews\u2028token=abc"
    async with socket_box(saying(frame(b"\x0f\xa0" + text.encode(), opcode=8))) as box:
        end = await end_of(box, [])
        assert end.text == "evil\\r\\n\\x1b[31mnews\\u2028token=***"
