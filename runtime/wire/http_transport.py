"""The network under httpx: httpcore's pool over our own streams, which note when a request's first byte leaves."""

import ssl
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any, Final, Protocol, runtime_checkable

import httpcore
import httpx
import trio

from runtime.wire.delivery import Delivery, Phase
from runtime.wire.http_chunks import ChunkMerger
from runtime.wire.http_messages import HttpSettings
from runtime.wire.origins import AllowList, Origin, dial, reason_of
from runtime.world import Network

# The request in progress in this task; httpcore writes a request in the task that made it.
_CURRENT: Final[ContextVar[Delivery]] = ContextVar("current request")


@runtime_checkable
class Readable(Protocol):
    """What a stream of our own may offer, as sockets do, so that a dead connection is not used again."""

    def is_readable(self) -> bool:
        """Whether bytes or the end wait to be read."""
        ...


class NetworkTransport(httpx.AsyncBaseTransport):
    """Sends each request once, over streams from a Network, to the origins on a list and to no other.

    A request needs the extensions `origin` (on the list), `target` (what follows it, as bytes that go out
    unchanged) and `delivery`. Raises the exceptions of httpcore.
    """

    def __init__(self, network: Network, allowed: AllowList, tls: ssl.SSLContext, settings: HttpSettings) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,  # httpcore would load another one for nothing
            max_connections=settings.connections,
            retries=0,
            network_backend=_Backend(network, allowed, tls, settings),
        )

    @property
    def connections(self) -> int:
        """How many connections are open or being opened."""
        return len(self._pool.connections)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request and returns the head of its answer with the body still to come."""
        origin: Origin = request.extensions["origin"]
        url = httpcore.URL(
            scheme=origin.scheme, host=origin.host, port=origin.port, target=request.extensions["target"]
        )
        token = _CURRENT.set(request.extensions["delivery"])
        try:
            answer = await self._pool.handle_async_request(
                httpcore.Request(request.method, url, headers=request.headers.raw, content=_Once(request.content))
            )
        finally:
            _CURRENT.reset(token)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    async def aclose(self) -> None:
        """Closes every connection; requests in progress end with an error."""
        await self._pool.aclose()


class _Once(AsyncIterator[bytes]):
    """The body of a request as the one piece it is; unlike a generator it can be dropped half-way."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        body, self._left = self._left, b""
        return body


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens the pool's connections, TLS included; httpcore's further arguments, timeouts among them, are unset."""

    def __init__(self, network: Network, allowed: AllowList, tls: ssl.SSLContext, settings: HttpSettings) -> None:
        self._network = network
        self._origins = {(origin.host, origin.port): origin for origin in allowed.origins}
        self._tls = tls
        self._settings = settings

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        _CURRENT.get().reach(Phase.CONNECT)
        try:
            with trio.fail_after(self._settings.connect_seconds):
                stream = await dial(self._network, self._origins[host, port], self._tls)
        except trio.TooSlowError:
            limit = f"no connection to {host}:{port} within {self._settings.connect_seconds:g} s"
            raise httpcore.ConnectTimeout(limit) from None
        except OSError as error:
            raise httpcore.ConnectError(f"no connection to {host}:{port}: {reason_of(error)}") from None
        return _Stream(stream, self._settings.idle_seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """One connection; tells the request in progress how far it got."""

    def __init__(self, stream: trio.abc.Stream, idle_seconds: float) -> None:
        self._stream = stream
        self._idle_seconds = idle_seconds
        self._last_used = trio.current_time()
        self._delivery = Delivery()
        self._closed = False
        self._chunks = ChunkMerger()  # of the answer to the request in progress

    async def read(self, max_bytes: int, *_: Any, **__: Any) -> bytes:
        self._delivery.reach(Phase.ANSWER)
        try:
            data = await self._received(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.ReadError(f"the connection broke: {reason_of(error)}") from None
        if not data and self._delivery.phase < Phase.BODY:
            raise httpcore.ReadError("the connection ended before the answer came")
        self._last_used = trio.current_time()
        return data

    async def _received(self, most: int) -> bytes:
        while data := bytes(await self._stream.receive_some(most)):
            if merged := self._chunks.feed(data):
                return merged
        return self._chunks.finish()

    async def write(self, buffer: bytes, *_: Any, **__: Any) -> None:
        if not buffer:
            return
        await trio.lowlevel.checkpoint_if_cancelled()  # cancelled before the first byte: nothing was sent
        self._delivery = _CURRENT.get()
        self._delivery.reach(Phase.SEND)
        self._chunks = ChunkMerger()
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.WriteError(f"the connection broke: {reason_of(error)}") from None

    async def start_tls(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        return self

    async def aclose(self) -> None:
        self._closed = True
        await trio.aclose_forcefully(self._stream)  # never waits for a peer that does not read

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` is what the pool asks of an idle connection: true means that it is spent."""
        return self._spent() if info == "is_readable" else None

    def _spent(self) -> bool:
        idle = trio.current_time() - self._last_used
        return self._closed or idle > self._idle_seconds or _is_readable(self._stream)


def _is_readable(stream: trio.abc.Stream) -> bool:
    """Whether bytes or the end wait to be read; False for a stream that cannot tell."""
    if isinstance(stream, trio.SSLStream):
        return _is_readable(stream.transport_stream)
    if isinstance(stream, trio.SocketStream):
        return stream.socket.is_readable()
    return isinstance(stream, Readable) and stream.is_readable()
