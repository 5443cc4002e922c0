"""A scripted other side for the adapter's tests: it answers as the notes say and does on command what a test needs."""

import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

import attrs
import trio

from brokers.broker import Broker
from brokers.gateway import LinkNews
from brokers.market import MarketEvent
from brokers.thinkorswim import ThinkorswimSettings, open_thinkorswim
from brokers.thinkorswim.feed import ThinkorswimFeed
from brokers.thinkorswim.streamer import StreamerActor, StreamerStatistics
from brokers.tokens.credentials import Credential
from brokers.tokens.token_set import Kept, TokenSet, with_kept
from runtime import Runtime, open_runtime
from runtime.simulation import SimulatedWorld, simulate
from runtime.wire.capture import Exchange, Recorder
from runtime.wire.host import Message, Receive, Send, serve
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import MemoryShelf

T = TypeVar("T")
PORT = 7001
SETTINGS = ThinkorswimSettings(api=f"http://127.0.0.1:{PORT}", streamer=f"ws://127.0.0.1:{PORT}")
LOGIN = SETTINGS.login_id
SECRET = "sEcReT-canary-of-the-client"
CUSTOMER = "c0ffee00"
SECOND_NS = 1_000_000_000


@attrs.define(eq=False)
class Connection:
    """One WebSocket as the broker sees it."""

    send: Send
    access: str = ""
    closed: bool = False
    keys: dict[str, list[str]] = attrs.field(factory=lambda: defaultdict(list))
    fields: dict[str, str] = attrs.field(factory=dict)

    async def say(self, frame: Any) -> None:
        await self.send({"type": "websocket.send", "text": frame if isinstance(frame, str) else json.dumps(frame)})

    async def hang_up(self) -> None:
        self.closed = True
        await self.send({"type": "websocket.close", "code": 1000})


