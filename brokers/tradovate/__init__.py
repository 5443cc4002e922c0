"""Tradovate: futures over REST for orders and questions, and two text sockets a login for what happens.

    broker = await open_tradovate(runtime, TradovateSettings(), shelf=vault, streams=streams)

The broker shows our key on the command that made an order and does not enforce it (class C): an order in doubt is found
by that command. How long a request may act (D), how far answers lag (L) and how long finished orders are shown are
documented nowhere: all three are cautious guesses, and an order in doubt beyond them is a person's to judge.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs

from brokers.broker import Broker
from brokers.capability import (
    SECOND_NS,
    Capability,
    ClientKeys,
    DataSupport,
    Environment,
    KeyClass,
    OrderSupport,
    RateLimit,
    Replace,
)
from brokers.catalogue import Catalogue
from brokers.guards.guard import Guard
from brokers.guards.memory import BLANK, GuardMemory
from brokers.instruments import Kind
from brokers.keys import BASE62
from brokers.listing import BrokerPlan
from brokers.market import MarketStatus
from brokers.model import GroupKind, OrderType, TimeInForce
from brokers.news_hub import Quarantined
from brokers.opening import open_books, open_login
from brokers.order_log import MemoryLog, OrderLog
from brokers.tokens.credentials import CredentialShelf
from brokers.tradovate.answers import SIGNS
from brokers.tradovate.bar_stream import BarStream
from brokers.tradovate.house import House
from brokers.tradovate.market_stream import MarketStream
from brokers.tradovate.order_lists import SHARED_NS
from brokers.tradovate.settings import BROKER, REQUESTS, TradovateSettings
from brokers.tradovate.user_stream import UserStream
from brokers.tradovate.wire_market import BAR_UNITS
from runtime import Backoff, Child, Runtime, Supervisor
from runtime.registry import Registry
from runtime.wire.capture import Recorder
from runtime.wire.redaction import Redactor

_KINDS: Final = frozenset({Kind.FUTURE})
_HALF_DAY_NS: Final = 43_200 * SECOND_NS
_RESTARTS: Final = Backoff(first=0.1, most=15)

CAPABILITY: Final = Capability(
    broker=BROKER,
    environments=frozenset(Environment),
    data=DataSupport(kinds=_KINDS, quotes=True, trades=True, bars=BAR_UNITS, live_bars=True),
    orders=OrderSupport(
        kinds=_KINDS,
        types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        keys=ClientKeys(KeyClass.ECHOED, BASE62, "".join(sorted(BASE62.characters)), max_length=64, query=True),
        effect_ns=60 * SECOND_NS,
        visibility_ns=5 * SECOND_NS + SHARED_NS,
        retention_ns=_HALF_DAY_NS,
        signs=SIGNS,
        sessions=frozenset({MarketStatus.PRE_OPEN, MarketStatus.OPEN, MarketStatus.EXTENDED, MarketStatus.BREAK}),
        groups=frozenset({GroupKind.BRACKET, GroupKind.OCO}),
        replace=Replace.IN_PLACE,
        fill_ids=True,
        fills_in_order_event=True,
        explicit_expiry=True,
        async_rejects=True,
    ),
    limits=tuple(RateLimit(limit.name, limit.amount, limit.period_ns) for limit in REQUESTS),
)


async def open_tradovate(
    runtime: Runtime,
    settings: TradovateSettings | None = None,
    *,
    shelf: CredentialShelf,
    streams: Registry,
    catalogue: Catalogue | None = None,
    logs: Callable[[str], OrderLog] = lambda _: MemoryLog(),
    tell: Callable[[object], None] = lambda _: None,
    redactor: Redactor | None = None,
    recorder: Recorder | None = None,
    guards: GuardMemory = BLANK,
) -> Broker:
    """Starts the connection of one login at the top of the runtime and returns its facade.

    `tell` hears what people and the journal should know: Quarantined, the guard's and the token store's news; `guards`
    is what those told before. Raises BrokerError when the accounts cannot be asked for, and then nothing is left
    running.
    """
    settings = settings or TradovateSettings()
    catalogue = catalogue or Catalogue.shipped()
    house = House.of(runtime, settings, catalogue, streams, tell, redactor or Redactor(), recorder, guards)
    store = house.token_store(shelf, tell)
    name = f"{BROKER}-{settings.login}-{settings.environment.value}"
    accounts = await open_login(runtime, name, house.clients, store, house.orders)
    await runtime.start(Supervisor(_sockets(house), max_restarts=10, within=60), f"{name}-sockets")
    broker = Broker(
        capability=_capability(settings),
        symbols=house.symbols,
        catalogue=catalogue,
        guard=Guard(name, house.host, chance=runtime.world.chance),
        orders=house.orders,
        feed=house.feed if settings.market_data else None,
    )
    await open_books(runtime, name, broker, accounts, logs)
    return broker


def _capability(settings: TradovateSettings) -> Capability:
    """What this login can do; of an emulator it may be known that it acts and tells sooner than is assumed."""
    found = CAPABILITY if settings.market_data else attrs.evolve(CAPABILITY, data=None)
    if settings.acts_within_ns is None or found.orders is None:
        return found
    orders = attrs.evolve(found.orders, effect_ns=settings.acts_within_ns, visibility_ns=SHARED_NS)
    return attrs.evolve(found, orders=orders)


def _sockets(house: House) -> list[Child[Any]]:
    """The two sockets of a login and what runs on them, or the one where market data was not paid for."""
    children: list[Child[Any]] = [Child("user", lambda: UserStream(house.parts, house.records), backoff=_RESTARTS)]
    if house.settings.market_data:
        children.append(Child("market", lambda: MarketStream(house.parts, house.board), backoff=_RESTARTS))
        children.append(Child("bars", lambda: BarStream(house.charts), name=house.bars_key, backoff=_RESTARTS))
    return children


PLAN: Final = BrokerPlan(BROKER, CAPABILITY, open_tradovate, TradovateSettings)

__all__ = ["CAPABILITY", "PLAN", "Quarantined", "TradovateSettings", "open_tradovate"]
