"""What the connection of one login is built of: clients, gate, blotter, gateways, and what its sockets share."""

from collections.abc import Callable
from typing import Final, Self

import attrs

from brokers.catalogue import Catalogue
from brokers.guards.host import Host
from brokers.guards.memory import BLANK, GuardMemory
from brokers.guards.skew import BrokerClock
from brokers.symbols import SymbolMap
from brokers.tokens.credentials import CredentialShelf
from brokers.tokens.logins import login_plan
from brokers.tokens.reader import TokenReader
from brokers.tokens.token_store import TokenStore, TokenStoreParts
from brokers.tradovate.auth import login_of, way
from brokers.tradovate.bar_stream import BarStream, ChartParts
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.directory import Directory
from brokers.tradovate.feed import TradovateFeed
from brokers.tradovate.gate import Gate, SignIn
from brokers.tradovate.hub import Hub
from brokers.tradovate.market_stream import Board
from brokers.tradovate.order_lists import OrderLists
from brokers.tradovate.orders import TradovateOrders
from brokers.tradovate.rest import Rest
from brokers.tradovate.settings import BROKER, TradovateSettings
from brokers.tradovate.stream import Parts
from brokers.tradovate.symbols import Contracts, tradovate_symbols
from brokers.tradovate.user_stream import Records
from brokers.tradovate.wire import MAX_DOCUMENT
from runtime import Child, Runtime
from runtime.registry import Registry
from runtime.wire.capture import Recorder
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpSettings
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor

_LIMITS: Final = HttpSettings(max_body=MAX_DOCUMENT)


@attrs.frozen(eq=False)
class House:
    """The parts of one connection that outlive its actors."""

    settings: TradovateSettings
    redactor: Redactor
    host: Host
    symbols: SymbolMap
    clients: tuple[HttpClient, ...]
    hub: Hub
    board: Board
    records: Records
    feed: TradovateFeed
    parts: Parts
    charts: ChartParts
    bars_key: tuple[str, ...]

    @property
    def orders(self) -> TradovateOrders:
        """The order gateway."""
        return self.records.orders

    @classmethod
    def of(
        cls,
        runtime: Runtime,
        settings: TradovateSettings,
        catalogue: Catalogue,
        streams: Registry,
        tell: Callable[[object], None],
        redactor: Redactor,
        recorder: Recorder | None,
        guards: GuardMemory = BLANK,
    ) -> Self:
        """Puts them together; nothing is sent yet."""
        world, allowed = runtime.world, AllowList(settings.origin)
        dates = BrokerClock(BROKER, world.clock, tell)
        reads, commands, tokens = (
            HttpClient(world.network, allowed, redactor, settings=_LIMITS, recorder=recorder, dates=dates)
            for _ in range(3)
        )
        host = Host(BROKER, settings.limits, clock=world.clock, tell=tell, memory=guards)
        gate, credentials = (
            Gate(host, tell),
            TokenReader(BROKER, runtime.name(login_of(settings).store_key, TokenStore)),
        )
        rest = Rest(settings.origin, reads, commands, credentials, gate, world.clock)
        symbols = tradovate_symbols(catalogue.table)
        contracts = Contracts(symbols)
        blotter, directory = Blotter(contracts), Directory(rest, symbols, contracts, world.clock)
        hub, board = Hub(blotter, tell), Board()
        lists = OrderLists(rest, directory, contracts, blotter, hub, world.clock)
        orders = TradovateOrders(
            settings, rest, directory, lists, blotter, hub, symbols, contracts, catalogue, world.clock
        )
        login = login_of(settings)
        bars_key = ("live-bars", login.broker, login.login, login.environment)
        return cls(
            settings=settings,
            redactor=redactor,
            host=host,
            symbols=symbols,
            clients=(reads, commands, tokens),
            hub=hub,
            board=board,
            records=Records(blotter, directory, lists, orders),
            feed=TradovateFeed(
                rest, directory, board, hub, symbols, catalogue, world.clock, runtime.name(bars_key, BarStream)
            ),
            parts=Parts(settings, world, credentials, streams, gate, host, hub, redactor, recorder, world.chance),
            charts=ChartParts(board, hub, symbols, catalogue),
            bars_key=bars_key,
        )

    def token_store(self, shelf: CredentialShelf, tell: Callable[[object], None]) -> Child[TokenStore]:
        """The child that keeps the login's credential."""
        return TokenStoreParts(
            login=login_of(self.settings),
            way=way(self.settings),
            shelf=shelf,
            sender=SignIn(self.clients[-1], self.parts.gate),
            streams=self.parts.streams,
            redactor=self.redactor,
            tell=tell,
            policy=login_plan(BROKER).policy,
        ).child()
