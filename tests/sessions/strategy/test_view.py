"""Claims about what a strategy sees and what it asks for in advance."""

import datetime as dt
import os
import zoneinfo
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.calendar import SECOND_NS
from brokers.guards.ladder import Action, Rung
from brokers.market import Bar, Interval, MarketStatus
from brokers.model import OrderState
from sessions.strategy import (
    AfterOpen,
    BeforeClose,
    Every,
    Picture,
    Series,
    Timer,
    UnknownSymbol,
    View,
    Wants,
    hours_at,
    next_due,
)
from tests.sessions.strategy.desk import CATALOGUE, ES, ONE_MINUTE, T0, order, picture, position, quote, report

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
MINUTE = 60 * SECOND_NS


def new_york(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND_NS


def bar(number: int) -> Bar:
    price = Decimal(4500 + number)
    return Bar("ESZ26", ONE_MINUTE, price, price, price, price, Decimal(1), T0 + number * MINUTE, 1)


def test_one_view_shows_each_change_of_its_picture() -> None:
    made = picture()
    view: View[object] = View(made)
    assert view.quote("ES") is None
    made.quotes["ESZ26"] = quote()
    made.now_ns += 5
    made.rung = Rung.CANCEL_ONLY
    assert view.quote("ES") == view.quote("ESZ26") == quote()
    assert view.now_ns == T0 + 5
    assert not view.rung.permits(Action.ADD_RISK)


def test_a_view_cannot_be_written_to() -> None:
    made = picture()
    view: View[object] = View(made)
    made.orders["a"] = report(order("a"))
    with pytest.raises(AttributeError):
        view.now_ns = 3  # type: ignore[misc]  # what is refused
    with pytest.raises(AttributeError):
        view.extra = 3  # type: ignore[attr-defined]  # what is refused
    with pytest.raises(TypeError):
        view.orders["b"] = report(order("b"))  # type: ignore[index]  # what is refused


def test_bars_are_a_bounded_window_oldest_first() -> None:
    made = picture(history=3)
    view: View[object] = View(made)
    for number in range(5):
        made.add_bar(bar(number))
    assert view.bars("ES", ONE_MINUTE) == (bar(2), bar(3), bar(4))
    assert view.bars("ES", ONE_MINUTE, last=2) == (bar(3), bar(4))
    assert view.bars("ES", ONE_MINUTE, last=9) == view.bars("ES", ONE_MINUTE)
    assert view.bars("ES", Interval.parse("5m")) == ()


def test_a_bar_that_nobody_asked_for_is_dropped() -> None:
    made = picture()
    made.add_bar(attrs.evolve(bar(0), symbol="NQZ26"))
    assert list(made.bars) == [("ESZ26", ONE_MINUTE)]


def test_bars_handed_out_do_not_change_afterwards() -> None:
    made = picture()
    made.add_bar(bar(0))
    seen = View[object](made).bars("ES", ONE_MINUTE)
    made.add_bar(bar(1))
    assert seen == (bar(0),)


def test_orders_are_found_by_tag_until_they_are_done() -> None:
    made = picture()
    view: View[object] = View(made)
    made.orders["a"] = report(order("a"), OrderState.PENDING_NEW)
    found = view.order("a")
    assert found is not None
    assert found.state is OrderState.PENDING_NEW
    assert view.order("b") is None


def test_a_position_never_opened_is_flat() -> None:
    made = picture()
    view: View[object] = View(made)
    assert (view.position("ES"), view.held("ES")) == (None, Decimal(0))
    made.positions["ESZ26"] = position(-2, Decimal(4500))
    assert view.held("ES") == -2


def test_a_symbol_that_is_not_followed_is_named_with_those_that_are() -> None:
    view: View[object] = View(picture())
    with pytest.raises(UnknownSymbol, match="'NQ' is not followed by this session, which follows ES, ESZ26"):
        view.held("NQ")


def test_after_a_roll_a_root_means_the_new_contract_with_bars_of_its_own() -> None:
    made = picture()
    view: View[object] = View(made)
    made.add_bar(bar(0))
    made.quotes["ESZ26"] = quote()
    made.follow("ES", CATALOGUE.instrument("ESH27"), Wants(bars=(Series("ES", ONE_MINUTE),)))
    assert view.symbol("ES") == "ESH27"
    assert (view.bars("ES", ONE_MINUTE), view.quote("ES")) == ((), None)
    assert view.bars("ESZ26", ONE_MINUTE) == (bar(0),)  # until it is left
    made.leave("ESZ26")
    with pytest.raises(UnknownSymbol):
        view.quote("ESZ26")
    assert not any("ESZ26" in key for key in made.bars)


def test_prices_and_sizes_are_brought_to_the_grid() -> None:
    view: View[object] = View(picture())
    assert [view.tick_down("ES", Decimal("4500.30")), view.tick_up("ES", Decimal("4500.30"))] == [
        Decimal("4500.25"),
        Decimal("4500.50"),
    ]
    assert view.whole_lots("ES", Decimal("2.9")) == 2
    assert view.instrument("ES") is ES


def test_status_and_hours_are_those_of_the_calendar() -> None:
    stock = CATALOGUE.instrument("AAPL")
    made = Picture(CATALOGUE.calendar, now_ns=new_york("2026-11-27 08:00"))
    made.follow("AAPL", stock, Wants())
    view: View[object] = View(made)
    assert view.status("AAPL") is MarketStatus.EXTENDED
    hours = view.hours("AAPL")
    assert (hours.open_ns, hours.close_ns) == (new_york("2026-11-27 09:30"), new_york("2026-11-27 13:00"))


# ------------------------------------------------------------------------------------------------------ in advance


def test_wants_name_each_symbol_once() -> None:
    wants = Wants(("ES",), ("NQ",), (Series("ES", ONE_MINUTE),), (BeforeClose("x", "CL", 1), Every("y", 5)))
    assert wants.symbols == ("ES", "NQ", "CL")


def test_hours_after_the_close_are_the_next_ones() -> None:
    calendar = CATALOGUE.calendar("AAPL")
    evening = hours_at(calendar, new_york("2026-11-25 16:00"))
    assert evening.trading_day == dt.date(2026, 11, 27)  # Thanksgiving lies between
    assert hours_at(calendar, new_york("2026-11-25 16:00") - 1).trading_day == dt.date(2026, 11, 25)


@pytest.mark.parametrize(
    ("timer", "after", "due"),
    [
        (AfterOpen("x", "AAPL", 30), "2026-03-06 09:00", "2026-03-06 10:00"),
        (AfterOpen("x", "AAPL", 30), "2026-03-06 10:00", "2026-03-09 10:00"),  # the clock changed between
        (BeforeClose("x", "AAPL", 5), "2026-11-27 09:00", "2026-11-27 12:55"),  # early close
        (BeforeClose("x", "AAPL", 5), "2026-11-25 15:55", "2026-11-27 12:55"),
        (BeforeClose("x", "AAPL", 999), "2026-11-27 09:00", "2026-11-27 09:30"),  # never before the opening
        (AfterOpen("x", "AAPL", 999), "2026-11-27 09:00", "2026-11-27 13:00"),  # never after the close
    ],
)
def test_timers_of_the_day_follow_the_calendar(timer: Timer, after: str, due: str) -> None:
    assert next_due(timer, CATALOGUE.calendar, new_york(after)) == new_york(due)


@settings(deadline=None, max_examples=50 * NIGHTLY)
@given(
    st.one_of(
        st.builds(Every, st.just("x"), st.integers(1, 100_000)),
        st.builds(AfterOpen, st.just("x"), st.sampled_from(["ES", "AAPL", "ZC"]), st.integers(0, 2000)),
        st.builds(BeforeClose, st.just("x"), st.sampled_from(["ES", "AAPL", "ZC"]), st.integers(0, 2000)),
    ),
    st.integers(T0, T0 + 200 * 86_400 * SECOND_NS),
)
def test_a_timer_is_always_ahead_and_none_is_skipped(timer: Timer, after: int) -> None:
    due = next_due(timer, CATALOGUE.calendar, after)
    assert due > after
    assert next_due(timer, CATALOGUE.calendar, due - 1) == due
    assert next_due(timer, CATALOGUE.calendar, due) > due
