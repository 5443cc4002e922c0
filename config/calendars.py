"""Session calendars as written: hours by weekday, named holidays, and what happens on them.

A calendar's times are wall-clock times of its zone, relative to the trading day they belong to: `-1 17:00` is
five in the afternoon of the day before. `brokers.calendar` turns these records into sessions.
"""

import datetime as dt
import functools
import itertools
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from config.days import DayRule, Weekday
from config.reading import UnfitValue, parse

_TIME = re.compile(r"(?:([+-][1-7]) )?(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_TIME_FORM = "a time such as 16:00, -1 17:00 (the day before) or 24:00"


def minutes_of(text: str) -> int:
    """Minutes from the trading day's midnight by the wall clock; raises UnfitValue for another form."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise UnfitValue(_TIME_FORM, text)
    days, hours, minutes, midnight, _ = found.groups()
    return int(days or 0) * 1440 + (1440 if midnight else int(hours) * 60 + int(minutes))


def _time(_: object, attribute: "attrs.Attribute[Any]", text: str | None) -> None:
    if text is not None and _TIME.fullmatch(text) is None:
        raise UnfitValue(_TIME_FORM, text, attribute.name)


@attrs.frozen
class Phase:
    """One stretch of trading up to `close`; extended hours take only orders that ask for them."""

    open: str = attrs.field(validator=_time)
    close: str = attrs.field(validator=_time)
    kind: Literal["regular", "extended"] = "regular"

    def __attrs_post_init__(self) -> None:
        """Refuses a phase that ends before it begins."""
        if minutes_of(self.close) <= minutes_of(self.open):
            raise UnfitValue(f"a time after the opening at {self.open}", self.close, "close")


def _in_order(_: object, attribute: "attrs.Attribute[Any]", phases: tuple[Phase, ...]) -> None:
    for earlier, later in itertools.pairwise(phases):
        if minutes_of(later.open) < minutes_of(earlier.close):
            raise UnfitValue(f"phases in order, the next opening from {earlier.close}", later.open, attribute.name)


@attrs.frozen
class Hours:
    """The phases of a trading day on some weekdays, from the trading day `since` on."""

    days: tuple[Weekday, ...]
    phases: tuple[Phase, ...] = attrs.field(validator=_in_order)
    since: dt.date | None = None


@attrs.frozen
class Special:
    """What differs on some days.

    closed: no trading, no business day.
    short: a business day with hours cut to `open` and `close`, or with other `phases`.
    joined: no business day; its hours, cut likewise, belong to the next business day's session.
    """

    days: tuple[str, ...]  # names from the file's [days], or dates like 2025-01-09
    kind: Literal["closed", "short", "joined"]
    since: dt.date | None = None
    open: str | None = attrs.field(default=None, validator=_time)
    close: str | None = attrs.field(default=None, validator=_time)
    phases: tuple[Phase, ...] = attrs.field(default=(), validator=_in_order)

    def __attrs_post_init__(self) -> None:
        """Refuses hours on a closed day."""
        if self.kind == "closed" and (self.open or self.close or self.phases):
            raise UnfitValue("no open, close or phases on a closed day", self.kind, "kind")


def _known(_: object, attribute: "attrs.Attribute[Any]", zone: str) -> None:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UnfitValue("a time zone such as America/Chicago", zone, attribute.name) from None


def _always_some(_: object, attribute: "attrs.Attribute[Any]", hours: tuple[Hours, ...]) -> None:
    if not hours or hours[0].since is not None or not hours[0].days:
        raise UnfitValue("a first entry without `since` that names a weekday", list(hours), attribute.name)


@attrs.frozen
class CalendarRecord:
    """One exchange's sessions; a later special goes before an earlier one that names the same day."""

    zone: str = attrs.field(validator=_known)
    hours: tuple[Hours, ...] = attrs.field(validator=_always_some)
    special: tuple[Special, ...] = ()
    description: str = ""


@attrs.frozen
class CalendarFile:
    """Named days and the calendars that use them."""

    source: str
    as_of: dt.date
    days: Mapping[str, DayRule]
    calendars: Mapping[str, CalendarRecord]

    def __attrs_post_init__(self) -> None:
        """Refuses a special for a day that has no name here and is no date."""
        for name, calendar in self.calendars.items():
            for index, special in enumerate(calendar.special):
                for day in special.days:
                    if day not in self.days and not is_date(day):
                        key = f"calendars.{name}.special.{index}.days"
                        raise UnfitValue("dates, or names from [days]: " + ", ".join(self.days), day, key)


def is_date(text: str) -> bool:
    """Whether a text is a date like 2025-01-09."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def parse_calendars(text: str, file: str) -> CalendarFile:
    """The calendars in a TOML text; raises ConfigError that names file, line, key, expected and got."""
    return parse(text, CalendarFile, file)


@functools.cache
def shipped_calendars() -> CalendarFile:
    """The calendars that come with pitboss."""
    path = Path(__file__).with_name("calendars.toml")
    return parse_calendars(path.read_text(encoding="utf-8"), path.name)
