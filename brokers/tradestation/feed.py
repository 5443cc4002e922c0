"""The feed gateway: bars and instruments by question, quotes by the one stream of the login, live bars by one each."""

from collections.abc import Callable, Sequence
from typing import Final

from brokers.catalogue import Catalogue
from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.gateway import Leave, LinkNews
from brokers.instruments import Instrument, Kind
from brokers.market import Bar, Interval, MarketEvent
from brokers.symbols import SymbolError
from brokers.tradestation.bar_stream import BarStream
from brokers.tradestation.bar_tail import BarTail
from brokers.tradestation.hub import Hub
from brokers.tradestation.rest import Rest
from brokers.tradestation.settings import BROKER
from brokers.tradestation.streams import QuoteStream
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import BadPayload, BarRecord, Bars, SymbolRecord, Symbols
from brokers.tradestation.wire_market import bar_targets, bar_unit, bars_of, refreshed
from runtime import Name

MOST_SYMBOLS: Final = 100  # in one stream
MOST_BAR_STREAMS: Final = 50  # each may be opened once a minute within the quota
MOST_DETAILS: Final = 50  # in one question
_NO_DATA: Final = frozenset({"No data available.", "FAILED, EX_NO_DATA_AVAILABLE"})


class TradeStationFeed:
    """One login's way to market data."""

    def __init__(
        self,
        rest: Rest,
        quotes: Name[QuoteStream],
        live_bars: Name[BarStream],
        hub: Hub,
        names: Names,
        catalogue: Catalogue,
    ) -> None:
        self._rest = rest
        self._quotes = quotes
        self._live_bars = live_bars
        self._hub = hub
        self._names = names
        self._catalogue = catalogue

    async def instruments(self) -> Sequence[Instrument]:
        """The front contracts and the stocks of the table with the broker's own figures; raises BrokerError."""
        offered = (Kind.FUTURE.value, Kind.STOCK.value)
        roots = [root for root in self._catalogue.table.roots() if self._catalogue.table[root].kind in offered]
        found = list[Instrument]()
        for first in range(0, len(roots), MOST_DETAILS):
            names = ",".join(map(self._names.broker, roots[first : first + MOST_DETAILS]))
            told = await self._rest.get(Symbols, "symbols", f"/v3/marketdata/symbols/{names}")
            found += [one for one in map(self._instrument, told.symbols) if one is not None]
        return tuple(found)

    def _instrument(self, record: SymbolRecord) -> Instrument | None:
        """The instrument behind a record, of a continuous future its front contract; None for one that cannot be."""
        name = record.underlying or record.symbol
        symbol = self._names.canonical(name)
        try:
            return None if symbol is None else refreshed(self._catalogue.instrument(symbol), record, self._names)
        except (BadPayload, SymbolError, LookupError) as error:
            self._hub.put_aside(f"instrument {name}", str(error))
            return None

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; raises BrokerError."""
        name, found = self._names.broker(symbol), dict[int, Bar]()
        for target in bar_targets(name, interval, start_ns, end_ns):
            told = await self._rest.get(Bars, "barcharts", target)
            if told.error and told.message not in _NO_DATA:
                raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, f"bars of {symbol}: {told.error}: {told.message}")
            try:
                found |= {bar.time_ns: bar for bar in bars_of(_records(told, symbol), symbol, interval, self._names)}
            except BadPayload as bad:
                self._hub.put_aside(f"bars of {symbol}", str(bad))
                raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad
        return tuple(found[time_ns] for time_ns in sorted(found) if start_ns < time_ns <= end_ns)

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream, for one user more; raises BrokerError."""
        self._names.broker(symbol)
        if symbol not in self._hub.wanted and len(self._hub.wanted) >= MOST_SYMBOLS:
            raise _too_many(symbol, MOST_SYMBOLS, "symbols")
        self._hub.wanted[symbol] += 1
        self._quotes.cast(QuoteStream.look)

    async def unsubscribe(self, symbol: str) -> None:
        """Ends it for one user; the stream ends with the last."""
        self._hub.wanted[symbol] -= 1
        if self._hub.wanted[symbol] <= 0:
            del self._hub.wanted[symbol]
        self._quotes.cast(QuoteStream.look)

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Begins a symbol's stream of finished bars, those that close from now on; raises BrokerError."""
        self._names.broker(symbol)
        bar_unit(interval)
        series, wanted = (symbol, interval), self._hub.bars
        if series not in wanted:
            if len(wanted) >= MOST_BAR_STREAMS:
                raise _too_many(f"{symbol} {interval}", MOST_BAR_STREAMS, "streams of bars")
            wanted[series] = BarTail(symbol, interval, self._rest.clock.wall_ns())
        wanted[series].users += 1
        self._live_bars.cast(BarStream.look)

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Ends it for one user; the stream ends with the last; one too many is fine."""
        tail = self._hub.bars.get((symbol, interval))
        if tail is None:
            return
        tail.users -= 1
        if tail.users:
            return
        del self._hub.bars[symbol, interval]
        self._live_bars.cast(BarStream.look)
        if tail.up is False:
            news = LinkNews(True, f"the {tail} are wanted no more", self._rest.clock.wall_ns())
            self._hub.market_link(news, str(tail))

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear from now on."""
        return self._hub.watch(hear)


def _too_many(what: str, most: int, things: str) -> BrokerError:
    text = f"no stream for {what}: expected at most {most} {things} at one login; end another first"
    return broker_error(BROKER, Code.RATE_LIMITED, text)


def _records(told: Bars, symbol: str) -> tuple[BarRecord, ...]:
    """The bars of an answer, none where it is an error; raises BadPayload for an answer without either."""
    if told.bars is None and not told.error:
        raise BadPayload(f"bars of {symbol}", "Bars or an Error", told)
    return told.bars or ()
