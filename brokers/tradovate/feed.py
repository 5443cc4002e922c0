"""The feed gateway: quotes and charts by the market-data socket, instruments by question."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from brokers.catalogue import Catalogue
from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.gateway import Leave, LinkNews
from brokers.instruments import Instrument, Kind, sane
from brokers.market import Bar, Interval, MarketEvent
from brokers.symbols import SymbolMap
from brokers.tradovate.bar_stream import BarStream
from brokers.tradovate.bar_tail import BarTail
from brokers.tradovate.directory import Directory
from brokers.tradovate.hub import Hub
from brokers.tradovate.market_stream import Board, subscribe
from brokers.tradovate.rest import Rest
from brokers.tradovate.settings import BROKER
from brokers.tradovate.symbols import broker_name
from brokers.tradovate.talk import SocketLost
from brokers.tradovate.wire import BadPayload
from brokers.tradovate.wire_entities import ProductRow
from brokers.tradovate.wire_market import Drawn, bar_element, chart_body, drawn
from runtime import Name
from runtime.world import Clock

MOST_PAGES: Final = 200
MOST_CHARTS: Final = 50  # that are followed at once
_DAY_NS: Final = 86_400_000_000_000


class TradovateFeed:
    """One login's way to market data."""

    def __init__(
        self,
        rest: Rest,
        directory: Directory,
        board: Board,
        hub: Hub,
        symbols: SymbolMap,
        catalogue: Catalogue,
        clock: Clock,
        live_bars: Name[BarStream],
    ) -> None:
        self._rest = rest
        self._directory = directory
        self._board = board
        self._hub = hub
        self._symbols = symbols
        self._catalogue = catalogue
        self._clock = clock
        self._live_bars = live_bars

    async def instruments(self) -> Sequence[Instrument]:
        """The front contracts of the table's futures with the broker's own figures; raises BrokerError."""
        table = self._catalogue.table
        futures = {root for root in table.roots() if table[root].kind == Kind.FUTURE.value}
        products = await self._rest.rows(ProductRow, "product")
        found = (self._instrument(row) for row in products if row.name in futures and row.product_type == "Futures")
        return tuple(one for one in found if one is not None)

    def _instrument(self, row: ProductRow) -> Instrument | None:
        if not (sane(row.tick_size) and sane(row.value_per_point) and min(row.tick_size, row.value_per_point) > 0):
            self._hub.put_aside(f"product {row.name}", f"expected a tick and a value above 0, got {row}")
            return None
        day = self._catalogue.calendar(row.name).trading_day(self._clock.wall_ns())
        front = self._catalogue.front(row.name, day)
        return attrs.evolve(front, tick=row.tick_size.normalize(), multiplier=row.value_per_point.normalize())

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; raises BrokerError."""
        name, end_ns = broker_name(self._symbols, symbol), min(end_ns, self._clock.wall_ns())
        first_ns, found = start_ns - interval.nanoseconds - _DAY_NS, dict[int, Bar]()
        last_ns = end_ns
        for _ in range(MOST_PAGES):
            page = await self._page(name, symbol, interval, first_ns, last_ns)
            news = {one.bar.time_ns: one.bar for one in page if one.bar.time_ns not in found}
            found |= news
            if not news or min(news) <= start_ns:
                break
            last_ns = min(one.start_ns for one in page)
        return tuple(found[time_ns] for time_ns in sorted(found) if start_ns < time_ns <= end_ns)

    async def _page(self, name: str, symbol: str, interval: Interval, first_ns: int, last_ns: int) -> list[Drawn]:
        rows = await self._board.chart(chart_body(name, interval, first_ns, last_ns))
        try:
            return list(drawn(rows, symbol, interval, self._catalogue.calendar(symbol)))
        except BadPayload as bad:
            self._hub.put_aside(f"bars of {symbol}", str(bad))
            raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream, for one user more; while the socket is down it begins with the next one.

        Raises BrokerError.
        """
        name = broker_name(self._symbols, symbol)
        if symbol not in self._hub.wanted:
            contract_id = await self._directory.contract_id(symbol)
            if symbol not in self._hub.wanted:
                await self._begin(name, contract_id, symbol)
        self._hub.wanted[symbol] += 1

    async def _begin(self, name: str, contract_id: int, symbol: str) -> None:
        if name in self._board.names:
            return
        self._board.follow(name, contract_id, symbol)
        talk = self._board.talk
        try:
            if talk is not None:
                await subscribe(talk, name)
        except SocketLost:
            return
        except BrokerError:
            self._board.leave(name)
            raise

    async def unsubscribe(self, symbol: str) -> None:
        """Ends it for one user; the stream ends with the last; raises BrokerError."""
        self._hub.wanted[symbol] -= 1
        if self._hub.wanted[symbol] > 0:
            return
        del self._hub.wanted[symbol]
        name = broker_name(self._symbols, symbol)
        self._board.leave(name)
        try:
            if self._board.talk is not None:
                await self._board.talk.ask("md/unsubscribeQuote", {"symbol": name})
        except SocketLost:
            return  # the next socket knows nothing of it

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Begins a symbol's stream of finished bars, those that close from now on; raises BrokerError."""
        broker_name(self._symbols, symbol)
        bar_element(interval)
        series, wanted = (symbol, interval), self._hub.bars
        if series not in wanted:
            if len(wanted) >= MOST_CHARTS:
                text = f"no stream for {symbol} {interval}: expected at most {MOST_CHARTS} at one login; end another"
                raise broker_error(BROKER, Code.RATE_LIMITED, text)
            wanted[series] = BarTail(symbol, interval, self._clock.wall_ns())
        wanted[series].users += 1
        self._live_bars.cast(BarStream.look)

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Ends it for one user; the stream ends with the last; one too many is fine."""
        tail = self._hub.bars.get((symbol, interval))
        if tail is None:
            return
        tail.users -= 1
        if not tail.users:
            del self._hub.bars[symbol, interval]
            self._live_bars.cast(BarStream.look)

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear from now on."""
        return self._hub.watch(hear)
