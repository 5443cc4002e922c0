"""How a kind of instrument turns quantity and price into money, in whole units of a fixed size.

The whole accounting is linear in *value*: what a quantity is worth at a price. For a linear instrument that is
quantity x price; for an inverse one it is -quantity / price, in the base currency. With this one difference the
same steps serve all kinds, and the average of an inverse position comes out harmonic by itself.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import attrs

from brokers.instruments import Instrument, Kind
from brokers.ledger.scaling import EXACT, decimal_of, divide_even, multiply, places

_PAID_IN_FULL = frozenset({Kind.STOCK, Kind.SPOT})
_FEE_DIGITS = 2  # most fees are of whole cents


@attrs.frozen
class Digits:
    """How many decimal places are counted of quantities, prices and fees."""

    quantity: int
    price: int
    fee: int

    def powers_to(self, finer: "Digits") -> tuple[int, int, int]:
        """The factors between numbers counted this way and more finely."""
        return 10 ** (finer.quantity - self.quantity), 10 ** (finer.price - self.price), 10 ** (finer.fee - self.fee)

    def holding(self, quantities: Iterable[Decimal], price: Decimal, fee: Decimal) -> "Digits":
        """As many as it takes for these numbers too."""
        return Digits(
            max(self.quantity, *map(places, quantities)), max(self.price, places(price)), max(self.fee, places(fee))
        )


class Factors(NamedTuple):
    """By how much whole numbers grow when a measure becomes finer."""

    quantity: int
    price: int
    value: int
    fee: int


@attrs.frozen
class Linear:
    """Value is quantity x price; one unit of it is `unit` of the currency; nothing is rounded."""

    multiplier: Decimal
    digits: Digits
    unit: Decimal

    @classmethod
    def of(cls, multiplier: Decimal, digits: Digits) -> "Linear":
        """The measure that counts in the smallest quantity times the smallest price."""
        return cls(multiplier, digits, EXACT.scaleb(multiplier, -(digits.quantity + digits.price)))

    def value(self, quantity: int, price: int) -> int:
        """The value of a quantity at a price, both scaled, in units."""
        return quantity * price

    def worth(self, quantity: int, price: Decimal) -> Decimal:
        """The value of a scaled quantity at any price, in the currency."""
        return multiply(multiply(decimal_of(quantity, self.digits.quantity), price), self.multiplier)

    def average(self, quantity: int, cost: int, over: int) -> Fraction:
        """The price at which the quantity would have the value cost / over."""
        return Fraction(*self.ratio(quantity, cost, over))

    def ratio(self, quantity: int, cost: int, over: int) -> tuple[int, int]:
        """The same price as a quotient, not in lowest terms."""
        return cost, over * quantity * int(10**self.digits.price)

    def counting(self, digits: Digits) -> "Linear":
        """The measure with other digits."""
        return Linear.of(self.multiplier, digits)

    def finer(self, digits: Digits) -> tuple["Linear", Factors]:
        """The measure with more digits."""
        quantity, price, fee = self.digits.powers_to(digits)
        return self.counting(digits), Factors(quantity, price, quantity * price, fee)


@attrs.frozen
class Inverse:
    """Value is -quantity / price, rounded half even to the settlement currency's quantum each time it is made.

    A fill's value is rounded once; where it flips a position, the closing part is the whole less the opening part.
    """

    multiplier: Decimal
    digits: Digits
    unit: Decimal  # the quantum
    contract: Fraction  # value of one scaled quantity at a price of one, in units

    @classmethod
    def of(cls, multiplier: Decimal, digits: Digits, quantum: Decimal) -> "Inverse":
        """The measure that counts in quanta."""
        contract = Fraction(decimal_of(1, digits.quantity)) * Fraction(multiplier) / Fraction(quantum)
        return cls(multiplier, digits, quantum, contract)

    def value(self, quantity: int, price: int) -> int:
        """The value of a quantity at a price, both scaled, in units."""
        return -divide_even(
            quantity * self.contract.numerator * 10**self.digits.price, price * self.contract.denominator
        )

    def worth(self, quantity: int, price: Decimal) -> Decimal:
        """The value of a scaled quantity at any price, in the currency."""
        top, bottom = price.as_integer_ratio()
        units = -divide_even(quantity * self.contract.numerator * bottom, top * self.contract.denominator)
        return multiply(Decimal(units), self.unit)

    def average(self, quantity: int, cost: int, over: int) -> Fraction | None:
        """The harmonic average; None where the whole position is worth less than half a quantum."""
        ratio = self.ratio(quantity, cost, over)
        return None if ratio is None else Fraction(*ratio)

    def ratio(self, quantity: int, cost: int, over: int) -> tuple[int, int] | None:
        """The same price as a quotient, not in lowest terms."""
        return (-self.contract.numerator * quantity * over, self.contract.denominator * cost) if cost else None

    def counting(self, digits: Digits) -> "Inverse":
        """The measure with other digits."""
        return Inverse.of(self.multiplier, digits, self.unit)

    def finer(self, digits: Digits) -> tuple["Inverse", Factors]:
        """The measure with more digits; values are counted in quanta and stay."""
        quantity, price, fee = self.digits.powers_to(digits)
        return self.counting(digits), Factors(quantity, price, 1, fee)


Measure = Linear | Inverse


def measure_of(instrument: Instrument, quantum: Decimal) -> Measure:
    """The measure of an instrument on its own grid; finer fills widen it later."""
    digits = Digits(places(instrument.lot), places(instrument.tick), _FEE_DIGITS)
    if instrument.kind is Kind.INVERSE:
        return Inverse.of(instrument.multiplier, digits, quantum)
    return Linear.of(instrument.multiplier, digits)


def paid_in_full(instrument: Instrument) -> bool:
    """Whether buying moves the whole price out of cash; else only profit and fees move cash."""
    return instrument.kind in _PAID_IN_FULL
