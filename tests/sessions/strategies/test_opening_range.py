"""Claims about the opening-range breakout."""

import datetime as dt
import zoneinfo
from decimal import Decimal
from typing import Any

import pytest

from brokers.calendar import SECOND_NS
from brokers.guards.ladder import Rung
from brokers.market import Bar
from brokers.sides import Side
from sessions.strategies.opening_range import OpeningRange, RangeParameters
from sessions.strategy import Flatten, Submit
from tests.sessions.strategies.stage import Stage
from tests.sessions.strategy.desk import CATALOGUE, ES, ONE_MINUTE

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
CHICAGO = zoneinfo.ZoneInfo("America/Chicago")
AAPL = CATALOGUE.instrument("AAPL")
DAY = "2026-11-19"


def at(text: str, zone: dt.tzinfo = NEW_YORK) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND_NS


def bar(time: str, close: int | str, low: int | None = None, high: int | None = None, day: str = DAY) -> Bar:
    price = Decimal(close)
    top, bottom = Decimal(high) if high else price, Decimal(low) if low else price
    return Bar("AAPL", ONE_MINUTE, price, top, bottom, price, Decimal(1), at(f"{day} {time}"), 1)


def stage(day: str = DAY, **terms: Any) -> Stage:
    return Stage(OpeningRange(RangeParameters("AAPL", **terms)), "AAPL", AAPL, at(f"{day} 09:00")).start()


RANGE = [bar("09:31", 100, 98, 101), bar("09:45", 101, 99, 103), bar("10:00", 100)]


def submitted(stage: Stage) -> list[Submit]:
    return [act for act in stage.acts if isinstance(act, Submit)]


def test_a_close_above_the_range_buys_with_the_stop_at_its_low_and_the_target_ranges_away() -> None:
    told = stage().run([*RANGE, bar("10:01", 103), bar("10:02", 104)])
    entry, stop, target = submitted(told)[0].orders
    assert [entry.side, stop.stop_price, target.limit_price] == [Side.BUY, 98, 114]
    assert told.fills[0].time_ns == at(f"{DAY} 10:02")


def test_a_close_below_the_range_sells_with_the_stop_at_its_high() -> None:
    told = stage().run([*RANGE, bar("10:01", 97)])
    entry, stop, target = submitted(told)[0].orders
    assert [entry.side, stop.stop_price, target.limit_price] == [Side.SELL, 103, 87]


def test_closes_inside_the_range_and_bars_before_the_opening_do_nothing() -> None:
    told = stage().run([bar("09:15", 500), *RANGE, bar("10:01", 103), bar("10:02", 98)])
    assert told.acts == []


def test_only_the_first_breakout_of_a_day_is_traded() -> None:
    told = stage().run([*RANGE, bar("10:01", 104), bar("10:02", 90), bar("10:03", 120), bar("10:04", 80)])
    assert len(submitted(told)) == 1


def test_nothing_is_held_through_the_close() -> None:
    told = stage().run([*RANGE, bar("10:01", 104), bar("15:54", 105), bar("15:56", 105)])
    assert isinstance(told.acts[-1], Flatten)
    assert told.view.held("AAPL") == 0
    assert told.fills[-1].time_ns == at(f"{DAY} 15:55")
    assert told.view.orders == {}


def test_a_breakout_after_the_exit_is_left_alone() -> None:
    told = stage().run([*RANGE, bar("15:57", 120)])
    assert submitted(told) == []


def test_an_early_close_brings_the_exit_forward() -> None:
    day = "2026-11-27"
    early = [bar("09:31", 100, 98, 101, day), bar("10:01", 104, day=day), bar("12:56", 105, day=day)]
    told = stage(day).run(early)
    assert told.fills[-1].time_ns == at(f"{day} 12:55")


@pytest.mark.parametrize("day", ["2026-03-06", "2026-03-09", "2026-10-30", "2026-11-02"])
def test_the_range_is_that_of_local_time_when_the_clock_changes(day: str) -> None:
    bars = [
        bar("09:30", 500, day=day),
        bar("09:31", 100, 98, 101, day),
        bar("10:00", 100, 99, 103, day),
        bar("10:01", 104, day=day),
    ]
    told = stage(day).run(bars)
    assert submitted(told)[0].orders[1].stop_price == 98


def test_each_day_has_its_own_range() -> None:
    next_day = "2026-11-20"
    told = stage().run([*RANGE, bar("10:01", 104), bar("15:56", 105)])
    told.run([bar("09:31", 200, 199, 201, next_day), bar("10:01", 150, day=next_day)])
    assert [submit.orders[1].stop_price for submit in submitted(told)] == [98, 201]


def test_a_start_in_the_middle_of_the_day_finds_the_range_in_history() -> None:
    strategy = OpeningRange(RangeParameters("AAPL"))
    told = Stage(strategy, "AAPL", AAPL, at(f"{DAY} 11:00")).start(RANGE).run([bar("11:01", 104)])
    assert submitted(told)[0].orders[1].stop_price == 98


def test_without_bars_in_the_range_there_is_no_breakout() -> None:
    assert submitted(stage().run([bar("10:30", 104), bar("10:31", 200)])) == []


def test_no_new_risk_means_no_entry_but_the_exit_stands() -> None:
    told = stage()
    told.picture.rung = Rung.NO_NEW_RISK
    told.run([*RANGE, bar("10:01", 104), bar("15:56", 105)])
    assert [type(act) for act in told.acts] == [Flatten]


def test_a_market_around_the_clock_has_its_range_after_a_delay() -> None:
    parameters = RangeParameters("ES", delay_minutes=930)
    told = Stage(OpeningRange(parameters), "ES", ES, at(f"{DAY} 03:00", CHICAGO)).start()
    for time, close in [("08:30", 400), ("08:31", 100), ("09:00", 102), ("09:01", 103)]:
        price = Decimal(close)
        when = at(f"{DAY} {time}", CHICAGO)
        told.tell(Bar("ESZ26", ONE_MINUTE, price, price, price, price, Decimal(1), when, 1))
    assert submitted(told)[0].orders[1].stop_price == 100
