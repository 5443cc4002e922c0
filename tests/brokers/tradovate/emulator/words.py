"""A raw client of the Tradovate emulator: plain HTTP, and the text frames of a socket, with no codec of an adapter."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any, TypeVar

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from brokers.emulation import Emulator
from brokers.tradovate.emulator import ACCOUNTS, Habits, emulate
from runtime.simulation import EPOCH_NS, SimulatedWorld, SimulationResult, simulate
from runtime.world import World
from tests.brokers.emulation.kit import Answer, Client

T = TypeVar("T")
ES, ES_NAME = "ESH26", "ESH6"
ACCOUNT, OTHER = ACCOUNTS
PENALISED = {"p-ticket", "p-time", "p-captcha"}


class Sock:
    """One socket."""

    def __init__(self, ws: WebSocketConnection) -> None:
        self.ws = ws
        self.frames: list[str] = []
        self.seen: list[Any] = []  # all responses and events
        self._waiting: list[Any] = []
        self._ids = count(1)
        self.beats = True

    async def beat(self) -> None:
        while True:
            await trio.sleep(2.5)
            if self.beats:
                try:
                    await self.ws.send_message("[]")
                except ConnectionClosed:
                    return

    async def frame(self) -> str:
        text = str(await self.ws.get_message())
        self.frames.append(text)
        return text

    async def message(self) -> Any:
        """The next response or event; EOFError when the socket is gone, with its close notice."""
        while not self._waiting:
            try:
                text = await self.frame()
            except ConnectionClosed:
                raise EOFError("gone") from None
            if text.startswith("c"):
                raise EOFError(text)
            if text.startswith("a"):
                self._waiting += json.loads(text[1:], parse_float=Decimal)
        self.seen.append(self._waiting.pop(0))
        return self.seen[-1]

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        while not wanted(found := await self.message()):
            pass
        return found

    async def send(self, endpoint: str, body: Any = None, query: str = "") -> int:
        number = next(self._ids)
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body, default=float)
        await self.ws.send_message(f"{endpoint}\n{number}\n{query}\n{text}")
        return number

    async def ask(self, endpoint: str, body: Any = None, query: str = "") -> Any:
        """The whole response."""
        number = await self.send(endpoint, body, query)
        return await self.until(lambda one: one.get("i") == number)

    async def get(self, endpoint: str, body: Any = None, query: str = "") -> Any:
        """What a request that must succeed is answered with."""
        answer = await self.ask(endpoint, body, query)
        assert answer["s"] == 200, answer
        return answer.get("d")

    async def event(self, kind: str, **facts: Any) -> Any:
        """The next props event of an entity with these facts."""

        def wanted(one: Any) -> bool:
            told = one.get("d")
            if one.get("e") != "props" or told["entityType"] != kind:
                return False
            return all(told["entity"].get(name) == value for name, value in facts.items())

        return (await self.until(wanted))["d"]["entity"]

    def told(self, kind: str, **facts: Any) -> list[Any]:
        """The entities of a kind that events have told so far."""
        props = [one["d"] for one in self.seen if one.get("e") == "props"]
        rows = [one["entity"] for one in props if one["entityType"] == kind]
        return [row for row in rows if all(row.get(name) == value for name, value in facts.items())]


class User(Client):
    """Somebody who knows the password."""

    tokens: dict[str, Any]

    async def sign_in(self, **changed: Any) -> Answer:
        said = self.emulator.credentials
        return await self.ask("POST", "/v1/auth/accessTokenRequest", {**said, **changed}, token="")

    async def log_in(self) -> None:
        answer = await self.sign_in()
        assert answer.status == 200, answer
        self.tokens = answer.json
        self.token = self.tokens["accessToken"]

    async def get(self, target: str) -> Any:
        return await super().get(f"/v1/{target}")

    async def post(self, target: str, body: Any) -> Any:
        answer = await self.ask("POST", f"/v1/{target}", json.dumps(body, default=float).encode())
        assert answer.status == 200, answer
        return json.loads(answer.body, parse_float=Decimal)

    async def renew(self) -> Answer:
        return await self.ask("GET", "/v1/auth/renewAccessToken")

    @asynccontextmanager
    async def socket(self, token: str | None = None) -> AsyncIterator[Sock]:
        """A socket after its o; an empty token does not authorize it."""
        raw = await self.connect()
        async with raw.stream, trio.open_nursery() as nursery:
            stream: Any = raw.stream  # the library asks for sockets and is content with any stream
            ws = await wrap_client_stream(nursery, stream, "127.0.0.1", "/v1/websocket")
            sock = Sock(ws)
            assert await sock.frame() == "o"
            token = self.token if token is None else token
            if token:
                number = await sock.send("authorize", token)
                assert await sock.message() == {"s": 200, "i": number}
            nursery.start_soon(sock.beat)
            yield sock
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def synced(self) -> AsyncIterator[Sock]:
        """A socket that hears of everything."""
        async with self.socket() as sock:
            await sock.get("user/syncrequest", {"users": [self.tokens["userId"]]})
            yield sock

    async def prices(self, name: str = ES_NAME) -> tuple[Decimal, Decimal]:
        """Bid and offer."""
        async with self.socket(self.tokens["mdAccessToken"]) as sock:
            await sock.get("md/subscribeQuote", {"symbol": name})
            quoted = next(filter(_is_quoted, sock.seen), None) or await sock.until(_is_quoted)
            entries = quoted["d"]["quotes"][0]["entries"]
            return entries["Bid"]["price"], entries["Offer"]["price"]


def _is_quoted(message: dict[str, Any]) -> bool:
    """Whether a message tells both sides; the first one may come before the market has shown any."""
    return message.get("e") == "md" and {"Bid", "Offer"} <= message["d"]["quotes"][0]["entries"].keys()


def order(action: str = "Buy", quantity: int = 1, **changed: Any) -> dict[str, Any]:
    """A market order for ES unless told otherwise."""
    return {
        "accountSpec": ACCOUNTS[ACCOUNT],
        "accountId": ACCOUNT,
        "action": action,
        "symbol": ES_NAME,
        "orderQty": quantity,
        "orderType": "Market",
        "timeInForce": "Day",
        "isAutomated": True,
        **changed,
    }


def limit(action: str, price: Decimal, quantity: int = 1, **changed: Any) -> dict[str, Any]:
    return order(action, quantity, orderType="Limit", price=price, **changed)


Play = Callable[[User], Awaitable[T]]


async def running(world: World, play: Play[T], *, log_in: bool = True, **options: Any) -> T:
    """Plays a scene with an emulator that is served in this world."""
    async with trio.open_nursery() as nursery:
        emulator: Emulator = await nursery.start(partial(emulate, world, **options))
        user = User(world, emulator)
        await trio.sleep(1)  # every market has shown a quote by then
        if log_in:
            await user.log_in()
        result = await play(user)
        nursery.cancel_scope.cancel()
    return result


def scene(
    play: Play[T],
    *faults: str,
    seed: int = 1,
    symbols: Sequence[str] = (ES, "ESM26"),
    limit_seconds: float = 900,
    epoch_ns: int = EPOCH_NS,
    **options: Any,
) -> SimulationResult[T]:
    async def main(world: SimulatedWorld) -> T:
        return await running(world, play, seed=seed, faults=faults, symbols=symbols, **options)

    return simulate(main, seed=seed, limit_seconds=limit_seconds, epoch_ns=epoch_ns)


def played(play: Play[T], *faults: str, **options: Any) -> T:
    """The value of a scene."""
    value: T = scene(play, *faults, **options).unwrap()
    return value


__all__ = [
    "ACCOUNT",
    "ES",
    "ES_NAME",
    "OTHER",
    "PENALISED",
    "Habits",
    "Sock",
    "User",
    "limit",
    "order",
    "played",
    "scene",
]
