"""History joined to live ticks: one series without gap or overlap, in which every bar is whole.

One rule: a bar is built from ticks only if every tick of it was watched; every other bar comes from history. So the
first bar after a subscription, which began before we watched, is fetched when it is over, and so are the bars around
a hole in the stream. Bars after them wait meanwhile. History that stays silent past the patience costs those bars and
is told as a hole: a bar with half its ticks would be a wrong one.

    joined = JoinedBars(BarBuilder(symbol, interval, calendar), start_ns)
    joined.watched_from(now_ns)  # the subscription stands; again after each `lost`
    ...at `wakes_ns`, and after each print, `trade` or `quote`:
    bars = joined.advance(now_ns)
    if span := joined.missing(now_ns):
        bars += joined.answer(await history(span.start_ns, span.end_ns), span, now_ns)  # or `unanswered`
"""

from collections.abc import Iterable
from typing import Final

import attrs

from brokers.calendar import SECOND_NS, SessionCalendar
from brokers.market import Bar, BarUnit, Interval, Quote, Trade
from sessions.bars.builder import BarBuilder

SETTLE_NS: Final = 2 * SECOND_NS  # what a broker needs to publish a bar that is over
RETRY_NS: Final = 5 * SECOND_NS
PATIENCE_NS: Final = 60 * SECOND_NS


@attrs.frozen
class Span:
    """The bars that close in (start_ns, end_ns]."""

    start_ns: int
    end_ns: int


@attrs.frozen
class JoinStatistics:
    """How a series came about; `holes` are the spans that history never filled."""

    from_history: int
    from_ticks: int
    waiting: int
    holes: tuple[Span, ...]


