"""How a kind of instrument turns quantity and price into money, in whole units of a fixed size.

The whole accounting is linear in *value*: what a quantity is worth at a price. For a linear instrument that is
quantity x price; for an inverse one it is -quantity / price, in the base currency. With this one difference the
same steps serve all kinds, and the average of an inverse position comes out harmonic by itself.
"""

from decimal import Decimal
from fractions import Fraction

import attrs

from brokers.instruments import Instrument, Kind
from brokers.ledger.scaling import EXACT, decimal_of, divide_even, multiply, places

_PAID_IN_FULL = frozenset({Kind.STOCK, Kind.SPOT})


@attrs.frozen
class Linear:
    """Value is quantity x price; one unit of it is `unit` of the currency; nothing is rounded."""

    multiplier: Decimal
    quantity_digits: int
    price_digits: int
    unit: Decimal

    @classmethod
    def of(cls, multiplier: Decimal, quantity_digits: int, price_digits: int) -> "Linear":
        """The measure that counts in the smallest quantity times the smallest price."""
        unit = EXACT.scaleb(multiplier, -(quantity_digits + price_digits))
        return cls(multiplier, quantity_digits, price_digits, unit)

    def value(self, quantity: int, price: int) -> int:
        """The value of a quantity at a price, both scaled, in units."""
        return quantity * price

    def worth(self, quantity: int, price: Decimal) -> Decimal:
        """The value of a scaled quantity at any price, in the currency."""
        return multiply(multiply(decimal_of(quantity, self.quantity_digits), price), self.multiplier)

    def average(self, quantity: int, cost: int, over: int) -> Fraction:
        """The price at which the quantity would have the value cost / over."""
        return Fraction(*self.ratio(quantity, cost, over))

    def ratio(self, quantity: int, cost: int, over: int) -> tuple[int, int]:
        """The same price as a quotient, not in lowest terms."""
        return cost, over * quantity * int(10**self.price_digits)

    def finer(self, quantity_digits: int, price_digits: int) -> tuple["Linear", int]:
        """The measure with more digits, and the factor by which values grow in number."""
        more = quantity_digits - self.quantity_digits + price_digits - self.price_digits
        return Linear.of(self.multiplier, quantity_digits, price_digits), 10**more


@attrs.frozen
class Inverse:
    """Value is -quantity / price, rounded half even to the settlement currency's quantum each time it is made.

    A fill's value is rounded once; where it flips a position, the closing part is the whole less the opening part.
    """

    multiplier: Decimal
    quantity_digits: int
    price_digits: int
    unit: Decimal  # the quantum
    contract: Fraction  # value of one scaled quantity at a price of one, in units

    @classmethod
    def of(cls, multiplier: Decimal, quantity_digits: int, price_digits: int, quantum: Decimal) -> "Inverse":
        """The measure that counts in quanta."""
        contract = Fraction(decimal_of(1, quantity_digits)) * Fraction(multiplier) / Fraction(quantum)
        return cls(multiplier, quantity_digits, price_digits, quantum, contract)

    def value(self, quantity: int, price: int) -> int:
        """The value of a quantity at a price, both scaled, in units."""
        return -divide_even(
            quantity * self.contract.numerator * 10**self.price_digits, price * self.contract.denominator
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

    def finer(self, quantity_digits: int, price_digits: int) -> tuple["Inverse", int]:
        """The measure with more digits; values are counted in quanta and stay."""
        return Inverse.of(self.multiplier, quantity_digits, price_digits, self.unit), 1


Measure = Linear | Inverse


def measure_of(instrument: Instrument, quantum: Decimal) -> Measure:
    """The measure of an instrument on its own grid; finer fills widen it later."""
    quantity_digits, price_digits = places(instrument.lot), places(instrument.tick)
    if instrument.kind is Kind.INVERSE:
        return Inverse.of(instrument.multiplier, quantity_digits, price_digits, quantum)
    return Linear.of(instrument.multiplier, quantity_digits, price_digits)


def paid_in_full(instrument: Instrument) -> bool:
    """Whether buying moves the whole price out of cash; else only profit and fees move cash."""
    return instrument.kind in _PAID_IN_FULL
