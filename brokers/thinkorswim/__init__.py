"""ThinkOrSwim, which is Schwab's interface now: market data of futures and stocks through one streamer a login.

    broker = await open_thinkorswim(runtime, ThinkorswimSettings(), shelf=shelf)

It is a source of data only. Futures cannot be ordered through the interface, and an account manager for stocks alone is
not kept: `orders` is absent from the record and from the broker, and whoever asks for it gets Unsupported.
"""

from collections.abc import Callable
from typing import Any, Final

from brokers.broker import Broker
from brokers.capability import SECOND_NS, Capability, DataSupport, Environment, RateLimit, Scope
from brokers.catalogue import Catalogue
from brokers.connection import Operations
from brokers.guards.guard import Guard
from brokers.guards.host import Host
from brokers.guards.limits import Rolling
from brokers.guards.memory import BLANK, GuardMemory
from brokers.guards.skew import BrokerClock
from brokers.instruments import Kind
from brokers.listing import BrokerPlan
from brokers.market import BarUnit
from brokers.opening import HttpClients
from brokers.order_log import OrderLog
from brokers.thinkorswim.audience import Audience
from brokers.thinkorswim.auth import RULES, way
from brokers.thinkorswim.events import Activity, Delayed, Evicted, Quarantined, Tell
from brokers.thinkorswim.feed import BARS, ThinkorswimFeed
from brokers.thinkorswim.rest import Rest
from brokers.thinkorswim.settings import BROKER, Qos, ThinkorswimSettings
from brokers.thinkorswim.streamer import REQUESTS, StreamerActor, StreamerParts
from brokers.thinkorswim.symbols import thinkorswim_symbols
from brokers.tokens.credentials import CredentialShelf
from brokers.tokens.reader import TokenReader
from brokers.tokens.token_store import TokenStore, TokenStoreParts
from runtime import Child, Runtime, Strategy, Supervisor
from runtime.registry import Keys, Registry
from runtime.wire.capture import Recorder
from runtime.wire.http import HttpClient
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor

_MINUTE_NS: Final = 60 * SECOND_NS
_REQUESTS_A_MINUTE: Final = 120

CAPABILITY: Final = Capability(
    broker=BROKER,
    environments=frozenset({Environment.LIVE}),
    data=DataSupport(
        kinds=frozenset({Kind.FUTURE, Kind.STOCK}),
        quotes=True,
        trades=True,  # one for all prints between two messages
        bars=frozenset({BarUnit.MINUTE, BarUnit.HOUR, BarUnit.DAY, BarUnit.WEEK}),  # of stocks
        live_bars=True,
    ),
    orders=None,
    limits=(RateLimit(REQUESTS, _REQUESTS_A_MINUTE, _MINUTE_NS, Scope.LOGIN),),
)


async def open_thinkorswim(
    runtime: Runtime,
    settings: ThinkorswimSettings | None = None,
    *,
    shelf: CredentialShelf,
    streams: Registry | None = None,
    catalogue: Catalogue | None = None,
    name: str = BROKER,
    logs: Callable[[str], OrderLog] | None = None,
    redactor: Redactor | None = None,
    recorder: Recorder | None = None,
    tell: Tell = lambda _: None,
    guards: GuardMemory = BLANK,
) -> Broker:
    """Starts one login's connection at the top of the runtime and returns its facade; raises StartFailed.

    `logs` is what every broker is given for the books of its accounts; this one has none. `recorder` keeps
    every exchange, `tell` hears what people should know; neither may wait or raise. `guards` is what those told
    before.
    """
    del logs
    settings = settings or ThinkorswimSettings()
    catalogue = catalogue or Catalogue.shipped()
    redactor = redactor or Redactor()
    redactor.add(RULES)
    world = runtime.world
    allowed = AllowList(settings.api, settings.streamer)
    dates = BrokerClock(name, world.clock, tell)
    client = HttpClient(world.network, allowed, redactor, recorder=recorder, dates=dates)
    limits = (Rolling(REQUESTS, _REQUESTS_A_MINUTE, _MINUTE_NS),)
    host = Host(name, limits, clock=world.clock, tell=tell, memory=guards)
    guard = Guard(name, host, chance=world.chance)
    credentials = TokenReader(BROKER, runtime.name(settings.login_id.store_key, TokenStore))
    rest = Rest(settings.api, client, credentials, redactor, world.clock)
    audience, names = Audience(), thinkorswim_symbols(catalogue.table)
    store = TokenStoreParts(
        login=settings.login_id,
        way=way(settings),
        shelf=shelf,
        sender=client,
        streams=Registry(Keys.DUPLICATE) if streams is None else streams,
        redactor=redactor,
        tell=tell,
    )
    streamer = StreamerParts(
        settings=settings,
        names=names,
        roots=frozenset(catalogue.table.roots("future")),
        audience=audience,
        rest=rest,
        credentials=credentials,
        guard=guard,
        allowed=allowed,
        redactor=redactor,
        tell=tell,
        recorder=recorder,
    )
    children: list[Child[Any]] = [Child("http", lambda: HttpClients(client)), store.child(), streamer.child()]
    tree = Supervisor(children, strategy=Strategy.REST_FOR_ONE, max_restarts=10, within=10)
    await runtime.start(tree, f"{name}-connection")
    return Broker(
        capability=CAPABILITY,
        symbols=names,
        catalogue=catalogue,
        guard=guard,
        feed=ThinkorswimFeed(
            names=names,
            catalogue=catalogue,
            audience=audience,
            streamer=runtime.name(streamer.actor_key, StreamerActor),
            rest=rest,
            guard=guard,
            clock=world.clock,
            tell=tell,
        ),
        operations=Operations(bars=BARS),
    )


PLAN: Final = BrokerPlan(BROKER, CAPABILITY, open_thinkorswim, ThinkorswimSettings)

__all__ = [
    "CAPABILITY",
    "PLAN",
    "Activity",
    "Delayed",
    "Evicted",
    "Qos",
    "Quarantined",
    "ThinkorswimSettings",
    "open_thinkorswim",
]
