"""The market as one session follows it: the newest quote of each contract, and its bars.

Every tick goes into the bars the moment it comes; what waits for the strategy may be conflated without a bar losing
its high or low.
"""

from collections.abc import Callable, Iterable, Iterator

import attrs

from brokers.calendar import SessionCalendar
from brokers.instruments import Instrument
from brokers.market import Bar, BarUnit, MarketEvent, Quote, Trade
from sessions.bars import BarBuilder, JoinedBars, Span
from sessions.strategy import Picture, Series, Wants
from sessions.trader.inbox import Inbox

CalendarOf = Callable[[str], SessionCalendar]

_SESSIONS_BACK = 2_000


@attrs.define(eq=False)
class Line:
    """One contract that is followed."""

    name: str  # the root or contract that the strategy asked for
    instrument: Instrument
    tells_quotes: bool
    tells_trades: bool
    since_ns: int  # when it began to be followed
    series: tuple[JoinedBars, ...] = ()
    quote: Quote | None = None
    heard_ns: int | None = None  # when the newest quote was true, by its own time and by ours
    closes_ns: int | None = None  # when the bar that began last is over
    telling: bool = False  # before the strategy is told of a contract, its bars are history: they are in the view

    @property
    def wakes_ns(self) -> int | None:
        """When its bars want attention without a tick."""
        return min((one.wakes_ns for one in self.series if one.wakes_ns is not None), default=None)


class Market:
    """All lines of a session."""

    def __init__(self, picture: Picture, wants: Wants, inbox: Inbox, calendar_of: CalendarOf, *, prints: bool) -> None:
        """`prints` tells whether the feed shows trades, of which bars are then made; else they are made of quotes."""
        self.lines: dict[str, Line] = {}
        self.turned = False  # a bar has begun: there is another instant to wake at
        self._picture = picture
        self._wants = wants
        self._inbox = inbox
        self._calendar_of = calendar_of
        self._prints = prints

    def follow(self, name: str, instrument: Instrument, now_ns: int) -> Line:
        """Begins a line; its bars join once it is watched."""
        self._picture.follow(name, instrument, self._wants)
        calendar = self._calendar_of(instrument.symbol)
        series = tuple(
            JoinedBars(BarBuilder(instrument.symbol, one.interval, calendar), history_start(calendar, one, now_ns))
            for one in self._wants.bars
            if one.symbol == name
        )
        line = Line(name, instrument, name in self._wants.quotes, name in self._wants.trades, now_ns, series)
        self.lines[instrument.symbol] = line
        return line

    def leave(self, symbol: str) -> None:
        """Ends a line."""
        self.lines.pop(symbol, None)
        self._picture.leave(symbol)

    # Ticks: the hot path.

    def hear(self, event: MarketEvent, now_ns: int) -> bool:
        """Takes in one event; returns whether something waits for the strategy now."""
        line = self.lines.get(event.symbol)
        if line is None:
            return False
        if type(event) is Quote:
            line.quote = event
            line.heard_ns = min(event.time_ns, now_ns)
            self._picture.quotes[event.symbol] = event
            if not self._prints:
                for joined in line.series:
                    self._out(line, joined.quote(event, now_ns))
                    self._watch(line, joined)
            if line.tells_quotes and line.telling:
                self._inbox.put_quote(event)
        elif type(event) is Trade:
            self._picture.trades[event.symbol] = event
            if self._prints:
                for joined in line.series:
                    self._out(line, joined.trade(event, now_ns))
                    self._watch(line, joined)
            if line.tells_trades and line.telling:
                self._inbox.put_market(event)
        inbox = self._inbox
        return bool(inbox.market or inbox.news)

    def _watch(self, line: Line, joined: JoinedBars) -> None:
        """Notices that another bar is forming, so that somebody wakes when it is over."""
        closes_ns = joined.builder.closes_ns
        if closes_ns != line.closes_ns:
            line.closes_ns = closes_ns
            self.turned = True

    def _out(self, line: Line, bars: Iterable[Bar]) -> None:
        for bar in bars:
            if line.telling:
                self._inbox.put_market(bar)
            else:
                self._picture.add_bar(bar)

    # Watching.

    def tell(self, lines: Iterable[Line]) -> None:
        """The strategy knows of these lines: from now on their ticks and bars are events."""
        for line in lines:
            line.telling = True

    def watched(self, now_ns: int, lines: Iterable[Line]) -> None:
        """Every tick of these lines will come from now on."""
        for line in lines:
            for joined in line.series:
                joined.watched_from(now_ns)

    def lost(self, now_ns: int) -> None:
        """Ticks may be missing until the market is watched again."""
        for line in self.lines.values():
            for joined in line.series:
                self._out(line, joined.lost(now_ns))

    def advance(self, now_ns: int) -> None:
        """Finishes the bars whose time is over."""
        for line in self.lines.values():
            for joined in line.series:
                self._out(line, joined.advance(now_ns))

    def missing(self, now_ns: int) -> Iterator[tuple[Line, JoinedBars, Span]]:
        """What has to be fetched from history now."""
        for line in list(self.lines.values()):
            for joined in line.series:
                span = joined.missing(now_ns)
                if span is not None:
                    yield line, joined, span

    def fetched(self, line: Line, joined: JoinedBars, span: Span, bars: Iterable[Bar] | None, now_ns: int) -> None:
        """Takes in the answer of history, None for a failure."""
        self._out(line, joined.unanswered(now_ns) if bars is None else joined.answer(bars, span, now_ns))

    @property
    def wakes_ns(self) -> int | None:
        """When to `advance` or to ask history next."""
        return min((wake for line in self.lines.values() if (wake := line.wakes_ns) is not None), default=None)


def history_start(calendar: SessionCalendar, series: Series, now_ns: int) -> int:
    """From when on history holds so many bars of a series, closed ones only."""
    interval, wanted = series.interval, series.history
    session = calendar.session_at(now_ns) or calendar.previous_session(calendar.next_session(now_ns))
    found = 0
    for _ in range(_SESSIONS_BACK):
        if interval.unit is BarUnit.DAY:
            found += 1
        elif interval.unit is BarUnit.WEEK:
            found = (now_ns - session.start_ns) // interval.nanoseconds * interval.count
        else:
            found += max(min(now_ns, session.end_ns) - session.start_ns, 0) // interval.nanoseconds
        if found >= wanted * (interval.count if interval.unit in {BarUnit.DAY, BarUnit.WEEK} else 1):
            break
        session = calendar.previous_session(session)
    return session.start_ns
