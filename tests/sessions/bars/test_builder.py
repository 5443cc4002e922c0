"""Claims about bars built from ticks."""

import datetime as dt
import itertools
import os
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.calendar import SECOND_NS, SessionCalendar
from brokers.catalogue import Catalogue
from brokers.market import Bar, Interval, Quote, Trade
from brokers.synthetic import SyntheticMarket
from sessions.bars import BarBuilder
from sessions.bars.builder import MAX_AHEAD_NS
from tests.sessions.bars.prints import CALENDARS, HOUR, INTERVALS, MINUTE, naive_bars, prints, stretches, trade, utc

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
CHICAGO = zoneinfo.ZoneInfo("America/Chicago")
ONE_MINUTE = Interval.parse("1m")
DAY = Interval.parse("1d")
ALWAYS = CALENDARS["always"]
T0 = utc("2026-11-19 14:30")
FOREVER = 2**62


def builder(calendar: SessionCalendar = ALWAYS, interval: Interval = ONE_MINUTE) -> BarBuilder:
    return BarBuilder("X", interval, calendar)


def built(made: BarBuilder, trades: list[Trade]) -> list[Bar]:
    found = [made.trade(trade, trade.time_ns) for trade in trades]
    return [bar for bar in (*found, made.advance(FOREVER)) if bar is not None]


def closes(made: BarBuilder) -> int | None:
    return made.closes_ns


def at(text: str, zone: dt.tzinfo) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND_NS


# ------------------------------------------------------------------------------------------------------ the bar


def test_a_bar_is_open_high_low_close_volume_and_its_time_is_its_close() -> None:
    trades = [trade(T0, 10, 1), trade(T0 + 1, 12, 2), trade(T0 + 2, 9, 3), trade(T0 + MINUTE - 1, 11, 4)]
    first, high, low, last, volume = map(Decimal, (10, 12, 9, 11, 10))
    expected = Bar("X", ONE_MINUTE, first, high, low, last, volume, T0 + MINUTE, 4)
    assert built(builder(), trades) == [expected]


def test_a_print_at_the_instant_of_the_close_belongs_to_the_next_bar() -> None:
    made = builder()
    assert made.trade(trade(T0 + MINUTE - 1, 10), T0 + MINUTE) is None
    first = made.trade(trade(T0 + MINUTE, 11), T0 + MINUTE)
    assert first is not None
    assert (int(first.close), first.time_ns) == (10, T0 + MINUTE)
    second = made.advance(T0 + 2 * MINUTE)
    assert second is not None
    assert (int(second.open), second.time_ns) == (11, T0 + 2 * MINUTE)


def test_time_alone_finishes_a_bar_and_not_a_nanosecond_early() -> None:
    made = builder()
    made.trade(trade(T0), T0)
    assert closes(made) == T0 + MINUTE
    assert made.advance(T0 + MINUTE - 1) is None
    assert made.advance(T0 + MINUTE) is not None
    assert closes(made) is None
    assert made.advance(T0 + 2 * MINUTE) is None


def test_a_minute_without_data_is_no_bar() -> None:
    bars = built(builder(), [trade(T0), trade(T0 + 5 * MINUTE)])
    assert [bar.time_ns for bar in bars] == [T0 + MINUTE, T0 + 6 * MINUTE]


def test_the_order_of_arrival_within_a_bar_does_not_matter() -> None:
    trades = [trade(T0 + second * SECOND_NS, 10 + second % 7, 1) for second in range(5)]
    bars = {tuple(built(builder(), list(order))) for order in itertools.permutations(trades)}
    assert len(bars) == 1


def test_volume_is_exact_beyond_the_digits_of_the_default_context() -> None:
    tiny, huge = Decimal("1e-18"), Decimal("1e18")
    bars = built(builder(), [trade(T0, 10, huge), trade(T0, 10, tiny)])
    assert bars[0].volume == Decimal("1000000000000000000.000000000000000001")


# ------------------------------------------------------------------------------------------- what is left out


def test_a_late_print_is_counted_and_changes_no_bar() -> None:
    made = builder()
    made.trade(trade(T0), T0)
    made.advance(T0 + MINUTE)
    assert made.trade(trade(T0 + 1, 999), T0 + MINUTE) is None
    assert made.advance(FOREVER) is None
    assert made.statistics().late == 1


def test_a_print_for_an_empty_bar_before_the_forming_one_is_late() -> None:
    made = builder()
    made.trade(trade(T0 + 3 * MINUTE), T0 + 3 * MINUTE)
    made.trade(trade(T0, 999), T0 + 3 * MINUTE)
    assert made.statistics().late == 1
    bar = made.advance(FOREVER)
    assert bar is not None
    assert bar.high == 100


def test_a_print_outside_trading_is_in_no_bar() -> None:
    stocks = builder(CALENDARS["us_stocks"])
    night = at("2026-11-19 22:00", NEW_YORK)
    assert built(stocks, [trade(night), trade(at("2026-11-20 09:30", NEW_YORK))])[0].trades == 1
    assert stocks.statistics().outside == 1


def test_a_print_from_the_future_does_not_shut_out_the_present() -> None:
    made = builder()
    made.trade(trade(T0 + MAX_AHEAD_NS + 1, 999), T0)
    made.trade(trade(T0, 10), T0)
    assert [made.statistics().ahead, made.statistics().late] == [1, 0]
    bar = made.advance(FOREVER)
    assert bar is not None
    assert bar.high == 10


@pytest.mark.parametrize(("price", "size"), [("NaN", "1"), ("Infinity", "1"), ("1", "NaN"), ("1", "-1")])
def test_a_figure_without_sense_is_counted_and_left_out(price: str, size: str) -> None:
    made = builder()
    assert built(made, [trade(T0, Decimal(price), Decimal(size))]) == []
    assert made.statistics().unfit == 1


