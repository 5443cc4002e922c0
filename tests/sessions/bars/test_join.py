"""Claims about history joined to live ticks."""

import os
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.calendar import DAY_NS, SECOND_NS, SessionCalendar
from brokers.market import Bar, Interval, Trade
from sessions.bars import BarBuilder, JoinedBars, Span
from sessions.bars.join import PATIENCE_NS, RETRY_NS, SETTLE_NS
from tests.sessions.bars.prints import CALENDARS, INTERVALS, MINUTE, naive_bars, prints, stretches, trade, utc

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
ALWAYS = CALENDARS["always"]
ONE_MINUTE = Interval.parse("1m")
T0 = utc("2026-11-19 14:30")
LATE = 2**61

History = Callable[[Span, int], Sequence[Bar] | None]  # None: it does not answer


class Life:
    """A session's side of a join: what is watched comes in, what is owed is fetched when it is due."""

    def __init__(self, joined: JoinedBars, history: History) -> None:
        self.joined = joined
        self.history = history
        self.bars: list[Bar] = []
        self.asked: list[Span] = []

    def until(self, now_ns: int) -> None:
        for _ in range(10_000):
            wakes = self.joined.wakes_ns
            if wakes is None or wakes > now_ns:
                return
            self.at(max(wakes, 0))
        raise AssertionError("it never comes to rest")

    def at(self, now_ns: int) -> None:
        self.bars += self.joined.advance(now_ns)
        span = self.joined.missing(now_ns)
        if span is None:
            return
        self.asked.append(span)
        found = self.history(span, now_ns)
        done = self.joined.unanswered(now_ns) if found is None else self.joined.answer(found, span, now_ns)
        self.bars += done

    def watch(self, now_ns: int) -> None:
        self.until(now_ns)
        self.joined.watched_from(now_ns)

    def lose(self, now_ns: int) -> None:
        self.until(now_ns)
        self.bars += self.joined.lost(now_ns)

    def see(self, trade: Trade) -> None:
        self.until(trade.time_ns)
        self.bars += self.joined.trade(trade, trade.time_ns)


def life(history: History, start_ns: int, interval: Interval = ONE_MINUTE, calendar: SessionCalendar = ALWAYS) -> Life:
    return Life(JoinedBars(BarBuilder("X", interval, calendar), start_ns), history)


def served(bars: Sequence[Bar], lag_ns: int = 0) -> History:
    def history(span: Span, now_ns: int) -> list[Bar]:
        known = [bar for bar in bars if bar.time_ns + lag_ns <= now_ns]
        return [bar for bar in known if span.start_ns < bar.time_ns <= span.end_ns]

    return history


def every_second(from_ns: int, seconds: int) -> list[Trade]:
    return [trade(from_ns + second * SECOND_NS, 100 + second % 13) for second in range(seconds)]


TRADES = every_second(T0, 600)
BARS = naive_bars(ALWAYS, ONE_MINUTE, TRADES)


def lived(history: History, *, watched: Sequence[tuple[int, int]], start_ns: int = T0) -> Life:
    """The ten minutes, of which only some seconds are watched."""
    told = life(history, start_ns)
    for begin, end in watched:
        told.watch(T0 + begin * SECOND_NS)
        for one in TRADES[begin:end]:
            told.see(one)
        if end < len(TRADES):
            told.lose(T0 + end * SECOND_NS)
    told.until(LATE)
    return told


# -------------------------------------------------------------------------------------------------- without gap


def test_the_bar_in_which_the_watch_began_comes_whole_from_history_and_the_next_from_ticks() -> None:
    told = lived(served(BARS), watched=[(150, 600)])
    assert told.bars == BARS
    statistics = told.joined.statistics()
    assert (statistics.from_history, statistics.from_ticks, statistics.holes) == (3, 7, ())


def test_a_watch_that_begins_with_a_bar_needs_no_history_of_it() -> None:
    told = lived(served(BARS), watched=[(120, 600)])
    assert told.bars == BARS
    assert told.joined.statistics().from_history == 2


def test_a_hole_in_the_stream_is_filled_from_history() -> None:
    told = lived(served(BARS), watched=[(0, 200), (330, 600)])
    assert told.bars == BARS
    assert told.joined.statistics().from_history == 3  # the third and sixth minute begun or ended in it, the fifth


def test_a_bar_whose_stream_broke_off_is_never_given_out_half() -> None:
    told = life(served(BARS), T0)
    told.watch(T0)
    for one in TRADES[:30]:
        told.see(one)
    told.lose(T0 + 30 * SECOND_NS)
    told.until(T0 + 5 * MINUTE)
    assert told.bars == []


def test_history_is_asked_only_for_bars_that_had_time_to_be_published() -> None:
    told = lived(served(BARS, lag_ns=SETTLE_NS), watched=[(181, 600)])  # a second after the third close
    assert told.bars == BARS
    assert told.asked[0].end_ns == T0 + 181 * SECOND_NS - SETTLE_NS


