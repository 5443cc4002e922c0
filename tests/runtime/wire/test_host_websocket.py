"""WebSockets over the host: handshake, messages, limits, silence, closing from either side."""

import math
import struct
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from runtime.wire.host import (
    App,
    AppProtocolError,
    ClientGone,
    HostLimits,
    Message,
    PeerDropped,
    Receive,
    RequestAbandoned,
    RequestFailed,
    RequestRefused,
    Send,
    encode_bytes_frame,
    encode_text_frame,
)
from runtime.wire.host_frames import Binary, Frames, Text
from tests.runtime.wire.host_kit import NIGHTLY, Client, Hosted, Pair, hosting, http_app, reply, request, until

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")
LOCKSTEP = trio.testing.lockstep_stream_pair
TEXT, BYTES, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = b"\x01\x02\x03\x04") -> bytes:
    """A client's frame, made by hand so that it may be wrong."""
    size = len(payload)
    bit = 0 if mask is None else 0x80
    first = (0x80 if fin else 0) | opcode
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 0x10000:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


class WebSocketClient:
    """A client after the handshake; wsproto reads what the host sends."""

    def __init__(self, client: Client, leftover: bytes = b"") -> None:
        self.client = client
        self._protocol = Connection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self._feed(leftover)

    def _feed(self, data: bytes) -> None:
        if data:
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events())

    async def send(self, data: bytes) -> None:
        await self.client.send(data)

    async def event(self) -> Event | None:
        """What the host sent next, None when it hung up."""
        while not self._events:
            data = await self.client.some()
            if not data:
                return None
            self._feed(data)
        return self._events.pop(0)

    async def text(self) -> str:
        event = await self.event()
        assert isinstance(event, TextMessage), event
        return event.data

    async def closed(self) -> int:
        """The code with which the host closes, after whatever comes before."""
        while not isinstance(event := await self.event(), CloseConnection):
            assert event is not None, "the host hung up without a close frame"
        return event.code


async def open_websocket(
    hosted: Hosted, *headers: str, pair: Pair = trio.testing.memory_stream_pair
) -> WebSocketClient:
    client = hosted.connect(pair)
    await client.send(request("/ws", *UPGRADE, *headers))
    data = b""
    while b"\r\n\r\n" not in data:
        data += await client.some()
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), head
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    return WebSocketClient(client, rest)


def accepting(handler: Any) -> App:
    """An application that accepts and then runs handler(receive, send)."""

    async def run(scope: Message, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "websocket.connect"}
        await send({"type": "websocket.accept"})
        await handler(receive, send)

    return http_app(run)


