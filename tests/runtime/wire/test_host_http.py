"""HTTP over the host: framing, keep-alive, limits, errors and clients that leave."""

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing

from runtime.wire.host import (
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
)
from tests.runtime.wire.host_kit import HEAD, Client, echo, hosting, http_app, read_all, reply, request

LOCKSTEP = trio.testing.lockstep_stream_pair


class NoonClock:
    """A clock that stands at 2026-11-21 12:00:00 UTC."""

    def monotonic_ns(self) -> int:
        return 0

    def wall_ns(self) -> int:
        return 1_795_262_400 * 10**9


@http_app
async def forever(scope: Message, receive: Receive, send: Send) -> None:
    await trio.sleep_forever()


async def test_requests_follow_each_other_on_one_connection(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        for number in range(3):
            answer = await client.ask(request(f"/{number}", method="POST", body=b"b" * number), b"POST")
            assert (answer.status, answer.body) == (200, b"POST /%d %b" % (number, b"b" * number))
        assert hosted.host.statistics().connections_total == 1
        assert hosted.host.statistics().requests == 3


async def test_pipelined_requests_are_answered_in_order(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        await client.send(b"".join(request(f"/{number}", method="PUT", body=b"x") for number in range(20)))
        assert [(await client.answer()).body for _ in range(20)] == [b"PUT /%d x" % number for number in range(20)]


async def test_a_request_may_come_byte_by_byte(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        for byte in request("/a", method="POST", body=b"xyz"):
            await client.send(bytes([byte]))
            await trio.sleep(0.01)
        assert (await client.answer()).body == b"POST /a xyz"


async def test_a_chunked_body_reaches_the_handler_as_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    pieces = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            pieces.append((trio.current_time() - begun, message["body"]))
            more = message["more_body"]
        await reply(send)

    async with hosting(app) as hosted:
        client = hosted.connect()
        begun = trio.current_time()
        await client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        for piece in (b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n", b"0\r\nT: v\r\n\r\n"):
            await trio.sleep(1)
            await client.send(piece)
        assert (await client.answer()).status == 200
        assert pieces == [(1, b"abc"), (2, b"de"), (3, b"")]
        assert (await client.ask(HEAD)).status == 200


async def test_a_response_of_unknown_length_streams_in_chunks(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
            await trio.sleep(1)
        await send({"type": "http.response.body"})

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        begun = trio.current_time()
        assert (await client.some()).endswith(b"\r\n\r\n1\r\n0\r\n")
        assert trio.current_time() == begun
        assert await client.some() == b"1\r\n1\r\n"
        assert await client.some() == b"1\r\n2\r\n"
        assert await client.some() == b"0\r\n\r\n"
        assert (await client.ask(request("/", "Connection: close"))).body == b"012"
        assert await client.rest() == b""


async def test_http_1_0_gets_a_body_that_ends_with_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["http_version"] == "1.0"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab"


async def test_head_gets_the_headers_of_a_get_without_its_body(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send, b"12345", headers=[(b"content-length", b"5")])

    async with hosting(app) as hosted:
        client = hosted.connect()
        answer = await client.ask(request(method="HEAD"), b"HEAD")
        assert (answer.headers[b"content-length"], answer.body) == (b"5", b"")
        assert (await client.ask(HEAD)).body == b"12345"


async def test_date_comes_from_the_clock_and_there_is_no_server_header(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, clock=NoonClock()) as hosted:
        answer = await hosted.connect().ask(HEAD)
        assert answer.headers[b"date"] == b"Sat, 21 Nov 2026 12:00:00 GMT"
        assert b"server" not in answer.headers
    async with hosting(echo, server_name="pitboss") as hosted:
        answer = await hosted.connect().ask(HEAD)
        assert answer.headers[b"server"] == b"pitboss"
        assert b"date" not in answer.headers


async def test_a_client_that_expects_continue_is_invited_when_the_handler_reads(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        await client.send(request("/", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        assert await client.some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"abc")).body == b"POST / abc"
        assert (await client.ask(HEAD)).status == 200


async def test_an_invitation_is_not_sent_when_the_body_is_there_already(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        await client.send(request("/", "Expect: 100-continue", method="POST", body=b"abc"))
        assert (await client.some()).startswith(b"HTTP/1.1 200 OK")
        assert (await client.ask(HEAD)).status == 200


async def test_a_handler_that_ignores_the_expected_body_closes_the_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send, status=401)

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request("/", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        answer = await client.answer()
        assert (answer.status, answer.headers[b"connection"]) == (401, b"close")
        assert await client.rest() == b""


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (60_000, True), (200_000, False)])
async def test_an_unread_body_is_thrown_away_up_to_a_bound(
    autojump_clock: trio.testing.MockClock, size: int, kept: bool
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send, status=403)

    async with hosting(app, HostLimits(unread_body_bytes=64_000)) as hosted:
        client = hosted.connect()
        begun = trio.current_time()
        assert (await client.ask(request(method="POST", body=b"x" * size))).status == 403
        if kept:
            assert (await client.ask(HEAD)).status == 403
        else:
            assert await client.rest() == b""
        assert trio.current_time() == begun


async def test_a_malformed_rest_of_an_unread_body_gets_no_second_response(
    autojump_clock: trio.testing.MockClock,
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send)

    async with hosting(app) as hosted:
        client = hosted.connect()
        answer = await client.ask(request("/", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n")
        assert answer.status == 200
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (b"GET /.. HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"dot_segment"),
        (b"GET / HTTP/1.1\r\nHost: x", 400, b"truncated_head"),
        (b"POST / HTTP/1.0\r\n\r\n", 411, b"no_length"),
        (request("/", "Content-Length: 9999999", method="POST"), 413, b"long_body"),
        (request("/", "Transfer-Encoding: chunked", method="POST") + b"fffffff\r\n", 413, b"long_body"),
        (request("/", "Transfer-Encoding: chunked", method="POST") + b"1\nx\r\n0\r\n\r\n", 400, b"bad_chunk"),
        (request("/" + "a" * 9000), 414, b"long_request_line"),
        (request("/", "Expect: x"), 417, b"expectation"),
        (request("/", *["X: y"] * 101), 431, b"too_many_headers"),
        (request("/", "X: " + "y" * 40_000), 431, b"long_headers"),
        (request("/", "Transfer-Encoding: gzip"), 501, b"transfer_coding"),
        (request("/", method="TRACE"), 501, b"method"),
        (request("/", version="2.0"), 505, b"http_version"),
    ],
)
async def test_a_refused_request_is_answered_with_its_status_an_id_and_a_close(
    autojump_clock: trio.testing.MockClock, raw: bytes, status: int, reason: bytes
) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        await client.send(raw)
        if reason == b"truncated_head":
            assert isinstance(client.stream, trio.StapledStream)
            await client.stream.send_eof()
        answer = await client.answer()
        assert (answer.status, answer.headers[b"connection"]) == (status, b"close")
        [event] = hosted.told(RequestRefused)
        assert answer.body == b'{"error":"%b","id":"%b"}' % (reason, event.id.encode())
        assert (event.status, event.reason) == (status, reason.decode())
        begun = trio.current_time()
        assert await client.rest() == b""
        assert trio.current_time() == begun
        assert hosted.host.statistics().refused == {reason.decode(): 1}


@pytest.mark.parametrize(("target", "status"), [("/..", 400), ("/fail", 500)])
async def test_an_error_answers_a_head_without_a_body(
    autojump_clock: trio.testing.MockClock, target: str, status: int
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        raise ValueError

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request(target, method="HEAD"))
        raw = await client.rest()
        assert raw.startswith(b"HTTP/1.1 %d " % status)
        assert raw.endswith(b"\r\n\r\n")


async def test_s46_a_handlers_failure_shows_an_id_and_nothing_else(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        raise ValueError("secret /etc/path")

    async with hosting(app, new_id=lambda: "the-id") as hosted:
        client = hosted.connect()
        answer = await client.ask(request("/here"))
        assert (answer.status, answer.body) == (500, b'{"error":"internal_error","id":"the-id"}')
        [event] = hosted.told(RequestFailed)
        assert (event.id, event.method, event.path, str(event.error)) == ("the-id", "GET", "/here", "secret /etc/path")
        assert hosted.host.statistics().failed == 1


async def test_a_failure_in_the_middle_of_a_response_cuts_it_short(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise ValueError("in the middle")

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        raw = await client.rest()
        assert raw.endswith(b"4\r\npart\r\n")
        assert len(hosted.told(RequestFailed)) == 1


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200}],
        [{"type": "http.response.body"}],
        [{"type": "websocket.accept"}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"\n")]}, {"type": "http.response.body"}],
    ],
)
async def test_an_application_that_breaks_the_protocol_yields_a_500(
    autojump_clock: trio.testing.MockClock, messages: list[dict[str, Any]]
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async with hosting(app) as hosted:
        assert (await hosted.connect().ask(HEAD)).status == 500
        [event] = hosted.told(RequestFailed)
        assert isinstance(event.error, AppProtocolError)


async def test_one_failing_request_does_not_disturb_another(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bad":
            raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
        await trio.sleep(5)
        await reply(send)

    async with hosting(app) as hosted:
        good, bad = hosted.connect(), hosted.connect()
        await good.send(request("/good"))
        assert (await bad.ask(request("/bad"))).status == 500
        assert (await good.answer()).status == 200


@pytest.mark.parametrize("reads", [True, False])
async def test_a_handler_whose_client_left_is_told_and_then_cancelled(
    autojump_clock: trio.testing.MockClock, reads: bool
) -> None:
    seen: list[object] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            if reads:
                assert (await receive())["type"] == "http.request"
                seen.append((await receive())["type"])
            await trio.sleep_forever()
        finally:
            seen.append(trio.current_time() - left)

    async with hosting(app, HostLimits(grace_seconds=2)) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        await trio.sleep(1)
        left = trio.current_time()
        await client.leave()
        await trio.sleep(10)
        assert seen == (["http.disconnect"] if reads else []) + [2]
        assert [event.error for event in hosted.told(RequestAbandoned)] == [None]
        assert hosted.host.statistics().connections_open == 0


async def test_a_handler_that_only_sends_is_cancelled_when_its_client_leaves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    sent = 0

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
            sent += 1
            await trio.sleep(0.1)

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        await trio.sleep(1.05)
        await client.leave()
        await trio.sleep(60)
        assert sent == 11
        assert hosted.host.statistics().connections_open == 0
        assert not hosted.told(RequestFailed)


async def test_a_client_that_leaves_after_a_large_body_is_noticed(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        sizes.append(len(await read_all(receive)))
        await trio.sleep_forever()

    sizes: list[int] = []
    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request(method="POST", body=b"x" * 500_000))
        await trio.sleep(1)
        await client.leave()
        await trio.sleep(5)
        assert sizes == [500_000]
        assert hosted.host.statistics().connections_open == 0


async def test_what_a_handler_makes_of_a_departure_is_no_failure_but_is_not_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        raise RuntimeError("client went away")

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        await client.leave()
        await trio.sleep(1)
        assert not hosted.told(RequestFailed)
        assert [str(event.error) for event in hosted.told(RequestAbandoned)] == ["client went away"]


async def test_a_half_closed_client_still_gets_an_answer_that_is_ready_in_the_grace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await trio.sleep(0.5)
        await reply(send, b"just in time")

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        assert isinstance(client.stream, trio.StapledStream)
        await client.stream.send_eof()
        assert (await client.answer()).body == b"just in time"


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_a_disconnect(
    autojump_clock: trio.testing.MockClock,
) -> None:
    seen = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        seen.extend([(await receive())["type"], (await receive())["type"], (await receive())["type"]])

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request("/", "Content-Length: 10", method="POST") + b"abc")
        await trio.sleep(1)
        await client.leave()
        await trio.sleep(1)
        assert seen == ["http.request", "http.disconnect", "http.disconnect"]


async def test_receive_after_the_response_is_a_disconnect(autojump_clock: trio.testing.MockClock) -> None:
    seen = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, receive)
            await trio.sleep(1)
            await reply(send)

    async def listen(receive: Receive) -> None:
        assert (await receive())["type"] == "http.request"
        seen.append((await receive())["type"])

    async with hosting(app) as hosted:
        client = hosted.connect()
        assert (await client.ask(HEAD)).status == 200
        assert (await client.ask(HEAD)).status == 200
        await trio.testing.wait_all_tasks_blocked()
        assert seen == ["http.disconnect", "http.disconnect"]


async def test_background_work_outlives_the_response_and_the_client(autojump_clock: trio.testing.MockClock) -> None:
    done = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send)
        await trio.sleep(30)
        done.append(scope["path"])

    async with hosting(app) as hosted:
        client = hosted.connect()
        assert (await client.ask(request("/work"))).status == 200
        await client.leave()
        await trio.sleep(31)
        assert done == ["/work"]


