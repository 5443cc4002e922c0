"""MarketDataSource, written once: subscriptions counted, the latest of each symbol kept, everything on a topic.

Events wait in a list of the source's own, and one message has it hear all that came since it last ran: what a broker
says in one breath costs one turn, not one each.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import attrs
from trio.lowlevel import checkpoint

from brokers.connection import Connection
from brokers.errors import BrokerError, Code, broker_error
from brokers.gateway import LinkNews
from brokers.market import Bar, Interval, MarketEvent, Quote
from runtime import Actor, Reason
from runtime.errors import MailboxFull

MOST_WAITING: Final = 100_000  # events
_TURN: Final = 256  # events heard between two checkpoints


def market_topic(broker: str, symbol: str, channel: str = "") -> tuple[str, ...]:
    """Where a symbol's events of one broker are published; for `channel` see MarketDataSource.on_channel."""
    return ("market", broker, symbol, channel) if channel else ("market", broker, symbol)


@attrs.frozen
class SymbolStatistics:
    """How one symbol's stream does; `age_ns` is None before its first event."""

    symbol: str
    subscribers: int
    events: int
    age_ns: int | None


@attrs.frozen
class FeedStatistics:
    """How the source does; `missed` are events that came while as many waited as may."""

    up: bool
    link_text: str
    symbols: tuple[SymbolStatistics, ...]
    missed: int


@attrs.define(eq=False)
class _Stream:
    topic: tuple[str, ...]
    subscribers: int = 0
    events: int = 0
    quote: Quote | None = None
    last_ns: int | None = None


class _Waiting:
    """Events not heard yet; a quote takes the place of its symbol's waiting one, all others stand by themselves.

    `ring` has them taken, and returns whether that is under way; `missed` are those for which there was no room.
    """

    __slots__ = ("_events", "_places", "_ring", "_rung", "missed")

    def __init__(self, ring: Callable[[], bool]) -> None:
        self.missed = 0
        self._ring = ring
        self._rung = False
        self._events: list[MarketEvent | LinkNews] = []
        self._places: dict[str, int] = {}  # of the waiting quotes, by their symbols

    def add(self, event: MarketEvent | LinkNews) -> None:
        """Takes in an event."""
        events = self._events
        if type(event) is Quote and (place := self._places.setdefault(event.symbol, len(events))) < len(events):
            events[place] = event
        elif len(events) < MOST_WAITING:
            events.append(event)
        else:
            self.missed += 1
        if not self._rung:
            self._rung = self._ring()

    def take(self) -> Sequence[MarketEvent | LinkNews]:
        """All that waits, oldest first."""
        self._rung = False
        taken, self._events = self._events, []
        self._places.clear()
        return taken


class MarketDataSource(Actor):
    """One broker's market data for whoever subscribes; a slow listener only harms itself."""

    expects = (BrokerError,)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.feed = connection.need_feed()
        self.streams: dict[str, _Stream] = {}
        self.up = True
        self.link_text = ""
        self.channel = ""
        self._waiting = _Waiting(self._call)
        self._leave: Callable[[], None] | None = None
        self._publish: Callable[[tuple[str, ...], object], object]

    async def on_start(self) -> None:
        """Begins to listen; of several sources of one broker each has a channel of its own, or all hear all."""
        self._publish = self.runtime.topics.publish
        first = ("market", self.connection.name)
        if self.runtime.registry.whereis(first) is None:
            self.register(first)
        else:
            self.channel = self.path
        self._leave = self.feed.listen(self._waiting.add)

    async def on_stop(self, reason: Reason) -> None:
        """Lets go of the streams; a broker that cannot be told forgets them with the connection."""
        if self._leave is not None:
            self._leave()
        for symbol, stream in list(self.streams.items()):
            with contextlib.suppress(BrokerError):
                if stream.subscribers:
                    await self.feed.unsubscribe(symbol)

    def _call(self) -> bool:
        try:
            self.ref.cast(MarketDataSource.hear_waiting)
        except MailboxFull:
            return False  # the events wait on, and the next one calls again
        return True

    def on_channel(self) -> str:
        """On which channel of the market's topics this source publishes: none, where it is its broker's first."""
        return self.channel

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream for one more subscriber; raises BrokerError."""
        if not self.connection.symbols.supports_symbol(symbol):
            raise broker_error(self.connection.name, Code.SYMBOL_NOT_FOUND, f"no market data for {symbol!r}")
        stream = self._stream(symbol)
        if not stream.subscribers:
            await self.feed.subscribe(symbol)
        stream.subscribers += 1

    async def unsubscribe(self, symbol: str) -> None:
        """Ends one subscription; the stream ends with the last; one too many is fine."""
        stream = self.streams.get(symbol)
        if stream is None or not stream.subscribers:
            return
        stream.subscribers -= 1
        if not stream.subscribers:
            await self.feed.unsubscribe(symbol)

    def _stream(self, symbol: str) -> _Stream:
        return self.streams.setdefault(symbol, _Stream(market_topic(self.connection.name, symbol, self.channel)))

    async def move(self, old: str, new: str) -> None:
        """Moves one subscription from a contract to the next, the new one first, so that nothing is missed."""
        await self.subscribe(new)
        await self.unsubscribe(old)

    async def hear_waiting(self) -> None:
        """Hears all that came since, and lets others take their turns in between."""
        events = self._waiting.take()
        for first in range(0, len(events), _TURN):
            if first:
                await checkpoint()
            for event in events[first : first + _TURN]:
                self.hear(event)

    def hear(self, event: MarketEvent | LinkNews) -> None:
        """Keeps the latest and publishes it."""
        if isinstance(event, LinkNews):
            self.up, self.link_text = event.up, event.text
            return
        stream = self.streams.get(event.symbol)
        if stream is None or not stream.subscribers:
            return
        stream.events += 1
        stream.last_ns = event.time_ns
        if type(event) is Quote:
            stream.quote = event
        self._publish(stream.topic, event)

    def latest_quote(self, symbol: str) -> Quote | None:
        """The newest quote of a subscribed symbol, or None."""
        stream = self.streams.get(symbol)
        return stream.quote if stream is not None else None

    async def history(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; raises BrokerError."""
        return await self.connection.bars(symbol, interval, start_ns, end_ns)

    def statistics(self) -> FeedStatistics:
        """Whether data flows, and how old each symbol's last event is."""
        now = self.world.clock.wall_ns()
        return FeedStatistics(
            self.up,
            self.link_text,
            tuple(
                SymbolStatistics(
                    symbol, stream.subscribers, stream.events, None if stream.last_ns is None else now - stream.last_ns
                )
                for symbol, stream in self.streams.items()
            ),
            self._waiting.missed,
        )
