"""Claims about named days and expiry rules."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.days import DayRule, easter, last_weekday, month_end, nth_weekday, shift_month
from config.expiries import EXPIRY_RULES
from config.reading import UnfitValue

# Published dates of Easter Sunday, the earliest and latest possible among them.
EASTERS = [
    "1818-03-22",
    "1943-04-25",
    "1954-04-18",
    "1981-04-19",
    "2000-04-23",
    "2008-03-23",
    "2019-04-21",
    "2024-03-31",
    "2025-04-20",
    "2026-04-05",
    "2038-04-25",
    "2049-04-18",
    "2076-04-19",
]


@pytest.mark.parametrize("text", EASTERS)
def test_easter_falls_on_its_published_date(text: str) -> None:
    day = dt.date.fromisoformat(text)
    assert easter(day.year) == day


@given(st.integers(1600, 2900))
def test_easter_is_a_sunday_from_22_march_to_25_april(year: int) -> None:
    assert easter(year).weekday() == 6
    assert dt.date(year, 3, 22) <= easter(year) <= dt.date(year, 4, 25)


@pytest.mark.parametrize(
    ("rule", "year", "day"),
    [
        (DayRule("july 4", "nearest"), 2026, "2026-07-03"),
        (DayRule("july 4", "nearest"), 2021, "2021-07-05"),
        (DayRule("january 1", "sunday"), 2023, "2023-01-02"),
        (DayRule("january 1", "sunday"), 2022, None),
        (DayRule("january 1", "nearest"), 2020, "2020-01-01"),
        (DayRule("easter - 2"), 2026, "2026-04-03"),
        (DayRule("third monday of january", since=1998), 2026, "2026-01-19"),
        (DayRule("third monday of january", since=1998), 1997, None),
        (DayRule("june 19", until=2021), 2022, None),
        (DayRule("last monday of may"), 2026, "2026-05-25"),
        (DayRule("fourth thursday of november + 1"), 2026, "2026-11-27"),
        (DayRule("december 24", weekdays=("mon", "tue", "wed", "thu")), 2026, "2026-12-24"),
        (DayRule("december 24", weekdays=("mon", "tue", "wed", "thu")), 2027, None),
    ],
)
def test_a_rule_gives_its_day(rule: DayRule, year: int, day: str | None) -> None:
    found = [one for one in rule.days_around(year) if one.year == year]
    assert found == ([dt.date.fromisoformat(day)] if day else [])


def test_a_new_year_observed_on_friday_belongs_to_the_old_year() -> None:
    assert dt.date(2021, 12, 31) in DayRule("january 1", "nearest").days_around(2021)


@pytest.mark.parametrize("text", ["", "july", "july 32", "february 29", "june 31", "fifth monday of may", "easter-2"])
def test_an_unreadable_or_impossible_day_is_refused(text: str) -> None:
    with pytest.raises(UnfitValue, match="a day such as"):
        DayRule(text)


@given(st.integers(1900, 2100), st.integers(1, 12), st.integers(0, 6), st.integers(1, 4))
def test_the_nth_weekday_is_that_weekday_in_the_nth_week_of_its_month(
    year: int, month: int, weekday: int, nth: int
) -> None:
    day = nth_weekday(year, month, weekday, nth)
    assert (day.year, day.month, day.weekday()) == (year, month, weekday)
    assert 7 * (nth - 1) < day.day <= 7 * nth
    last = last_weekday(year, month, weekday)
    assert last.weekday() == weekday
    assert (month_end(year, month) - last).days < 7


@given(st.integers(1900, 2100), st.integers(1, 12), st.integers(-40, 40))
def test_shifting_a_month_there_and_back_changes_nothing(year: int, month: int, by: int) -> None:
    assert shift_month(*shift_month(year, month, by), -by) == (year, month)


def test_every_expiry_rule_is_explained() -> None:
    assert all(rule.__doc__ for rule in EXPIRY_RULES.values())
