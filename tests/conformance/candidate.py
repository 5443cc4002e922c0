"""A broker under test: its plan, and how its other side is put up in a simulated world and opened by its adapter."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import attrs
import trio

from brokers.broker import Broker
from brokers.capability import Capability
from brokers.catalogue import Catalogue
from brokers.emulation.catalogue import Part
from brokers.emulation.emulator import Emulator
from brokers.listing import BrokerPlan
from brokers.market import MarketEvent, MarketStatus
from brokers.matching import VenueRules
from brokers.order_log import OrderLog
from brokers.paper import PaperAccount, PaperFaults, PaperSettings, open_paper
from brokers.paper.exchange import PaperExchange
from brokers.paper.orders import PaperOrders
from brokers.paper.venue import PaperVenue
from brokers.tokens.credentials import Credential, LoginId
from brokers.tokens.token_set import Kept, TokenSet, with_kept
from runtime import Runtime
from runtime.registry import Keys, Registry
from runtime.simulation import SimulatedWorld
from runtime.wire.secret import Secret

Logs = Callable[[str], OrderLog]
Show = Callable[[MarketEvent], None]
SECOND_NS = 1_000_000_000
SHIPPED = Catalogue.shipped()  # read once: it is the larger part of a short scenario
STORE = Path("/paper/paper.jsonl")
WARM_UP = 1.0  # seconds until every market of an emulator has shown a quote


class OtherSide(Protocol):
    """The broker itself, as a scenario steers it."""

    @property
    def exchange(self) -> PaperExchange:
        """What the broker's books say: the oracle."""
        ...

    async def open(self, runtime: Runtime, logs: Logs) -> Broker:
        """One life of the adapter at this broker."""
        ...

    def still(self) -> Show:
        """Stops the market and returns what moves it by hand."""
        ...

    def end_session(self, symbol: str) -> None:
        """The trading day of a symbol is over."""
        ...

    async def sever(self) -> None:
        """Breaks every connection; new ones are taken again."""
        ...

    def fault(self, switch: str) -> None:
        """Switches a fault on."""
        ...

    def calm(self, name: str) -> None:
        """Switches a fault off."""
        ...


@attrs.frozen(kw_only=True)
class Candidate:
    """One line of the kit: a broker, its other side, the account to trade in and the symbols to trade.

    side     puts up the other side in a world
    symbols  what the market has, the traded one first; two contracts of one root let it roll
    history  a symbol whose bars the broker gives, if not the first
    parts    which parts the protocol has, and so which faults can be told in it
    """

    plan: BrokerPlan
    side: Callable[[SimulatedWorld, tuple[str, ...]], AbstractAsyncContextManager[OtherSide]]
    symbols: tuple[str, ...] = ("ESH26", "ESM26")
    history: str = ""
    account: str = ""
    parts: frozenset[Part] = frozenset()

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def capability(self) -> Capability:
        return self.plan.capability


# Brokers with an emulator.


class AnyShelf:
    """What a login leaves behind, under whatever id it is asked for; an access token has run out already."""

    def __init__(self, said: Mapping[str, str], wall_ns: int) -> None:
        self._fields = {_RENAMED.get(name, name): Secret(value) for name, value in said.items()}
        refresh = self._fields.pop("refresh_token", None)
        self._tokens: TokenSet | None = None
        if refresh is not None:
            self._tokens = TokenSet(Secret("ended"), refresh, wall_ns - 2 * SECOND_NS, wall_ns - SECOND_NS)
        self._kept: dict[LoginId, Credential] = {}

    async def get(self, login: LoginId, /) -> Credential:
        await trio.lowlevel.checkpoint()
        if login not in self._kept:
            self._kept[login] = with_kept(Credential(login, self._fields), Kept(self._tokens, 1))
        return self._kept[login]

    async def put(self, credential: Credential, /) -> None:
        await trio.lowlevel.checkpoint()
        self._kept[credential.id] = attrs.evolve(credential, version=credential.version + 1)


_RENAMED = {"name": "username", "deviceId": "device_id"}


@attrs.define(eq=False)
class EmulatedSide:
    """A broker's emulator, reached over the simulated network."""

    world: SimulatedWorld
    plan: BrokerPlan
    settings: Callable[[Emulator], Any]
    emulator: Emulator
    shelf: AnyShelf

    @property
    def exchange(self) -> PaperExchange:
        return self.emulator.desk.exchange

    async def open(self, runtime: Runtime, logs: Logs) -> Broker:
        told, streams = self.settings(self.emulator), Registry(Keys.DUPLICATE)
        catalogue = attrs.evolve(SHIPPED)
        return await self.plan.open(runtime, told, shelf=self.shelf, streams=streams, logs=logs, catalogue=catalogue)

    def still(self) -> Show:
        return _held(self.emulator.desk)

    def end_session(self, symbol: str) -> None:
        self.emulator.desk._status(symbol, MarketStatus.CLOSED)

    async def sever(self) -> None:
        for line in list(self.emulator.door.lines):
            await line.reset()

    def fault(self, switch: str) -> None:
        self.emulator.faults.on(switch)

    def calm(self, name: str) -> None:
        self.emulator.faults.off(name)


