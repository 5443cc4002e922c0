"""The accounting of one netted position as pure steps in whole numbers.

Realised profit is never divided out. With `flow` the value received less the value paid since the beginning, and the
open cost C the value at which the open quantity stands in the books, realised profit is flow + C, exactly; unrealised
profit at a mark is value(quantity, mark) - C. A fill moves `flow` by its value, and C so:

    open or add     C grows by the fill's value
    reduce          C shrinks in proportion to the quantity, so the average stays
    close           C is nothing, and there is no average
    flip            C is the value of what stays open at the fill's price

Only a reduction divides, so C alone is a fraction, `cost` / `over`; it is brought to lowest terms when it grows long.
Rounding point: when `over` outgrows 128 bits even so, as it can where a position is never flat, C is rounded to 10**-30
of a unit and stays on that grid until the position is flat or flips. Whatever C is, realised + unrealised =
flow + value(quantity, mark): the rounding moves at most 10**-30 of a unit per reduction between the two and never
touches their sum.

These structures are made for every fill, hence msgspec's: ten times cheaper to make than attrs classes.
"""

from decimal import Decimal
from math import gcd

import msgspec

from brokers.ledger.measure import Measure
from brokers.ledger.scaling import ZERO, add, multiply, share, shown, subtract

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


class Deal(msgspec.Struct, frozen=True, gc=False):
    """A fill in whole numbers, as the steps need it."""

    time_ns: int
    id: str
    session: str | None
    quantity: int  # signed, less a fee taken in kind
    price: int
    value: int
    fee: Decimal  # in settlement currency
    foreign_fee: Decimal = ZERO  # in any other currency


class Tally(msgspec.Struct, frozen=True, gc=False):
    """Everything the ledger knows of one netted position; values are in the measure's units."""

    quantity: int = 0
    flow: int = 0
    cost: int = 0  # the open cost is cost / over
    over: int = 1  # never 0; negative after an odd number of reductions of a short
    paid: int = 0  # unrealised profit that daily settlement already moved into cash is paid / over
    fees: Decimal = ZERO  # in settlement currency
    score: Score = NO_SCORE

    def open_cost(self) -> Decimal:
        """The open cost in units, as it is presented everywhere."""
        return shown(self.cost, self.over) if self.cost else ZERO

    def booked_cost(self) -> Decimal:
        """The open cost with what settlement paid on top."""
        return shown(self.cost + self.paid, self.over)


EMPTY = Tally()


def trade(tally: Tally, deal: Deal, measure: Measure) -> Tally:
    """Rules 1 to 4: the tally after a deal."""
    held, over, quantity = tally.quantity, tally.over, deal.quantity
    left = held + quantity
    flow = tally.flow - deal.value
    fees = add(tally.fees, deal.fee) if deal.fee else tally.fees
    if held * quantity >= 0:
        cost = tally.cost + deal.value * over
        return Tally(left, flow, cost, over, tally.paid, fees, tally.score)
    if held * left > 0:
        if over == _GRID:
            cost = _scaled(tally.cost, left, held)
            return Tally(left, flow, cost, over, tally.paid and _scaled(tally.paid, left, held), fees, tally.score)
        over *= held
        if -_OVER_LIMIT < over < _OVER_LIMIT:
            return Tally(left, flow, tally.cost * left, over, tally.paid * left, fees, tally.score)
        return _shortened(tally, left, flow, fees)
    cost = measure.value(left, deal.price) if left else 0
    realised = multiply(Decimal(flow + cost), measure.unit)
    fees_until_flat = subtract(fees, share(deal.fee, left, deal.quantity)) if left and deal.fee else fees
    score = tally.score.after_trade(realised, fees_until_flat)
    return Tally(left, flow, cost, 1, 0, fees, score)


def settle(tally: Tally, price: int, measure: Measure) -> Tally:
    """Daily settlement: all that is unrealised at the price counts as paid; average and realised stay."""
    paid = measure.value(tally.quantity, price) * tally.over - tally.cost
    return msgspec.structs.replace(tally, paid=paid)


def widened(tally: Tally, quantity_factor: int, value_factor: int) -> Tally:
    """The same tally in a finer measure."""
    return msgspec.structs.replace(
        tally,
        quantity=tally.quantity * quantity_factor,
        flow=tally.flow * value_factor,
        cost=tally.cost * value_factor,
        paid=tally.paid * value_factor,
    )


def _shortened(tally: Tally, left: int, flow: int, fees: Decimal) -> Tally:
    """A reduction whose fraction is long: brought to lowest terms, and where it is still long, rounded to the grid."""
    cost, over, paid = tally.cost * left, tally.over * tally.quantity, tally.paid * left
    common = gcd(cost, over, paid)
    cost, over, paid = cost // common, over // common, paid // common
    if abs(over) >= _OVER_LIMIT:
        cost, over, paid = _scaled(cost, _GRID, over), _GRID, _scaled(paid, _GRID, over)
    return Tally(left, flow, cost, over, paid, fees, tally.score)


def _scaled(amount: int, by: int, over: int) -> int:
    """The whole number nearest to amount x by / over, ties upwards."""
    return (2 * amount * by + over) // (2 * over)
