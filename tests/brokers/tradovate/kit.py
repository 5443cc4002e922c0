"""A whole connection to the emulator in a simulated world."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import attrs
import trio

from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.emulation import Emulator
from brokers.gateway import LinkNews
from brokers.keys import new_key
from brokers.market import MarketEvent, Quote
from brokers.model import Order, OrderReport, OrderType
from brokers.sides import Side
from brokers.tokens.credentials import Credential, LoginId, NoCredential, VersionConflict
from brokers.tradovate import TradovateSettings, open_tradovate
from brokers.tradovate.emulator import ACCOUNTS, Habits, emulate
from runtime import Runtime, Supervisor, open_runtime
from runtime.ref import Ref
from runtime.registry import Keys, Registry
from runtime.simulation import SimulatedWorld, simulate
from runtime.wire.secret import Secret
from tests.brokers.emulation.kit import Client

T = TypeVar("T")
ES = "ESH26"
ACCOUNT, OTHER = ACCOUNTS.values()
LOGIN = LoginId("tradovate", "main", "paper")


class Shelf:
    """One credential in memory."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.credential = Credential(LOGIN, {name: Secret(value) for name, value in fields.items()}, 1)

    async def get(self, login: LoginId) -> Credential:
        await trio.lowlevel.checkpoint()
        if login != LOGIN:
            raise NoCredential(login)
        return self.credential

    async def put(self, credential: Credential) -> None:
        await trio.lowlevel.checkpoint()
        if credential.version != self.credential.version:
            raise VersionConflict(LOGIN, credential.version, self.credential.version)
        self.credential = attrs.evolve(credential, version=credential.version + 1)


def fields_of(emulator: Emulator, **changed: str) -> dict[str, str]:
    said = emulator.credentials
    fields = {"username": said["name"], "device_id": said["deviceId"]}
    return fields | {name: said[name] for name in ("password", "cid", "sec")} | changed


@attrs.define(eq=False)
class Pit:
    """A broker that is connected to an emulator."""

    world: SimulatedWorld
    emulator: Emulator
    runtime: Runtime
    streams: Registry
    shelf: Shelf
    broker: Broker
    settings: TradovateSettings
    told: list[Any]
    events: list[MarketEvent | LinkNews] = attrs.field(factory=list)
    managers: int = 0

    async def manager(self, account: str = ACCOUNT) -> Ref[AccountManager]:
        self.managers += 1
        child = self.broker.account_manager(account, session="s", epoch=1, name=f"manager-{self.managers}")
        top = await self.runtime.start(Supervisor([child]), f"manager-{self.managers}")
        found = top.child("account-manager")
        assert found is not None
        return found

    def order(self, **changed: Any) -> Order:
        fields: dict[str, Any] = {
            "symbol": ES,
            "side": Side.BUY,
            "type": OrderType.MARKET,
            "quantity": Decimal(1),
        } | changed
        return Order(str(new_key(1, self.world.chance)), **fields)

    async def quote(self, symbol: str = ES) -> Quote:
        feed = self.broker.need_feed()
        leave = feed.listen(self.events.append)
        await feed.subscribe(symbol)
        quote = await self.event(lambda one: isinstance(one, Quote) and one.symbol == symbol and one.bid and one.ask)
        leave()
        assert isinstance(quote, Quote)
        return quote

    async def event(self, wanted: Callable[[Any], Any], seconds: float = 60.0) -> Any:
        return await until(lambda: next((one for one in self.events if wanted(one)), None), seconds)

    async def report(self, manager: Ref[AccountManager], key: str, wanted: Callable[[OrderReport], Any]) -> OrderReport:
        with trio.fail_after(60):
            while not wanted(found := await manager.call(AccountManager.order, key)):  # noqa: ASYNC110 - an actor's state
                await trio.sleep(0.05)
        return found

    async def emulator_logs_in(self) -> None:
        """Another program logs in with the same password."""
        client = Client(self.world, self.emulator)
        said = dict(self.emulator.credentials)
        answer = await client.ask("POST", "/v1/auth/accessTokenRequest", said)
        assert "accessToken" in answer.json, answer

    def actor(self, name: str) -> Any:
        """The instance behind one of the sockets."""
        refs = [ref for ref, _ in self.streams.lookup(LOGIN.stream_key)]
        cells: list[Any] = [ref.cell() for ref in refs if name in ref.path]
        return cells[0].actor


async def until(found: Callable[[], T | None], seconds: float = 60.0) -> T:
    """What is found at last."""
    with trio.fail_after(seconds):
        while not (value := found()):  # noqa: ASYNC110 - what is waited for has no event of its own
            await trio.sleep(0.05)
    return value


Play = Callable[[Pit], Awaitable[T]]


def played(
    play: Play[T],
    *faults: str,
    seed: int = 1,
    symbols: Sequence[str] = (ES, "ESM26"),
    habits: Habits = Habits(),  # noqa: B008 - frozen
    settings: dict[str, Any] | None = None,
    fields: dict[str, str] | None = None,
    limit: float = 86_400.0,
) -> T:
    """The value of a scene with a broker that is connected to an emulator."""

    async def main(world: SimulatedWorld) -> T:
        serve = partial(emulate, world, seed=seed, faults=faults, symbols=symbols, habits=habits)
        async with trio.open_nursery() as nursery:
            emulator: Emulator = await nursery.start(serve)
            await trio.sleep(1)  # every market has shown a quote by then
            origin = emulator.http.removesuffix("/v1")
            chosen = TradovateSettings(host=origin, market_host=origin, **(settings or {}))
            shelf, told = Shelf(fields_of(emulator, **(fields or {}))), list[Any]()
            async with open_runtime(world) as runtime:
                streams = Registry(Keys.DUPLICATE)
                broker = await open_tradovate(runtime, chosen, shelf=shelf, streams=streams, tell=told.append)
                value = await play(Pit(world, emulator, runtime, streams, shelf, broker, chosen, told))
            nursery.cancel_scope.cancel()
        return value

    try:
        return simulate(main, seed=seed, limit_seconds=limit).unwrap()
    except BaseExceptionGroup as group:
        raise alone(group) from None


def alone(error: BaseException) -> BaseException:
    """The one exception in a nest of groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
