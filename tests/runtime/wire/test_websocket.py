"""A WebSocket session from its opening to its one typed end."""

from typing import Any

import pytest
import trio
from trio_websocket import WebSocketConnection, wrap_server_stream

from runtime.simulation import ConnectFailure
from runtime.wire.capture import Direction, Kind
from runtime.wire.delivery import Sent
from runtime.wire.websocket_ends import Ending, Refusal, WebSocketClosed, WebSocketRefused
from runtime.wire.websocket_session import Message, WebSocketSettings
from tests.runtime.wire.websocket_peers import (
    HOST,
    URL,
    SocketBox,
    echo,
    frame,
    listen,
    saying,
    sleep,
    socket_box,
    speaking,
)


async def refusal_of(box: SocketBox, url: str = URL, headers: dict[str, str] | None = None) -> WebSocketRefused:
    with pytest.raises(WebSocketRefused) as caught:
        async with box.open(url, headers=headers):
            pytest.fail("it opened")
    return caught.value


async def end_of(box: SocketBox, seen: list[Message] | None = None) -> WebSocketClosed:
    async def follow() -> None:
        async with box.open() as session:
            async for message in session:
                if seen is not None:
                    seen.append(message)

    with pytest.raises(WebSocketClosed) as caught:
        await follow()
    return caught.value


@pytest.mark.parametrize("message", ["text", "", "ünïcode \N{ROCKET}", b"bytes", b"", "x" * 100_000])
async def test_messages_go_both_ways_as_they_are(autojump_clock: Any, message: str | bytes) -> None:
    async with socket_box(speaking(echo)) as box, box.open() as session:
        await session.send(message)
        assert await session.receive() == message
        statistics = session.statistics()
        assert (statistics.messages_in, statistics.messages_out, statistics.waiting_out) == (1, 1, 0)
        assert statistics.bytes_out > len(message) < statistics.bytes_in


