"""An independent account of one position by the textbook: average and realised profit, step by step, in fractions."""

from decimal import Decimal
from fractions import Fraction

from brokers.instruments import Instrument, Kind
from brokers.model import Fill
from brokers.sides import Side

ZERO = Fraction(0)


class Oracle:
    """Rules 1 to 8 literally, for one linear instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.multiplier = Fraction(instrument.multiplier)
        self.quantity = ZERO
        self.average: Fraction | None = None
        self.realised = ZERO
        self.fees = ZERO
        self.foreign_fees: dict[str, Fraction] = {}
        self.paid_out = ZERO  # what the fills cost in cash where paid in full

    def fill(self, fill: Fill) -> None:
        size, price = Fraction(fill.quantity), Fraction(fill.price)
        signed = size if fill.side is Side.BUY else -size
        fee, currency = Fraction(fill.fee), fill.fee_currency or self.instrument.settlement
        if currency == self.instrument.settlement:
            self.fees += fee
        elif self.instrument.kind is Kind.SPOT and currency == self.instrument.base:
            signed -= fee
            self.fees += fee * price
        else:
            self.foreign_fees[currency] = self.foreign_fees.get(currency, ZERO) + fee
        self.trade(signed, price)

    def trade(self, signed: Fraction, price: Fraction) -> None:
        self.paid_out += signed * price * self.multiplier
        held = self.quantity
        if held * signed >= 0:
            self.add(signed, price)
        elif abs(signed) <= abs(held):
            self.reduce(abs(signed), price)
        else:
            self.reduce(abs(held), price)
            self.add(held + signed, price)

    def add(self, signed: Fraction, price: Fraction) -> None:
        held, size = abs(self.quantity), abs(signed)
        if size:
            self.average = (held * (self.average or ZERO) + size * price) / (held + size)
        self.quantity += signed

    def reduce(self, size: Fraction, price: Fraction) -> None:
        assert self.average is not None
        sign = 1 if self.quantity > 0 else -1
        self.realised += (price - self.average) * sign * size * self.multiplier
        self.quantity -= sign * size
        if self.quantity == 0:
            self.average = None

    def unrealised(self, mark: Fraction) -> Fraction:
        return ZERO if self.average is None else (mark - self.average) * self.quantity * self.multiplier

    def cash(self) -> Fraction:
        in_full = self.instrument.kind in (Kind.STOCK, Kind.SPOT)
        return (-self.paid_out if in_full else self.realised) - self.fees


class InverseOracle(Oracle):
    """Rule 6: what is open is known by its value in the base currency; each value is rounded as the exchange does."""

    def __init__(self, instrument: Instrument, quantum: Decimal) -> None:
        super().__init__(instrument)
        self.quantum = Fraction(quantum)
        self.entry = ZERO  # value at which the open contracts were entered

    def value(self, size: Fraction, price: Fraction) -> Fraction:
        return round(size * self.multiplier / price / self.quantum) * self.quantum

    def trade(self, signed: Fraction, price: Fraction) -> None:
        held, value = self.quantity, self.value(abs(signed), price)
        left = held + signed
        if held * signed >= 0:
            self.entry += value
        elif abs(signed) <= abs(held):
            self.close(abs(signed), value)
        else:
            opening = self.value(abs(left), price)
            self.close(abs(held), value - opening)
            self.entry = opening
        self.quantity = left
        self.average = abs(left) * self.multiplier / self.entry if left else None

    def close(self, size: Fraction, value: Fraction) -> None:
        entered = self.entry * size / abs(self.quantity)
        self.realised += (1 if self.quantity > 0 else -1) * (entered - value)
        self.entry -= entered

    def unrealised(self, mark: Fraction) -> Fraction:
        sign = 1 if self.quantity > 0 else -1
        return sign * (self.entry - self.value(abs(self.quantity), mark))


def oracle_for(instrument: Instrument, quantum: Decimal) -> Oracle:
    return InverseOracle(instrument, quantum) if instrument.kind is Kind.INVERSE else Oracle(instrument)
