"""What the connection of one login is built of: clients, quotas, memory, gateways, and what its streams share."""

from collections.abc import Callable
from functools import partial
from typing import Final, Self

import attrs

from brokers.catalogue import Catalogue
from brokers.guards.host import Host
from brokers.guards.memory import BLANK, GuardMemory
from brokers.guards.skew import BrokerClock
from brokers.symbols import SymbolMap
from brokers.tokens.credentials import CredentialShelf
from brokers.tokens.reader import TokenReader
from brokers.tokens.token_store import TokenStore, TokenStoreParts
from brokers.tradestation.auth import login_of, way
from brokers.tradestation.bar_stream import BarStream
from brokers.tradestation.feed import MOST_BAR_STREAMS, TradeStationFeed
from brokers.tradestation.hub import Hub
from brokers.tradestation.lines import Lines
from brokers.tradestation.order_lists import OrderLists
from brokers.tradestation.order_memory import OrderMemory
from brokers.tradestation.orders import TradeStationOrders
from brokers.tradestation.quota import Tolls
from brokers.tradestation.rest import Rest
from brokers.tradestation.settings import BROKER, TradeStationSettings
from brokers.tradestation.streams import Parts, QuoteStream
from brokers.tradestation.symbols import Names, tradestation_symbols
from brokers.tradestation.wire import MAX_DOCUMENT, MAX_LINE
from runtime import Child, Runtime
from runtime.registry import Registry
from runtime.wire.capture import Recorder
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpSettings
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor

_LIMITS: Final = HttpSettings(max_body=MAX_DOCUMENT, max_line=MAX_LINE)


@attrs.frozen(eq=False)
class House:
    """The parts of one connection that outlive its actors."""

    settings: TradeStationSettings
    redactor: Redactor
    host: Host
    symbols: SymbolMap
    clients: tuple[HttpClient, ...]
    memory: OrderMemory
    hub: Hub
    lists: OrderLists
    orders: TradeStationOrders
    feed: TradeStationFeed
    lines: Lines
    bar_lines: Lines
    names: Names
    quotes_key: tuple[str, ...]
    bars_key: tuple[str, ...]

    @classmethod
    def of(
        cls,
        runtime: Runtime,
        settings: TradeStationSettings,
        catalogue: Catalogue,
        tell: Callable[[object], None],
        redactor: Redactor,
        recorder: Recorder | None,
        guards: GuardMemory = BLANK,
    ) -> Self:
        """Puts them together; nothing is sent yet."""
        world = runtime.world
        login = login_of(settings)
        api, sign_in = AllowList(settings.origin), AllowList(settings.sign_in)
        dates = BrokerClock(BROKER, world.clock, tell)
        reads, commands, streaming = (
            HttpClient(world.network, api, redactor, settings=_LIMITS, recorder=recorder, dates=dates) for _ in range(3)
        )
        tokens = HttpClient(world.network, sign_in, redactor, settings=_LIMITS, recorder=recorder)
        charts = HttpClient(
            world.network,
            api,
            redactor,
            settings=attrs.evolve(_LIMITS, connections=MOST_BAR_STREAMS),
            recorder=recorder,
            dates=dates,
        )
        host = Host(BROKER, settings.quotas, clock=world.clock, tell=tell, memory=guards)
        tolls = Tolls(host, (quota.name for quota in settings.quotas))
        credentials = TokenReader(BROKER, runtime.name(login.store_key, TokenStore))
        rest = Rest(settings.origin, reads, commands, credentials, tolls, world.clock)
        symbols = tradestation_symbols(catalogue.table)
        names, began = Names(symbols), partial(dates.latest_ns, world.clock.monotonic_ns())
        memory = OrderMemory(world.clock.wall_ns(), began_ns=began)
        hub = Hub(memory, tell)
        lists = OrderLists(rest, names, memory, hub, world.clock)
        lines = Lines(settings.origin, streaming, credentials, tolls, host, world.clock, world.chance)
        quotes_key, bars_key = (
            (what, login.broker, login.login, login.environment) for what in ("quotes", "live-bars")
        )
        return cls(
            settings=settings,
            redactor=redactor,
            host=host,
            symbols=symbols,
            clients=(reads, commands, streaming, charts, tokens),
            memory=memory,
            hub=hub,
            lists=lists,
            orders=TradeStationOrders(settings, rest, lists, memory, hub, names, catalogue, world.clock),
            feed=TradeStationFeed(
                rest,
                runtime.name(quotes_key, QuoteStream),
                runtime.name(bars_key, BarStream),
                hub,
                names,
                catalogue,
            ),
            lines=lines,
            bar_lines=attrs.evolve(lines, http=charts),
            names=names,
            quotes_key=quotes_key,
            bars_key=bars_key,
        )

    def token_store(
        self, shelf: CredentialShelf, streams: Registry, tell: Callable[[object], None]
    ) -> Child[TokenStore]:
        """The child that keeps the login's credential."""
        return TokenStoreParts(
            login=login_of(self.settings),
            way=way(self.settings),
            shelf=shelf,
            sender=self.clients[-1],
            streams=streams,
            redactor=self.redactor,
            tell=tell,
        ).child()

    def parts(self, accounts: tuple[str, ...]) -> Parts:
        """What the stream actors work with."""
        return Parts(
            accounts=accounts,
            lines=self.lines,
            bar_lines=self.bar_lines,
            names=self.names,
            memory=self.memory,
            hub=self.hub,
            orders=self.orders,
            delayed_data=self.settings.delayed_data,
        )
