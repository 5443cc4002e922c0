"""Bars of the past: what is asked for, and how candles become bars of any length."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.catalogue import Catalogue
from brokers.errors import Unsupported
from brokers.market import Bar, Interval
from brokers.thinkorswim.history import FREQUENCIES, make_bars, query_for
from brokers.thinkorswim.wire_rest import Candle

D = Decimal
CALENDAR = Catalogue.shipped().calendar("AAPL")
DAY_NS = 86_400 * 10**9
NOW = 1_767_712_500_000_000_000  # Tuesday 2026-01-06 15:15 UTC, 10:15 in New York
OPEN_MS = 1_767_709_800_000  # 9:30 in New York on that day
MINUTE_MS = 60_000


def candle(start_ms: int, close: str = "10", **other: str) -> Candle:
    price = D(close)
    shape = {"open": price, "high": price + 1, "low": price - 1, "close": price, "volume": D(100)}
    return Candle(**{**shape, **{name: D(value) for name, value in other.items()}}, datetime=start_ms)


def bars(interval: str, candles: list[Candle], start_ns: int = 0, end_ns: int = NOW) -> list[Bar]:
    found, bad = make_bars("AAPL", Interval.parse(interval), candles, CALENDAR, (start_ns, end_ns), NOW)
    assert bad == []
    return found


def test_a_question_names_the_longest_candles_that_fit() -> None:
    asked = {
        text: (found["frequencyType"], found["frequency"], found["periodType"])
        for text in ("1m", "2m", "5m", "20m", "30m", "45m", "1h", "4h", "1d", "3d", "1w")
        if (found := query_for("AMD", Interval.parse(text), NOW - DAY_NS, NOW, NOW))
    }
    assert asked == {
        "1m": ("minute", "1", "day"),
        "2m": ("minute", "1", "day"),
        "5m": ("minute", "5", "day"),
        "20m": ("minute", "10", "day"),
        "30m": ("minute", "30", "day"),
        "45m": ("minute", "15", "day"),
        "1h": ("minute", "30", "day"),
        "4h": ("minute", "30", "day"),
        "1d": ("daily", "1", "year"),
        "3d": ("daily", "1", "year"),
        "1w": ("daily", "1", "year"),
    }


def test_a_question_begins_early_enough_for_its_first_bar_and_ends_now_at_the_latest() -> None:
    asked = query_for("AMD", Interval.parse("1h"), NOW - DAY_NS, NOW + DAY_NS, NOW)
    assert int(asked["startDate"]) == (NOW - DAY_NS) // 10**6 - 60 * MINUTE_MS
    assert int(asked["endDate"]) == NOW // 10**6


@pytest.mark.parametrize("frequency", [one for one in FREQUENCIES if one.depth_ns is not None], ids=str)
def test_what_lies_too_far_back_is_unsupported_rather_than_cut_off(frequency: object) -> None:
    (one,) = (each for each in FREQUENCIES if each == frequency)
    assert one.depth_ns is not None
    query_for("AMD", one.interval, NOW - one.depth_ns, NOW, NOW)
    with pytest.raises(Unsupported, match=f"reach back {one.depth_ns // DAY_NS} days"):
        query_for("AMD", one.interval, NOW - one.depth_ns - 1, NOW, NOW)


def test_there_are_no_bars_of_seconds() -> None:
    with pytest.raises(Unsupported, match="no bars of 5s"):
        query_for("AMD", Interval.parse("5s"), NOW - DAY_NS, NOW, NOW)


def test_minutes_close_a_minute_after_their_stamp() -> None:
    (bar,) = bars("1m", [candle(OPEN_MS, "217.3")])
    assert bar == Bar(
        "AAPL",
        Interval.parse("1m"),
        D("217.3"),
        D("218.3"),
        D("216.3"),
        D("217.3"),
        D(100),
        (OPEN_MS + MINUTE_MS) * 10**6,
    )


def test_an_hour_is_put_together_from_its_parts() -> None:
    parts = [candle(OPEN_MS - 30 * MINUTE_MS, "10"), candle(OPEN_MS, "20", volume="7")]
    (bar,) = bars("1h", parts)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (D(10), D(21), D(9), D(20), D(107))
    assert bar.time_ns == (OPEN_MS + 30 * MINUTE_MS) * 10**6


def test_a_bar_that_is_not_over_or_outside_the_span_is_left_out() -> None:
    candles = [candle(OPEN_MS + MINUTE_MS * number) for number in range(60)]
    now_ms = NOW // 10**6
    found = bars("1m", candles, (OPEN_MS + 10 * MINUTE_MS) * 10**6)
    assert found[0].time_ns == (OPEN_MS + 11 * MINUTE_MS) * 10**6
    assert found[-1].time_ns == now_ms * 10**6
    assert bars("1h", candles)[-1].time_ns <= NOW


@pytest.mark.parametrize("hour", [0, 4, 5, 6])
def test_a_day_closes_with_its_session_whichever_midnight_it_is_stamped_with(hour: int) -> None:
    moment = int(dt.datetime(2026, 1, 5, hour, tzinfo=dt.UTC).timestamp()) * 1000
    (bar,) = bars("1d", [candle(moment)])
    session = CALENDAR.session_of(dt.date(2026, 1, 5))
    assert session is not None
    assert bar.time_ns == session.end_ns


def test_days_make_weeks() -> None:
    days = [dt.datetime(2025, 12, day, 6, tzinfo=dt.UTC) for day in (15, 16, 17, 18, 19, 22)]
    candles = [candle(int(day.timestamp()) * 1000, str(10 + place)) for place, day in enumerate(days)]
    first, second = bars("1w", candles)
    assert (first.open, first.close, first.volume) == (D(10), D(14), D(500))
    assert second.open == D(15)


def test_F39_candles_that_cannot_be_are_set_aside_with_the_reason() -> None:
    night = OPEN_MS - 9 * 60 * MINUTE_MS
    wrong = [
        candle(OPEN_MS, high="1"),
        candle(OPEN_MS + MINUTE_MS, volume="-1"),
        candle(OPEN_MS + 2 * MINUTE_MS, low="-1"),
        candle(night),
        candle(-5),
        candle(10**15),
        candle(OPEN_MS + 3 * MINUTE_MS, close="10", open="NaN"),
    ]
    found, bad = make_bars(
        "AAPL", Interval.parse("1m"), [*wrong, candle(OPEN_MS + 4 * MINUTE_MS)], CALENDAR, (0, NOW), NOW
    )
    assert len(found) == 1
    assert len(bad) == len(wrong)
    assert all(one.expected for one in bad)


@given(
    st.lists(st.tuples(st.integers(0, 44), st.integers(2, 99)), max_size=30),
    st.sampled_from(["1m", "5m", "10m", "15m"]),
    st.integers(0, 45),
    st.integers(0, 45),
)
def test_bars_are_ordered_once_and_add_up_whatever_order_the_candles_come_in(
    said: list[tuple[int, int]], length: str, first: int, last: int
) -> None:
    candles = [candle(OPEN_MS + MINUTE_MS * minute, str(price)) for minute, price in said]
    start_ns, end_ns = ((OPEN_MS + MINUTE_MS * minute) * 10**6 for minute in (first, last))
    found = bars(length, candles, start_ns, end_ns)
    closes = [bar.time_ns for bar in found]
    assert closes == sorted(set(closes))
    assert all(start_ns < close <= end_ns for close in closes)
    latest = dict(said)
    step = Interval.parse(length).nanoseconds
    for bar in found:
        inside = [
            minute
            for minute in sorted(latest)
            if bar.time_ns - step <= (OPEN_MS + MINUTE_MS * minute) * 10**6 < bar.time_ns
        ]
        assert bar.volume == 100 * len(inside)
        assert (bar.open, bar.close) == (D(latest[inside[0]]), D(latest[inside[-1]]))
        assert bar.high == max(latest[minute] for minute in inside) + 1