@accepting
async def echo(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


@accepting
async def silent(receive: Receive, send: Send) -> None:
    await trio.sleep_forever()


async def test_text_and_bytes_travel_both_ways(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        websocket = await open_websocket(hosted)
        await websocket.send(frame(TEXT, "grüß".encode()) + frame(BYTES, b"\x00\xff") + frame(TEXT))
        assert await websocket.text() == "grüß"
        event = await websocket.event()
        assert isinstance(event, BytesMessage)
        assert event.data == b"\x00\xff"
        assert await websocket.text() == ""
        statistics = hosted.host.statistics()
        assert (statistics.websockets_open, statistics.websockets_total) == (1, 1)


async def test_frames_that_follow_the_handshake_at_once_are_not_lost(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        await client.send(request("/ws", *UPGRADE) + frame(TEXT, b"early"))
        data = b""
        while not data.endswith(encode_text_frame("early")):
            data += await client.some()


async def test_fragments_are_joined_and_may_be_interleaved_with_pings(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        websocket = await open_websocket(hosted)
        euro = "€".encode()
        await websocket.send(frame(TEXT, b"a" + euro[:1], fin=False))
        await websocket.send(frame(PING, b"p"))
        event = await websocket.event()
        assert isinstance(event, Pong)
        assert event.payload == b"p"
        await websocket.send(frame(CONTINUATION, euro[1:], fin=False) + frame(CONTINUATION, b"b"))
        assert await websocket.text() == "a€b"


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ([UPGRADE[0], *UPGRADE[2:]], 400, "upgrade_without_connection"),
        ([*UPGRADE[:2], UPGRADE[3]], 426, "websocket_version"),
        ([*UPGRADE[:2], "Sec-WebSocket-Version: 12", UPGRADE[3]], 426, "websocket_version"),
        ([*UPGRADE[:3]], 400, "websocket_key"),
        ([*UPGRADE, UPGRADE[3]], 400, "websocket_key"),
        ([*UPGRADE[:3], "Sec-WebSocket-Key: short"], 400, "websocket_key"),
        ([*UPGRADE[:3], "Sec-WebSocket-Key: \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff=="], 400, "websocket_key"),
        ([*UPGRADE, "Sec-WebSocket-Protocol: a,,b"], 400, "subprotocol"),
        ([*UPGRADE, "Sec-WebSocket-Protocol: a b"], 400, "subprotocol"),
        ([*UPGRADE, "Sec-WebSocket-Protocol: \xff"], 400, "subprotocol"),
        ([*UPGRADE, "Content-Length: 3"], 400, "upgrade_with_body"),
        ([*UPGRADE, "Transfer-Encoding: chunked"], 400, "upgrade_with_body"),
    ],
)  # fmt: skip
async def test_a_wrong_handshake_is_refused(
    autojump_clock: trio.testing.MockClock, headers: list[str], status: int, reason: str
) -> None:
    async with hosting(echo) as hosted:
        answer = await hosted.connect().ask(request("/ws", *headers))
        assert answer.status == status
        assert [event.reason for event in hosted.told(RequestRefused)] == [reason]
        assert (answer.headers.get(b"sec-websocket-version") == b"13") is (status == 426)


async def test_another_upgrade_is_ignored(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send, scope["type"].encode())

    async with hosting(app) as hosted:
        answer = await hosted.connect().ask(request("/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"))
        assert (answer.status, answer.body) == (200, b"http")


async def test_the_application_chooses_subprotocol_and_headers(autojump_clock: trio.testing.MockClock) -> None:
    scopes: list[Message] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send({"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-extra", b"1")]})

    async with hosting(app) as hosted:
        client = hosted.connect(peercred={"pid": 1, "uid": 2, "gid": 3})
        await client.send(request("/ws?q", *UPGRADE, "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c"))
        head = (await client.some()).lower()
        assert b"\r\nsec-websocket-protocol: b\r\n" in head
        assert b"\r\nx-extra: 1\r\n" in head
    [scope] = scopes
    assert scope["subprotocols"] == ["a", "b", "c"]
    assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == ("websocket", "ws", "/ws", b"q")
    assert set(scope["extensions"]) == {"peercred", "websocket.http.response", "websocket.frame"}


@pytest.mark.parametrize(
    "message",
    [
        {"subprotocol": "z"},
        {"headers": [(b"Connection", b"close")]},
        {"headers": [(b"Sec-WebSocket-Extensions", b"x")]},
        {"headers": [(b"x", b"a\r\nb: c")]},
    ],
)
async def test_an_accept_that_would_break_the_handshake_yields_a_500(
    autojump_clock: trio.testing.MockClock, message: dict[str, Any]
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", **message})

    async with hosting(app) as hosted:
        assert (await hosted.connect().ask(request("/ws", *UPGRADE))).status == 500
        [event] = hosted.told(RequestFailed)
        assert isinstance(event.error, AppProtocolError)


async def test_a_close_before_the_accept_is_a_403(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})

    async with hosting(app) as hosted:
        client = hosted.connect()
        answer = await client.ask(request("/ws", *UPGRADE))
        assert (answer.status, answer.body) == (403, b"")
        assert await client.rest() == b""
        assert hosted.host.statistics().websockets_total == 0


