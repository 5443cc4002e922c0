"""The host as a supervised child: lifespan, cancel, drain, real sockets, full houses."""

import errno
import os
import socket
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from runtime.wire.host import (
    ConnectionFailed,
    Host,
    HostEvent,
    HostLimits,
    LifespanFailed,
    LifespanStartupError,
    Message,
    Receive,
    RequestRefused,
    Send,
    serve,
)
from tests.runtime.wire.host_kit import (
    HEAD,
    MemoryListener,
    echo,
    hosting,
    hosting_sockets,
    http_app,
    read_all,
    reply,
    request,
    tcp_listeners,
    until,
)
from tests.runtime.wire.test_host_websocket import LOCKSTEP, TEXT, accepting, closing, frame, open_websocket


class Lifetime:
    """An application that notes its startup and shutdown and can be told to misbehave in either."""

    def __init__(self, startup: str = "complete", shutdown: str = "complete") -> None:
        self.answers = {"startup": startup, "shutdown": shutdown}
        self.seen: list[str] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await reply(send)
            return
        for phase in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{phase}"
            self.seen.append(phase)
            match self.answers[phase]:
                case "hang":
                    await trio.sleep_forever()
                case "raise":
                    raise ValueError(phase)
                case answer:
                    await send({"type": f"lifespan.{phase}.{answer}", "message": "no luck"})


async def test_the_lifespan_surrounds_the_serving(autojump_clock: trio.testing.MockClock) -> None:
    app = Lifetime()
    async with hosting(app) as hosted:
        assert app.seen == ["startup"]
        assert (await hosted.connect().ask(HEAD)).status == 200
    assert app.seen == ["startup", "shutdown"]
    assert hosted.listener.closed


@pytest.mark.parametrize(("startup", "words"), [("failed", "no luck"), ("hang", "within 3 s")])
async def test_an_application_that_does_not_start_is_a_typed_error(
    autojump_clock: trio.testing.MockClock, startup: str, words: str
) -> None:
    listener = MemoryListener()
    with pytest.raises(LifespanStartupError, match=words):
        await serve(Lifetime(startup), [listener], limits=HostLimits(lifespan_seconds=3))
    assert listener.closed
    assert trio.current_time() <= 3


async def test_an_application_without_a_lifespan_serves_and_its_exception_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    app = Lifetime("raise")
    async with hosting(app) as hosted:
        assert (await hosted.connect().ask(HEAD)).status == 200
    assert app.seen == ["startup"]
    [event] = hosted.told(LifespanFailed)
    assert (event.phase, repr(event.error)) == ("startup", "ValueError('startup')")


@pytest.mark.parametrize("shutdown", ["failed", "hang", "raise"])
async def test_a_shutdown_that_goes_wrong_is_told_and_bounded(
    autojump_clock: trio.testing.MockClock, shutdown: str
) -> None:
    async with hosting(Lifetime(shutdown=shutdown), HostLimits(lifespan_seconds=3)) as hosted:
        begun = trio.current_time()
    assert trio.current_time() - begun == pytest.approx(3 if shutdown == "hang" else 0)
    assert [event.phase for event in hosted.told(LifespanFailed)] == ["shutdown"]


async def test_a_cancel_during_the_startup_ends_it_at_once(autojump_clock: trio.testing.MockClock) -> None:
    listener = MemoryListener()
    with trio.move_on_after(1):
        await serve(Lifetime("hang"), [listener])
    assert trio.current_time() == pytest.approx(1)
    assert listener.closed


@pytest.mark.parametrize("kind", ["http", "sse", "websocket"])
async def test_stuck_clients_do_not_hold_up_a_cancel(autojump_clock: trio.testing.MockClock, kind: str) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while True:
                await send({"type": "websocket.send", "bytes": b"x" * 65536})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if kind == "http":
            await send({"type": "http.response.body", "body": b"x" * 10**7})
        while True:
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})

    async with hosting(app) as hosted:
        if kind == "websocket":
            await open_websocket(hosted, pair=LOCKSTEP)
        else:
            await hosted.connect(LOCKSTEP).send(HEAD)
        await trio.sleep(1)
        cancelled = trio.current_time()
        hosted.nursery.cancel_scope.cancel()
    assert trio.current_time() == cancelled


