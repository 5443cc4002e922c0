"""The streams of finished bars, one for each series that is wanted."""

from collections.abc import Callable
from functools import partial

from brokers.market import Bar
from brokers.tradestation.bar_tail import REREAD, BarTail
from brokers.tradestation.lines import one_by_one
from brokers.tradestation.streams import Parts
from brokers.tradestation.wire import BadPayload
from brokers.tradestation.wire_market import MOST_BARS, bar_stream_target
from runtime import Actor, MailboxPolicy, Reason


class BarStream(Actor):
    """Carries the finished bars of every wanted series; a stream that ends begins anew with what was missed."""

    mailbox = MailboxPolicy(capacity=10_000)

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.readers: dict[BarTail, Callable[[], None]] = {}  # with what ends each

    async def on_start(self) -> None:
        """Begins with what is wanted already: subscriptions outlive this actor."""
        self.look()

    async def on_stop(self, reason: Reason) -> None:
        """The links go down with their reader."""
        for tail in self.readers:
            self._down(tail, f"its reader has stopped: {reason}")

    def look(self) -> None:
        """Ends the readers of what is wanted no more, and begins those that are missing."""
        wanted = tuple(self.parts.hub.bars.values())
        for tail in [one for one in self.readers if one not in wanted]:
            self.readers.pop(tail)()
        for tail in wanted:
            if tail not in self.readers:
                self.readers[tail] = self.spawn(self._keep, tail)

    async def _keep(self, tail: BarTail) -> None:
        lines = self.parts.bar_lines
        reconnect = lines.reconnect()

        def opened() -> None:
            reconnect.connected()
            tail.opened()

        while True:
            await reconnect.turn()
            why = await lines.read("barcharts", self._target(tail), opened, one_by_one(partial(self._take, tail)))
            if why is not REREAD:
                self._down(tail, why)

    def _target(self, tail: BarTail) -> str:
        back = tail.missed(self.parts.bar_lines.clock.wall_ns())
        if back > MOST_BARS:
            text = f"up to {back} were missed, and only the last {MOST_BARS} are told; ask for the others as history"
            self.parts.hub.put_aside(str(tail), text)
        return bar_stream_target(self.parts.names.broker(tail.symbol), tail.interval, min(back, MOST_BARS))

    def _take(self, tail: BarTail, line: bytes) -> str | None:
        try:
            found = tail.take(line, self.parts.names, self.parts.bar_lines.clock.wall_ns())
        except BadPayload as bad:
            self.parts.hub.put_aside(f"line of {tail}: {bad.what}", str(bad))
            return None
        if isinstance(found, str):
            return found
        self._up(tail)
        if isinstance(found, Bar):
            self.parts.hub.show(found)
        return None

    def _up(self, tail: BarTail) -> None:
        was, tail.up = tail.up, True
        if was is False:
            self.parts.hub.market_link(self.parts.link(up=True, text=f"the {tail} are up"), str(tail))

    def _down(self, tail: BarTail, why: str) -> None:
        """Says that a stream went down; one that never was up is put aside, and stops nobody else."""
        hub = self.parts.hub
        if hub.bars.get((tail.symbol, tail.interval)) is not tail:
            return
        if tail.up is None:
            hub.put_aside(str(tail), why)
        else:
            tail.up = False
            hub.market_link(self.parts.link(up=False, text=f"{tail}: {why}"), str(tail))
