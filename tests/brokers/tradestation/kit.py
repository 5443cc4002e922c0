"""The adapter beside its emulator in a simulated world: one login, its books, and short words for both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import attrs
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.emulation.emulator import Emulator
from brokers.gateway import AccountNews, LinkNews, News, OrderNews
from brokers.market import MarketEvent, Quote
from brokers.model import Order, OrderReport, OrderType
from brokers.order_log import MemoryLog, OrderLog
from brokers.sides import Side
from brokers.tokens.credentials import Credential, LoginId, NoCredential
from brokers.tokens.token_set import Kept, TokenSet, with_kept
from brokers.tradestation import TradeStationSettings, open_tradestation
from brokers.tradestation.emulator import emulate
from brokers.tradestation.feed import TradeStationFeed
from brokers.tradestation.orders import TradeStationOrders
from runtime import Name, Runtime, Supervisor, open_runtime
from runtime.registry import Keys, Registry
from runtime.simulation import SimulatedWorld, simulate
from runtime.wire.secret import Secret

T = TypeVar("T")
FUTURES, STOCKS = "SIM2784991F", "SIM2784990M"
ES = "ESH26"
FEW = (ES, "AAPL", "MSFT")
LOGIN = LoginId("tradestation", "main", "paper")


class Shelf:
    """Credentials in memory."""

    def __init__(self, credential: Credential) -> None:
        self.credential = credential

    async def get(self, login: LoginId, /) -> Credential:
        await trio.lowlevel.checkpoint()
        if login != self.credential.id:
            raise NoCredential(login)
        return self.credential

    async def put(self, credential: Credential, /) -> None:
        await trio.lowlevel.checkpoint()
        self.credential = attrs.evolve(credential, version=self.credential.version + 1)


def shelf_of(emulator: Emulator, wall_ns: int) -> Shelf:
    """What a login leaves: the client's fields and a refresh token; its access token has run out."""
    said = {name: Secret(value) for name, value in emulator.credentials.items()}
    tokens = TokenSet(Secret("an-old-access-token"), said["refresh_token"], wall_ns - 2 * 10**12, wall_ns - 10**12)
    fields = {name: said[name] for name in ("client_id", "client_secret")}
    return Shelf(with_kept(Credential(LOGIN, fields), Kept(tokens, 1)))


@attrs.define(eq=False)
class Desk:
    """Everything a test of the adapter touches."""

    world: SimulatedWorld
    runtime: Runtime
    emulator: Emulator
    broker: Broker
    news: list[News]
    market: list[MarketEvent | LinkNews]
    told: list[object]
    number: int = 0

    @property
    def orders(self) -> TradeStationOrders:
        assert isinstance(self.broker.orders, TradeStationOrders)
        return self.broker.orders

    @property
    def feed(self) -> TradeStationFeed:
        assert isinstance(self.broker.feed, TradeStationFeed)
        return self.broker.feed

    def books(self, account: str = FUTURES) -> Name[AccountBooks]:
        return self.runtime.name(books_name("tradestation", account), AccountBooks)

    async def manager(self, account: str = FUTURES, session: str = "s") -> Name[AccountManager]:
        """An account manager, as a session would start it."""
        child = self.broker.account_manager(account, session=session, epoch=1, name=f"manager-{account}")
        await self.runtime.start(Supervisor([child]), f"session-{account}")
        return self.runtime.name(f"manager-{account}", AccountManager)

    def order(self, side: Side = Side.BUY, quantity: int = 1, symbol: str = ES, **terms: Any) -> Order:
        """A market order for ES unless told otherwise."""
        self.number += 1
        kind = OrderType.LIMIT if "limit_price" in terms else OrderType.MARKET
        return Order(f"{self.number:022d}", symbol, side, terms.pop("type", kind), Decimal(quantity), **terms)

    async def quote(self, symbol: str = ES) -> Quote:
        """The next quote of a symbol with both sides."""
        await self.feed.subscribe(symbol)
        seen = len(self.market)
        while True:
            for event in self.market[seen:]:
                if isinstance(event, Quote) and event.symbol == symbol and event.bid and event.ask:
                    return event
            await trio.sleep(0.1)

    def happened(self, kind: type[Any]) -> list[Any]:
        """The events of orders of one kind, in order."""
        return [one.event for one in self.news if isinstance(one, OrderNews) and isinstance(one.event, kind)]

    def links(self) -> list[bool]:
        return [one.up for one in self.news if isinstance(one, LinkNews)]

    def views(self) -> list[AccountNews]:
        return [one for one in self.news if isinstance(one, AccountNews)]


Play = Callable[[Desk], Awaitable[T]]
Scene = Callable[[SimulatedWorld, Emulator], Awaitable[T]]


@asynccontextmanager
async def opened(
    world: SimulatedWorld, emulator: Emulator, logs: dict[str, OrderLog] | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    """One life of the daemon; `logs` keeps the facts of each account from one life to the next."""
    kept: dict[str, OrderLog] = {} if logs is None else logs
    told: list[object] = []
    async with open_runtime(world) as runtime:
        broker = await open_tradestation(
            runtime,
            TradeStationSettings(host=emulator.http, sign_in=emulator.http, **settings),
            shelf=shelf_of(emulator, world.clock.wall_ns()),
            streams=Registry(Keys.DUPLICATE),
            logs=lambda account: kept.setdefault(account, MemoryLog(keep=True)),
            tell=told.append,
        )
        desk = Desk(world, runtime, emulator, broker, [], [], told)
        desk.orders.listen(FUTURES, desk.news.append)
        desk.feed.listen(desk.market.append)
        yield desk


def staged(scene: Scene[T], *faults: str, seed: int = 1, symbols: Sequence[str] = FEW) -> T:
    """Plays a scene in a simulated world; the faults are on from the emulator's start."""

    async def main(world: SimulatedWorld) -> T:
        async with trio.open_nursery() as nursery:
            emulator: Emulator = await nursery.start(partial(emulate, world, seed=seed, faults=faults, symbols=symbols))
            await trio.sleep(1)
            result = await scene(world, emulator)
            nursery.cancel_scope.cancel()
        return result

    return simulate(main, seed=seed, limit_seconds=3_600.0).unwrap()


def played(play: Play[T], *faults: str, symbols: Sequence[str] = FEW, **settings: Any) -> T:
    """Plays a scene in one life of the daemon."""

    async def scene(world: SimulatedWorld, emulator: Emulator) -> T:
        async with opened(world, emulator, **settings) as desk:
            return await play(desk)

    return staged(scene, *faults, symbols=symbols)


async def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until something is so; fails when it takes too long."""
    with trio.fail_after(seconds):
        while not what():  # noqa: ASYNC110  what is waited for has no event
            await trio.sleep(0.05)


async def reported(manager: Name[AccountManager], key: str, state: object, seconds: float = 60.0) -> OrderReport:
    """The report of an order once it has that state."""
    with trio.fail_after(seconds):
        while True:
            report = await manager.call(AccountManager.order, key)
            if report.state is state:
                return report
            await trio.sleep(0.05)