async def test_an_application_may_refuse_with_a_response_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x", b"y")]})
        await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"you"})

    async with hosting(app) as hosted:
        answer = await hosted.connect().ask(request("/ws", *UPGRADE))
        assert (answer.status, answer.headers[b"x"], answer.body) == (401, b"y", b"not you")


@pytest.mark.parametrize("raises", [True, False])
async def test_s46_a_handler_that_gives_no_answer_yields_a_500_with_an_id(
    autojump_clock: trio.testing.MockClock, raises: bool
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if raises:
            raise ValueError("secret")

    async with hosting(app) as hosted:
        answer = await hosted.connect().ask(request("/ws", *UPGRADE))
        [event] = hosted.told(RequestFailed)
        assert (answer.status, answer.body) == (500, b'{"error":"internal_error","id":"%b"}' % event.id.encode())


async def test_s46_a_failing_handler_closes_with_1011_and_an_id(autojump_clock: trio.testing.MockClock) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        raise ValueError("secret")

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted)
        event = await websocket.event()
        assert isinstance(event, CloseConnection)
        assert (event.code, event.reason) == (1011, hosted.told(RequestFailed)[0].id)


async def test_a_handler_that_returns_closes_with_1000(autojump_clock: trio.testing.MockClock) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": "websocket.send", "text": "bye"})

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted)
        assert await websocket.text() == "bye"
        assert await websocket.closed() == 1000
        await websocket.send(closing(1000))
        assert await websocket.event() is None
        assert hosted.events == []


async def test_a_handler_closes_with_its_own_code_and_hears_the_echo(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[Message] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        heard.append(await receive())

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted)
        event = await websocket.event()
        assert isinstance(event, CloseConnection)
        assert (event.code, event.reason) == (4001, "enough")
        await websocket.send(frame(TEXT, b"too late") + closing(4001))
        assert await websocket.event() is None
        assert heard == [{"type": "websocket.disconnect", "code": 4001, "reason": ""}]


@pytest.mark.parametrize("code", [1, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000])
async def test_a_code_that_may_not_be_sent_is_the_handlers_failure(
    autojump_clock: trio.testing.MockClock, code: int
) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": code})

    async with hosting(app) as hosted:
        assert await (await open_websocket(hosted)).closed() == 1011


@pytest.mark.parametrize(
    ("payload", "code"),
    [(struct.pack("!H", 1000), 1000), (struct.pack("!H", 4000) + b"why", 4000), (b"", 1005)],
)
async def test_a_clients_close_is_echoed_and_told(
    autojump_clock: trio.testing.MockClock, payload: bytes, code: int
) -> None:
    heard: list[Message] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        heard.extend([await receive(), await receive()])
        with pytest.raises(ClientGone):
            await send({"type": "websocket.send", "text": "x"})

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted)
        await websocket.send(frame(TEXT, b"last") + frame(CLOSE, payload))
        assert await websocket.closed() == code
        assert await websocket.event() is None
        assert heard == [
            {"type": "websocket.receive", "text": "last"},
            {"type": "websocket.disconnect", "code": code, "reason": payload[2:].decode()},
        ]
        assert hosted.events == []