class JoinedBars:
    """One symbol's bars of one interval after `start_ns`; every bar is given out once, in order."""

    def __init__(
        self,
        builder: BarBuilder,
        start_ns: int,
        *,
        settle_ns: int = SETTLE_NS,
        retry_ns: int = RETRY_NS,
        patience_ns: int = PATIENCE_NS,
    ) -> None:
        self.builder = builder
        self._settle_ns = settle_ns
        self._retry_ns = retry_ns
        self._patience_ns = patience_ns
        self._complete_ns = start_ns  # every bar that closes up to here was given out
        self._watched_ns = 0
        self._boundary_ns: int | None = None  # bars up to here come from history; None: nothing is watched
        self._waiting: list[Bar] = []  # whole, but behind bars that history owes
        self._halves: list[int] = []  # closes of bars that we saw a part of, so history must have them
        self._failing_ns: int | None = None  # since when history does not answer
        self._failed_ns = 0
        self._from_history = self._from_ticks = 0
        self._holes: list[Span] = []

    # ------------------------------------------------------------------ what happens

    def watched_from(self, time_ns: int) -> None:
        """Every tick from an instant on will come; some before it may have been missed."""
        self._watched_ns = time_ns
        self._boundary_ns = _last_touched(self.builder.calendar, self.builder.interval, time_ns)
        self._failing_ns = None
        self._halves += [bar.time_ns for bar in self._waiting if bar.time_ns <= self._boundary_ns]
        self._waiting = [bar for bar in self._waiting if bar.time_ns > self._boundary_ns]

    def lost(self, time_ns: int) -> list[Bar]:
        """Ticks after an instant may be missing until `watched_from`; returns the bar that was over by then."""
        bars = self.advance(time_ns)
        self._boundary_ns = None
        return bars

    def trade(self, trade: Trade, now_ns: int) -> list[Bar]:
        """Adds a print; returns the bars that are now known."""
        return self._built(self.builder.trade(trade, now_ns))

    def quote(self, quote: Quote, now_ns: int) -> list[Bar]:
        """Adds the middle of a quote instead, for markets that show no prints."""
        return self._built(self.builder.quote(quote, now_ns))

    def advance(self, now_ns: int) -> list[Bar]:
        """Returns the bar whose time is over, if nothing before it is owed."""
        return self._built(self.builder.advance(now_ns))

    # ------------------------------------------------------------------ what history owes

    def missing(self, now_ns: int) -> Span | None:
        """The history to fetch now; None while nothing is owed, or it is too early to ask."""
        due = self._due_ns()
        if self._boundary_ns is None or due is None or now_ns < due:
            return None
        return Span(self._complete_ns, min(now_ns - self._settle_ns, self._boundary_ns))

    def answer(self, history: Iterable[Bar], span: Span, now_ns: int) -> list[Bar]:
        """Takes the bars of a span that was missing; an answer without a bar that we saw ticks of is none yet."""
        found = {bar.time_ns: bar for bar in history if self._complete_ns < bar.time_ns <= span.end_ns}
        if any(span.start_ns < half <= span.end_ns and half not in found for half in self._halves):
            return self.unanswered(now_ns)
        self._failing_ns = None
        self._from_history += len(found)
        return [*(found[time_ns] for time_ns in sorted(found)), *self._completed(span.end_ns)]

    def unanswered(self, now_ns: int) -> list[Bar]:
        """History failed: it is asked again later, and past the patience done without."""
        self._failed_ns = now_ns
        if self._failing_ns is None:
            self._failing_ns = now_ns
        if self._boundary_ns is None:
            return []
        since = max(self._failing_ns, self._boundary_ns + self._settle_ns)
        return self.forgo() if now_ns - since >= self._patience_ns else []

    def forgo(self) -> list[Bar]:
        """Does without the history that is owed, for good; returns the bars that waited for it."""
        if self._boundary_ns is None or self._complete_ns >= self._boundary_ns:
            return []
        self._failing_ns = None
        self._holes.append(Span(self._complete_ns, self._boundary_ns))
        return self._completed(self._boundary_ns)

    # ------------------------------------------------------------------ what to do when

    @property
    def wakes_ns(self) -> int | None:
        """When `advance` or `missing` has something next; None when only a tick can bring it."""
        return min((when for when in (self.builder.closes_ns, self._due_ns()) if when is not None), default=None)

    def statistics(self) -> JoinStatistics:
        """Where the bars came from so far."""
        return JoinStatistics(self._from_history, self._from_ticks, len(self._waiting), tuple(self._holes))

    def _due_ns(self) -> int | None:
        """When to ask history next: at once for what lies behind the watch, when it is over for what we met half."""
        if self._boundary_ns is None or self._complete_ns >= self._boundary_ns:
            return None
        if self._failing_ns is not None:
            return self._failed_ns + self._retry_ns
        if self._complete_ns < self._watched_ns - self._settle_ns:
            return self._watched_ns
        return self._boundary_ns + self._settle_ns

    def _built(self, bar: Bar | None) -> list[Bar]:
        if bar is None or bar.time_ns <= self._complete_ns:
            return []
        if self._boundary_ns is None or bar.time_ns <= self._boundary_ns:
            self._halves.append(bar.time_ns)
            return []
        self._waiting.append(bar)
        return self._completed(self._complete_ns)

    def _completed(self, until_ns: int) -> list[Bar]:
        """Every bar up to an instant was given out; returns those that need not wait any longer."""
        self._complete_ns = max(self._complete_ns, until_ns)
        self._halves = [half for half in self._halves if half > self._complete_ns]
        if self._boundary_ns is None or self._complete_ns < self._boundary_ns:
            return []
        ready, self._waiting = self._waiting, []
        if ready:
            self._from_ticks += len(ready)
            self._complete_ns = ready[-1].time_ns
        return ready


def _last_touched(calendar: SessionCalendar, interval: Interval, time_ns: int) -> int:
    """The close of the last bar that may have ticks before an instant."""
    one_session = interval.unit not in {BarUnit.DAY, BarUnit.WEEK} or (
        interval.count == 1 and interval.unit is BarUnit.DAY
    )
    if one_session and calendar.session_at(time_ns - 1) is None:
        return time_ns
    return calendar.bar_close(time_ns - 1, interval)
