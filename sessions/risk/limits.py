"""The limits by which the gate judges, of a session and of the whole portfolio; money is in the currency of risk.

The configuration has them in words of its own, with defaults and sentences, under [risk] and [sessions.NAME.risk].
There is no "unlimited" here: what the configuration leaves open is a big number, and it shows.
"""

import datetime as dt
import functools
import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs

from brokers.instruments import Instrument, sane
from config.days import WEEKDAYS, Weekday
from config.reading import UnfitValue

_ZERO = Decimal(0)
_MS = 1_000_000
_MINUTE_NS = 60_000_000_000
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)

Market = Literal["regular", "extended", "any"]
LossReset = Literal["trading_day", "operator"]


def _not_negative(_: object, attribute: "attrs.Attribute[Any]", value: Decimal) -> None:
    if not sane(value) or value < 0:
        raise UnfitValue("a decimal of at least 0", value, attribute.name)


def _each_not_negative(_: object, attribute: "attrs.Attribute[Any]", values: Mapping[str, Decimal]) -> None:
    for name, value in values.items():
        if not sane(value) or value < 0:
            raise UnfitValue("a decimal of at least 0", value, f"{attribute.name}.{name}")


def _count(_: object, attribute: "attrs.Attribute[Any]", value: int | None) -> None:
    if value is not None and value < 0:
        raise UnfitValue("a whole number of at least 0", value, attribute.name)


def _each_count(_: object, attribute: "attrs.Attribute[Any]", values: Mapping[str, int]) -> None:
    for name, value in values.items():
        if value < 0:
            raise UnfitValue("a whole number of at least 0", value, f"{attribute.name}.{name}")


def _time(_: object, attribute: "attrs.Attribute[Any]", text: str) -> None:
    if not _TIME.fullmatch(text):
        raise UnfitValue("a time such as 09:30, up to 24:00", text, attribute.name)


def _zone(_: object, attribute: "attrs.Attribute[Any]", name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UnfitValue("a time zone such as America/Chicago", name, attribute.name) from None


@attrs.frozen
class Window:
    """Wall-clock hours [start, end) of a zone on some weekdays; one past midnight is written as two."""

    zone: str = attrs.field(validator=_zone)
    start: str = attrs.field(validator=_time)
    end: str = attrs.field(validator=_time)
    days: tuple[Weekday, ...] = WEEKDAYS
    _minutes: tuple[int, int] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuses a window that ends before it begins."""
        minutes = _minutes(self.start), _minutes(self.end)
        if minutes[1] <= minutes[0]:
            raise UnfitValue(f"a time after the start at {self.start}", self.end, "end")
        object.__setattr__(self, "_minutes", minutes)

    def covers(self, time_ns: int) -> bool:
        """Whether a clock on the wall there stands inside the window; an hour that comes twice counts twice."""
        weekday, minute = _wall(self.zone, time_ns // _MINUTE_NS)
        return self._minutes[0] <= minute < self._minutes[1] and weekday in self.days


@functools.lru_cache(maxsize=1024)
def _wall(zone: str, minute: int) -> tuple[Weekday, int]:
    """The weekday and the minute of the day in a zone; asked for each order, it changes once a minute."""
    wall = dt.datetime.fromtimestamp(minute * 60, zoneinfo.ZoneInfo(zone))
    return WEEKDAYS[wall.weekday()], wall.hour * 60 + wall.minute


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


@attrs.frozen
class Limits:
    """What one scope may do, with defaults for a single small session.

    order_quantity       the largest order, in units of its instrument
    order_notional       the largest order, in money
    price_band_percent   how far a limit or stop price may lie from the last price
    price_band_ticks     the same in ticks; where both are given the narrower one holds
    stale_ms             how old the quote may be that an order is based on; `stale_ms_of` by symbol or root
    orders_per_minute    orders and changes in any 60 seconds, of them at most `orders_per_second` in any one second
    daily_loss           reached, it stops all new risk until the scope's next trading day
    loss_reset           what ends that stop: the next trading day, or only an operator
    loss_calendar        the calendar whose trading days those are
    position             the largest position in a symbol if all open orders filled; `positions` by symbol or root
    exposure             the money value of all positions if all open orders filled
    open_orders          how many orders may be open at once
    symbols              symbols or roots that may be traded; none named: all of the session's broker
    market               the calendar's hours in which orders may be sent
    windows              wall-clock hours in which orders may be sent; none named: all
    """

    order_quantity: Decimal = attrs.field(default=Decimal(1), validator=_not_negative)
    order_notional: Decimal = attrs.field(default=Decimal(500_000), validator=_not_negative)
    price_band_percent: Decimal = attrs.field(default=Decimal(5), validator=_not_negative)
    price_band_ticks: int | None = attrs.field(default=None, validator=_count)
    stale_ms: int = attrs.field(default=5_000, validator=_count)
    stale_ms_of: Mapping[str, int] = attrs.field(factory=dict, validator=_each_count)
    orders_per_minute: int = attrs.field(default=60, validator=_count)
    orders_per_second: int = attrs.field(default=10, validator=_count)
    daily_loss: Decimal = attrs.field(default=Decimal(1_000), validator=_not_negative)
    loss_reset: LossReset = "trading_day"
    loss_calendar: str = "always"
    position: Decimal = attrs.field(default=Decimal(1), validator=_not_negative)
    positions: Mapping[str, Decimal] = attrs.field(factory=dict, validator=_each_not_negative)
    exposure: Decimal = attrs.field(default=Decimal(500_000), validator=_not_negative)
    open_orders: int = attrs.field(default=20, validator=_count)
    symbols: tuple[str, ...] = ()
    market: Market = "any"
    windows: tuple[Window, ...] = ()

    def position_of(self, instrument: Instrument) -> Decimal:
        """The position limit of an instrument: of its symbol, else of its root, else the general one."""
        if not self.positions:
            return self.position
        general = self.positions.get(instrument.root, self.position)
        return self.positions.get(instrument.symbol, general)

    def stale_ns_of(self, instrument: Instrument) -> int:
        """How old a quote of an instrument may be: as for its symbol, else its root, else in general."""
        if not self.stale_ms_of:
            return self.stale_ms * _MS
        general = self.stale_ms_of.get(instrument.root, self.stale_ms)
        return self.stale_ms_of.get(instrument.symbol, general) * _MS

    def covers(self, time_ns: int) -> bool:
        """Whether an instant lies in the wall-clock hours."""
        return not self.windows or any(window.covers(time_ns) for window in self.windows)

    def names(self, instrument: Instrument) -> bool:
        """Whether an instrument may be traded."""
        return not self.symbols or instrument.symbol in self.symbols or instrument.root in self.symbols


@attrs.frozen
class PortfolioLimits(Limits):
    """What all sessions may do together: the same words, positions and exposure counted without netting."""

    order_quantity: Decimal = attrs.field(default=Decimal(10), validator=_not_negative)
    order_notional: Decimal = attrs.field(default=Decimal(1_000_000), validator=_not_negative)
    orders_per_minute: int = attrs.field(default=300, validator=_count)
    orders_per_second: int = attrs.field(default=50, validator=_count)
    daily_loss: Decimal = attrs.field(default=Decimal(5_000), validator=_not_negative)
    position: Decimal = attrs.field(default=Decimal(10), validator=_not_negative)
    exposure: Decimal = attrs.field(default=Decimal(2_000_000), validator=_not_negative)
    open_orders: int = attrs.field(default=200, validator=_count)
