"""TradeStation: futures and stocks over REST and chunked HTTP streams, one connection a login.

    broker = await open_tradestation(runtime, TradeStationSettings(), shelf=vault, streams=streams)

Its orders carry no key of ours that could be asked for: `OrderConfirmID` guards against duplicates by text alone and
never comes back, so the record says that there is no key, orders in doubt are recognised by their attributes, and
nothing is sent twice. How long a request may act (D) and how far answers lag (L) is documented nowhere: both are
cautious guesses, and an order in doubt beyond them is a person's to judge.
"""

from collections.abc import Callable
from typing import Any, Final

from brokers.broker import Broker
from brokers.capability import (
    NO_KEYS,
    SECOND_NS,
    Capability,
    DataSupport,
    Environment,
    OrderSupport,
    RateLimit,
    Replace,
)
from brokers.catalogue import Catalogue
from brokers.guards.guard import Guard
from brokers.guards.memory import BLANK, GuardMemory
from brokers.instruments import Kind
from brokers.listing import BrokerPlan
from brokers.market import MarketStatus
from brokers.model import GroupKind, OrderType, TimeInForce
from brokers.news_hub import Quarantined
from brokers.opening import open_books, open_login
from brokers.order_log import MemoryLog, OrderLog
from brokers.tokens.credentials import CredentialShelf
from brokers.tradestation.answers import SIGNS
from brokers.tradestation.bar_stream import BarStream
from brokers.tradestation.house import House
from brokers.tradestation.order_lists import SHARED_NS
from brokers.tradestation.settings import BROKER, QUOTAS, TradeStationSettings
from brokers.tradestation.streams import OrderStream, PositionStream, QuoteStream
from brokers.tradestation.wire_market import BAR_UNITS
from runtime import Backoff, Child, Runtime, Supervisor
from runtime.registry import Registry
from runtime.wire.capture import Recorder
from runtime.wire.redaction import Redactor

_KINDS: Final = frozenset({Kind.FUTURE, Kind.STOCK})
_DAY_NS: Final = 86_400 * SECOND_NS
_RESTARTS: Final = Backoff(first=0.1, most=15)

CAPABILITY: Final = Capability(
    broker=BROKER,
    environments=frozenset(Environment),
    data=DataSupport(kinds=_KINDS, quotes=True, trades=True, bars=BAR_UNITS, live_bars=True),
    orders=OrderSupport(
        kinds=_KINDS,
        types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        keys=NO_KEYS,
        effect_ns=60 * SECOND_NS,
        visibility_ns=5 * SECOND_NS + SHARED_NS,
        retention_ns=89 * _DAY_NS,
        signs=SIGNS,
        sessions=frozenset(MarketStatus) - {MarketStatus.HALTED},
        groups=frozenset(GroupKind),
        oco_reduce=True,
        replace=Replace.IN_PLACE,
        trail_percent=True,
        fills_in_order_event=True,
        explicit_expiry=True,
        async_rejects=True,
    ),
    limits=tuple(RateLimit(quota.name, quota.amount, quota.period_ns) for quota in QUOTAS),
)


async def open_tradestation(
    runtime: Runtime,
    settings: TradeStationSettings | None = None,
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
    settings = settings or TradeStationSettings()
    catalogue = catalogue or Catalogue.shipped()
    house = House.of(runtime, settings, catalogue, tell, redactor or Redactor(), recorder, guards)
    store = house.token_store(shelf, streams, tell)
    name = f"{BROKER}-{settings.login}-{settings.environment.value}"
    accounts = await open_login(runtime, name, house.clients, store, house.orders)
    house.lists.accounts = accounts
    parts = house.parts(accounts)
    children: list[Child[Any]] = [
        Child("orders", lambda: OrderStream(parts), backoff=_RESTARTS),
        Child("positions", lambda: PositionStream(parts), backoff=_RESTARTS),
        Child("quotes", lambda: QuoteStream(parts), name=house.quotes_key, backoff=_RESTARTS),
        Child("bars", lambda: BarStream(parts), name=house.bars_key, backoff=_RESTARTS),
    ]
    await runtime.start(Supervisor(children, max_restarts=10, within=60), f"{name}-streams")
    broker = Broker(
        capability=CAPABILITY,
        symbols=house.symbols,
        catalogue=catalogue,
        guard=Guard(name, house.host, chance=runtime.world.chance),
        orders=house.orders,
        feed=house.feed,
    )
    await open_books(runtime, name, broker, accounts, logs)
    return broker


PLAN: Final = BrokerPlan(BROKER, CAPABILITY, open_tradestation, TradeStationSettings)

__all__ = ["CAPABILITY", "PLAN", "Quarantined", "TradeStationSettings", "open_tradestation"]
