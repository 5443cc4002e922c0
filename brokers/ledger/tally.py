"""The accounting of one netted position as pure steps in whole numbers.

Realised profit is never divided out. With `flow` the value received less the value paid since the beginning, and the
open cost C the value at which the open quantity stands in the books, realised profit is flow + C, exactly; unrealised
profit at a mark is value(quantity, mark) - C. C stands in a Basis, from which the average comes. A fill moves `flow`
by its value, and the basis so:

    open or add     what is held and C become the new basis; both grow by the fill's
    reduce          it stays, so the average stays; C is its share for the quantity that is left
    close           it is nothing, and there is no average
    flip            it is what stays open, at the fill's price

Only an addition (or a daily settlement) after a reduction divides, so C alone is a fraction, `cost` / `over`; it is
brought to lowest terms when it grows long. Rounding point: when `over` outgrows 128 bits even so, as it can where a
position is never flat, C is rounded to 10**-30 of a unit and stays on that grid until the position is flat or flips.
Whatever C is, realised + unrealised = flow + value(quantity, mark): the rounding moves at most 10**-30 of a unit per
such step between the two and never touches their sum.

These structures are made for every fill, hence msgspec's: ten times cheaper to make than attrs classes.
"""

from decimal import Decimal
from math import gcd

import msgspec

from brokers.ledger.measure import Factors, Measure
from brokers.ledger.scaling import ZERO, add, decimal_of, multiply, share, shown, subtract
from brokers.ledger.seen import Print

_OVER_LIMIT = 1 << 128
_GRID = 10**30


class Score(msgspec.Struct, frozen=True, gc=False):
    """Finished trades, each from flat to flat (or to the flip), net of their fees in settlement currency."""

    trades: int = 0
    wins: int = 0
    losses: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO  # zero or negative
    best: Decimal | None = None
    worst: Decimal | None = None
    realised: Decimal = ZERO  # all realised profit up to the end of the last trade
    fees: Decimal = ZERO  # all fees up to there

    def after_trade(self, realised: Decimal, fees: Decimal) -> "Score":
        """The score with one more trade, given what is realised and paid in all at its end."""
        net = subtract(subtract(realised, self.realised), subtract(fees, self.fees))
        wins, losses, won, lost, best, worst = self.wins, self.losses, self.won, self.lost, self.best, self.worst
        if net > ZERO:
            wins, won = wins + 1, add(won, net)
        elif net:
            losses, lost = losses + 1, add(lost, net)
        return Score(
            self.trades + 1,
            wins,
            losses,
            won,
            lost,
            net if best is None or net > best else best,
            net if worst is None or net < worst else worst,
            realised,
            fees,
        )


NO_SCORE = Score()


class Deal(Print, frozen=True, gc=False):
    """A fill in whole numbers, as the steps need it, and the print that memory keeps of it."""

    id: str = ""
    session: str | None = None
    quantity: int = 0  # signed, less a fee taken in kind
    price: int = 0
    value: int = 0
    fee: int = 0  # in settlement currency
    foreign_fee: Decimal = ZERO  # in any other currency


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What a position stood at in the books when it last grew."""

    quantity: int = 0
    cost: int = 0  # the quantity's open cost is cost / over
    over: int = 1  # never 0; its sign may be that of the quantity
    paid: int = 0  # unrealised profit that daily settlement already moved into cash is paid / over

    def of(self, quantity: int) -> "Basis":
        """The basis in proportion to the quantity that reductions left of it."""
        before, over = self.quantity, self.over
        if quantity == before:
            return self
        if over == _GRID:
            paid = self.paid and _scaled(self.paid, quantity, before)
            return Basis(quantity, _scaled(self.cost, quantity, before), over, paid)
        over *= before
        if -_OVER_LIMIT < over < _OVER_LIMIT:
            return Basis(quantity, self.cost * quantity, over, self.paid * quantity)
        return _shortened(quantity, self.cost * quantity, over, self.paid * quantity)


NOTHING = Basis()


class Tally(msgspec.Struct, frozen=True, gc=False):
    """Everything the ledger knows of one netted position, in whole numbers of the measure."""

    quantity: int = 0
    flow: int = 0
    fees: int = 0  # in settlement currency
    basis: Basis = NOTHING
    score: Score = NO_SCORE

    def open_cost(self) -> Decimal:
        """The open cost in units, as it is presented everywhere."""
        return self._part(self.basis.cost)

    def booked_cost(self) -> Decimal:
        """The open cost with what settlement paid on top."""
        return self._part(self.basis.cost + self.basis.paid)

    def _part(self, amount: int) -> Decimal:
        """What the open quantity has of an amount of the basis."""
        quantity, over, before = self.quantity, self.basis.over, self.basis.quantity
        if not amount:
            return ZERO
        return shown(amount, over) if quantity == before else shown(amount * quantity, over * before)


EMPTY = Tally()


def trade(tally: Tally, deal: Deal, measure: Measure) -> Tally:
    """Rules 1 to 4: the tally after a deal."""
    held, quantity, basis = tally.quantity, deal.quantity, tally.basis
    left = held + quantity
    flow = tally.flow - deal.value
    fees = tally.fees + deal.fee
    if held * quantity >= 0:
        if held != basis.quantity:
            basis = basis.of(held)
        over = basis.over
        return Tally(left, flow, fees, Basis(left, basis.cost + deal.value * over, over, basis.paid), tally.score)
    if held * left > 0:
        return Tally(left, flow, fees, basis, tally.score)
    cost = measure.value(left, deal.price) if left else 0
    realised = multiply(Decimal(flow + cost), measure.unit)
    digits = measure.digits.fee
    fees_until_flat = subtract(decimal_of(fees, digits), share(decimal_of(deal.fee, digits), left, quantity))
    score = tally.score.after_trade(realised, fees_until_flat)
    return Tally(left, flow, fees, Basis(left, cost) if left else NOTHING, score)


def settle(tally: Tally, price: int, measure: Measure) -> Tally:
    """Daily settlement: all that is unrealised at the price counts as paid; average and realised stay."""
    basis = tally.basis.of(tally.quantity)
    paid = measure.value(tally.quantity, price) * basis.over - basis.cost
    return msgspec.structs.replace(tally, basis=msgspec.structs.replace(basis, paid=paid))


def widened(tally: Tally, by: Factors) -> Tally:
    """The same tally in a finer measure."""
    basis = tally.basis
    return msgspec.structs.replace(
        tally,
        quantity=tally.quantity * by.quantity,
        flow=tally.flow * by.value,
        fees=tally.fees * by.fee,
        basis=Basis(basis.quantity * by.quantity, basis.cost * by.value, basis.over, basis.paid * by.value),
    )


def _shortened(quantity: int, cost: int, over: int, paid: int) -> Basis:
    """A basis whose fraction is long: brought to lowest terms, and where it is still long, rounded to the grid."""
    common = gcd(cost, over, paid)
    cost, over, paid = cost // common, over // common, paid // common
    if abs(over) >= _OVER_LIMIT:
        cost, over, paid = _scaled(cost, _GRID, over), _GRID, _scaled(paid, _GRID, over)
    return Basis(quantity, cost, over, paid)


def _scaled(amount: int, by: int, over: int) -> int:
    """The whole number nearest to amount x by / over, ties upwards."""
    return (amount * (2 * by) + over) // (2 * over)
