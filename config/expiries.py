"""When a futures contract dies: one named rule a product family, as a function of year, month, business days.

The tables name these rules. A day that a broker states for one contract goes before its rule (see
`config.instruments.InstrumentRecord.expiries`), because exchanges do move single expiries.
"""

import datetime as dt
from collections.abc import Callable, Mapping

from config.days import (
    BusinessDays,
    business_day_on_or_before,
    business_days_before,
    last_business_day,
    last_weekday,
    nth_weekday,
    shift_month,
)

ExpiryRule = Callable[[int, int, BusinessDays], dt.date]

_WEDNESDAY, _FRIDAY = 2, 4


def third_friday(year: int, month: int, business: BusinessDays) -> dt.date:
    """Equity index: the third Friday of the contract month, or the business day before."""
    return business_day_on_or_before(business, nth_weekday(year, month, _FRIDAY, 3))


def last_friday(year: int, month: int, business: BusinessDays) -> dt.date:
    """Bitcoin: the last Friday of the contract month, or the business day before."""
    return business_day_on_or_before(business, last_weekday(year, month, _FRIDAY))


def two_before_third_wednesday(year: int, month: int, business: BusinessDays) -> dt.date:
    """Currencies: the second business day before the third Wednesday of the contract month."""
    return business_days_before(business, nth_weekday(year, month, _WEDNESDAY, 3), 2)


def one_before_third_wednesday(year: int, month: int, business: BusinessDays) -> dt.date:
    """Canadian dollar: the business day before the third Wednesday of the contract month."""
    return business_days_before(business, nth_weekday(year, month, _WEDNESDAY, 3), 1)


def crude_oil(year: int, month: int, business: BusinessDays) -> dt.date:
    """Crude oil: three business days before the 25th of the month before the contract month.

    When the 25th is no business day, the count starts from the last business day before it.
    """
    before = shift_month(year, month, -1)
    return business_days_before(business, business_day_on_or_before(business, dt.date(*before, 25)), 3)


def micro_crude_oil(year: int, month: int, business: BusinessDays) -> dt.date:
    """Micro crude oil: the business day before crude oil's last."""
    return business_days_before(business, crude_oil(year, month, business), 1)


def third_last_of_month_before(year: int, month: int, business: BusinessDays) -> dt.date:
    """Natural gas: the third last business day of the month before the contract month."""
    return business_days_before(business, last_business_day(business, *shift_month(year, month, -1)), 2)


def third_last_of_month(year: int, month: int, business: BusinessDays) -> dt.date:
    """Metals: the third last business day of the contract month."""
    return business_days_before(business, last_business_day(business, year, month), 2)


def seven_before_last_of_month(year: int, month: int, business: BusinessDays) -> dt.date:
    """Ten-year notes and bonds: seven business days before the last business day of the contract month."""
    return business_days_before(business, last_business_day(business, year, month), 7)


def last_of_month(year: int, month: int, business: BusinessDays) -> dt.date:
    """Two- and five-year notes: the last business day of the contract month."""
    return last_business_day(business, year, month)


def last_of_month_before(year: int, month: int, business: BusinessDays) -> dt.date:
    """First notice of metals, notes, bonds and grains: the last business day before the contract month."""
    return last_business_day(business, *shift_month(year, month, -1))


def before_the_15th(year: int, month: int, business: BusinessDays) -> dt.date:
    """Grains: the business day before the 15th of the contract month."""
    return business_days_before(business, dt.date(year, month, 15), 1)


def vix(year: int, month: int, business: BusinessDays) -> dt.date:
    """Volatility index: the Wednesday thirty days before the next month's third Friday.

    When that Wednesday or that Friday is a holiday, the business day before the Wednesday.
    """
    friday = nth_weekday(*shift_month(year, month, 1), _FRIDAY, 3)
    wednesday = friday - dt.timedelta(days=30)
    if business.is_business_day(friday) and business.is_business_day(wednesday):
        return wednesday
    return business_days_before(business, wednesday, 1)


EXPIRY_RULES: Mapping[str, ExpiryRule] = {
    rule.__name__: rule
    for rule in (
        third_friday,
        last_friday,
        two_before_third_wednesday,
        one_before_third_wednesday,
        crude_oil,
        micro_crude_oil,
        third_last_of_month_before,
        third_last_of_month,
        seven_before_last_of_month,
        last_of_month,
        last_of_month_before,
        before_the_15th,
        vix,
    )
}