@pytest.mark.parametrize("pipelined", [True, False])
async def test_background_work_does_not_hold_up_the_next_request(
    autojump_clock: trio.testing.MockClock, pipelined: bool
) -> None:
    done = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send, scope["path"].encode())
        await trio.sleep(30)
        done.append(scope["path"])

    async with hosting(app) as hosted:
        client = hosted.connect()
        begun = trio.current_time()
        if pipelined:
            await client.send(request("/0") + request("/1") + request("/2", "Connection: close"))
            bodies = [(await client.answer()).body for _ in range(3)]
        else:
            bodies = [(await client.ask(request(f"/{number}"))).body for number in range(2)]
            bodies.append((await client.ask(request("/2", "Connection: close"))).body)
        assert bodies == [b"/0", b"/1", b"/2"]
        assert await client.rest() == b""
        assert trio.current_time() - begun < 1
        await trio.sleep(31)
        assert done == ["/0", "/1", "/2"]


async def test_answers_stay_in_order_after_background_work_is_done(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await trio.sleep(2)
        await reply(send, scope["path"].encode())
        if scope["path"] == "/background":
            await trio.sleep(5)

    async with hosting(app) as hosted:
        client = hosted.connect()
        for _ in range(3):
            assert (await client.ask(request("/background"))).body == b"/background"
        await trio.sleep(30)
        await client.send(request("/slow") + request("/fast"))
        assert [(await client.answer()).body for _ in range(2)] == [b"/slow", b"/fast"]
        assert hosted.events == []


async def test_a_handler_may_take_longer_than_a_connection_may_idle(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await trio.sleep(100)
        await reply(send)

    async with hosting(app, HostLimits(keep_alive_seconds=30)) as hosted:
        client = hosted.connect()
        assert (await client.ask(HEAD)).status == 200
        assert (await client.ask(HEAD)).status == 200


async def test_no_request_is_served_after_a_response_that_closes(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        served.append(scope["path"])
        await reply(send)
        await trio.sleep(30)

    served: list[str] = []
    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request("/0", "Connection: close") + request("/1"))
        assert (await client.answer()).headers[b"connection"] == b"close"
        assert await client.rest() == b""
        await trio.sleep(60)
        assert served == ["/0"]


async def test_a_failure_of_background_work_is_told(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send)
        raise ValueError("afterwards")

    async with hosting(app) as hosted:
        client = hosted.connect()
        assert (await client.ask(HEAD)).status == 200
        assert (await client.ask(HEAD)).status == 200
        assert [str(event.error) for event in hosted.told(RequestFailed)] == ["afterwards"] * 2


async def test_a_slow_head_is_refused_with_408(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(head_seconds=3)) as hosted:
        client = hosted.connect()
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drip, client, HEAD)
            assert (await client.answer()).status == 408
            assert trio.current_time() - begun == pytest.approx(3)
            nursery.cancel_scope.cancel()


async def _drip(client: Client, data: bytes) -> None:
    with suppress(trio.BrokenResourceError):
        for byte in data:
            await client.send(bytes([byte]))
            await trio.sleep(1)


async def test_a_client_that_says_nothing_is_let_go_in_silence(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(head_seconds=3, keep_alive_seconds=7)) as hosted:
        fresh, used = hosted.connect(), hosted.connect()
        begun = trio.current_time()
        assert (await used.ask(HEAD)).status == 200
        assert await fresh.rest() == b""
        assert trio.current_time() - begun == pytest.approx(3)
        assert await used.rest() == b""
        assert trio.current_time() - begun == pytest.approx(7)
        assert hosted.events == []


async def test_a_body_that_pauses_too_long_is_refused_with_408(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(body_idle_seconds=4)) as hosted:
        client = hosted.connect()
        begun = trio.current_time()
        await client.send(request("/", "Content-Length: 3", method="POST") + b"a")
        await trio.sleep(3)
        await client.send(b"b")
        assert (await client.answer()).status == 408
        assert trio.current_time() - begun == pytest.approx(7)


async def test_a_handler_that_takes_too_long_is_cancelled_with_503(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(forever, HostLimits(handler_seconds=2)) as hosted:
        begun = trio.current_time()
        answer = await hosted.connect().ask(HEAD)
        assert answer.status == 503
        assert trio.current_time() - begun == pytest.approx(2)
        assert hosted.host.statistics().refused == {"handler_timeout": 1}


async def test_the_handler_limit_does_not_bound_background_work(autojump_clock: trio.testing.MockClock) -> None:
    done = trio.Event()

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send)
        await trio.sleep(30)
        done.set()

    async with hosting(app, HostLimits(handler_seconds=2)) as hosted:
        assert (await hosted.connect().ask(HEAD)).status == 200
        await done.wait()
        assert hosted.events == []


async def test_a_connection_is_closed_after_its_number_of_requests(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(requests_per_connection=2)) as hosted:
        client = hosted.connect()
        assert b"connection" not in (await client.ask(HEAD)).headers
        assert (await client.ask(HEAD)).headers[b"connection"] == b"close"
        assert await client.rest() == b""


async def test_connections_beyond_the_limit_are_answered_with_503(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(connections=2)) as hosted:
        inside = [hosted.connect(), hosted.connect()]
        for client in inside:
            assert (await client.ask(HEAD)).status == 200
        door = hosted.connect()
        assert (await door.ask(HEAD)).status == 503
        assert hosted.host.statistics().connections_open == 2
        await inside[0].leave()
        await trio.testing.wait_all_tasks_blocked()
        assert (await hosted.connect().ask(HEAD)).status == 200
        assert hosted.host.statistics().refused == {"too_many_connections": 1}


async def test_f37_a_crowd_at_the_door_is_shut_out_in_silence(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo, HostLimits(connections=2)) as hosted:
        crowd = [hosted.connect() for _ in range(6)]
        await trio.testing.wait_all_tasks_blocked()
        answers = [await client.some() for client in crowd[2:]]
        assert sorted(answer[:12] for answer in answers) == [b"", b"", b"HTTP/1.1 503", b"HTTP/1.1 503"]


async def test_a_client_that_reads_nothing_is_dropped_at_the_write_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    failed: list[object] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await send({"type": "http.response.body", "body": b"x" * 300_000})
        except ClientGone as gone:
            failed.append(gone.reason)
            await trio.sleep_forever()
        finally:
            failed.append(trio.current_time() - begun)

    async with hosting(app, HostLimits(write_seconds=5)) as hosted:
        client = hosted.connect(LOCKSTEP)
        await client.send(HEAD)
        begun = trio.current_time()
        await trio.sleep(20)
        assert failed == ["write_deadline", pytest.approx(5)]
        assert [event.reason for event in hosted.told(PeerDropped)] == ["write_deadline"]
        assert not hosted.told(RequestFailed)
        assert hosted.host.statistics().connections_open == 0


async def test_a_client_that_reads_slowly_but_steadily_is_not_dropped(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await reply(send, b"x" * 300_000)

    async with hosting(app, HostLimits(write_seconds=5)) as hosted:
        client = hosted.connect(LOCKSTEP)
        await client.send(HEAD)
        size = 0
        while size < 300_000:
            await trio.sleep(4)
            size += len(await client.stream.receive_some(65536))
        assert (await client.ask(HEAD)).status == 200


async def test_nothing_follows_a_send_that_was_cancelled_half_way(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with trio.move_on_after(1):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        try:
            await send({"type": "http.response.body", "body": b"y"})
        except ClientGone as gone:
            outcomes.append(gone.reason)

    outcomes: list[str] = []
    async with hosting(app) as hosted:
        client = hosted.connect(LOCKSTEP)
        await client.send(HEAD)
        await client.some()
        await trio.sleep(3)
        assert outcomes == ["send_cancelled"]
        assert b"y" not in await client.rest()
        assert hosted.host.statistics().connections_open == 0


async def test_bytes_are_counted_both_ways(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        client = hosted.connect()
        await client.send(HEAD)
        size = len(await client.some())
        statistics = hosted.host.statistics()
        assert (statistics.bytes_in, statistics.bytes_out) == (len(HEAD), size)


async def test_requests_share_no_state_but_the_lifespans(autojump_clock: trio.testing.MockClock) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["shared"] = "yes"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await reply(send, ",".join(sorted(scope["state"])).encode())
            scope["state"]["mine"] = "leak"
            scope["extensions"]["mine"] = "leak"

    async with hosting(app) as hosted:
        client = hosted.connect()
        assert (await client.ask(HEAD)).body == b"shared"
        assert (await client.ask(HEAD)).body == b"shared"


async def test_the_scope_is_what_asgi_says(autojump_clock: trio.testing.MockClock) -> None:
    scopes: list[Message] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await reply(send, await read_all(receive))

    async with hosting(app) as hosted:
        client = hosted.connect(peercred={"pid": 1, "uid": 2, "gid": 3})
        await client.ask(request("/caf%C3%A9?a=%20", "X-Y:  z\t", "X-y: w"))
    assert scopes == [
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/café",
            "raw_path": b"/caf%C3%A9",
            "query_string": b"a=%20",
            "root_path": "",
            "headers": [(b"host", b"x"), (b"x-y", b"z"), (b"x-y", b"w")],
            "client": None,
            "server": None,
            "state": {},
            "extensions": {"peercred": {"pid": 1, "uid": 2, "gid": 3}},
        }
    ]
