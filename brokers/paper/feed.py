"""The feed gateway of the paper broker."""

from collections.abc import Callable, Sequence

from brokers.errors import Code, broker_error
from brokers.gateway import Leave, LinkNews
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketEvent
from brokers.paper.exchange import BROKER
from brokers.paper.hub import Hub
from brokers.paper.source import MarketSource
from brokers.paper.venue import PaperVenue, need_line
from runtime import Name
from runtime.world import Threads


class PaperFeed:
    """One login's way to the paper market."""

    def __init__(self, venue: Name[PaperVenue], source: MarketSource, hub: Hub, threads: Threads) -> None:
        self._venue = venue
        self._source = source
        self._hub = hub
        self._threads = threads

    async def instruments(self) -> Sequence[Instrument]:
        """What the paper market trades."""
        await need_line(self._venue)
        return self._source.instruments

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], made off the event loop."""
        await need_line(self._venue)
        self._need(symbol)
        end_ns = min(end_ns, await self._venue.call(PaperVenue.now))  # what is to come has no bars
        return await self._threads.run(lambda: tuple(self._source.bars(symbol, interval, start_ns, end_ns)))

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream, for one user more."""
        await need_line(self._venue)
        self._need(symbol)
        self._hub.wanted[symbol] += 1

    async def unsubscribe(self, symbol: str) -> None:
        """Ends it for one user; the stream ends with the last."""
        self._hub.wanted[symbol] -= 1
        if self._hub.wanted[symbol] <= 0:
            del self._hub.wanted[symbol]

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        """The paper market tells ticks alone."""
        raise broker_error(BROKER, Code.UNSUPPORTED, "the paper market streams no bars; build them from its ticks")

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        """There is none to end."""

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear."""
        return self._hub.watch(hear)

    def _need(self, symbol: str) -> None:
        known = [one.symbol for one in self._source.instruments]
        if symbol not in known:
            raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, f"{symbol!r} is not traded here; {', '.join(known)} are")
