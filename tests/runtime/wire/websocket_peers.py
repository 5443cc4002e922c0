"""The other side of a WebSocket, for tests: a real server session, or bytes chosen by hand."""

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import ProtocolError

from runtime.simulation import SimulatedClock, SimulatedNetwork
from runtime.wire.capture import Exchange, Recorder
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.websocket import open_websocket
from runtime.wire.websocket_session import WebSocketSession, WebSocketSettings

HOST = "ws.broker"
URL = f"wss://{HOST}/stream"

Handler = Callable[[trio.abc.Stream], Awaitable[None]]
Script = Callable[[WebSocketConnection], Awaitable[None]]


@attrs.define
class SocketBox:
    """A network with a WebSocket server in it."""

    network: SimulatedNetwork
    redactor: Redactor = attrs.field(factory=Redactor)
    records: list[Exchange] = attrs.field(factory=list)

    def open(
        self,
        url: str = URL,
        settings: WebSocketSettings | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[WebSocketSession]:
        """Opens a session to the server."""
        return open_websocket(
            self.network,
            url,
            AllowList(f"wss://{HOST}"),
            self.redactor,
            headers=headers or {},
            settings=settings or WebSocketSettings(),
            recorder=Recorder("w1", SimulatedClock(), self.redactor, self.records.append),
        )


@asynccontextmanager
async def socket_box(handler: Handler) -> AsyncIterator[SocketBox]:
    """Serves every connection with the handler until the end of the block."""
    network = SimulatedNetwork()

    async def serve(stream: trio.abc.Stream) -> None:
        try:
            async with stream:
                await handler(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed, ProtocolError):
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, await network.listen(HOST, 443))
        yield SocketBox(network)
        nursery.cancel_scope.cancel()


def speaking(script: Script) -> Handler:
    """A server session that runs the script and then waits for the client to leave."""

    async def handler(stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            socket = await request.accept()
            await script(socket)
            while True:
                await socket.get_message()

    return handler


async def echo(socket: WebSocketConnection) -> None:
    """Says everything back."""
    while True:
        await socket.send_message(await socket.get_message())


async def shake_hands(stream: trio.abc.Stream) -> None:
    """The server's half of the opening handshake, by hand."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some(65536)
    key = next(x for x in head.split(b"\r\n") if x.lower().startswith(b"sec-websocket-key:")).split(b": ")[1]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 - as RFC 6455 says
    await stream.send_all(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def saying(*pieces: bytes, then: Handler | None = None) -> Handler:
    """After the handshake sends these bytes, then does more or only listens."""

    async def handler(stream: trio.abc.Stream) -> None:
        await shake_hands(stream)
        for piece in pieces:
            await stream.send_all(piece)
        await (then or listen)(stream)

    return handler


async def listen(stream: trio.abc.Stream) -> None:
    """Reads until the client leaves."""
    while await stream.receive_some(65536):
        pass


async def sleep(_: trio.abc.Stream) -> None:
    """Does nothing, not even read."""
    await trio.sleep_forever()


def frame(payload: bytes, *, opcode: int = 1, last: bool = True) -> bytes:
    """A frame as a server sends it."""
    first = bytes([opcode | (0x80 if last else 0)])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return first + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return first + b"\x7f" + len(payload).to_bytes(8, "big") + payload
