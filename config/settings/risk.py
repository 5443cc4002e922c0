"""The limits that every order passes, those of a session and those of all; a limit that is not set limits nothing."""

# ruff: noqa: RUF009 - these functions declare fields of attrs, they are no shared defaults

import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from config.calendars import shipped_calendars
from config.settings.fields import AMOUNT, SYMBOL, Check, Each, Entries, setting, within

_ALWAYS = "always"
_HOURS = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9] (\S{1,64})")


def _is_hours(text: str) -> bool:
    if text in ("any", "session"):
        return True
    form = _HOURS.fullmatch(text)
    return form is not None and _is_zone(form[3])


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


HOURS = Check('any, session or a time span with its zone such as "09:35-15:55 America/New_York"', _is_hours)
CALENDAR = Check(
    "a calendar such as always, us_stocks or cme_equity",
    lambda name: name == _ALWAYS or name in shipped_calendars().calendars,
)
PERCENT = Check('a number above "0" and at most "100"', lambda value: 0 < value <= 100)


def _orders_per_minute(default: int) -> Any:
    return setting("How many orders may be sent in any minute.", default, within(1, 10000))


def _order_burst(most: int) -> Any:
    return setting(
        f"How many of them may follow each other at once; not set, {most} or what a minute allows if that is less.",
        attrs.Factory(lambda risk: min(most, risk.orders_per_minute), takes_self=True),
        within(1, 10000),
    )


def _max_open_orders(default: int) -> Any:
    return setting("How many orders may be open at the same time.", default, within(1, 10000))


def _max_order_notional(default: str) -> Any:
    return setting("The greatest value of one order, in the account's currency.", Decimal(default), AMOUNT)


def _max_exposure(default: str) -> Any:
    return setting(
        "The greatest value of all positions if every open order filled, in the account's currency.",
        Decimal(default),
        AMOUNT,
    )


def _max_daily_loss(default: str) -> Any:
    return setting(
        "The loss of a trading day, open positions included, at which no new risk is taken.", Decimal(default), AMOUNT
    )


def _loss_calendar() -> Any:
    return setting("The calendar whose trading days those of the loss are; always has days in UTC.", _ALWAYS, CALENDAR)


@attrs.frozen
class PortfolioRisk:
    """What all sessions together may do."""

    max_order_notional: Decimal = _max_order_notional("2000000")
    max_exposure: Decimal = _max_exposure("10000000")
    max_daily_loss: Decimal = _max_daily_loss("5000")
    loss_calendar: str = _loss_calendar()
    max_open_orders: int = _max_open_orders(200)
    orders_per_minute: int = _orders_per_minute(300)
    order_burst: int = _order_burst(60)
    symbols: tuple[str, ...] = setting(
        "The only symbols or roots that may be traded; none named, all may.", (), Each(SYMBOL)
    )


@attrs.frozen
class SessionRisk:
    """What one session may do; the portfolio's limits stand beside these."""

    max_order_quantity: Decimal | None = setting("The greatest size of one order.", None, AMOUNT)
    max_order_notional: Decimal = _max_order_notional("1000000")
    max_position: Decimal | None = setting("The greatest position in any one symbol, long or short.", None, AMOUNT)
    max_position_of: Mapping[str, Decimal] = setting(
        "The greatest position by symbol or root, before max_position.", factory=dict, check=Entries(SYMBOL, AMOUNT)
    )
    max_exposure: Decimal = _max_exposure("2000000")
    max_daily_loss: Decimal = _max_daily_loss("1000")
    loss_calendar: str = _loss_calendar()
    max_open_orders: int = _max_open_orders(20)
    orders_per_minute: int = _orders_per_minute(60)
    order_burst: int = _order_burst(10)
    price_band_percent: Decimal = setting("How far an order's price may be from the last price.", Decimal(5), PERCENT)
    price_band_ticks: int | None = setting(
        "How many ticks it may be from there, beside the percentage.", None, within(1, 1000000)
    )
    stale_ms: int = setting("The age of a quote beyond which no order is sent from it.", 5000, within(10, 3600000))
    stale_ms_of: Mapping[str, int] = setting(
        "That age by symbol or root, before stale_ms.", factory=dict, check=Entries(SYMBOL, within(10, 3600000))
    )
    symbols: tuple[str, ...] = setting(
        "The only symbols or roots that may be traded; none named, those of the session.", (), Each(SYMBOL)
    )
    hours: str = setting(
        "When orders may add risk: any time, the regular session, or a time span with its zone.", "any", HOURS
    )
