"""The feed gateway: bars and instruments by question, quotes by the one stream of the login."""

from collections.abc import Callable, Sequence
from typing import Final

from brokers.catalogue import Catalogue
from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.gateway import Leave, LinkNews
from brokers.instruments import Instrument, Kind
from brokers.market import Bar, Interval, MarketEvent
from brokers.symbols import SymbolError
from brokers.tradestation.hub import Hub
from brokers.tradestation.rest import Rest
from brokers.tradestation.settings import BROKER
from brokers.tradestation.streams import QuoteStream
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import BadPayload, Bars, SymbolRecord, Symbols
from brokers.tradestation.wire_market import bar_targets, bars_of, refreshed
from runtime import Name

MOST_SYMBOLS: Final = 100  # in one stream
MOST_DETAILS: Final = 50  # in one question
_NO_DATA: Final = frozenset({"No data available.", "FAILED, EX_NO_DATA_AVAILABLE"})


class TradeStationFeed:
    """One login's way to market data."""

    def __init__(self, rest: Rest, stream: Name[QuoteStream], hub: Hub, names: Names, catalogue: Catalogue) -> None:
        self._rest = rest
        self._stream = stream
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
                found |= {bar.time_ns: bar for bar in bars_of(told.bars, symbol, interval, self._names)}
            except BadPayload as bad:
                self._hub.put_aside(f"bars of {symbol}", str(bad))
                raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad
        return tuple(found[time_ns] for time_ns in sorted(found) if start_ns < time_ns <= end_ns)

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream, for one user more; raises BrokerError."""
        self._names.broker(symbol)
        if symbol not in self._hub.wanted and len(self._hub.wanted) >= MOST_SYMBOLS:
            raise _too_many(symbol)
        self._hub.wanted[symbol] += 1
        self._stream.cast(QuoteStream.look)

    async def unsubscribe(self, symbol: str) -> None:
        """Ends it for one user; the stream ends with the last."""
        self._hub.wanted[symbol] -= 1
        if self._hub.wanted[symbol] <= 0:
            del self._hub.wanted[symbol]
        self._stream.cast(QuoteStream.look)

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear from now on."""
        return self._hub.watch(hear)


def _too_many(symbol: str) -> BrokerError:
    text = f"no stream for {symbol}: expected at most {MOST_SYMBOLS} symbols at one login; end another first"
    return broker_error(BROKER, Code.RATE_LIMITED, text)
