"""A trading desk for tests: a paper broker in a simulated world, an account manager, a data source, and short words."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import trio

from brokers.account_books import AccountBooks, account_topic, books_name
from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.market import Quote
from brokers.market_data import MarketDataSource
from brokers.matching import VenueRules
from brokers.model import Order, OrderReport, OrderType
from brokers.paper import PaperFaults, PaperSettings, open_paper
from brokers.paper.exchange import PaperExchange
from brokers.paper.hub import Hub
from brokers.paper.orders import PaperOrders
from brokers.paper.venue import PaperVenue
from brokers.sides import Side
from runtime import Child, Name, Runtime, Supervisor, SupervisorRef, open_runtime
from runtime.simulation import SimulatedWorld, simulate
from runtime.topics import Subscription

T = TypeVar("T")
ES = "ESZ26"
CALM = PaperSettings(symbols=(ES,), faults=PaperFaults.none(), rules=VenueRules(standing_ns=None))


@attrs.define(eq=False)
class Desk:
    """Everything a test of the trading floor touches."""

    runtime: Runtime
    world: SimulatedWorld
    broker: Broker
    session: SupervisorRef
    account: Name[AccountManager]
    source: Name[MarketDataSource]
    heard: Subscription[object]
    number: int = 0

    @property
    def exchange(self) -> PaperExchange:
        """The venue's side of everything."""
        assert isinstance(self.broker.orders, PaperOrders)
        return self.broker.orders._exchange

    @property
    def hub(self) -> Hub:
        assert isinstance(self.broker.orders, PaperOrders)
        return self.broker.orders._hub

    @property
    def venue(self) -> PaperVenue:
        assert isinstance(self.broker.orders, PaperOrders)
        cell: Any = self.broker.orders._venue.cell()
        actor: PaperVenue = cell.actor
        return actor

    @property
    def books(self) -> Name[AccountBooks]:
        return self.runtime.name(books_name("paper", "paper-1"), AccountBooks)

    @property
    def manager(self) -> AccountManager:
        cell: Any = self.account.cell()
        actor: AccountManager = cell.actor
        return actor

    def order(self, side: Side = Side.BUY, quantity: str | int = 1, **terms: Any) -> Order:
        """A market order for ES unless told otherwise."""
        self.number += 1
        prices: dict[str, Any] = {
            name: Decimal(str(terms.pop(name))) for name in ("limit_price", "stop_price") if name in terms
        }
        kind = terms.pop("type", OrderType.LIMIT if "limit_price" in prices else OrderType.MARKET)
        key = terms.pop("key", f"{self.number:022d}")
        symbol = terms.pop("symbol", ES)
        return Order(key, symbol, side, kind, Decimal(str(quantity)), **prices, **terms)

    async def submit(self, order: Order) -> OrderReport:
        """Submits one order through the facade."""
        (report,) = await self.broker.submit_order(self.account, order)
        return report

    async def report(self, order: Order) -> OrderReport:
        """What the account manager knows of an order now."""
        return await self.account.call(AccountManager.order, order.key)

    def quote(self, bid: str, ask: str, size: int = 100, symbol: str = ES) -> None:
        """Shows a quote at the venue, instead of the synthetic market's own."""
        now = self.world.clock.wall_ns()
        self.venue.market(Quote(symbol, Decimal(bid), Decimal(ask), Decimal(size), Decimal(size), now))


def at_the_desk(
    play: Callable[[Desk], Awaitable[T]], settings: PaperSettings = CALM, *, seed: int = 1, quiet: bool = True
) -> T:
    """Plays a scene; `quiet` keeps the synthetic market from moving, so that the scene's quotes are all there is."""
    value: T = scene(play, settings, seed=seed, quiet=quiet).unwrap()
    return value


def scene(
    play: Callable[[Desk], Awaitable[T]], settings: PaperSettings = CALM, *, seed: int = 1, quiet: bool = True
) -> Any:
    """As at_the_desk, with the whole result of the simulation."""

    async def main(world: SimulatedWorld) -> T:
        async with open_runtime(world) as runtime:
            broker = await open_paper(runtime, settings, recording=[_first_quote()] if quiet else None)
            children: list[Child[Any]] = [
                broker.account_manager("paper-1", session="s1", name="account"),
                broker.data_source(name="source"),
            ]
            session = await runtime.start(Supervisor(children), "session")
            with runtime.topics.subscribe(account_topic("paper", "paper-1", "s1"), capacity=10_000) as heard:
                desk = Desk(
                    runtime,
                    world,
                    broker,
                    session,
                    runtime.name("account", AccountManager),
                    runtime.name("source", MarketDataSource),
                    heard,
                )
                await trio.sleep(0.001)
                return await play(desk)

    return simulate(main, seed=seed)


def _first_quote() -> Quote:
    # A Wednesday morning in New York, when every market of the table is open.
    return Quote(ES, Decimal("6800.00"), Decimal("6800.25"), Decimal(100), Decimal(100), 1_794_405_600_000_000_000)
