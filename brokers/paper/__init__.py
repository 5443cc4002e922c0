"""The paper broker: embedded, needs no account anywhere; its exchange is the one that every emulator uses.

    broker = await open_paper(runtime, PaperSettings(), store=folder / "paper.jsonl")

Without a store everything at the broker is lost with the process. With one it outlives a kill and a power cut, and is
durable before an answer or news of it leaves the venue; what is lost are places in queues and requests under way.

A paper broker is a type of its own, not a flag of a live one: it has no credential, no host and no way to get one.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

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
    Replace,
)
from brokers.catalogue import Catalogue
from brokers.guards.guard import Guard
from brokers.guards.host import Host
from brokers.guards.memory import BLANK, GuardMemory
from brokers.guards.timeline import Timeline
from brokers.instruments import Kind
from brokers.keys import BASE62
from brokers.listing import BrokerPlan
from brokers.market import MarketEvent, MarketStatus
from brokers.model import GroupKind, OrderType, TimeInForce
from brokers.order_log import MemoryLog, OrderLog
from brokers.paper.exchange import BROKER, PaperExchange
from brokers.paper.feed import PaperFeed
from brokers.paper.hub import Hub
from brokers.paper.keep import PaperMemory
from brokers.paper.keeper import Keeper, open_accounts, restore, terms_of
from brokers.paper.orders import PaperOrders
from brokers.paper.settings import BAR_UNITS, Fee, PaperAccount, PaperFaults, PaperSettings
from brokers.paper.source import MarketSource, ReplaySource, SyntheticSource
from brokers.paper.store import PaperStore, StoreDamaged, StoreMismatch
from brokers.paper.symbols import paper_symbols
from brokers.paper.venue import PaperVenue
from runtime import Backoff, Child, Runtime, Supervisor

CAPABILITY = Capability(
    broker=BROKER,
    environments=frozenset({Environment.PAPER}),
    data=DataSupport(
        kinds=frozenset(Kind),
        quotes=True,
        trades=True,
        depth_levels=10,
        bars=BAR_UNITS,
    ),
    orders=OrderSupport(
        kinds=frozenset(Kind),
        types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        keys=ClientKeys(
            KeyClass.UNIQUE, BASE62, "".join(sorted(BASE62.characters)), max_length=64, lifetime_ns=None, query=True
        ),
        effect_ns=5 * SECOND_NS,
        visibility_ns=0,
        retention_ns=None,
        signs=(),
        sessions=frozenset({MarketStatus.OPEN, MarketStatus.EXTENDED}),
        groups=frozenset(GroupKind),
        oco_reduce=True,
        replace=Replace.IN_PLACE,
        reduce_only=True,
        post_only=True,
        trail_percent=True,
        fill_ids=True,
        fills_in_order_event=True,
        explicit_expiry=True,
        async_rejects=True,
    ),
)

ROOTS = ("ES", "NQ", "CL", "GC", "AAPL", "BTC-USD", "ETH-USD")  # the embedded default, fronts of the futures


async def open_paper(
    runtime: Runtime,
    settings: PaperSettings | None = None,
    *,
    recording: Iterable[MarketEvent] | None = None,
    catalogue: Catalogue | None = None,
    name: str = BROKER,
    store: Path | None = None,
    logs: Callable[[str], OrderLog] = lambda _: MemoryLog(),
    tell: Callable[[object], None] = lambda _: None,
    guards: GuardMemory = BLANK,
) -> Broker:
    """Starts a paper broker at the top of the runtime and returns its facade; `recording` replaces the market.

    `store` is the file that keeps the accounts, `logs` the facts of each; by default both are lost with the process.
    `tell` hears the guard's news, of which `guards` is what it told before.

    Raises StartFailed, SymbolError or LookupError for symbols that are not in the catalogue, StoreDamaged,
    StoreMismatch, and OSError where the store cannot be read or written.
    """
    settings = settings or PaperSettings()
    catalogue = catalogue or Catalogue.shipped()
    timeline = Timeline(runtime.world.clock)
    now = timeline.now_ns()
    kept = None if store is None else await _open_store(runtime, store, settings, catalogue, now)
    held = () if kept is None else kept.memory.held()
    chance = random.Random(settings.seed)
    source: MarketSource
    if recording is not None:
        source = ReplaySource(catalogue, recording, now)
    else:
        symbols = dict.fromkeys((*traded(catalogue, settings.symbols or ROOTS, now), *held))
        source = SyntheticSource(catalogue, symbols, settings.seed, now)
    rules = attrs.evolve(settings.rules, ack_latency=settings.faults.ack_latency(settings.rules.ack_latency, chance))
    listed = {one.symbol: one for one in (*source.instruments, *map(catalogue.instrument, held))}
    exchange = PaperExchange(attrs.evolve(settings, rules=rules), listed.values(), chance, now)
    keeper = None
    if kept is not None:
        keeper = Keeper(exchange, kept, runtime.world.threads)
        restore(keeper, exchange, source, kept.memory, now)
    hub, events = Hub(), source.events()
    venue = runtime.name(f"{name}:venue", PaperVenue)
    child = Child(
        "venue",
        lambda: PaperVenue(exchange, source, events, hub, chance, timeline, keeper),
        name=venue.key,
        backoff=Backoff(first=0.05, most=1),
    )
    await runtime.start(Supervisor([child], max_restarts=10, within=10), f"{name}-connection")
    broker = Broker(
        capability=CAPABILITY,
        symbols=paper_symbols(catalogue.table, source.instruments),
        catalogue=catalogue.shifted(source.offset_ns),
        guard=Guard(name, Host(name, (), clock=runtime.world.clock, tell=tell, memory=guards), chance=chance),
        orders=PaperOrders(venue, exchange, hub, keeper),
        feed=PaperFeed(venue, source, hub, runtime.world.threads),
    )
    books = [broker.account_books(account, log=logs(account)) for account in exchange.accounts]
    await runtime.start(Supervisor(books, max_restarts=10, within=10), f"{name}-books")
    return broker


async def _open_store(
    runtime: Runtime, path: Path, settings: PaperSettings, catalogue: Catalogue, now: int
) -> PaperStore:
    keep = max(settings.keep, settings.rules.keep_finished)
    store = PaperStore(runtime.world.disk, path, PaperMemory(terms_of(settings), catalogue.instrument, keep))
    await runtime.world.threads.run(lambda: store.open(lambda memory: open_accounts(memory, settings, now)))
    return store


PLAN = BrokerPlan(BROKER, CAPABILITY, open_paper, PaperSettings)


def traded(catalogue: Catalogue, symbols: Iterable[str], now: int) -> Iterator[str]:
    """What is traded now of symbols and roots; the root of a future stands for its front contract."""
    roots = frozenset(catalogue.table.roots())
    for one in symbols:
        is_root = one in roots
        yield catalogue.front(one, catalogue.calendar(one).trading_day(now)).symbol if is_root else one


__all__ = [
    "CAPABILITY",
    "PLAN",
    "ROOTS",
    "Fee",
    "PaperAccount",
    "PaperExchange",
    "PaperFaults",
    "PaperSettings",
    "StoreDamaged",
    "StoreMismatch",
    "open_paper",
    "traded",
]
