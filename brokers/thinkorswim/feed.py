"""The feed gateway: subscriptions through the one streamer, bars and facts through the HTTP interface."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import attrs

from brokers.calendar import utc_date
from brokers.catalogue import Catalogue
from brokers.errors import Certainty, Code, NoClearAnswer, Unsupported, broker_error
from brokers.figures import plausible
from brokers.gateway import Leave, LinkNews
from brokers.guards.guard import Guard
from brokers.guards.operation import Charge, Kind, Operation, Priority
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketEvent
from brokers.symbols import SymbolError, SymbolMap
from brokers.thinkorswim.audience import Audience, Flow, Wish
from brokers.thinkorswim.board import MINUTE
from brokers.thinkorswim.conversation import MOST_KEYS
from brokers.thinkorswim.events import Quarantined, Tell
from brokers.thinkorswim.history import make_bars, query_for
from brokers.thinkorswim.rest import Rest
from brokers.thinkorswim.settings import BROKER
from brokers.thinkorswim.streamer import REQUESTS, StreamerActor
from brokers.thinkorswim.wire import Malformed
from brokers.thinkorswim.wire_rest import Facts
from runtime import Name
from runtime.errors import CallError
from runtime.world import Clock

FACTS: Final = Operation("ask for instruments", Kind.READ, (Charge(REQUESTS),), priority=Priority.BACKGROUND)
BARS: Final = Operation("ask for bars", Kind.READ, (Charge(REQUESTS),), priority=Priority.BACKGROUND)
_NAMES_A_QUESTION: Final = 200
_MILLISECOND_NS: Final = 1_000_000


@attrs.frozen(kw_only=True, eq=False)
class ThinkorswimFeed:
    """One login's way to market data."""

    names: SymbolMap
    catalogue: Catalogue
    audience: Audience
    streamer: Name[StreamerActor]
    rest: Rest
    guard: Guard
    clock: Clock
    tell: Tell

    async def instruments(self) -> Sequence[Instrument]:
        """The futures' active contracts and the stocks of the table, with the broker's own facts."""
        roots = self.catalogue.table.roots("future", "stock")
        asked = {self.names.to_broker_symbol(root): root for root in roots}
        found: list[Instrument] = []
        for names in _portions(tuple(asked)):
            facts, bad = await self._facts(names)
            for name, fault in bad.items():
                self.tell(Quarantined("quotes", name, "facts", fault.text, fault.kind))
            found += [one for name in names if name in facts and (one := self._instrument(asked[name], facts[name]))]
        return found

    async def _facts(self, names: tuple[str, ...]) -> tuple[dict[str, Facts], dict[str, Malformed]]:
        return await self.guard.run(FACTS, lambda _: self.rest.facts(names))

    def _instrument(self, root: str, facts: Facts) -> Instrument | None:
        """The instrument that is traded of a root; None where the broker names no contract that can be."""
        if self.catalogue.table[root].kind != "future":
            return self.catalogue.instrument(root)
        said = facts.reference
        try:
            symbol = self.names.to_canonical_symbol(said.future_active_symbol, utc_date(self.clock.wall_ns()))
            known = self.catalogue.instrument(symbol)
        except SymbolError as error:
            self.tell(Quarantined("quotes", root, "futureActiveSymbol", said.future_active_symbol, error.expected))
            return None
        return attrs.evolve(
            known,
            tick=_positive(facts.quote.tick) or known.tick,
            multiplier=_positive(said.future_multiplier) or known.multiplier,
            expiry=_day(said.future_expiration_date) or known.expiry,
        )

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; of stocks only."""
        name = self._need(symbol)
        if name.startswith("/"):
            text = f"there is no history of futures, so none of {symbol}; take it from another source"
            raise Unsupported(BROKER, Code.UNSUPPORTED, text)
        now_ns = self.clock.wall_ns()
        history = await self.rest.history(query_for(name, interval, start_ns, end_ns, now_ns))
        if history.symbol != name:
            text = f"expected the history of {name}, got that of {history.symbol!r}; it was left out"
            raise NoClearAnswer(BROKER, Code.API_ERROR, text, certainty=Certainty.DEFINITE)
        calendar = self.catalogue.calendar(symbol)
        bars, bad = make_bars(symbol, interval, history.candles, calendar, (start_ns, end_ns), now_ns)
        for one in bad:
            self.tell(one)
        return bars

    async def subscribe(self, symbol: str) -> None:
        """Begins a symbol's stream, for one user more; returns when the streamer has confirmed it."""
        await self._want((symbol, Flow.PRICES))

    async def unsubscribe(self, symbol: str) -> None:
        """Ends it for one user; the stream ends with the last."""
        self._drop((symbol, Flow.PRICES))

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Begins a symbol's stream of finished minutes, for one user more; others are not to be had."""
        if interval != MINUTE:
            text = f"the streamer sends bars of {MINUTE} only, none of {interval}; build them from those or from ticks"
            raise Unsupported(BROKER, Code.UNSUPPORTED, text)
        await self._want((symbol, Flow.MINUTES))

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        """Ends it for one user; the stream ends with the last."""
        self._drop((symbol, Flow.MINUTES))

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear."""
        return self.audience.listen(hear)

    async def _want(self, wish: Wish) -> None:
        self._need(wish[0])
        wanted = self.audience.wanted
        if wish not in wanted and len(wanted) >= MOST_KEYS:
            text = f"{len(wanted)} streams are open, which is all that one login may; that of {wish[0]} was left out"
            raise broker_error(BROKER, Code.RATE_LIMITED, text)
        self.audience.want(wish)
        try:
            await self.streamer.call(StreamerActor.subscribed, wish)
        except BaseException as error:
            self._drop(wish)
            if isinstance(error, CallError):
                raise broker_error(BROKER, Code.CONNECTION_FAILED, str(error)) from error
            raise

    def _drop(self, wish: Wish) -> None:
        self.audience.drop(wish)
        self.streamer.cast(StreamerActor.adjust)

    def _need(self, symbol: str) -> str:
        try:
            return self.names.to_broker_symbol(symbol)
        except SymbolError as error:
            raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, str(error)) from error


def _portions(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), _NAMES_A_QUESTION):
        yield names[start : start + _NAMES_A_QUESTION]


def _positive(value: Decimal | None) -> Decimal | None:
    """The value where it can be a size; None for any other."""
    return value if value is not None and plausible(value) and value > 0 else None


def _day(moment_ms: int | None) -> dt.date | None:
    """The day of a moment in milliseconds; None for none, and for what is no moment of a market."""
    return utc_date(moment_ms * _MILLISECOND_NS) if moment_ms is not None and 10**12 <= moment_ms < 10**13 else None
