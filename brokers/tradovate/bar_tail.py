"""How far the finished bars of one series have been told: every one once, the oldest first, and none that still runs.

The broker never says that a bar has closed, and of one that ran before its chart was opened the chart may not tell all.
So a chart only shows that a bar is over: a later one comes, or nothing long after its end. Its figures are then asked.
"""

from collections.abc import Iterable
from typing import Final

import attrs

from brokers.market import Bar, BarUnit, Interval

SETTLE_NS: Final = 15_000_000_000
"""How long after the end of a bar a later one is waited for, and its figures can still move."""

LONGEST_PAUSE_NS: Final = 5 * 86_400_000_000_000
"""How much longer than a day the bar of a day may take, over holidays."""


@attrs.define(eq=False)
class BarTail:
    """The end of one series; it outlives the chart and its actor.

    told_ns    the close of the last bar that was told; before the first, the moment of the subscription
    users      how many want the series
    newest_ns  the close of the newest bar that any chart showed
    asked_ns   the close of the bar for whose sake alone the history was last asked for
    """

    symbol: str
    interval: Interval
    told_ns: int
    users: int = 0
    newest_ns: int = 0
    asked_ns: int = 0

    def __str__(self) -> str:
        return f"bars of {self.symbol} {self.interval}"

    def see(self, bars: Iterable[Bar], now_ns: int) -> bool:
        """Notes the bars of a chart, and gives whether one is newer than all before; one of the far future is none."""
        latest_ns = (
            now_ns + self.interval.nanoseconds + LONGEST_PAUSE_NS * (self.interval.unit is BarUnit.DAY) + SETTLE_NS
        )
        newest_ns = max((bar.time_ns for bar in bars if bar.time_ns <= latest_ns), default=0)
        newer = newest_ns > self.newest_ns
        self.newest_ns = max(self.newest_ns, newest_ns)
        return newer

    def over(self, bars: Iterable[Bar], now_ns: int) -> list[Bar]:
        """Those bars of a history, oldest first, that are over and not told yet; they count as told from here on."""
        found = {bar.time_ns: bar for bar in bars if bar.time_ns > self.told_ns and self._is_over(bar.time_ns, now_ns)}
        finished = [found[time_ns] for time_ns in sorted(found)]
        if finished:
            self.told_ns = finished[-1].time_ns
        return finished

    def due(self, now_ns: int) -> bool:
        """Whether the history must be asked for because the newest bar is long over; true once for each bar."""
        if not max(self.told_ns, self.asked_ns) < self.newest_ns <= now_ns - SETTLE_NS:
            return False
        self.asked_ns = self.newest_ns
        return True

    def _is_over(self, close_ns: int, now_ns: int) -> bool:
        return close_ns <= now_ns - SETTLE_NS or close_ns < min(self.newest_ns, now_ns + SETTLE_NS)
