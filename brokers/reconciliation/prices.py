"""Prices that nobody told, derived from averages so that the books come out at what the broker holds."""

import decimal
from decimal import Decimal
from typing import Final

from brokers.instruments import EXACT, Kind

_QUOTIENT: Final = decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quotient to 28 digits."""
    return _QUOTIENT.divide(dividend, divisor)


def price_of_addition(kind: Kind, before: tuple[Decimal, Decimal], after: tuple[Decimal, Decimal]) -> Decimal | None:
    """The price at which a (quantity, average) grew into another; None where no price above zero can be the reason.

    The average of an inverse contract is harmonic, any other arithmetic.
    """
    cost = EXACT.subtract(_cost(kind, *after), _cost(kind, *before))
    change = EXACT.subtract(after[0], before[0])
    if not cost or not change:
        return None
    price = quotient(change, cost) if kind is Kind.INVERSE else quotient(cost, change)
    return price if price > 0 or kind is Kind.FUTURE else None


def apart(one: Decimal, other: Decimal) -> Decimal:
    """How far two prices are apart, as a share of the first."""
    return quotient(abs(EXACT.subtract(one, other)), abs(one)) if one else abs(other)


def _cost(kind: Kind, quantity: Decimal, average: Decimal) -> Decimal:
    # To as many places as EXACT can still subtract, whatever the size of the numbers.
    return quotient(quantity, average) if kind is Kind.INVERSE else EXACT.multiply(quantity, average)
