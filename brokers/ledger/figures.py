"""The figures of one tally as decimals; all derive from one presented open cost, so their sums stay exact."""

from decimal import Decimal

from brokers.ledger.measure import Measure
from brokers.ledger.scaling import ZERO, add, decimal_of, multiply, shown, subtract
from brokers.ledger.tally import Tally


def quantity_of(tally: Tally, measure: Measure) -> Decimal:
    """The signed quantity held."""
    return decimal_of(tally.quantity, measure.digits.quantity)


def fees_of(tally: Tally, measure: Measure) -> Decimal:
    """All fees paid in settlement currency, less rebates."""
    return decimal_of(tally.fees, measure.digits.fee)


def average_of(tally: Tally, measure: Measure) -> Decimal | None:
    """The average entry price; None when flat."""
    if not tally.quantity:
        return None
    basis = tally.basis
    ratio = measure.ratio(basis.quantity, basis.cost, basis.over)
    return None if ratio is None else shown(*ratio)


def realised_of(tally: Tally, measure: Measure) -> Decimal:
    """Realised profit before fees."""
    return _money(add(Decimal(tally.flow), tally.open_cost()), measure)


def cost_of(tally: Tally, measure: Measure) -> Decimal:
    """What the open quantity cost, signed like its value."""
    return _money(tally.open_cost(), measure)


def unrealised_of(tally: Tally, measure: Measure, mark: Decimal | None) -> Decimal:
    """Profit of the open quantity at a mark; zero without a mark, as when flat."""
    if mark is None:
        return ZERO
    return subtract(measure.worth(tally.quantity, mark), cost_of(tally, measure))


def settled_of(tally: Tally, measure: Measure) -> Decimal:
    """Unrealised profit that daily settlement has already moved into cash."""
    if not tally.basis.paid:
        return ZERO
    return _money(subtract(tally.booked_cost(), tally.open_cost()), measure)


def cash_of(tally: Tally, measure: Measure, *, in_full: bool) -> Decimal:
    """What trading moved into cash after fees: the whole value where paid in full, else profit and settlements."""
    units = Decimal(tally.flow) if in_full else add(Decimal(tally.flow), tally.booked_cost())
    return subtract(_money(units, measure), fees_of(tally, measure))


def market_of(tally: Tally, measure: Measure, mark: Decimal | None, *, in_full: bool) -> Decimal:
    """What the open quantity adds to equity beyond cash: its value where paid in full, else unsettled profit."""
    unrealised = unrealised_of(tally, measure, mark)
    if in_full:
        return add(cost_of(tally, measure), unrealised)
    return subtract(unrealised, settled_of(tally, measure))


def _money(units: Decimal, measure: Measure) -> Decimal:
    return multiply(units, measure.unit) if units else ZERO
