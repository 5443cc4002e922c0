"""An emulator in a simulated world and a raw HTTP client that talks to it: no codec of an adapter is involved."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs
import h11
import trio

from brokers.emulation import Emulator
from brokers.emulation.table import EMULATORS
from runtime.simulation import SimulatedWorld, SimulationResult, simulate
from runtime.world import World

T = TypeVar("T")
FEW = ("ESH26", "AAPL", "MSFT")


@attrs.frozen
class Answer:
    """A whole reply."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Raw:
    """One connection, read by h11."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 22)
        self.received = bytearray()

    async def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> None:
        pairs = [("host", "127.0.0.1"), *headers.items()]
        if body:
            pairs.append(("content-length", str(len(body))))
        data = self._h11.send(h11.Request(method=method, target=target, headers=pairs)) or b""
        if body:
            data += self._h11.send(h11.Data(body)) or b""
        self._h11.send(h11.EndOfMessage())
        await self.stream.send_all(data)

    async def event(self) -> Any:
        """The next event of the response; EOFError when the peer hangs up before its end."""
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise EOFError("cut inside a response") from error
            if event is not h11.NEED_DATA:
                return event
            data = bytes(await self.stream.receive_some(65536))
            self.received += data
            if not data and not self.received:
                raise EOFError("the peer hung up without a word")
            self._h11.receive_data(data)

    async def head(self) -> h11.Response:
        event = await self.event()
        while isinstance(event, h11.InformationalResponse):
            event = await self.event()
        assert isinstance(event, h11.Response), event
        return event

    async def body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self.event(), h11.Data):
            body += event.data
        return bytes(body)

    async def whole(self) -> bytes:
        """The body of a response whose head is of no interest."""
        await self.head()
        return await self.body()


class Feed:
    """A stream of JSON lines."""

    def __init__(self, raw: Raw, status: int) -> None:
        self.raw = raw
        self.status = status
        self.chunks: list[bytes] = []
        self._tail = b""
        self._lines: list[bytes] = []

    async def line(self) -> bytes:
        """The next line that is not blank; EOFError at the end."""
        while not self._lines:
            event = await self.raw.event()
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                raise EOFError("the stream ended")  # noqa: TRY004 - it is no matter of types
            self.chunks.append(bytes(event.data))
            *whole, self._tail = (self._tail + bytes(event.data)).split(b"\n")
            self._lines += [one.strip() for one in whole if one.strip()]
        return self._lines.pop(0)

    async def next(self) -> Any:
        """The next object that is no heartbeat."""
        while "Heartbeat" in (found := json.loads(await self.line())):
            pass
        return found

    async def until(self, wanted: Callable[[Any], bool]) -> list[Any]:
        """All objects up to the first that is wanted."""
        found = [await self.next()]
        while not wanted(found[-1]):
            found.append(await self.next())
        return found

    async def snapshot(self) -> list[Any]:
        """The objects before the end of the snapshot."""
        return (await self.until(lambda one: one.get("StreamStatus") == "EndSnapshot"))[:-1]

    async def statuses(self, order_id: str, last: str) -> list[Any]:
        """The updates of an order up to a status."""
        found = await self.until(lambda one: one.get("OrderID") == order_id and one["Status"] == last)
        return [one for one in found if one.get("OrderID") == order_id]


@attrs.define(eq=False)
class Client:
    """Somebody who knows the emulator's credentials."""

    world: World
    emulator: Emulator
    token: str = ""

    async def connect(self) -> Raw:
        where = urlsplit(self.emulator.http)
        assert where.hostname is not None
        assert where.port is not None
        return Raw(await self.world.network.connect(where.hostname, where.port))

    async def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        form: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        raw = await self.connect()
        async with raw.stream:
            bearer = self.token if token is None else token
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            data = b""
            if form is not None:
                headers["content-type"], data = "application/x-www-form-urlencoded", urlencode(form).encode()
            elif body is not None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                headers["content-type"] = "application/json"
            await raw.send(method, target, headers, data)
            head = await raw.head()
            names = {name.decode(): value.decode() for name, value in head.headers}
            return Answer(head.status_code, names, await raw.body())

    async def get(self, target: str) -> Any:
        """The JSON of a query that must succeed."""
        answer = await self.ask("GET", target)
        assert answer.status == 200, (target, answer)
        return answer.json

    async def refresh(self, **changed: str) -> Answer:
        """Asks for an access token by the refresh token."""
        said = self.emulator.credentials
        form = {name: said[name] for name in ("client_id", "client_secret", "refresh_token")}
        return await self.ask("POST", "/oauth/token", form={"grant_type": "refresh_token", **form, **changed})

    async def log_in(self) -> None:
        answer = await self.refresh()
        assert answer.status == 200, answer
        self.token = answer.json["access_token"]

    @asynccontextmanager
    async def stream(self, target: str) -> AsyncIterator[Feed]:
        raw = await self.connect()
        async with raw.stream:
            await raw.send("GET", target, {"authorization": f"Bearer {self.token}"})
            head = await raw.head()
            yield Feed(raw, head.status_code)


Play = Callable[[Client], Awaitable[T]]


async def running(world: World, play: Play[T], broker: str, *, log_in: bool = True, **options: Any) -> T:
    """Plays a scene with an emulator that is served in this world; the options are the emulator's."""
    async with trio.open_nursery() as nursery:
        serve = partial(EMULATORS[broker], world, **options)
        emulator: Emulator = await nursery.start(serve)
        client = Client(world, emulator)
        await trio.sleep(1)  # every market has shown a quote by then
        if log_in:
            await client.log_in()
        result = await play(client)
        nursery.cancel_scope.cancel()
    return result


def scene(
    play: Play[T],
    *faults: str,
    broker: str = "tradestation",
    seed: int = 1,
    symbols: Sequence[str] = FEW,
    **options: Any,
) -> SimulationResult[T]:
    """Plays a scene with an emulator in a simulated world; a small market is quicker."""

    async def main(world: SimulatedWorld) -> T:
        return await running(world, play, broker, seed=seed, faults=faults, symbols=symbols, **options)

    return simulate(main, seed=seed, limit_seconds=86_400.0 * 3)


def played(play: Play[T], *faults: str, **options: Any) -> T:
    """The value of a scene."""
    value: T = scene(play, *faults, **options).unwrap()
    return value
