"""Follows the market for one session: subscriptions, the history that bars are owed, contracts that roll."""

from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from brokers.broker import Source
from brokers.catalogue import Catalogue
from brokers.connection import Connection
from brokers.errors import BrokerError
from brokers.instruments import Instrument
from brokers.market_data import MarketDataSource, market_topic
from runtime import World
from runtime.errors import CallError
from runtime.topics import Topics
from sessions.bars import JoinedBars, Span
from sessions.bars.rolling import RollPlan, due_roll, plan_roll
from sessions.strategy import Picture
from sessions.trader.market import Line, Market
from sessions.trader.moves import Moves, RollSteps

ASK_SECONDS: Final = 30.0

Announce = Callable[[str, str, str], None]  # root, old, new


@attrs.define(eq=False)
class Follower:
    """One session's lines, from the subscription to the roll."""

    world: World
    topics: Topics
    catalogue: Catalogue
    data: Connection | None
    source: Source | None
    market: Market
    picture: Picture
    hear: Callable[[Any], None]
    wake: Callable[[], None]
    told: Callable[[int, int], None]  # how many of the bars that history owes have come
    _leaves: dict[str, Callable[[], None]] = attrs.field(factory=dict)
    _fetching: bool = False
    _rolling: bool = False

    async def follow(self, name: str) -> Line:
        """Begins to follow what a root or contract means now; raises BrokerError, SymbolError."""
        return await self._begin(name, self._instrument(name))

    async def leave(self, symbol: str) -> None:
        """Ends a contract's line."""
        self.market.leave(symbol)
        await self._unsubscribe(symbol)

    def end(self) -> None:
        """Hears nothing more."""
        while self._leaves:
            self._leaves.popitem()[1]()

    async def release(self) -> None:
        """Ends all subscriptions, as far as the source still answers."""
        symbols = list(self._leaves)
        self.end()
        for symbol in symbols:
            await self._unsubscribe(symbol)

    def _instrument(self, name: str) -> Instrument:
        table = self.catalogue.table
        if name not in table:
            return self.catalogue.instrument(name)
        day = self.catalogue.calendar(name).trading_day(self.world.clock.wall_ns())
        return self.catalogue.front(name, day)

    async def _begin(self, name: str, instrument: Instrument) -> Line:
        symbol = instrument.symbol
        known = self.market.lines.get(symbol)
        line = self.market.follow(name, instrument, self.world.clock.wall_ns())
        if known is None and self.source is not None and self.data is not None:
            with trio.fail_after(ASK_SECONDS):
                channel = await self.source.call(MarketDataSource.on_channel)
                self._leaves[symbol] = self.topics.attach(market_topic(self.data.name, symbol, channel), self.hear)
                await self.source.call(MarketDataSource.subscribe, symbol)
        self.market.watched(self.world.clock.wall_ns(), (line,))
        return line

    async def _unsubscribe(self, symbol: str) -> None:
        leave = self._leaves.pop(symbol, None)
        if leave is not None:
            leave()
        if self.source is not None:
            try:
                with trio.move_on_after(ASK_SECONDS):
                    await self.source.call(MarketDataSource.unsubscribe, symbol)
            except (BrokerError, CallError):
                return  # the stream ends with its connection

    # History.

    @property
    def whole(self) -> bool:
        """Whether no bar is owed from before the start."""
        return not any(True for _ in self.market.missing(self.world.clock.wall_ns())) and not self._fetching

    async def fetch(self) -> None:
        """Asks history for what is owed now, one series after the other."""
        if self._fetching:
            return
        self._fetching = True
        owed = list(self.market.missing(self.world.clock.wall_ns()))
        counts = [_bars(joined, span) for _, joined, span in owed]
        try:
            for place, one in enumerate(owed):
                self.told(sum(counts[:place]), sum(counts))
                await self._fetch(*one)
        finally:
            self._fetching = False
            self.told(sum(counts), sum(counts))
        self.wake()

    async def _fetch(self, line: Line, joined: JoinedBars, span: Span) -> None:
        bars = None
        builder = joined.builder
        if self.source is not None:
            try:
                with trio.move_on_after(ASK_SECONDS):
                    bars = await self.source.call(
                        MarketDataSource.history, builder.symbol, builder.interval, span.start_ns, span.end_ns
                    )
            except (BrokerError, CallError):
                bars = None
        self.market.fetched(line, joined, span, bars, self.world.clock.wall_ns())

    # Rolls.

    async def roll(self, moves: Moves, announce: Announce, *, move_position: bool) -> None:
        """Carries out each roll that is due; one that fails is looked at again later."""
        if self._rolling:
            return
        self._rolling = True
        try:
            for root, symbol in list(self.picture.fronts.items()):
                plan = self._due(root, symbol, moves, move_position=move_position)
                if plan is not None:
                    await moves.roll(plan, self._steps(root, announce))
        except (BrokerError, CallError):
            return
        finally:
            self._rolling = False

    def _due(self, root: str, symbol: str, moves: Moves, *, move_position: bool) -> RollPlan | None:
        record = self.catalogue.record(symbol)
        if record.kind != "future" or root == symbol:
            return None
        calendar, now_ns = self.catalogue.calendar(symbol), self.world.clock.wall_ns()
        day = calendar.trading_day(now_ns)
        roll = due_roll(symbol, self.catalogue.schedule(record.root, day, day), calendar, now_ns)
        if roll is None:
            return None
        return plan_roll(roll, self.picture.instruments[symbol], moves.held(symbol), move_position=move_position)

    def _steps(self, root: str, announce: Announce) -> RollSteps:
        async def subscribe(symbol: str) -> None:
            front = self.picture.fronts[root]
            await self._begin(root, self.catalogue.instrument(symbol))
            self.picture.fronts[root] = front  # until the strategy is told

        async def load(_: str) -> None:
            await self.fetch()

        def tell(old: str, new: str) -> None:
            self.picture.fronts[root] = new
            self.market.tell([self.market.lines[new]])
            announce(root, old, new)

        return RollSteps(subscribe, load, tell, self.leave)


def _bars(joined: JoinedBars, span: Span) -> int:
    """How many bars close in a span, were its market open all the time."""
    return max((span.end_ns - span.start_ns) // joined.builder.interval.nanoseconds, 1)
