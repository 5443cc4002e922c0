"""A host over streams in memory, and a raw client that reads what it answers; h11 is the second opinion."""

import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import attrs
import h11
import trio
import trio.testing

from runtime.wire.host import App, Host, HostEvent, HostLimits, Message, Receive, Send, serve

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
Pair = Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]]
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """Listens where only this test can connect."""

    def __init__(self) -> None:
        self._offer, self._accepted = trio.open_memory_channel[trio.abc.Stream](math.inf)
        self.closed = False

    async def accept(self) -> trio.abc.Stream:
        return await self._accepted.receive()

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()

    def connect(self, pair: Pair = trio.testing.memory_stream_pair, **attributes: object) -> "Client":
        near, far = pair()
        for name, value in attributes.items():
            setattr(far, name, value)
        self._offer.send_nowait(far)
        return Client(near)


@attrs.frozen
class Answer:
    """One response as h11 reads it."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Client:
    """A raw client: sends any bytes, reads responses."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._unread = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def answer(self, method: bytes = b"GET") -> Answer:
        """The next final response; fails if the host hangs up before its end."""
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        reader.send(h11.EndOfMessage())
        if self._unread:
            reader.receive_data(self._unread)
        head: h11.Response | None = None
        body = b""
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                reader.receive_data(bytes(await self.stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                self._unread = reader.trailing_data[0]
                return Answer(head.status_code, dict(head.headers), body)
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError("the host hung up")

    async def ask(self, data: bytes, method: bytes = b"GET") -> Answer:
        await self.send(data)
        return await self.answer(method)

    async def some(self) -> bytes:
        data, self._unread = self._unread, b""
        return data or bytes(await self.stream.receive_some(65536))

    async def rest(self) -> bytes:
        """Everything until the host hangs up."""
        data = b""
        while more := await self.some():
            data += more
        return data

    async def leave(self) -> None:
        await self.stream.aclose()


@attrs.frozen
class Hosted:
    """A running host and what it told."""

    host: Host
    listener: MemoryListener
    events: list[HostEvent]
    nursery: trio.Nursery

    def connect(self, pair: Pair = trio.testing.memory_stream_pair, **attributes: object) -> Client:
        return self.listener.connect(pair, **attributes)

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def hosting(app: App, limits: HostLimits | None = None, **options: Any) -> AsyncIterator[Hosted]:
    """Runs a host in memory for the block, and cancels it afterwards."""
    listener = MemoryListener()
    events: list[HostEvent] = []
    async with trio.open_nursery() as nursery:
        run = partial(serve, app, [listener], limits=limits or HostLimits(), on_event=events.append, **options)
        host = await nursery.start(run)
        yield Hosted(host, listener, events, nursery)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def hosting_sockets(
    app: App, listeners: Sequence[trio.SocketListener], limits: HostLimits | None = None, **options: Any
) -> AsyncIterator[tuple[Host, Callable[[], Awaitable[Client]]]]:
    """Runs a host on real listeners; yields it and a way to connect that cleans up after itself."""
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:

        async def connect() -> Client:
            stream = await trio.testing.open_stream_to_socket_listener(listeners[0])
            return Client(await stack.enter_async_context(stream))

        host = await nursery.start(partial(serve, app, listeners, limits=limits or HostLimits(), **options))
        yield host, connect
        nursery.cancel_scope.cancel()


async def tcp_listeners() -> list[trio.SocketListener]:
    return await trio.open_tcp_listeners(0, host="127.0.0.1")


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what no event tells; fails after half a minute."""
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await trio.sleep(0.001)


def http_app(handler: Callable[[Message, Receive, Send], Any]) -> App:
    """An application of one HTTP or WebSocket handler, without a lifespan."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await handler(scope, receive, send)

    return app


async def reply(send: Send, body: bytes = b"ok", status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def read_all(receive: Receive) -> bytes:
    """The whole body of a request; fails if the client leaves before its end."""
    body = bytearray()
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


@http_app
async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answers with method, path and body."""
    body = await read_all(receive)
    await reply(send, b" ".join([scope["method"].encode(), scope["path"].encode(), body]))


def request(
    target: str = "/",
    *headers: str,
    method: str = "GET",
    body: bytes = b"",
    host: str = "Host: x",
    version: str = "1.1",
) -> bytes:
    """A well-formed request unless the arguments are not."""
    lines = [f"{method} {target} HTTP/{version}", host, *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*(line for line in lines if line), "", ""]).encode("latin-1") + body