def emulated(
    plan: BrokerPlan,
    emulator: ModuleType,
    settings: Callable[[Emulator], Any],
    **rest: Any,
) -> Candidate:
    """A broker with an emulator; `settings` are the adapter's at that emulator, the rest is as in Candidate."""

    @asynccontextmanager
    async def side(world: SimulatedWorld, symbols: tuple[str, ...]) -> AsyncIterator[OtherSide]:
        async with trio.open_nursery() as nursery:
            served: Emulator = await nursery.start(partial(emulator.emulate, world, seed=1, symbols=symbols))
            shelf = AnyShelf(served.credentials, world.clock.wall_ns())
            await trio.sleep(WARM_UP)
            yield EmulatedSide(world, plan, settings, served, shelf)
            nursery.cancel_scope.cancel()

    return Candidate(plan=plan, side=side, parts=emulator.PARTS, **rest)


# The paper broker, which is its own other side.


@attrs.define(eq=False)
class PaperSide:
    """The embedded exchange of the life of the adapter that is open now; a file carries it from life to life."""

    settings: PaperSettings
    broker: Broker | None = None

    @property
    def _orders(self) -> PaperOrders:
        assert self.broker is not None
        assert isinstance(self.broker.orders, PaperOrders)
        return self.broker.orders

    @property
    def _venue(self) -> PaperVenue:
        cell: Any = self._orders._venue.cell()
        actor: PaperVenue = cell.actor
        return actor

    @property
    def exchange(self) -> PaperExchange:
        return self._orders._exchange

    async def open(self, runtime: Runtime, logs: Logs) -> Broker:
        self.broker = await open_paper(runtime, self.settings, store=STORE, logs=logs, catalogue=attrs.evolve(SHIPPED))
        await trio.sleep(WARM_UP)
        return self.broker

    def still(self) -> Show:
        return _held(self._venue)

    def end_session(self, symbol: str) -> None:
        self._venue._status(symbol, MarketStatus.CLOSED)

    async def sever(self) -> None:
        await self._venue.break_line(3 * SECOND_NS)

    def fault(self, switch: str) -> None:
        raise AssertionError(f"the paper broker has no wire and no fault {switch!r}")

    calm = fault


def paper(plan: BrokerPlan, account: str) -> Candidate:
    """The paper broker, without any of its own faults."""

    @asynccontextmanager
    async def side(_world: SimulatedWorld, symbols: tuple[str, ...]) -> AsyncIterator[OtherSide]:
        yield PaperSide(
            PaperSettings(
                symbols=symbols,
                accounts=(PaperAccount(account, deposit=Decimal(1_000_000)),),
                faults=PaperFaults.none(),
                rules=VenueRules(standing_ns=None),
            )
        )

    return Candidate(plan=plan, side=side, account=account)


# A broker without orders, quotes and another side.


@attrs.frozen(eq=False)
class EmbeddedSide:
    """A broker that is all there is of it, such as a file of bars."""

    plan: BrokerPlan

    @property
    def exchange(self) -> PaperExchange:
        raise AssertionError(
            f"{self.plan.name} has no exchange; a broker that trades or quotes needs one to be held to"
        )

    async def open(self, runtime: Runtime, logs: Logs) -> Broker:
        return await self.plan.open(runtime, self.plan.settings())

    def still(self) -> Show:
        return lambda _event: None

    def end_session(self, symbol: str) -> None:
        raise AssertionError(f"{self.plan.name} has no sessions")

    async def sever(self) -> None:
        raise AssertionError(f"{self.plan.name} has no line")

    def fault(self, switch: str) -> None:
        raise AssertionError(f"{self.plan.name} has no wire and no fault {switch!r}")

    calm = fault


def embedded(plan: BrokerPlan, symbols: tuple[str, ...], history: str = "") -> Candidate:
    """A broker that neither trades nor quotes and needs nothing to run against."""

    @asynccontextmanager
    async def side(_world: SimulatedWorld, _symbols: tuple[str, ...]) -> AsyncIterator[OtherSide]:
        yield EmbeddedSide(plan)

    return Candidate(plan=plan, side=side, symbols=symbols, history=history)


class _HasMarket(Protocol):
    def market(self, event: MarketEvent) -> None: ...


def _held(owner: _HasMarket) -> Show:
    """Keeps an exchange's own market from moving; what moves it from now on is returned."""
    move = owner.market
    setattr(owner, "market", lambda _event: None)  # noqa: B010 - the very instance, for this test alone
    return move
