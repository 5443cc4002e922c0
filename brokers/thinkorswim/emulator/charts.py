"""Finished minutes for the charts of the streamer: the first trade after a minute's end shows that it is over."""

import datetime as dt
from collections.abc import Callable
from typing import Final

from brokers.emulation.desk import Desk
from brokers.instruments import Kind
from brokers.market import Bar, MarketEvent, Trade
from brokers.thinkorswim.emulator.board import DAY_NS, MINUTE
from brokers.thinkorswim.emulator.level_one import Numbered
from brokers.thinkorswim.emulator.words import EASTERN, SECOND_NS, milliseconds, plain

SERVICE: Final = {Kind.STOCK: "CHART_EQUITY", Kind.FUTURE: "CHART_FUTURES"}
_FIRST_HOUR: Final = 7  # minutes of stocks are counted from seven in the morning

Hear = Callable[[Bar], None]


class Minutes:
    """Every symbol's minutes as they end."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._hearers: dict[Hear, None] = {}
        self._ends: dict[str, int] = {}
        desk.watch(self._take)

    def hear(self, hear: Hear) -> Callable[[], None]:
        """Hands finished minutes to hear; the returned function ends that."""
        if not self._hearers:
            self._ends.clear()
        self._hearers[hear] = None

        def leave() -> None:
            self._hearers.pop(hear, None)

        return leave

    def _take(self, event: MarketEvent) -> None:
        if not self._hearers or not isinstance(event, Trade):
            return
        symbol, end_ns = event.symbol, self._ends.get(event.symbol)
        if end_ns is not None and event.time_ns < end_ns:
            return
        self._ends[symbol] = self._end_of_minute(symbol, event.time_ns)
        if end_ns is not None:
            self._tell(symbol, end_ns)

    def _end_of_minute(self, symbol: str, time_ns: int) -> int:
        offset = self._desk.source.offset_ns
        return self._desk.catalogue.calendar(symbol).bar_close(time_ns + offset, MINUTE) - offset

    def _tell(self, symbol: str, end_ns: int) -> None:
        for bar in self._desk.source.bars(symbol, MINUTE, end_ns - 1, end_ns):
            for hear in tuple(self._hearers):
                hear(bar)


def numbered(bar: Bar, kind: Kind, skew_ns: int) -> Numbered:
    """A minute by its service's numbers; that of stocks has its own order, and its place in the day."""
    begin_ns = bar.time_ns - bar.interval.nanoseconds
    prices = [plain(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    volume, begun = plain(bar.volume), milliseconds(begin_ns + skew_ns)
    if kind is Kind.FUTURE:
        return dict(enumerate((begun, *prices, volume), start=1))
    local = dt.datetime.fromtimestamp(begin_ns // SECOND_NS, EASTERN)
    minute = (local.hour - _FIRST_HOUR) * 60 + local.minute
    return dict(enumerate((minute, *prices, volume, begun, begin_ns // DAY_NS), start=1))
