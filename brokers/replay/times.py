"""Recorded times as integer nanoseconds: s, ms, us and ns since 1970, and ISO 8601, all exact."""

import datetime as dt
import functools
import re
import zoneinfo
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Literal

from brokers.calendar import SECOND_NS, SessionCalendar
from brokers.replay.errors import BadValueError

TimeUnit = Literal["auto", "s", "ms", "us", "ns", "iso"]
TimeReader = Callable[[object], int]

UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_EARLIEST_SECOND, _LATEST_SECOND = 10**8, 10**11  # 1973 to 5138: so the windows of the units do not overlap
_ISO = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d\d:?\d\d)?)?\s*", re.ASCII
)
_NUMBER = re.compile(r"\s*\d+(\.\d+)?\s*", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def unit_of(cell: object) -> TimeUnit:
    """The unit that a first cell shows: an integer by its magnitude, other text as ISO 8601; raises BadValueError."""
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):
        return "iso"
    number = _number(cell)
    for unit in ("s", "ms", "us", "ns"):
        if _in_window(number * UNIT_NS[unit]):
            return unit
    raise BadValueError("a time in s, ms, us or ns since 1970 or in ISO 8601", cell)


def time_reader(unit: TimeUnit, zone: str | None, calendar: SessionCalendar | None) -> TimeReader:
    """What turns cells of a unit into nanoseconds; `auto` settles on the unit of its first cell.

    `zone` is for ISO times without one; `calendar` gives a bare date the close of that trading day.
    """
    if unit == "iso":
        return _iso_reader(zone, calendar)
    if unit != "auto":
        return functools.partial(_integer, unit)
    settled: list[TimeReader] = []

    def read(cell: object) -> int:
        if not settled:
            settled.append(time_reader(unit_of(cell), zone, calendar))
        return settled[0](cell)

    return read


def nanoseconds(cell: object) -> int:
    """A cell that is a count of nanoseconds already."""
    if not isinstance(cell, int):
        raise BadValueError("a time", cell)
    return cell


def wall_reader(zone: str | None) -> TimeReader:
    """What turns nanoseconds of a wall clock into instants; without a zone it refuses them."""
    tz = None if zone is None else zoneinfo.ZoneInfo(zone)

    def read(cell: object) -> int:
        if tz is None or not isinstance(cell, int):
            raise BadValueError("a time with a zone; name one in the settings' `zone`", cell)
        seconds, rest = divmod(cell, SECOND_NS)
        wall = (_EPOCH + dt.timedelta(seconds=seconds)).replace(tzinfo=tz)
        return int(wall.timestamp()) * SECOND_NS + rest

    return read


def _integer(unit: str, cell: object) -> int:
    if type(cell) is str and cell.isdecimal() and cell.isascii():
        time_ns = int(cell) * UNIT_NS[unit]
    else:
        exact = _number(cell) * UNIT_NS[unit]
        time_ns = int(exact)
        if time_ns != exact:
            raise BadValueError(f"a time in {unit} of whole nanoseconds", cell)
    if not _in_window(time_ns):
        raise BadValueError(f"a time in {unit} since 1970", cell)
    return time_ns


def _in_window(time_ns: int | Decimal) -> bool:
    return _EARLIEST_SECOND * SECOND_NS <= time_ns < _LATEST_SECOND * SECOND_NS


def _number(cell: object) -> Decimal:
    if isinstance(cell, str | int | float | Decimal) and not isinstance(cell, bool):
        try:
            text = cell if isinstance(cell, str) else str(cell)
            number = Decimal(text) if "_" not in text and text.isascii() else None
        except InvalidOperation:
            number = None
        if number is not None and number.is_finite():
            return number
    raise BadValueError("a time in s, ms, us or ns since 1970 or in ISO 8601", cell)


def _iso_reader(zone: str | None, calendar: SessionCalendar | None) -> TimeReader:
    tz = None if zone is None else zoneinfo.ZoneInfo(zone)

    @functools.lru_cache(maxsize=4096)
    def instant(day: str, clock: str, offset: str | None) -> int:
        wall = dt.datetime.fromisoformat(f"{day} {clock}{(offset or '').upper()}")
        if wall.tzinfo is None:
            if tz is None:
                raise BadValueError("a time with a zone, such as 2026-11-20T14:30:00Z; or name one in `zone`", wall)
            wall = wall.replace(tzinfo=tz)
        return (wall - _EPOCH) // dt.timedelta(seconds=1) * SECOND_NS

    def read(cell: object) -> int:
        found = _ISO.fullmatch(cell) if isinstance(cell, str) else None
        if found is None:
            raise BadValueError("a time in ISO 8601, such as 2026-11-20T14:30:00.25Z", cell)
        day, clock, fraction, offset = found.groups()
        try:
            if clock is None:
                return _close_of(dt.date.fromisoformat(day), calendar)
            return instant(day, clock, offset) + int((fraction or "0").ljust(9, "0"))
        except BadValueError:
            raise
        except ValueError as error:
            raise BadValueError(f"a date and time that exist ({error})", cell) from None

    return read


def _close_of(day: dt.date, calendar: SessionCalendar | None) -> int:
    if calendar is None:
        raise BadValueError("a time of day; a bare date needs the settings' `calendar`", str(day))
    session = calendar.session_of(day)
    if session is None:
        raise BadValueError(f"a trading day of the calendar {calendar.name}", str(day))
    return session.end_ns
