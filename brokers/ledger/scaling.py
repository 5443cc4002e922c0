"""Exact passage between decimals and scaled whole numbers, and the one rounding of presentation."""

import decimal
from collections.abc import Iterable
from decimal import Decimal

ZERO = Decimal(0)
_REMEMBERED = 8192  # numbers whose scaled form is kept
_SIZE = 40  # orders of magnitude, up and down, beyond which a number cannot be meant

# Every sum and product of decimals goes through here, never through operators, which round to the caller's context:
# a result that would not be exact raises instead.
EXACT = decimal.Context(prec=2000, Emin=-9999, Emax=9999, traps=[decimal.Inexact, decimal.InvalidOperation])
add, subtract, multiply, negative, magnitude = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.minus, EXACT.abs
_scaled = EXACT.scaleb
# A quotient without a finite decimal is shown with 20 significant digits, so that a reader who adds figures up in
# decimal's own context of 28 does not round them either.
_quotient = decimal.Context(prec=20, rounding=decimal.ROUND_HALF_EVEN, traps=[decimal.InvalidOperation]).divide

# Lets through numbers from outside; one of absurd size or length raises an ArithmeticError, one of no type a TypeError.
_STRICT = decimal.Context(
    prec=2 * _SIZE,
    Emin=-_SIZE,
    Emax=_SIZE,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow, decimal.Underflow, decimal.Subnormal],
)
strict = _STRICT.plus
SOUND = f"a finite Decimal of at most {2 * _SIZE} digits"


def sound(number: object) -> bool:
    """Whether this is a finite Decimal of sane size and length."""
    try:
        return type(number) is Decimal and strict(number).is_finite()
    except ArithmeticError:
        return False


def whole(number: Decimal, digits: int) -> int | None:
    """A sound number in units of 10**-digits, or None when it is finer than that."""
    top, bottom = number.as_integer_ratio()
    power: int = 10**digits
    return None if power % bottom else top * (power // bottom)


class Wholes(dict[str, int | None]):
    """Numbers in units of 10**-digits by their text, each worked out once; None for a finer one.

    Raises ValueError or ArithmeticError for a bad one. Looking up a text costs half of working out a number.
    """

    def __init__(self, digits: int, *, positive: bool) -> None:
        super().__init__()
        self.digits = digits
        self.positive = positive

    def __missing__(self, text: str) -> int | None:
        number = Decimal(text)
        if not sound(number) or (self.positive and number <= ZERO):
            raise ValueError(text)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = found = whole(number, self.digits)
        return found


def places(number: Decimal) -> int:
    """How many decimal places the number needs."""
    exponent = EXACT.normalize(number).as_tuple().exponent
    return max(0, -int(exponent))


def decimal_of(whole_number: int, digits: int) -> Decimal:
    """The decimal that stands for a whole number of 10**-digits; nought is plain 0."""
    return _scaled(Decimal(whole_number), -digits) if whole_number else ZERO


def shown(top: int, bottom: int) -> Decimal:
    """The quotient as a decimal: exact where it is whole or finite within 20 digits, else rounded half even."""
    whole_part, rest = divmod(top, bottom)
    return _quotient(Decimal(top), Decimal(bottom)) if rest else Decimal(whole_part)


def divide_even(top: int, bottom: int) -> int:
    """The whole number nearest to top / bottom, ties to the even one."""
    if bottom < 0:
        top, bottom = -top, -bottom
    quotient, rest = divmod(top, bottom)
    twice = rest * 2
    return quotient + (twice > bottom or (twice == bottom and quotient % 2 == 1))


def share(amount: Decimal, part: int, of: int) -> Decimal:
    """The part of an amount that falls to part / of, rounded to 20 digits."""
    return _quotient(EXACT.multiply(amount, Decimal(part)), Decimal(of))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result
