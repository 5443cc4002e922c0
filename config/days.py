"""Days of a year by rule (`third monday of january`, `easter - 2`), as holidays are written in calendars."""

import datetime as dt
import functools
import re
from typing import Any, Literal, Protocol

import attrs

from config.reading import UnfitValue

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Observed = Literal["exactly", "sunday", "nearest"]

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ORDINALS = ("first", "second", "third", "fourth")
_SHIFT = {
    "exactly": {},
    "sunday": {6: 1},  # a Sunday is kept on Monday, a Saturday not at all
    "nearest": {5: -1, 6: 1},
}
_RULE = re.compile(
    rf"""(?: (?P<easter>easter)
           | (?P<month>{"|".join(MONTHS)})\ (?P<day>[1-9]|[12]\d|3[01])
           | (?P<ordinal>{"|".join(_ORDINALS)}|last)\ (?P<weekday>{"|".join(_WEEKDAY_NAMES)})
             \ of\ (?P<of>{"|".join(MONTHS)})
         )(?:\ (?P<sign>[+-])\ (?P<offset>[1-9]\d?))?""",
    re.VERBOSE | re.ASCII,
)
_FORM = "a day such as `july 4`, `third monday of january`, `last monday of may`, `easter - 2`"


class BusinessDays(Protocol):
    """Who knows on which days an exchange does business."""

    def is_business_day(self, day: dt.date) -> bool:
        """Whether the day has a session and a settlement of its own."""
        ...


def _readable(_: object, attribute: "attrs.Attribute[Any]", text: str) -> None:
    found = _RULE.fullmatch(text)
    if found is None or (found["month"] and int(found["day"]) > _shortest(found["month"])):
        raise UnfitValue(_FORM, text, attribute.name)


@attrs.frozen
class DayRule:
    """A day that comes once a year; a holiday on a weekend may be observed on a weekday beside it."""

    on: str = attrs.field(validator=_readable)
    observed: Observed = "exactly"
    since: int | None = None
    until: int | None = None
    weekdays: tuple[Weekday, ...] = WEEKDAYS  # the rule holds only when the day falls on one of these

    def days_around(self, year: int) -> tuple[dt.date, ...]:
        """The rule's days in a year and its neighbours, because observance may cross a new year."""
        return tuple(day for near in (year - 1, year, year + 1) for day in self._days_of(near))

    def _days_of(self, year: int) -> tuple[dt.date, ...]:
        if (self.since is not None and year < self.since) or (self.until is not None and year > self.until):
            return ()
        base, offset = _base_and_offset(self.on, year)
        kept = base + dt.timedelta(days=_SHIFT[self.observed].get(base.weekday(), 0))
        if self.observed == "sunday" and base.weekday() == 5:
            return ()
        day = kept + dt.timedelta(days=offset)
        return (day,) if WEEKDAYS[day.weekday()] in self.weekdays else ()


def _base_and_offset(text: str, year: int) -> tuple[dt.date, int]:
    found = _RULE.fullmatch(text)
    if found is None:
        raise UnfitValue(_FORM, text)
    offset = int(found["offset"] or 0) * (-1 if found["sign"] == "-" else 1)
    if found["easter"]:
        return easter(year), offset
    if found["month"]:
        return dt.date(year, MONTHS.index(found["month"]) + 1, int(found["day"])), offset
    month, weekday = MONTHS.index(found["of"]) + 1, _WEEKDAY_NAMES.index(found["weekday"])
    if found["ordinal"] == "last":
        return last_weekday(year, month, weekday), offset
    return nth_weekday(year, month, weekday, _ORDINALS.index(found["ordinal"]) + 1), offset


def _shortest(month: str) -> int:
    """How many days a month has every year."""
    return month_end(2001, MONTHS.index(month) + 1).day


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> dt.date:
    """The first (1) to fourth (4) Monday (0) to Sunday (6) of a month."""
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def last_weekday(year: int, month: int, weekday: int) -> dt.date:
    """The last Monday (0) to Sunday (6) of a month."""
    end = month_end(year, month)
    return end - dt.timedelta(days=(end.weekday() - weekday) % 7)


def month_end(year: int, month: int) -> dt.date:
    """The last day of a month."""
    following = dt.date(year + month // 12, month % 12 + 1, 1)
    return following - dt.timedelta(days=1)


def shift_month(year: int, month: int, by: int) -> tuple[int, int]:
    """The month so many months away."""
    index = year * 12 + month - 1 + by
    return index // 12, index % 12 + 1


@functools.cache
def easter(year: int) -> dt.date:
    """Easter Sunday of the Gregorian calendar, from the age of the moon and the Sunday that follows it."""
    century = year // 100
    golden = year % 19
    leap_fix = century - century // 4
    moon_fix = (8 * century + 13) // 25
    epact = (leap_fix - moon_fix + 19 * golden + 15) % 30
    epact -= (epact // 28) * (1 - (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + epact + 2 - leap_fix) % 7
    after = epact - weekday
    month = 3 + (after + 40) // 44
    return dt.date(year, month, after + 28 - 31 * (month // 4))


def business_day_on_or_before(business: BusinessDays, day: dt.date) -> dt.date:
    """The day itself if business is done on it, else the nearest business day before it."""
    while not business.is_business_day(day):
        day -= dt.timedelta(days=1)
    return day


def business_days_before(business: BusinessDays, day: dt.date, count: int) -> dt.date:
    """The business day `count` business days strictly before a day, which need not be one itself."""
    for _ in range(count):
        day = business_day_on_or_before(business, day - dt.timedelta(days=1))
    return day


def business_day_after(business: BusinessDays, day: dt.date) -> dt.date:
    """The first business day strictly after a day."""
    day += dt.timedelta(days=1)
    while not business.is_business_day(day):
        day += dt.timedelta(days=1)
    return day


def last_business_day(business: BusinessDays, year: int, month: int) -> dt.date:
    """The last business day of a month."""
    return business_day_on_or_before(business, month_end(year, month))