async def test_stuck_clients_on_real_sockets_are_dropped_at_the_write_deadline() -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while True:
                await send({"type": "websocket.send", "bytes": b"x" * 65536})
        await reply(send, b"x" * 30_000_000)

    async with hosting_sockets(app, await tcp_listeners(), HostLimits(write_seconds=0.2)) as (host, connect):
        await (await connect()).send(HEAD)
        await (await connect()).send(request("/ws", *WEBSOCKET))
        with trio.fail_after(10):
            await until(lambda: host.statistics().bytes_in > len(HEAD) * 2)
            begun = trio.current_time()
            await until(lambda: host.statistics().connections_open == 0)
        assert trio.current_time() - begun < 1
        assert host.statistics().dropped == 2


WEBSOCKET = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)  # fmt: skip


async def test_a_drain_answers_running_requests_and_closes_the_rest(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await trio.sleep(3)
        await reply(send, b"done")

    listener = MemoryListener()
    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(partial(serve, app, [listener]))
        idle, fresh, busy = [listener.connect() for _ in range(3)]
        await idle.ask(HEAD)
        await busy.send(HEAD)
        await trio.sleep(1)
        begun = trio.current_time()
        host.drain(within_seconds=10)
        assert await idle.rest() == b""
        assert await fresh.rest() == b""
        assert trio.current_time() == begun
        assert listener.closed
        answer = await busy.answer()
        assert (answer.body, answer.headers[b"connection"]) == (b"done", b"close")
        assert trio.current_time() - begun == pytest.approx(2)
    assert trio.current_time() - begun == pytest.approx(2)


async def test_a_drain_closes_websockets_with_1001(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[Message] = []

    @accepting
    async def app(receive: Receive, send: Send) -> None:
        heard.append(await receive())

    async with hosting(app) as hosted:
        websocket = await open_websocket(hosted)
        hosted.host.drain(within_seconds=10)
        assert await websocket.closed() == 1001
        await websocket.send(closing(1001))
        assert await websocket.event() is None
        assert heard == [{"type": "websocket.disconnect", "code": 1001, "reason": "going away"}]
        assert hosted.events == []


async def test_a_drain_refuses_a_websocket_that_is_not_accepted_yet(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await trio.sleep_forever()

    async with hosting(app) as hosted:
        client = hosted.connect()
        await client.send(request("/ws", *WEBSOCKET))
        await trio.sleep(1)
        hosted.host.drain(within_seconds=10)
        assert (await client.answer()).status == 503


async def test_a_drain_cancels_what_is_not_done_in_time(autojump_clock: trio.testing.MockClock) -> None:
    app = Lifetime()

    async def stubborn(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        else:
            await trio.sleep_forever()

    listener = MemoryListener()
    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(partial(serve, stubborn, [listener]))
        client = listener.connect()
        await client.send(HEAD)
        await trio.sleep(1)
        begun = trio.current_time()
        host.drain(within_seconds=4)
    assert trio.current_time() - begun == pytest.approx(4)
    assert app.seen == ["startup", "shutdown"]
    assert await client.rest() == b""


async def test_s14_the_peer_of_a_unix_socket_is_known_to_the_handler(tmp_path: Path) -> None:
    scopes: list[Message] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await reply(send)

    path = str(tmp_path / "control.sock")
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await sock.bind(path)
    sock.listen()
    async with hosting_sockets(app, [trio.SocketListener(sock)]) as (_, connect):
        assert (await (await connect()).ask(HEAD)).status == 200
    expected = {"pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid()}
    assert scopes[0]["extensions"] == {"peercred": expected}
    assert (scopes[0]["client"], scopes[0]["server"]) == (None, [path, None])


async def test_a_tcp_client_is_known_by_its_address() -> None:
    scopes: list[Message] = []

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await reply(send, await read_all(receive))

    async with hosting_sockets(app, await tcp_listeners()) as (_, connect):
        client = await connect()
        body = b"x" * 1_000_000
        assert (await client.ask(request(method="POST", body=body))).body == body
        assert isinstance(client.stream, trio.SocketStream)
        assert scopes[0]["client"] == list(client.stream.socket.getsockname())
        assert scopes[0]["server"] == list(client.stream.socket.getpeername())
        assert scopes[0]["extensions"] == {}


async def test_a_refused_upload_still_reads_its_answer_over_tcp() -> None:
    async with hosting_sockets(echo, await tcp_listeners()) as (_, connect):
        client = await connect()
        await client.send(request("/", "Content-Length: 3000000", method="POST"))
        for _ in range(30):
            await client.send(b"x" * 100_000)
        assert (await client.answer()).status == 413


async def test_a_websocket_that_breaks_a_rule_still_reads_its_close_over_tcp() -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        await receive()

    async with hosting_sockets(app, await tcp_listeners()) as (_, connect):
        client = await connect()
        await client.send(request("/ws", *WEBSOCKET) + frame(TEXT, b"x", mask=None))
        for _ in range(30):
            await client.send(b"x" * 100_000)
        received = await client.rest()
        assert received.endswith(b"\x88\x10\x03\xeaprotocol error")


async def test_a_websocket_closed_while_its_client_is_stuck_ends_at_the_close_deadline() -> None:
    @accepting
    async def app(receive: Receive, send: Send) -> None:
        for _ in range(300):
            await send({"type": "websocket.send", "bytes": b"x" * 65536})

    limits = HostLimits(websocket_close_seconds=0.2, websocket_backlog_bytes=30_000_000)
    events: list[HostEvent] = []
    async with hosting_sockets(app, await tcp_listeners(), limits, on_event=events.append) as (host, connect):
        client = await connect()
        await client.send(request("/ws", *WEBSOCKET))
        await until(lambda: host.statistics().websockets_open == 1)
        await until(lambda: host.statistics().connections_open == 0)
        assert events == []


async def test_a_reset_connection_ends_its_handler() -> None:
    gone = trio.Event()

    @http_app
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await trio.sleep_forever()
        finally:
            gone.set()

    async with hosting_sockets(app, await tcp_listeners(), HostLimits(grace_seconds=0)) as (host, connect):
        client = await connect()
        await client.send(HEAD)
        await until(lambda: host.statistics().requests == 1)
        assert isinstance(client.stream, trio.SocketStream)
        client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await client.leave()
        with trio.fail_after(5):
            await gone.wait()


@pytest.mark.filterwarnings("ignore")
async def test_f37_running_out_of_file_descriptors_is_survived(autojump_clock: trio.testing.MockClock) -> None:
    class Exhausted(MemoryListener):
        refusals = 3

        async def accept(self) -> trio.abc.Stream:
            if self.refusals:
                self.refusals -= 1
                raise OSError(errno.EMFILE, "too many open files")
            return await super().accept()

    listener = Exhausted()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, echo, [listener]))
        assert (await listener.connect().ask(HEAD)).status == 200
        nursery.cancel_scope.cancel()
    assert listener.refusals == 0


async def test_a_connection_on_which_the_host_itself_fails_ends_alone(autojump_clock: trio.testing.MockClock) -> None:
    class Broken(trio.abc.Stream):
        async def send_all(self, data: object) -> None:
            raise NotImplementedError

        async def wait_send_all_might_not_block(self) -> None:
            raise NotImplementedError

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            raise RuntimeError("no such stream")

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    async with hosting(echo) as hosted:
        near, _ = trio.testing.memory_stream_pair()
        hosted.connect(lambda: (near, Broken()))
        assert (await hosted.connect().ask(HEAD)).status == 200
        [event] = hosted.told(ConnectionFailed)
        assert "no such stream" in repr(event.error)
        assert hosted.host.statistics().connections_open == 1


async def test_every_refusal_has_its_own_id(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(echo) as hosted:
        for _ in range(3):
            await hosted.connect().ask(b"nonsense\r\n\r\n")
        assert len({event.id for event in hosted.told(RequestRefused)}) == 3


async def test_f36_what_a_client_can_make_the_host_hold_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    @http_app
    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        await trio.sleep_forever()

    async with hosting(slow) as hosted:
        client = hosted.connect(LOCKSTEP)
        with trio.move_on_after(5):
            await client.send(HEAD)
            while True:
                await client.send(HEAD * 100)
        assert hosted.host.statistics().bytes_in < 300_000