VIOLATIONS = {
    "unmasked": (frame(TEXT, b"x", mask=None), 1002),
    "reserved_bit": (frame(TEXT | 0x40, b"x"), 1002),
    "unknown_opcode": (frame(0x3, b"x"), 1002),
    "continuation_of_nothing": (frame(CONTINUATION, b"x"), 1002),
    "text_inside_a_message": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
    "fragmented_ping": (frame(PING, b"x", fin=False), 1002),
    "long_ping": (frame(PING, b"x" * 126), 1002),
    "close_of_one_byte": (frame(CLOSE, b"x"), 1002),
    "close_with_1005": (closing(1005), 1002),
    "close_with_1006": (closing(1006), 1002),
    "close_with_999": (closing(999), 1002),
    "close_with_2000": (closing(2000), 1002),
    "close_reason_not_utf8": (closing(1000, b"\xff"), 1007),
    "text_not_utf8": (frame(TEXT, b"\xff"), 1007),
    "text_cut_in_a_character": (frame(TEXT, "€".encode()[:2]), 1007),
    "fragment_not_utf8": (frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"\xc0\xaf"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "long_size_for_a_short_frame": (b"\x81\xfe\x00\x05" + b"\x00" * 9, 1002),
    "big_frame": (frame(BYTES, b"x" * 2001), 1009),
    "big_text": (frame(TEXT, "€".encode() * 700), 1009),
    "big_in_fragments": (frame(BYTES, b"x" * 1500, fin=False) + frame(CONTINUATION, b"x" * 501), 1009),
    "endless_frame": (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + b"x" * 2001, 1009),
    "fragmented_for_ever": (frame(BYTES, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 100, 1009),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_s57_a_client_that_breaks_a_rule_is_closed_with_its_code(
    autojump_clock: trio.testing.MockClock, name: str
) -> None:
    raw, code = VIOLATIONS[name]
    heard: list[Message] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        heard.append(await receive())

    async with hosting(app, HostLimits(websocket_message_bytes=2000, websocket_fragments=50)) as hosted:
        websocket = await open_websocket(hosted)
        await websocket.send(raw)
        assert await websocket.closed() == code
        assert await websocket.event() is None
        assert [(message["type"], message["code"]) for message in heard] == [("websocket.disconnect", code)]
        assert hosted.host.statistics().refused == {f"websocket_{code}": 1}


async def test_messages_at_the_limits_pass(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(websocket_message_bytes=2000, websocket_fragments=50)) as hosted:
        websocket = await open_websocket(hosted)
        await websocket.send(frame(BYTES, b"x" * 2000))
        event = await websocket.event()
        assert isinstance(event, BytesMessage)
        assert len(event.data) == 2000
        await websocket.send(
            frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"a", fin=False) * 48 + frame(CONTINUATION)
        )
        assert await websocket.text() == "a" * 49


async def test_a_silent_client_is_pinged_and_then_dropped(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[object] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        heard.append((await receive())["code"])

    async with hosting(app, HostLimits(ping_interval_seconds=10, pong_seconds=5)) as hosted:
        websocket = await open_websocket(hosted)
        begun = trio.current_time()
        assert isinstance(await websocket.event(), Ping)
        assert trio.current_time() - begun == pytest.approx(10)
        assert await websocket.event() is None
        assert trio.current_time() - begun == pytest.approx(15)
        assert [event.reason for event in hosted.told(PeerDropped)] == ["pong_deadline"]
        assert hosted.host.statistics().dropped == 1


@pytest.mark.parametrize("sign", [frame(PONG), frame(TEXT, b"hello"), frame(PING)])
async def test_a_client_that_gives_a_sign_of_life_is_kept(autojump_clock: trio.testing.MockClock, sign: bytes) -> None:
    async with hosting(echo, HostLimits(ping_interval_seconds=10, pong_seconds=5)) as hosted:
        websocket = await open_websocket(hosted)
        begun = trio.current_time()
        while trio.current_time() - begun < 100:
            if isinstance(await websocket.event(), Ping):
                await websocket.send(sign)
        assert hosted.events == []


async def test_a_handler_that_does_not_read_slows_its_client_and_is_not_blamed_on_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await trio.sleep_forever()

    limits = HostLimits(websocket_message_bytes=10_000, ping_interval_seconds=5, pong_seconds=5)
    async with hosting(app, limits) as hosted:
        websocket = await open_websocket(hosted, pair=LOCKSTEP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(websocket.client.rest)
            with trio.move_on_after(90) as held_up:
                for _ in range(5000):
                    await websocket.send(frame(TEXT, b"x" * 100))
            assert held_up.cancelled_caught
            assert hosted.host.statistics().bytes_in < 300_000
            assert hosted.events == []
            nursery.cancel_scope.cancel()


async def test_a_handler_that_neither_reads_nor_sends_is_cancelled_after_its_client_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ends: list[float] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ends.append(trio.current_time() - left)

    async with hosting(app, HostLimits(websocket_message_bytes=1000)) as hosted:
        quiet, chatty, polite = [await open_websocket(hosted) for _ in range(3)]
        await chatty.send(frame(TEXT, b"x" * 900) * 10)
        await polite.send(frame(TEXT, b"x" * 900) * 10 + closing(1000))
        await trio.sleep(1)
        left = trio.current_time()
        for websocket in (quiet, chatty, polite):
            await websocket.client.leave()
        await trio.sleep(20)
        assert ends == [pytest.approx(1)] * 3
        assert [event.error for event in hosted.told(RequestAbandoned)] == [None] * 3
        assert hosted.host.statistics().websockets_open == 0


async def test_a_handler_that_only_sends_is_cancelled_after_its_client_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    sent = 0

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        nonlocal sent
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            sent += 1
            await trio.sleep(0.1)

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted)
        await trio.sleep(1.05)
        await websocket.client.leave()
        await trio.sleep(20)
        assert sent == 11
        assert hosted.host.statistics().connections_open == 0
        assert not hosted.told(RequestFailed)


async def test_a_full_backlog_makes_send_wait_and_then_drops_the_client(autojump_clock: trio.testing.MockClock) -> None:
    sends: list[float] = []
    ended: list[object] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        try:
            while True:
                await send({"type": "websocket.send", "bytes": b"x" * 1000})
                sends.append(trio.current_time() - begun)
        finally:
            ended.append(trio.current_time() - begun)

    async with hosting(app, HostLimits(websocket_backlog_bytes=10_000, write_seconds=5)) as hosted:
        await open_websocket(hosted, pair=LOCKSTEP)
        begun = trio.current_time()
        await trio.sleep(20)
        assert len(sends) == 10
        assert max(sends) == pytest.approx(0)
        assert ended == [pytest.approx(5)]
        assert [event.reason for event in hosted.told(PeerDropped)] == ["write_deadline"]
        assert hosted.host.statistics().connections_open == 0


async def test_a_backlog_drains_when_the_client_reads_again(autojump_clock: trio.testing.MockClock) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        for number in range(100):
            await send({"type": "websocket.send", "text": f"{number:04}" * 100})

    async with hosting(app, HostLimits(websocket_backlog_bytes=5000, write_seconds=5)) as hosted:
        websocket = await open_websocket(hosted, pair=LOCKSTEP)
        for number in range(100):
            if number % 30 == 0:
                await trio.sleep(4)
            assert await websocket.text() == f"{number:04}" * 100
        assert await websocket.closed() == 1000


async def test_a_cancelled_send_cuts_no_frame_in_two(autojump_clock: trio.testing.MockClock) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        for number in range(60):
            with trio.move_on_after(0.1):
                await send({"type": "websocket.send", "text": f"{number:03}" * 300})

    async with hosting(app, HostLimits(websocket_backlog_bytes=5000, write_seconds=60)) as hosted:
        websocket = await open_websocket(hosted, pair=LOCKSTEP)
        await trio.sleep(3)
        texts = []
        while isinstance(event := await websocket.event(), TextMessage):
            texts.append(event.data)
        assert isinstance(event, CloseConnection)
        assert 6 <= len(texts) < 60
        assert all(text == text[:3] * 300 for text in texts)


async def test_senders_in_several_tasks_do_not_mix_their_frames(autojump_clock: trio.testing.MockClock) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        async def many(letter: str) -> None:
            for _ in range(50):
                await send({"type": "websocket.send", "text": letter * 500})
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for letter in "abcd":
                nursery.start_soon(many, letter)

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted, pair=LOCKSTEP)
        texts = [await websocket.text() for _ in range(200)]
        assert sorted(texts) == [letter * 500 for letter in "abcd" for _ in range(50)]


async def test_one_encoded_frame_serves_many_subscribers(autojump_clock: trio.testing.MockClock) -> None:
    shared = encode_text_frame("tick")

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": "websocket.send", "frame": shared})
        await send({"type": "websocket.send", "frame": shared + encode_bytes_frame(b"two")})
        await receive()

    async with hosting(app) as hosted:
        for websocket in [await open_websocket(hosted) for _ in range(3)]:
            assert [await websocket.text(), await websocket.text()] == ["tick", "tick"]
            assert isinstance(await websocket.event(), BytesMessage)


@pytest.mark.parametrize(
    "message",
    [{"type": "websocket.send"}, {"type": "websocket.accept"}, {"type": "http.response.start", "status": 200}],
)
async def test_a_message_that_makes_no_sense_is_the_handlers_failure(
    autojump_clock: trio.testing.MockClock, message: dict[str, Any]
) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send(message)

    async with hosting(app) as hosted:
        assert await (await open_websocket(hosted)).closed() == 1011
        assert isinstance(hosted.told(RequestFailed)[0].error, AppProtocolError)


async def test_nothing_can_be_sent_after_a_close(autojump_clock: trio.testing.MockClock) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})
        with pytest.raises(AppProtocolError):
            await send({"type": "websocket.send", "text": "x"})

    async with hosting(app) as hosted:
        assert await (await open_websocket(hosted)).closed() == 1000
        assert hosted.events == []


