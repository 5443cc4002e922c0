"""How far the finished bars of one series have been told: every one once, the oldest first, and none that still runs.

The broker tells a bar again and again while it runs, and once more when it has closed. That last word can be lost with
its stream, or stay out while nothing trades; then the stream is read anew from the last told bar on, once for each bar.
"""

from typing import Final

import attrs

from brokers.market import Bar, Interval
from brokers.tradestation.lines import ending
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import MAX_LINE, BadPayload, BarLine, BarRecord, decode, time_ns
from brokers.tradestation.wire_market import bars_of

MARGIN_NS: Final = 300_000_000_000
"""How far the broker's clock may run ahead of ours before a finished bar is one of the future."""
OVERDUE_NS: Final = 15_000_000_000
"""How long after the end of a bar the broker's last word on it is waited for."""
SPARE: Final = 6
"""Bars asked for beyond those missed: the one that runs, and those of clocks that differ."""
REREAD: Final = "a bar was not told as finished; the stream is read anew"
_DAY_NS: Final = 86_400_000_000_000


@attrs.define(eq=False)
class BarTail:
    """The end of one series; it outlives the stream and its actor.

    told_ns     the close of the last bar that was told; before the first, the moment of the subscription
    users       how many want the series
    up          whether its stream brings lines; None until it first does
    running_ns  the close of the bar that this stream was last about; 0 before its first
    asked_ns    the close of the bar for whose sake the stream was last read anew
    """

    symbol: str
    interval: Interval
    told_ns: int
    users: int = 0
    up: bool | None = None
    running_ns: int = 0
    asked_ns: int = 0

    def __str__(self) -> str:
        return f"bars of {self.symbol} {self.interval}"

    def missed(self, now_ns: int) -> int:
        """How many bars can have closed since the last told one; the end of a day may cut one short."""
        past_ns = max(now_ns - self.told_ns, 0)
        return past_ns // self.interval.nanoseconds + past_ns // _DAY_NS + SPARE

    def opened(self) -> None:
        """Notes that a stream has opened: it begins with all that was missed, so nothing is owed."""
        self.running_ns = 0

    def take(self, line: bytes, names: Names, now_ns: int) -> Bar | str | None:
        """The finished bar in a line that is not told yet, or why the stream must be read anew, else None.

        Raises BadPayload; a bar that is lost by that is one that was not told.
        """
        word = decode(BarLine, line, MAX_LINE)
        if word.error:
            return ending("", word.error, word.message)
        close_ns = time_ns(word.time_stamp, "TimeStamp") if word.time_stamp else 0
        if self._owes(close_ns, now_ns):
            return REREAD
        if close_ns <= self.told_ns:
            return None
        self.running_ns = close_ns
        return self._finished(line, names, now_ns) if word.bar_status == "Closed" else None

    def _owes(self, close_ns: int, now_ns: int) -> bool:
        """Whether a bar was not told as finished though a later one came, or silence long after; once for each bar."""
        owed_ns, passed_ns = self.running_ns, close_ns or now_ns - OVERDUE_NS
        if not max(self.told_ns, self.asked_ns) < owed_ns < passed_ns:
            return False
        self.asked_ns = owed_ns
        return True

    def _finished(self, line: bytes, names: Names, now_ns: int) -> Bar:
        (bar,) = bars_of((decode(BarRecord, line, MAX_LINE),), self.symbol, self.interval, names)
        if bar.time_ns > now_ns + MARGIN_NS:
            raise BadPayload("bar", f"a finished bar that closed by {now_ns} or little later", bar.time_ns)
        self.told_ns = bar.time_ns
        return bar
