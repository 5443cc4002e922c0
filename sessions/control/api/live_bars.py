"""One symbol's bars for whoever follows them: the last ones, and then each as soon as it is over, none twice.

A broker that streams finished bars is listened to. Any other is asked when a bar is over, and again for what it did
not know yet.
"""

import contextlib
from collections.abc import Callable
from typing import Final

import attrs
import trio

from brokers.errors import BrokerError, Code, Unsupported, broker_error
from brokers.gateway import LinkNews
from brokers.market import Bar, MarketEvent
from sessions.bars.join import SETTLE_NS
from sessions.control.api.reads import BarsAsked, Query, bars_asked, last_bars
from sessions.control.api.tail import Tail
from sessions.control.daemon.house import House

LONGEST_PAUSE: Final = 60.0  # seconds between two questions, whatever the interval
SHORTEST_PAUSE: Final = 1.0
RETRY_SECONDS: Final = 5.0  # after a connection that ended, or a question that had no answer
LEAVE_SECONDS: Final = 5.0  # for a broker to hear that nobody follows any more
_SECOND_NS: Final = 1_000_000_000


@attrs.define(eq=False)
class _Following:
    """What one client was told; bars that are heard before the past is known wait for it."""

    house: House
    asked: BarsAsked
    tail: Tail
    started: Callable[[], None]
    begun: bool = False
    told_ns: int = 0
    early: list[Bar] | None = None

    @property
    def stays(self) -> bool:
        """Whether the broker's connection is still the one that was asked."""
        return self.house.brokers.get(self.asked.name) is self.asked.broker

    def begin(self) -> None:
        """Bars come from now on, which the client is told once; those that were heard early are told."""
        if not self.begun:
            self.begun = True
            self.started()
        early, self.early = self.early, None
        for bar in early or ():
            self._tell(bar)

    def hear(self, event: MarketEvent | LinkNews) -> None:
        """Takes in what the broker's stream says."""
        asked = self.asked
        if type(event) is Bar and (event.symbol, event.interval) == (asked.symbol, asked.interval):
            if self.early is None:
                self._tell(event)
            else:
                self.early.append(event)

    async def catch_up(self) -> None:
        """Tells the last bars that were not told yet; raises BrokerError, TooSlowError."""
        for bar in await last_bars(self.house, self.asked):
            self._tell(bar)

    def _tell(self, bar: Bar) -> None:
        if bar.time_ns > self.told_ns:
            self.told_ns = bar.time_ns
            self.tail.offer(bar)


async def follow_bars(
    house: House, query: Query, tail: Tail, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Offers bars until it is cancelled, over new connections of the broker too; raises Refused, BrokerError."""
    following = _Following(house, bars_asked(house, query), tail, task_status.started)
    while True:
        try:
            await _listen_or_ask(following)
        except (BrokerError, trio.TooSlowError):
            if not following.begun:
                raise
        await trio.sleep(RETRY_SECONDS)
        if (broker := house.brokers.get(following.asked.name)) is not None:
            following.asked = attrs.evolve(following.asked, broker=broker)


async def _listen_or_ask(following: _Following) -> None:
    broker = following.asked.broker
    if not broker.supports_symbol(following.asked.symbol):
        raise broker_error(broker.name, Code.SYMBOL_NOT_FOUND, f"no market data for {following.asked.symbol!r}")
    data = broker.capability.data
    if data is not None and data.live_bars:
        with contextlib.suppress(Unsupported):  # bars of another length than those that it streams
            await _listen(following)
            return
    await _ask(following)


async def _listen(following: _Following) -> None:
    feed, asked = following.asked.broker.need_feed(), following.asked
    following.early = []
    leave = feed.listen(following.hear)
    try:
        await feed.subscribe_bars(asked.symbol, asked.interval)
        try:
            with contextlib.suppress(BrokerError, trio.TooSlowError):  # without a past it begins with what comes
                await following.catch_up()
            following.begin()
            while following.stays:  # noqa: ASYNC110 - a connection that ends tells no such event
                await trio.sleep(SHORTEST_PAUSE)
        finally:
            with trio.move_on_after(LEAVE_SECONDS, shield=True), contextlib.suppress(BrokerError):
                await feed.unsubscribe_bars(asked.symbol, asked.interval)
    finally:
        leave()


async def _ask(following: _Following) -> None:
    calendar, clock = following.asked.broker.catalogue.calendar(following.asked.symbol), following.house.world.clock
    while following.stays:
        await following.catch_up()
        following.begin()
        now_ns = clock.wall_ns()
        over_ns = calendar.bar_close(now_ns, following.asked.interval) + SETTLE_NS
        await trio.sleep(min(max((over_ns - now_ns) / _SECOND_NS, SHORTEST_PAUSE), LONGEST_PAUSE))
