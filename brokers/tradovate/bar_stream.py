"""The streams of finished bars: one chart of the market-data socket for each series that is wanted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.errors import BrokerError
from brokers.market import Bar
from brokers.symbols import SymbolMap
from brokers.tradovate.bar_tail import BarTail
from brokers.tradovate.hub import Hub
from brokers.tradovate.market_stream import Board
from brokers.tradovate.symbols import broker_name
from brokers.tradovate.wire import BadPayload
from brokers.tradovate.wire_market import MOST_BARS, BarRow, chart_body, drawn
from runtime import Actor, MailboxPolicy

LOOK_SECONDS: Final = 5.0
"""How often a chart is looked at for a bar that is overdue."""
RETRY_SECONDS: Final = 10.0
"""How long a chart that was refused is left alone."""


@attrs.frozen(eq=False)
class ChartParts:
    """What the charts work with; all of it outlives them."""

    board: Board
    hub: Hub
    symbols: SymbolMap
    catalogue: Catalogue


class BarStream(Actor):
    """Carries the finished bars of every wanted series; a chart that ends begins anew with what was missed."""

    mailbox = MailboxPolicy(capacity=10_000)

    def __init__(self, parts: ChartParts) -> None:
        self.parts = parts
        self.readers: dict[BarTail, Callable[[], None]] = {}  # with what ends each
        self.fresh: dict[BarTail, trio.Event] = {}  # set when a chart shows a new bar

    async def on_start(self) -> None:
        """Begins with what is wanted already: subscriptions outlive this actor."""
        self.look()

    def look(self) -> None:
        """Ends the readers of what is wanted no more, and begins those that are missing."""
        wanted = tuple(self.parts.hub.bars.values())
        for tail in [one for one in self.readers if one not in wanted]:
            self.fresh.pop(tail, None)
            self.readers.pop(tail)()
        for tail in wanted:
            if tail not in self.readers:
                self.readers[tail] = self.spawn(self._keep, tail)

    async def _keep(self, tail: BarTail) -> None:
        board = self.parts.board
        while True:
            talk = await board.opened()
            try:
                async with board.followed(self._body(tail), partial(self._see, tail)) as history:
                    self._tell(tail, history)
                    while board.talk is talk:
                        await self._turn(tail)
            except BrokerError as error:
                if board.talk is talk:  # the chart was refused; a socket that went down is told as such
                    self.parts.hub.put_aside(str(tail), str(error))
                    await trio.sleep(RETRY_SECONDS)

    async def _turn(self, tail: BarTail) -> None:
        """Waits for a bar to be over, and asks for what is to be told."""
        fresh = self.fresh.setdefault(tail, trio.Event())
        with trio.move_on_after(LOOK_SECONDS):
            await fresh.wait()
        if fresh.is_set() or tail.due(self.world.clock.wall_ns()):
            self.fresh[tail] = trio.Event()  # before the question: what comes meanwhile is asked for after it
            self._tell(tail, await self.parts.board.chart(self._body(tail)))

    def _body(self, tail: BarTail) -> dict[str, object]:
        now_ns, length_ns = self.world.clock.wall_ns(), tail.interval.nanoseconds
        if now_ns - tail.told_ns > MOST_BARS * length_ns:
            text = f"more than {MOST_BARS} were missed, and only the last ones are told; ask for the others as history"
            self.parts.hub.put_aside(str(tail), text)
        return chart_body(broker_name(self.parts.symbols, tail.symbol), tail.interval, tail.told_ns - length_ns, now_ns)

    def _see(self, tail: BarTail, rows: Sequence[BarRow]) -> None:
        if tail.see(self._drawn(tail, rows), self.world.clock.wall_ns()) and tail in self.fresh:
            self.fresh[tail].set()

    def _tell(self, tail: BarTail, history: Sequence[BarRow]) -> None:
        bars, now_ns = list(self._drawn(tail, history)), self.world.clock.wall_ns()
        tail.see(bars, now_ns)
        for bar in tail.over(bars, now_ns):
            self.parts.hub.show(bar)

    def _drawn(self, tail: BarTail, rows: Iterable[BarRow]) -> Iterator[Bar]:
        """The bars of rows; one that cannot be leaves the others alone."""
        calendar = self.parts.catalogue.calendar(tail.symbol)
        for row in rows:
            try:
                yield from (one.bar for one in drawn((row,), tail.symbol, tail.interval, calendar))
            except BadPayload as bad:
                self.parts.hub.put_aside(str(tail), str(bad))
