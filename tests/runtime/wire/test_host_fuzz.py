"""Hostile bytes: no exception escapes, nothing hangs, and what the host holds stays bounded."""

import tracemalloc
from collections.abc import Awaitable, Callable

import h11
import pytest
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.wire.host import ConnectionFailed, HostLimits, Message, Receive, RequestFailed, Send
from tests.runtime.wire.host_kit import HEAD, NIGHTLY, Client, hosting, http_app, read_all, reply, request
from tests.runtime.wire.test_host_websocket import (
    BYTES,
    CLOSE,
    CONTINUATION,
    LOCKSTEP,
    PING,
    TEXT,
    UPGRADE,
    accepting,
    closing,
    frame,
    open_websocket,
)

LIMITS = HostLimits(
    request_line_bytes=200, header_bytes=400, body_bytes=300, unread_body_bytes=50, websocket_message_bytes=500, websocket_fragments=20
)  # fmt: skip


@http_app
async def any_app(scope: Message, receive: Receive, send: Send) -> None:
    """Echoes bodies and messages; answers early under /early."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
    elif scope["path"].startswith("/early"):
        await reply(send, b"early")
    else:
        await reply(send, await read_all(receive))


SOUND = st.sampled_from(
    [
        HEAD,
        request("/early", method="POST", body=b"abc"),
        request("/early", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n0\r\n\r\n",
        request("/a?b", method="PUT", body=b"x" * 100),
        request("/", "Transfer-Encoding: chunked", method="POST") + b"3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
        request("/", "Expect: 100-continue", method="POST", body=b"abc"),
        request("/", "Connection: close"),
        b"GET / HTTP/1.0\r\n\r\n",
        request("/ws", *UPGRADE),
        frame(TEXT, b"hello"),
        frame(BYTES, b"x", fin=False) + frame(CONTINUATION, b"y"),
        frame(PING, b"p"),
        closing(1000),
    ]
)
SPOIL = st.sampled_from(
    [b"", b"\r\n", b"\n", b"\r", b" ", b"\x00", b":", b"0", b"\xff", b"/../", b"%2f", b"\x81\xff", b"\x88"]
)
SPOILT = st.builds(
    lambda sound, place, removed, spoil: (
        sound[: place % (len(sound) + 1)] + spoil + sound[place % (len(sound) + 1) + removed :]
    ),
    SOUND,
    st.integers(0, 300),
    st.integers(0, 4),
    SPOIL,
)
SENDS = st.lists(st.one_of(SOUND, SPOILT, st.binary(max_size=30)), max_size=5)


async def attack(sends: list[bytes], pause: float) -> tuple[bytes, list[object]]:
    """Sends all of it, half-closes and reads what comes; fails when the host has not hung up in time."""
    async with hosting(any_app, LIMITS) as hosted:
        client = hosted.connect()
        try:
            for data in sends:
                await client.send(data)
                await trio.sleep(pause)
            assert isinstance(client.stream, trio.StapledStream)
            await client.stream.send_eof()
        except trio.BrokenResourceError:
            pass
        with trio.fail_after(60):
            answer = await client.rest()
        await trio.sleep(10)
        assert hosted.host.statistics().connections_open == 0
        return answer, list(hosted.events)


def check_responses(answer: bytes, methods: bytes) -> None:
    """The answers to anything but HEAD are whole HTTP responses and nothing else.

    An invitation to send the body may be the last word: a client that then leaves gets no answer.
    """
    while answer:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(answer)
        invited = False
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                if invited:
                    return
                client.receive_data(b"")
            invited = isinstance(event, h11.InformationalResponse)
            assert not isinstance(event, h11.ConnectionClosed)
        answer = client.trailing_data[0]


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(SENDS, st.sampled_from([0, 0.01, 3]))
@example([b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"], 0)
def test_f36_whatever_bytes_come_the_host_answers_sensibly_and_hangs_up(sends: list[bytes], pause: float) -> None:
    answer, events = trio.run(attack, sends, pause, clock=trio.testing.MockClock(autojump_threshold=0))
    assert not [event for event in events if isinstance(event, ConnectionFailed | RequestFailed)]
    raw = b"".join(sends)
    if b"HTTP/1.1 101" not in answer and b"HEAD" not in raw:
        check_responses(answer, raw)


MANGLED = st.builds(
    lambda opcode, payload, fin, masked: frame(opcode, payload, fin=fin, mask=b"abcd" if masked else None),
    st.integers(0, 255),
    st.binary(max_size=150),
    st.booleans(),
    st.sampled_from([True, True, True, False]),
)
FRAMES = st.lists(
    st.one_of(
        MANGLED,
        st.builds(frame, st.sampled_from([TEXT, BYTES, CONTINUATION]), st.binary(max_size=300), fin=st.booleans()),
        st.builds(frame, st.sampled_from([PING, CLOSE]), st.binary(max_size=125)),
        st.binary(max_size=20),
    ),
    max_size=8,
)


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(FRAMES)
def test_s57_whatever_frames_come_the_host_hangs_up(frames: list[bytes]) -> None:
    answer, events = trio.run(
        attack, [request("/ws", *UPGRADE), *frames], 0.01, clock=trio.testing.MockClock(autojump_threshold=0)
    )
    assert answer.startswith(b"HTTP/1.1 101")
    assert not [event for event in events if isinstance(event, ConnectionFailed | RequestFailed)]


async def _endless_line(client: Client) -> None:
    while True:
        await client.send(b"GET /" + b"a" * 65536)


async def _endless_headers(client: Client) -> None:
    await client.send(b"GET / HTTP/1.1\r\n")
    while True:
        await client.send(b"X: yyyyyyyyyyyy\r\n" * 4000)


async def _endless_chunks(client: Client) -> None:
    await client.send(request("/early", "Transfer-Encoding: chunked", method="POST"))
    while True:
        await client.send(b"1\r\nx\r\n" * 10_000)


async def _endless_body(client: Client) -> None:
    await client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
    while True:
        await client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def _endless_pipeline(client: Client) -> None:
    while True:
        await client.send(HEAD * 2000)


@pytest.mark.parametrize("flood", [_endless_line, _endless_headers, _endless_chunks, _endless_body, _endless_pipeline])
async def test_f36_a_flood_costs_little_memory(
    autojump_clock: trio.testing.MockClock, flood: Callable[[Client], Awaitable[None]]
) -> None:
    async with hosting(any_app, HostLimits(write_seconds=5)) as hosted:
        client = hosted.connect(LOCKSTEP)
        tracemalloc.start()
        try:
            with trio.move_on_after(30):
                await flood(client)
        except trio.BrokenResourceError:
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 4 * 2**20, peak


@pytest.mark.parametrize(("piece", "bound"), [(b"x" * 65536, 200_000), (b"x", 2000)], ids=["large", "tiny"])
async def test_f36_a_frame_of_64_mib_costs_little_memory(
    autojump_clock: trio.testing.MockClock, piece: bytes, bound: int
) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await receive()

    async with hosting(app, HostLimits(websocket_message_bytes=bound)) as hosted:
        websocket = await open_websocket(hosted, pair=LOCKSTEP)
        tracemalloc.start()
        try:
            await websocket.send(b"\x82\xff\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00")
            for _ in range(bound // len(piece) + 1):
                await websocket.send(piece)
        except trio.BrokenResourceError:
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 4 * 2**20, peak
        await trio.testing.wait_all_tasks_blocked()
        assert hosted.host.statistics().refused == {"websocket_1009": 1}
