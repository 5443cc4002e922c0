"""A raw client of the ThinkOrSwim emulator: HTTP by h11 and the streamer by trio-websocket; no codec of an adapter."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import urlencode, urlsplit

import attrs
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from brokers.emulation import Emulator
from brokers.thinkorswim.emulator import APP, emulate
from runtime.simulation import SimulatedWorld, SimulationResult, simulate
from runtime.world import World
from tests.brokers.emulation.kit import Answer, Raw

T = TypeVar("T")
FEW = ("ESH26", "ESM26", "AAPL", "MSFT")
ES = "/ESH26"  # the front contract when simulated time begins
MARGIN, CASH = "12345678", "87654321"
FORM = "application/x-www-form-urlencoded"
LEVEL_ONE = "0,1,2,3,4,5,8,12,13,14,22,24,34"


@attrs.define(eq=False)
class Socket:
    """The streamer, as somebody sees it who reads every frame."""

    websocket: WebSocketConnection
    ids: dict[str, str]
    login: dict[str, str]
    number: int = 0
    deferred: list[Any] = attrs.field(factory=list)

    def request(self, service: str, command: str, **parameters: str) -> dict[str, Any]:
        self.number += 1
        head = {"requestid": str(self.number), "service": service, "command": command}
        return {**head, **self.ids, "parameters": parameters}

    async def say(self, *requests: dict[str, Any]) -> None:
        await self.websocket.send_message(json.dumps({"requests": list(requests)}))

    async def raw(self) -> str | bytes:
        found: str | bytes = await self.websocket.get_message()
        return found

    async def next(self) -> Any:
        """The next message."""
        return json.loads(await self.raw(), parse_float=Decimal)

    async def response(self) -> Any:
        """The next response; what comes before it is kept."""
        while "response" not in (found := await self.next()):
            self.deferred.append(found)
        (one,) = found["response"]
        return one

    async def ask(self, service: str, command: str, **parameters: str) -> Any:
        """A command and what it is answered with."""
        await self.say(self.request(service, command, **parameters))
        return (await self.response())["content"]

    async def log_in(self) -> Any:
        return await self.ask("ADMIN", "LOGIN", **self.login)

    async def data(self, service: str) -> Any:
        """The next content of a service, kept or new; what is said of others meanwhile is lost."""
        while True:
            found = self.deferred.pop(0) if self.deferred else await self.next()
            for one in found.get("data", ()):
                if one["service"] == service:
                    return one["content"]

    async def activity(self) -> dict[str, Any]:
        """The next event of an account, its JSON inside JSON read."""
        (content,) = await self.data("ACCT_ACTIVITY")
        return {"seq": content["seq"], "type": content["2"], **json.loads(content["3"])}

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """All events up to the first of a type."""
        found = [await self.activity()]
        while found[-1]["type"] != kind:
            found.append(await self.activity())
        return found

    async def types(self, kind: str) -> list[str]:
        return [one["type"] for one in await self.until(kind)]

    async def watch_account(self) -> None:
        """Subscribes to account activity and reads its first message."""
        assert (await self.ask("ACCT_ACTIVITY", "SUBS", keys="Account Activity", fields="0,1,2,3"))["code"] == 0
        (first,) = await self.data("ACCT_ACTIVITY")
        assert first == {"seq": 0, "key": "Account Activity", "1": "", "2": "SUBSCRIBED", "3": ""}


@attrs.define(eq=False)
class Client:
    """Somebody who knows the emulator's credentials."""

    world: World
    emulator: Emulator
    token: str = ""
    hashes: dict[str, str] = attrs.field(factory=dict)

    async def connect(self) -> Raw:
        where = urlsplit(self.emulator.http)
        return Raw(await self.world.network.connect(where.hostname or "", where.port or 0))

    async def ask(self, method: str, target: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        raw = await self.connect()
        async with raw.stream:
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            bearer = {"authorization": f"Bearer {self.token}"} if self.token else {}
            await raw.send(method, target, bearer if headers is None else headers, data)
            head = await raw.head()
            names = {name.decode(): value.decode() for name, value in head.headers}
            return Answer(head.status_code, names, await raw.body())

    async def get(self, target: str) -> Any:
        """The JSON of a query that must succeed."""
        answer = await self.ask("GET", target)
        assert answer.status == 200, (target, answer)
        return json.loads(answer.body, parse_float=Decimal)

    # Sign-in.

    async def token_call(self, proof: str = f"{APP.key}:{APP.secret}", **form: str) -> Answer:
        headers = {"content-type": FORM, "authorization": f"Basic {base64.b64encode(proof.encode()).decode()}"}
        return await self.ask("POST", "/v1/oauth/token", urlencode(form).encode(), headers=headers)

    async def refresh(self, token: str | None = None) -> Answer:
        said = self.emulator.credentials["refresh_token"] if token is None else token
        return await self.token_call(grant_type="refresh_token", refresh_token=said)

    async def log_in(self) -> None:
        answer = await self.refresh()
        assert answer.status == 200, answer
        self.token = answer.json["access_token"]
        numbers = await self.get("/trader/v1/accounts/accountNumbers")
        self.hashes = {one["accountNumber"]: one["hashValue"] for one in numbers}

    # Orders.

    def of(self, account: str = MARGIN) -> str:
        return f"/trader/v1/accounts/{self.hashes[account]}"

    async def place(self, body: Any, account: str = MARGIN) -> int:
        """Places an order that must be taken; the id in its Location."""
        answer = await self.ask("POST", f"{self.of(account)}/orders", body)
        return located(answer)

    async def read(self, order_id: int, account: str = MARGIN) -> Any:
        return await self.get(f"{self.of(account)}/orders/{order_id}")

    async def listed(self, account: str = MARGIN, **more: str) -> Any:
        times = {"fromEnteredTime": "2026-01-01T00:00:00.000Z", "toEnteredTime": "2026-12-31T00:00:00.000Z"}
        return await self.get(f"{self.of(account)}/orders?{urlencode({**times, **more})}")

    async def held(self, account: str = MARGIN) -> dict[str, Decimal]:
        found = (await self.get(f"{self.of(account)}?fields=positions"))["securitiesAccount"]
        return {
            one["instrument"]["symbol"]: Decimal(one["longQuantity"] - one["shortQuantity"])
            for one in found.get("positions", ())
        }

    async def market(self, symbol: str = "AAPL") -> tuple[Decimal, Decimal]:
        """Bid and ask, once the market has shown both."""
        while True:
            told = (await self.get(f"/marketdata/v1/quotes?symbols={symbol}&fields=quote")).get(symbol, {})
            quote = told.get("quote", {})
            if {"bidPrice", "askPrice"} <= quote.keys():
                return Decimal(quote["bidPrice"]), Decimal(quote["askPrice"])
            await trio.sleep(0.25)

    # The streamer.

    @asynccontextmanager
    async def socket(self, *, log_in: bool = True) -> AsyncIterator[Socket]:
        (info,) = (await self.get("/trader/v1/userPreference"))["streamerInfo"]
        where = urlsplit(info["streamerSocketUrl"])
        stream = await self.world.network.connect(where.hostname or "", where.port or 0)
        async with trio.open_nursery() as nursery:
            websocket = await wrap_client_stream(nursery, cast("trio.SocketStream", stream), "127.0.0.1", where.path)
            ids = {
                "SchwabClientCustomerId": info["schwabClientCustomerId"],
                "SchwabClientCorrelId": info["schwabClientCorrelId"],
            }
            login = {
                "Authorization": self.token,
                "SchwabClientChannel": info["schwabClientChannel"],
                "SchwabClientFunctionId": info["schwabClientFunctionId"],
            }
            socket = Socket(websocket, ids, login)
            if log_in:
                assert (await socket.log_in())["code"] == 0
            yield socket
            nursery.cancel_scope.cancel()
            await trio.aclose_forcefully(stream)


def located(answer: Answer) -> int:
    assert answer.status == 201, answer
    assert answer.body == b""
    return int(answer.headers["location"].rpartition("/")[2])


def order(action: str = "BUY", quantity: int = 10, **changed: Any) -> dict[str, Any]:
    """A market order for AAPL unless told otherwise."""
    leg = {"instruction": action, "quantity": quantity, "instrument": {"symbol": "AAPL", "assetType": "EQUITY"}}
    return {
        "orderType": "MARKET",
        "session": "NORMAL",
        "duration": "DAY",
        "orderStrategyType": "SINGLE",
        "orderLegCollection": [leg],
        **changed,
    }


def limit(action: str, price: Decimal, quantity: int = 10, **changed: Any) -> dict[str, Any]:
    return order(action, quantity, orderType="LIMIT", price=str(price), **changed)


def stop(action: str, price: Decimal, quantity: int = 10, **changed: Any) -> dict[str, Any]:
    return order(action, quantity, orderType="STOP", stopPrice=str(price), **changed)


Play = Callable[[Client], Awaitable[T]]


async def running(world: World, play: Play[T], *, log_in: bool = True, **options: Any) -> T:
    """Plays a scene with an emulator that is served in this world; the options are the emulator's."""
    async with trio.open_nursery() as nursery:
        emulator: Emulator = await nursery.start(partial(emulate, world, **options))
        client = Client(world, emulator)
        await trio.sleep(1)  # every market has shown a quote by then
        if log_in:
            await client.log_in()
        result = await play(client)
        nursery.cancel_scope.cancel()
    return result


def scene(
    play: Play[T], *faults: str, seed: int = 1, symbols: Sequence[str] = FEW, **options: Any
) -> SimulationResult[T]:
    """Plays a scene with an emulator in a simulated world; a small market is quicker."""

    async def main(world: SimulatedWorld) -> T:
        return await running(world, play, seed=seed, faults=faults, symbols=symbols, **options)

    return simulate(main, seed=seed, limit_seconds=7200.0)


def played(play: Play[T], *faults: str, **options: Any) -> T:
    """The value of a scene."""
    value: T = scene(play, *faults, **options).unwrap()
    return value
