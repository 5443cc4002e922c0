"""Small exact sums on prices and sizes that every rule of the venue shares."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from brokers.sides import Side

SIDES = (Side.BUY, Side.SELL)
ZERO = Decimal(0)
LOWEST = Decimal("-Infinity")
HIGHEST = Decimal("Infinity")


def rank(side: Side, limit: Decimal | None) -> Decimal:
    """The sort key of an executable order: smaller trades first, and a market order before every limit."""
    if limit is None:
        return LOWEST
    return limit.copy_negate() if side is Side.BUY else limit


def trigger_rank(side: Side, stop: Decimal) -> Decimal:
    """The sort key of a stop: smaller is reached first by a price that moves against the position."""
    return stop if side is Side.BUY else stop.copy_negate()


def reaches(side: Side, limit: Decimal | None, price: Decimal) -> bool:
    """Whether an order of this side and limit may trade at a price; no limit may trade at any."""
    if limit is None:
        return True
    return price <= limit if side is Side.BUY else price >= limit


def through(side: Side, limit: Decimal, price: Decimal) -> bool:
    """Whether a price lies strictly beyond a limit, so that the market has traded through it."""
    return price < limit if side is Side.BUY else price > limit


def worse(side: Side, price: Decimal, amount: Decimal) -> Decimal:
    """A price moved by an amount against an order of this side."""
    return price + amount if side is Side.BUY else price - amount


def worst(side: Side, one: Decimal, other: Decimal) -> Decimal:
    """The less favourable of two prices for an order of this side."""
    return max(one, other) if side is Side.BUY else min(one, other)


def best(side: Side, one: Decimal, other: Decimal) -> Decimal:
    """The more favourable of two prices for an order of this side."""
    return min(one, other) if side is Side.BUY else max(one, other)


def floor_to(amount: Decimal, step: Decimal) -> Decimal:
    """An amount cut down to whole steps."""
    return (amount / step).to_integral_value(ROUND_FLOOR) * step


def away_on_grid(side: Side, price: Decimal, tick: Decimal) -> Decimal:
    """A price put on the grid, rounded against an order of this side."""
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return (price / tick).to_integral_value(rounding) * tick


def on_grid(amount: Decimal, step: Decimal) -> bool:
    """Whether an amount is a whole number of steps; one too large to tell is not."""
    try:
        return amount % step == 0
    except InvalidOperation:
        return False