def test_history_that_lacks_a_bar_we_saw_ticks_of_is_asked_again() -> None:
    told = lived(served(BARS, lag_ns=SETTLE_NS + 7 * SECOND_NS), watched=[(150, 600)])
    assert told.bars == BARS
    asked_for_third = [span for span in told.asked if span.end_ns == T0 + 3 * MINUTE]
    assert len(asked_for_third) == 1 + -(-7 * SECOND_NS // RETRY_NS)


def test_bars_wait_behind_history_and_keep_their_order() -> None:
    told = life(lambda span, now: None if now < T0 + 241 * SECOND_NS else served(BARS)(span, now), T0)
    told.watch(T0 + 150 * SECOND_NS)
    for one in TRADES[150:241]:
        told.see(one)
    assert told.bars == []
    assert told.joined.statistics().waiting == 1
    told.until(T0 + 245 * SECOND_NS)
    assert told.bars == BARS[:4]


# ------------------------------------------------------------------------------------------- history that is silent


def test_past_the_patience_the_owed_bars_are_a_hole_that_is_told_and_the_rest_flows() -> None:
    told = lived(lambda *_: None, watched=[(150, 600)])
    assert told.bars == BARS[3:]
    assert told.joined.statistics().holes == (Span(T0, T0 + 3 * MINUTE),)
    assert len(told.asked) <= 2 + (PATIENCE_NS + MINUTE) // RETRY_NS


def test_a_broker_without_history_is_done_without_at_once() -> None:
    joined = JoinedBars(BarBuilder("X", ONE_MINUTE, ALWAYS), T0)
    joined.watched_from(T0 + 150 * SECOND_NS)
    assert joined.forgo() == []
    bars = [bar for one in TRADES[150:] for bar in joined.trade(one, one.time_ns)]
    assert [*bars, *joined.advance(LATE)] == BARS[3:]
    assert joined.missing(LATE) is None


def test_an_answer_to_an_old_question_gives_no_bar_twice() -> None:
    joined = JoinedBars(BarBuilder("X", ONE_MINUTE, ALWAYS), T0)
    joined.watched_from(T0 + 150 * SECOND_NS)
    span = joined.missing(T0 + 150 * SECOND_NS)
    assert span is not None
    first = joined.answer(BARS[:2], span, T0 + 151 * SECOND_NS)
    assert first == BARS[:2]
    assert joined.answer(BARS[:2], span, T0 + 152 * SECOND_NS) == []


def test_an_answer_that_comes_after_it_was_given_up_moves_nothing_back() -> None:
    joined = JoinedBars(BarBuilder("X", ONE_MINUTE, ALWAYS), T0)
    joined.watched_from(T0 + 150 * SECOND_NS)
    span = joined.missing(T0 + 150 * SECOND_NS)
    assert span is not None
    joined.forgo()
    assert joined.answer(BARS[:2], span, T0 + 152 * SECOND_NS) == []
    assert joined.missing(LATE) is None
    assert [bar for one in TRADES[150:241] for bar in joined.trade(one, one.time_ns)] == BARS[3:4]


def test_history_in_any_order_and_with_strangers_is_put_right() -> None:
    joined = JoinedBars(BarBuilder("X", ONE_MINUTE, ALWAYS), T0)
    joined.watched_from(T0 + 150 * SECOND_NS)
    span = joined.missing(T0 + 150 * SECOND_NS)
    assert span is not None
    bars = joined.answer([*reversed(BARS), *BARS], span, T0 + 150 * SECOND_NS)
    assert bars == BARS[:2]


# ------------------------------------------------------------------------------------------------ the whole claim


@st.composite
def watches(draw: st.DrawFn, day: int) -> list[tuple[int, int]]:
    """Stretches that are watched, the last one for ever."""
    second = st.integers(-2 * DAY_NS // SECOND_NS, 3 * DAY_NS // SECOND_NS)
    marks = sorted(draw(st.sets(second, min_size=1, max_size=7)))
    if len(marks) % 2 == 0:
        marks = marks[1:]
    times = [day + mark * SECOND_NS for mark in marks] + [LATE]
    return list(zip(times[::2], times[1::2], strict=True))


@settings(deadline=None, max_examples=100 * NIGHTLY)
@given(stretches(), st.sampled_from(INTERVALS), st.integers(0, 9), st.data())
def test_the_series_is_that_of_all_ticks_at_once_whatever_was_watched(
    stretch: tuple[SessionCalendar, int], interval: Interval, failures: int, data: st.DataObject
) -> None:
    calendar, day = stretch
    trades = data.draw(prints(day))
    watched = data.draw(watches(day))
    start = watched[0][0] - data.draw(st.integers(0, 4 * DAY_NS))
    bars = naive_bars(calendar, interval, trades)
    serve = served(bars, lag_ns=data.draw(st.integers(0, SETTLE_NS)))
    left = iter(range(failures))

    def history(span: Span, now_ns: int) -> Sequence[Bar] | None:
        return serve(span, now_ns) if next(left, None) is None else None

    told = life(history, start, interval, calendar)
    for begin, end in watched:
        told.watch(begin)
        for one in trades:
            if begin <= one.time_ns < end:
                told.see(one)
        if end < LATE:
            told.lose(end)
    told.until(LATE)
    assert told.bars == [bar for bar in bars if bar.time_ns > start]
    assert told.joined.statistics().holes == ()


@pytest.mark.parametrize("text", ["1w", "2d"])
def test_a_watch_between_the_sessions_of_one_bar_still_fetches_that_bar(text: str) -> None:
    interval, stocks = Interval.parse(text), CALENDARS["us_stocks"]
    trades = [trade(utc(f"2026-11-{day} 15:00"), day) for day in range(16, 21)]
    bars = naive_bars(stocks, interval, trades)
    told = life(served(bars), 0, interval, stocks)
    told.watch(utc("2026-11-18 03:00"))  # at night
    for one in trades[2:]:
        told.see(one)
    told.until(LATE)
    assert told.bars == bars