async def test_the_server_sees_path_query_host_and_headers_as_given(autojump_clock: Any) -> None:
    seen: list[Any] = []

    async def handler(stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            seen.extend((request.path, dict(request.headers)))
            await request.accept()

    async with socket_box(handler) as box, box.open(f"{URL}?token=a%2Fb", headers={"Cookie": "api=1"}):
        pass
    path, headers = seen
    assert path == "/stream?token=a%2Fb"
    assert headers[b"cookie"] == b"api=1"
    assert b"sec-websocket-extensions" not in headers  # S56: no compression is ever asked for


async def test_the_end_of_the_block_says_goodbye(autojump_clock: Any) -> None:
    ended: list[Any] = []

    async def handler(stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            socket = await (await wrap_server_stream(nursery, stream)).accept()
            with pytest.raises(Exception, match="CloseReason") as caught:
                await socket.get_message()
            ended.append(caught.value.reason)  # type: ignore[attr-defined]  # of trio_websocket.ConnectionClosed

    async with socket_box(handler) as box:
        async with box.open():
            pass
        async with box.open() as session:
            await session.close(4000, "lunch")
            await session.close(4001, "again")
        assert trio.current_time() == 0
    assert [(reason.code, reason.reason) for reason in ended] == [(1000, None), (4000, "lunch")]


async def test_our_own_close_ends_iteration_quietly_and_every_call_with_its_reason(autojump_clock: Any) -> None:
    async with socket_box(speaking(echo)) as box, box.open() as session:
        await session.close(4000, "lunch")
        assert [message async for message in session] == []
        for call in (session.receive, lambda: session.send("late")):
            with pytest.raises(WebSocketClosed) as caught:
                await call()
            end = caught.value
            assert (end.reason, end.code, end.text, end.clean) == (Ending.CLOSED_HERE, 4000, "lunch", True)
            assert end.sent is Sent.NOTHING


async def test_a_peer_that_does_not_answer_the_goodbye_is_left_after_a_moment(autojump_clock: Any) -> None:
    async with socket_box(saying(then=sleep)) as box:
        async with box.open() as session:
            pass
        assert trio.current_time() == 1
        with pytest.raises(WebSocketClosed) as caught:
            await session.receive()
        assert (caught.value.reason, caught.value.clean) == (Ending.CLOSED_HERE, False)


async def test_a_goodbye_is_not_cut_short_by_those_who_still_use_the_session(autojump_clock: Any) -> None:
    async def answer_late(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await trio.sleep(0.5)
        await stream.send_all(frame(b"\x03\xe8", opcode=8))

    async def use(call: Any) -> None:
        with pytest.raises(WebSocketClosed) as caught:
            await call()
        assert (caught.value.reason, caught.value.clean) == (Ending.CLOSED_HERE, True)

    async with socket_box(saying(then=answer_late)) as box, box.open() as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(use, session.receive)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(session.close)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(use, lambda: session.send("late"))
            nursery.start_soon(session.close)
        assert trio.current_time() == 0.5


@pytest.mark.parametrize(("code", "text"), [(1000, ""), (1001, "restart"), (4403, "token expired")])
async def test_a_goodbye_of_the_peer_ends_the_session_after_what_it_said_before(
    autojump_clock: Any, code: int, text: str
) -> None:
    async def leave(socket: WebSocketConnection) -> None:
        for number in range(5):
            await socket.send_message(f"tick {number}")
        await socket.aclose(code, text or None)

    async with socket_box(speaking(leave)) as box:
        seen: list[Message] = []
        end = await end_of(box, seen)
        assert seen == [f"tick {number}" for number in range(5)]
        assert (end.reason, end.code, end.text, end.clean) == (Ending.CLOSED_THERE, code, text, True)


async def test_a_goodbye_without_a_code_is_1005(autojump_clock: Any) -> None:
    async with socket_box(saying(frame(b"", opcode=8))) as box:
        end = await end_of(box)
        assert (end.reason, end.code) == (Ending.CLOSED_THERE, 1005)


async def test_f01_a_connection_that_ends_without_goodbye_is_lost(autojump_clock: Any) -> None:
    async def hang_up(_: trio.abc.Stream) -> None:
        return

    async with socket_box(saying(frame(b"one"), then=hang_up)) as box:
        seen: list[Message] = []
        end = await end_of(box, seen)
        assert seen == ["one"]
        assert (end.reason, end.code, end.clean) == (Ending.LOST, 1006, False)


async def test_every_exception_of_the_block_comes_out_as_it_is(autojump_clock: Any) -> None:
    async with socket_box(speaking(echo)) as box:
        with pytest.raises(KeyError, match="mine"):
            async with box.open():
                raise KeyError("mine")
        with trio.move_on_after(3) as scope:
            async with box.open() as session:
                await session.receive()
        assert scope.cancelled_caught
        assert trio.current_time() == 3  # no time for goodbyes


async def test_a_session_that_was_left_by_an_exception_is_closed_for_good(autojump_clock: Any) -> None:
    async with socket_box(speaking(echo)) as box:
        with pytest.raises(KeyError):
            async with box.open() as session:
                raise KeyError
        with pytest.raises(WebSocketClosed) as caught:
            await session.send("late")
        assert (caught.value.reason, caught.value.clean) == (Ending.CLOSED_HERE, False)


async def test_a_new_credential_reaches_a_live_socket_and_no_tick_is_missed(autojump_clock: Any) -> None:
    async def feed(socket: WebSocketConnection) -> None:
        token: Message = "none"

        async def listen_for_tokens() -> None:
            nonlocal token
            while True:
                token = await socket.get_message()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen_for_tokens)
            for number in range(300):
                await socket.send_message(f"{number} {token!s}")
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    async with socket_box(speaking(feed)) as box, box.open() as session:
        ticks = []
        for number in range(300):
            if number % 100 == 50:
                await session.send(f"token-{number}")
            ticks.append(str(await session.receive()).split())
        assert [int(number) for number, _ in ticks] == list(range(300))
        assert {token for _, token in ticks} == {"none", "token-50", "token-150", "token-250"}


async def test_a_slow_reader_makes_the_peer_wait_and_loses_nothing(autojump_clock: Any) -> None:
    written = 0

    async def flood(socket: WebSocketConnection) -> None:
        nonlocal written
        for number in range(2000):
            await socket.send_message(f"{number:>1000}")
            written += 1

    settings = WebSocketSettings(receive_queue=10)
    async with socket_box(speaking(flood)) as box, box.open(settings=settings) as session:
        await trio.sleep(300)
        assert written < 500
        assert [int(await session.receive()) for _ in range(2000)] == list(range(2000))


@pytest.mark.parametrize("how", ConnectFailure)
async def test_f05_a_connection_that_cannot_be_made_is_a_refusal(autojump_clock: Any, how: ConnectFailure) -> None:
    async with socket_box(speaking(echo)) as box:
        box.network.fail_connects(HOST, how=how)
        refusal = await refusal_of(box)
        late = how is ConnectFailure.TIMEOUT
        assert refusal.reason is (Refusal.TIMEOUT if late else Refusal.UNREACHABLE)
        assert trio.current_time() == (10 if late else 0)


@pytest.mark.parametrize("url", ["wss://evil.example/stream", f"ws://{HOST}/stream", f"wss://{HOST}:444/"])
async def test_s40_another_origin_is_refused_before_a_connection_is_made(autojump_clock: Any, url: str) -> None:
    async with socket_box(speaking(echo)) as box:
        assert (await refusal_of(box, url)).reason is Refusal.FORBIDDEN
        assert box.network.statistics().links_opened == 0


@pytest.mark.parametrize("header", [("X-Key", "hidden\r\nX-Evil: 1"), ("X-Key", "hiddenü"), ("X Key", "hidden")])
async def test_a_request_that_http_does_not_allow_is_refused(autojump_clock: Any, header: tuple[str, str]) -> None:
    async with socket_box(speaking(echo)) as box:
        refusal = await refusal_of(box, headers=dict([header]))
        assert refusal.reason is Refusal.INVALID
        assert "hidden" not in str(refusal)


def answering(answer: bytes, *, hang_up: bool) -> Any:
    async def handler(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(answer)
        if not hang_up:
            await listen(stream)

    return handler


@pytest.mark.parametrize("hang_up", [True, False])
async def test_a_rejection_carries_the_servers_answer(autojump_clock: Any, hang_up: bool) -> None:
    answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\ncontent-length: 4\r\n\r\nwait"
    async with socket_box(answering(answer, hang_up=hang_up)) as box:
        refusal = await refusal_of(box)
        assert refusal.reason is Refusal.REJECTED
        assert refusal.answer is not None
        assert (refusal.answer.status, refusal.answer.body) == (429, b"wait")
        assert refusal.answer.retry_after_ns(0) == 7_000_000_000
        assert trio.current_time() == 0


async def test_a_rejection_that_breaks_off_still_tells_its_status(autojump_clock: Any) -> None:
    async with socket_box(answering(b"HTTP/1.1 503 No\r\ncontent-length: 40\r\n\r\nbe", hang_up=True)) as box:
        refusal = await refusal_of(box)
        assert refusal.reason is Refusal.REJECTED
        assert refusal.answer is not None
        assert refusal.answer.status == 503


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", Refusal.LOST),
        (b"hello\r\n\r\n", Refusal.PROTOCOL),
        (b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", Refusal.PROTOCOL),
        (
            b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: no\r\n\r\n",
            Refusal.PROTOCOL,
        ),
        (b"HTTP/1.1 101 X\r\nx: " + b"a" * 300_000, Refusal.PROTOCOL),
    ],
)
async def test_f06_f07_an_answer_that_opens_nothing_is_a_refusal_at_once(
    autojump_clock: Any, answer: bytes, reason: Refusal
) -> None:
    async with socket_box(answering(answer, hang_up=True)) as box:
        assert (await refusal_of(box)).reason is reason
        assert trio.current_time() == 0


async def test_f06_no_answer_in_time_is_a_refusal(autojump_clock: Any) -> None:
    async with socket_box(listen) as box:
        assert (await refusal_of(box)).reason is Refusal.TIMEOUT
        assert trio.current_time() == 10


async def test_a_refusal_prints_no_query_and_masks_what_the_redactor_knows(autojump_clock: Any) -> None:
    async with socket_box(listen) as box:
        box.redactor.learn("a-live-secret")
        refusal = await refusal_of(box, f"{URL}/a-live-secret?token=abc")
        assert str(refusal) == f"{URL}/***: timeout: not open within 10 s; connect again when the cause is gone"


async def test_i21_opening_every_frame_and_the_end_have_one_record_each(autojump_clock: Any) -> None:
    async with socket_box(speaking(echo)) as box:
        async with box.open(f"{URL}?token=abc", headers={"Authorization": "Bearer x"}) as session:
            await session.send('{"access_token":"abc"}', intent_key="k1")
            await session.receive()
        await refusal_of(box, "wss://evil.example/")
        assert [(record.kind, record.direction) for record in box.records] == [
            (Kind.REQUEST, Direction.OUT),
            (Kind.ANSWER, Direction.IN),
            (Kind.FRAME, Direction.OUT),
            (Kind.FRAME, Direction.IN),
            (Kind.CLOSED, Direction.IN),
            (Kind.REQUEST, Direction.OUT),
            (Kind.FAILURE, Direction.IN),
        ]
        request, answer, sent, received, closed = box.records[:5]
        assert request.url == f"{URL}?token=***"
        assert request.headers == (("Authorization", "***"),)
        assert answer.status == 101
        assert sent.body == received.body == '{"access_token":"***"}'
        assert sent.intent_key == "k1"
        assert closed.body == "closed here 1000"


async def test_i21_a_rejection_is_recorded_as_an_answer(autojump_clock: Any) -> None:
    async with socket_box(answering(b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno", hang_up=False)) as box:
        await refusal_of(box)
        assert [(record.kind, record.status) for record in box.records] == [
            (Kind.REQUEST, None),
            (Kind.ANSWER, 403),
        ]