@pytest.mark.parametrize("reads", [True, False])
async def test_a_client_that_does_not_answer_a_close_is_waited_for_so_long_and_no_longer(
    autojump_clock: trio.testing.MockClock, reads: bool
) -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": "websocket.send", "text": "x"})

    async with hosting(app, HostLimits(websocket_close_seconds=4)) as hosted:
        websocket = await open_websocket(hosted, pair=LOCKSTEP)
        begun = trio.current_time()
        if reads:
            assert await websocket.closed() == 1000
            assert await websocket.event() is None
        else:
            await until(lambda: hosted.host.statistics().connections_open == 0)
        assert 4 <= trio.current_time() - begun <= 4.5
        assert hosted.events == []


async def test_a_client_that_leaves_before_the_accept_is_a_disconnect(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[Message] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        heard.append(await receive())
        await send({"type": "websocket.accept"})

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request("/ws", *UPGRADE))
        await client.leave()
        await trio.sleep(1)
        assert heard == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]
        assert not hosted.told(RequestFailed)


SIZES = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536])


@settings(max_examples=30 * NIGHTLY, deadline=None)
@given(SIZES, st.booleans())
def test_encoded_frames_are_what_wsproto_reads(size: int, is_text: bool) -> None:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(encode_text_frame("x" * size) if is_text else encode_bytes_frame(b"x" * size))
    events = list(client.events())
    read = bytearray()
    for event in events:
        assert isinstance(event, TextMessage | BytesMessage)
        assert isinstance(event, TextMessage) is is_text
        read += event.data.encode() if isinstance(event, TextMessage) else event.data
        assert event.message_finished is (len(read) == size)
    assert read == b"x" * size


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=200), st.binary(max_size=200)), max_size=5),
    st.lists(st.integers(1, 60), max_size=8),
    st.integers(1, 50),
)
def test_messages_are_read_however_they_are_fragmented_and_cut(
    messages: list[str | bytes], cuts: list[int], fragment: int
) -> None:
    raw = b""
    for message in messages:
        payload = message.encode() if isinstance(message, str) else message
        opcode = TEXT if isinstance(message, str) else BYTES
        pieces = [payload[start : start + fragment] for start in range(0, len(payload), fragment)] or [b""]
        for number, piece in enumerate(pieces, 1):
            raw += frame(opcode if number == 1 else CONTINUATION, piece, fin=number == len(pieces))
    frames, seen = Frames(HostLimits()), []
    for cut in [*cuts, math.inf]:
        size = int(min(cut, len(raw)))
        seen += list(frames.feed(raw[:size]))
        raw = raw[size:]
    assert seen == [Text(message) if isinstance(message, str) else Binary(message) for message in messages]
