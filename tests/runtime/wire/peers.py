"""The other side of the wire, for tests: an HTTP server that does what it is told and counts what arrives."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from runtime.simulation import SimulatedClock, SimulatedNetwork
from runtime.wire.capture import Exchange, Recorder
from runtime.wire.http import Dates, HttpClient
from runtime.wire.http_messages import HttpSettings
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))  # how many times the everyday size
HOST = "api.broker"
URL = f"https://{HOST}"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{'orderId':1}"


@attrs.frozen
class Arrival:
    """One complete request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[trio.abc.Stream, Arrival], Awaitable[bool | None]]  # True: hang up


async def agreeing(stream: trio.abc.Stream, _: Arrival) -> None:
    """Answers everything with OK."""
    await stream.send_all(OK)


def saying(answer: bytes) -> Script:
    """Answers everything with these bytes."""

    async def script(stream: trio.abc.Stream, _: Arrival) -> None:
        await stream.send_all(answer)

    return script


def hanging_up_after(answer: bytes) -> Script:
    """Answers with these bytes and closes the connection."""

    async def script(stream: trio.abc.Stream, _: Arrival) -> bool:
        await stream.send_all(answer)
        return True

    return script


async def silence(_: trio.abc.Stream, __: Arrival) -> None:
    """Never answers."""
    await trio.sleep_forever()


class PassingStream(trio.abc.Stream):
    """Passes everything through; a base for streams that differ in one thing."""

    def __init__(self, stream: Any) -> None:
        self.inner = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data: bytes = await self.inner.receive_some(max_bytes)
        return data

    async def aclose(self) -> None:
        await self.inner.aclose()


@attrs.define
class HttpPeer:
    """Reads requests, keeps them, and lets the script answer."""

    script: Script = agreeing
    arrivals: list[Arrival] = attrs.field(factory=list)
    connections: int = 0
    bytes_seen: int = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        try:
            async with stream:
                await self._serve(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _serve(self, stream: trio.abc.Stream) -> None:
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                buffer += await self._more(stream)
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in fields)}
            length = int(headers.get("content-length", 0))
            while len(buffer) < length:
                buffer += await self._more(stream)
            body, buffer = buffer[:length], buffer[length:]
            method, target, _ = line.split(" ")
            self.arrivals.append(arrival := Arrival(method, target, headers, body))
            if await self.script(stream, arrival):
                return

    async def _more(self, stream: trio.abc.Stream) -> bytes:
        data = await stream.receive_some(65536)
        self.bytes_seen += len(data)
        if not data:
            raise trio.BrokenResourceError("the client hung up")
        return bytes(data)


@attrs.define
class Box:
    """A client and its peer with a simulated network between them."""

    network: SimulatedNetwork
    peer: HttpPeer
    client: HttpClient
    records: list[Exchange]
    redactor: Redactor


@asynccontextmanager
async def http_box(
    script: Script = agreeing,
    *,
    settings: HttpSettings | None = None,
    network: SimulatedNetwork | None = None,
    redactor: Redactor | None = None,
    dates: Dates | None = None,
) -> AsyncIterator[Box]:
    """Opens a box; the client closes and the peer stops at its end."""
    network = network or SimulatedNetwork()
    redactor = redactor or Redactor()
    peer = HttpPeer(script)
    records: list[Exchange] = []
    recorder = Recorder("c1", SimulatedClock(), redactor, records.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, peer.serve, await network.listen(HOST, 443))
        async with HttpClient(
            network, AllowList(URL), redactor, settings=settings or HttpSettings(), recorder=recorder, dates=dates
        ) as client:
            yield Box(network, peer, client, records, redactor)
        nursery.cancel_scope.cancel()