# ------------------------------------------------------------------------------------------------------ quotes


def quote(bid: str | None, ask: str | None, time_ns: int = T0) -> Quote:
    sides = [None if side is None else Decimal(side) for side in (bid, ask)]
    return Quote("X", sides[0], sides[1], Decimal(1), Decimal(1), time_ns)


def test_quotes_make_bars_of_their_middle_without_volume() -> None:
    made = builder()
    for bid, ask in [("1.0", "1.1"), ("1.2", "1.3"), (None, "9"), ("9", None)]:
        made.quote(quote(bid, ask), T0)
    bar = made.advance(FOREVER)
    assert bar is not None
    assert (bar.open, bar.close, bar.high) == (Decimal("1.05"), Decimal("1.25"), Decimal("1.25"))
    assert (int(bar.volume), bar.trades) == (0, 0)


def test_a_quote_that_is_no_number_is_left_out() -> None:
    made = builder()
    assert made.quote(quote("NaN", "1"), T0) is None
    assert made.statistics().unfit == 1


# --------------------------------------------------------------------------------------------- calendars, clocks


@pytest.mark.parametrize(
    ("day", "utc_open"),
    [("2026-03-06", "14:30"), ("2026-03-09", "13:30"), ("2026-10-30", "13:30"), ("2026-11-02", "14:30")],
)
def test_the_first_regular_minute_keeps_its_local_time_when_the_clock_changes(day: str, utc_open: str) -> None:
    opening = utc(f"{day} {utc_open}")
    assert opening == at(f"{day} 09:30", NEW_YORK)
    bars = built(builder(CALENDARS["us_stocks"]), [trade(opening), trade(opening + MINUTE - 1)])
    assert [bar.time_ns for bar in bars] == [opening + MINUTE]


def test_an_hour_that_the_clock_repeats_is_two_bars() -> None:
    crypto = CALENDARS["cme_crypto"]  # trades through the night of 1 November 2026
    first = utc("2026-11-01 06:30")  # 1:30 in Chicago
    again = first + HOUR  # 1:30 once more
    local = [dt.datetime.fromtimestamp(t // SECOND_NS, CHICAGO).strftime("%H:%M") for t in (first, again)]
    assert local == ["01:30", "01:30"]
    sunday = utc("2026-11-01 09:30")
    found = built(builder(crypto, Interval.parse("1h")), [trade(first), trade(again), trade(sunday)])
    assert len({bar.time_ns for bar in found}) == len(found) == 3


def test_an_early_close_cuts_the_last_bar_short() -> None:
    before_close = at("2026-11-27 12:10", CHICAGO)
    bars = built(builder(CALENDARS["cme_equity"], Interval.parse("1h")), [trade(before_close)])
    assert [bar.time_ns for bar in bars] == [at("2026-11-27 12:15", CHICAGO)]


def test_a_break_is_bridged_by_the_grid_and_not_by_a_bar() -> None:
    grains = CALENDARS["cme_grains"]
    trades = [trade(at(f"2026-11-19 {time}", CHICAGO)) for time in ("07:44", "08:00", "08:31")]
    made = builder(grains, Interval.parse("1h"))
    bars = built(made, trades)
    assert [bar.time_ns for bar in bars] == [at("2026-11-19 08:00", CHICAGO), at("2026-11-19 09:00", CHICAGO)]
    assert made.statistics().outside == 1


def test_a_day_is_the_trading_day_and_begins_the_evening_before() -> None:
    trades = [trade(at("2026-11-18 17:00", CHICAGO), 1), trade(at("2026-11-19 15:59", CHICAGO), 2)]
    bars = built(builder(CALENDARS["cme_equity"], DAY), [*trades, trade(at("2026-11-19 17:00", CHICAGO), 3)])
    assert [(int(bar.open), int(bar.close), bar.time_ns) for bar in bars] == [
        (1, 2, at("2026-11-19 16:00", CHICAGO)),
        (3, 3, at("2026-11-20 16:00", CHICAGO)),
    ]


def test_a_holiday_that_joins_the_next_day_is_one_bar_with_it() -> None:
    thanksgiving, friday = at("2026-11-26 10:00", CHICAGO), at("2026-11-27 10:00", CHICAGO)
    bars = built(builder(CALENDARS["cme_equity"], DAY), [trade(thanksgiving), trade(friday)])
    assert [(bar.trades, bar.time_ns) for bar in bars] == [(2, at("2026-11-27 12:15", CHICAGO))]


@settings(deadline=None, max_examples=100 * NIGHTLY)
@given(stretches(), st.sampled_from(INTERVALS), st.data())
def test_bars_are_those_of_a_naive_count_on_every_calendar(
    stretch: tuple[SessionCalendar, int], interval: Interval, data: st.DataObject
) -> None:
    calendar, day = stretch
    trades = data.draw(prints(day))
    made = builder(calendar, interval)
    bars = built(made, trades)
    assert bars == naive_bars(calendar, interval, trades)
    told = made.statistics()
    assert (told.bars, told.late, told.outside) == (len(bars), 0, len(trades) - sum(bar.trades for bar in bars))


def test_bars_of_a_market_are_the_markets_own_history() -> None:
    catalogue = Catalogue.shipped()
    start = at("2026-11-19 09:00", CHICAGO)
    market = SyntheticMarket(3, [catalogue.instrument("ESZ26")], start, catalogue.calendars)
    five = Interval.parse("5m")
    made = BarBuilder("ESZ26", five, catalogue.calendar("ESZ26"))
    trades = [event for event in market.events(start, start + HOUR) if isinstance(event, Trade)]
    assert built(made, trades) == list(market.bars("ESZ26", five, start, start + HOUR))