class Counterpart:
    """Schwab, as far as these tests need it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.count = 1
        self.refreshes = 0
        self.refresh_status = 200
        self.connections: list[Connection] = []
        self.commands: list[dict[str, Any]] = []
        self.codes: dict[tuple[str, str], list[int]] = defaultdict(list)  # answers to give before the usual one
        self.bad_keys: set[str] = set()
        self.mute: set[str] = set()  # commands that are not answered
        self.images: dict[tuple[str, str], dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, list[tuple[int, bytes, list[tuple[bytes, bytes]]]]] = defaultdict(list)
        self.url = SETTINGS.streamer + "/ws"

    @property
    def access(self) -> str:
        return f"access-{self.count}-Canary+/~"

    @property
    def line(self) -> Connection:
        return self.connections[-1]

    def verbs(self, number: int = -1) -> list[str]:
        """What was said on a connection, in order."""
        return [
            f"{one['command']} {one['service']}" for one in self.commands if one["line"] is self.connections[number]
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.stream(receive, send)
        elif scope["type"] == "http":
            body = b""
            while (message := await receive()).get("more_body"):
                body += message["body"]
            status, data, headers = self.reply(scope, (body + message["body"]).decode())
            headers = [*headers, (b"content-length", str(len(data)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": data})

    # HTTP.

    def reply(self, scope: Message, form: str) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        path, headers = scope["path"], dict(scope["headers"])
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        if path == "/v1/oauth/token":
            return self.token(form, headers)
        self.asked.append((path, query))
        if self.answers[path]:
            return self.answers[path].pop(0)
        if headers.get(b"authorization") != f"Bearer {self.access}".encode():
            return 401, b'{"errors":[{"status":401,"title":"Unauthorized","detail":"Client not authorized"}]}', []
        if path == "/trader/v1/userPreference":
            return 200, json.dumps(self.preferences()).encode(), []
        return 404, b'{"message":"not found","errors":[]}', []

    def token(self, form: str, headers: dict[bytes, bytes]) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        said = {name: values[0] for name, values in parse_qs(form).items()}
        client = base64.b64decode(headers[b"authorization"].partition(b" ")[2]).decode()
        assert said == {"grant_type": "refresh_token", "refresh_token": "refresh-Canary+/~"}
        assert client == f"app-key:{SECRET}"
        self.refreshes += 1
        if self.refresh_status != 200:
            return self.refresh_status, b'{"error":"unsupported_token_type"}', []
        self.count += 1
        return 200, json.dumps({"access_token": self.access, "expires_in": 1800, "token_type": "Bearer"}).encode(), []

    def preferences(self) -> dict[str, Any]:
        info = {
            "streamerSocketUrl": self.url,
            "schwabClientCustomerId": CUSTOMER,
            "schwabClientCorrelId": "5be0b7e7",
            "schwabClientChannel": "N9",
            "schwabClientFunctionId": "APIAPP",
        }
        return {"accounts": [{"accountNumber": "12345678"}], "streamerInfo": [info], "offers": [{}]}

    # The streamer.

    async def stream(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        line = Connection(send)
        self.connections.append(line)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                for request in json.loads(message["text"])["requests"]:
                    self.commands.append({**request, "line": line})
                    await self.obey(line, request)
        finally:
            line.closed = True

    async def obey(self, line: Connection, request: dict[str, Any]) -> None:
        verb, service, said = request["command"], request["service"], request["parameters"]
        if verb in self.mute:
            return
        assert (request["SchwabClientCustomerId"], request["SchwabClientCorrelId"]) == (CUSTOMER, "5be0b7e7")
        keys = said.get("keys", "").split(",")
        queued = self.codes[verb, service]
        code = queued.pop(0) if queued else 24 if verb in ("SUBS", "ADD") and self.bad_keys & set(keys) else 0
        if verb == "LOGIN" and said["Authorization"] != self.access:
            code = 3
        await line.say({"response": [self.answer(request, code)]})
        if code in (3, 9, 12, 20, 30):
            await line.hang_up()
        elif code in (0, 26, 27, 28, 29):
            await self.done(line, verb, service, said, keys)

    def answer(self, request: dict[str, Any], code: int) -> dict[str, Any]:
        return {
            "service": request["service"],
            "command": request["command"],
            "requestid": request["requestid"],
            "SchwabClientCorrelId": "5be0b7e7",
            "timestamp": self.clock() // 1_000_000,
            "content": {"code": code, "msg": f"said {code}"},
        }

    async def done(self, line: Connection, verb: str, service: str, said: dict[str, str], keys: list[str]) -> None:
        held = line.keys[service]
        if verb == "SUBS":
            held[:] = keys
        elif verb == "ADD":
            held += keys
        elif verb == "UNSUBS":
            held[:] = [key for key in held if key not in keys]
        if "fields" in said:
            line.fields[service] = said["fields"]
        if verb in ("SUBS", "ADD"):
            rows = [{"key": key, **self.images[service, key]} for key in keys if (service, key) in self.images]
            if rows:
                await line.say(self.data(service, *rows))

    def data(self, service: str, *rows: dict[str, Any]) -> dict[str, Any]:
        batch = {"service": service, "timestamp": self.clock() // 1_000_000, "command": "SUBS", "content": list(rows)}
        return {"data": [batch]}

    async def change(self, service: str, key: str, **fields: Any) -> None:
        """Sends changed fields; `f1=2` is field 1."""
        await self.line.say(self.data(service, {"key": key, **{name[1:]: value for name, value in fields.items()}}))


@attrs.define(eq=False)
class Room:
    """The adapter, connected to its counterpart."""

    world: SimulatedWorld
    runtime: Runtime
    broker: Broker
    other: Counterpart
    heard: list[MarketEvent | LinkNews]
    told: list[Any]
    audit: list[Exchange]

    @property
    def feed(self) -> ThinkorswimFeed:
        assert isinstance(self.broker.feed, ThinkorswimFeed)
        return self.broker.feed

    @property
    def links(self) -> list[bool]:
        return [one.up for one in self.heard if isinstance(one, LinkNews)]

    def events(self, kind: type[T]) -> list[T]:
        return [one for one in self.heard if isinstance(one, kind)]

    async def statistics(self) -> StreamerStatistics:
        return await self.feed.streamer.call(StreamerActor.statistics)


def shelf(access: str, wall_ns: int, life: int = 1800) -> MemoryShelf:
    """A shelf after a person's login."""
    found = MemoryShelf()
    tokens = TokenSet(
        Secret(access), Secret("refresh-Canary+/~"), wall_ns, wall_ns + life * SECOND_NS, wall_ns + 10**15
    )
    fields = {"client_id": Secret("app-key"), "client_secret": Secret(SECRET)}
    found.credentials[LOGIN] = with_kept(Credential(LOGIN, fields, 1), Kept(tokens, 1))
    return found


@asynccontextmanager
async def room(
    world: SimulatedWorld, settings: ThinkorswimSettings = SETTINGS, *, life: int = 1800, access: str | None = None
) -> AsyncIterator[Room]:
    other = Counterpart(world.clock.wall_ns)
    told: list[Any] = []
    audit: list[Exchange] = []
    redactor = Redactor()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, other, await world.network.listen("127.0.0.1", PORT)))
        async with open_runtime(world) as runtime:
            broker = await open_thinkorswim(
                runtime,
                settings,
                shelf=shelf(access or other.access, world.clock.wall_ns(), life),
                tell=told.append,
                redactor=redactor,
                recorder=Recorder("thinkorswim", world.clock, redactor, audit.append),
            )
            here = Room(world, runtime, broker, other, [], told, audit)
            here.feed.listen(here.heard.append)
            yield here
        nursery.cancel_scope.cancel()


def played(play: Callable[[Room], Awaitable[T]], *args: Any, seed: int = 1, **options: Any) -> T:
    """The value of a scene in a simulated world."""

    async def main(world: SimulatedWorld) -> T:
        async with room(world, *args, **options) as here:
            return await play(here)

    return simulate(main, seed=seed, limit_seconds=86_400.0 * 3).unwrap()


def minutes(first_ms: int, closes: Sequence[str]) -> list[dict[str, Any]]:
    """Candles of one minute each."""
    return [
        {
            "open": float(close),
            "high": float(close) + 1,
            "low": float(close) - 1,
            "close": float(close),
            "volume": 100,
            "datetime": first_ms + 60_000 * place,
        }
        for place, close in enumerate(closes)
    ]
