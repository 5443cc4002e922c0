"""What can be traded: instruments with their exact grid, size and money rules."""

import datetime as dt
import decimal
import enum
from decimal import Decimal
from typing import Final

import attrs

# Money is added and multiplied here: a result that would need rounding raises instead.
EXACT: Final = decimal.Context(prec=512, traps=[decimal.Inexact, decimal.InvalidOperation])

_MAX_PLACES: Final = 40
# What passes here untouched fits the places, at a tenth of the price of looking; what does not is too long or unfit.
_FITTING: Final = decimal.Context(
    prec=_MAX_PLACES + 1,
    Emin=0,
    Emax=_MAX_PLACES - 1,
    traps=[decimal.Rounded, decimal.Clamped, decimal.Overflow, decimal.InvalidOperation],
)


def sane(number: object) -> bool:
    """Whether this is a finite Decimal with at most 40 places before and after its point."""
    if not isinstance(number, Decimal) or not number.is_finite():
        return False
    try:
        _FITTING.plus(number)
    except decimal.DecimalException:
        return number.adjusted() < _MAX_PLACES and int(number.as_tuple().exponent) >= -_MAX_PLACES
    return True


class Kind(enum.Enum):
    """How an instrument's money moves (see brokers.ledger)."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    FUTURE = "future"  # dated, linear, margined
    STOCK = "stock"  # paid in full
    SPOT = "spot"  # paid in full; fees may be taken in the base currency
    PERPETUAL = "perpetual"  # undated, linear, margined, with funding
    INVERSE = "inverse"  # quoted in one currency, settled in the base currency


@attrs.frozen
class Instrument:
    """One tradable thing under its canonical symbol (ESZ26, AAPL, BTC-USD)."""

    symbol: str
    root: str
    kind: Kind
    currency: str  # prices are in it; profit too, but for INVERSE, where profit is in `base`
    tick: Decimal
    lot: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)
    base: str | None = None
    expiry: dt.date | None = None
    exchange: str = ""
    calendar: str = "always"
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    initial_margin: Decimal = Decimal(0)  # per contract for FUTURE, share of notional otherwise
    maintenance_margin: Decimal = Decimal(0)
    description: str = ""

    @property
    def settlement(self) -> str:
        """The currency that profit is paid in."""
        return self.base if self.kind is Kind.INVERSE and self.base else self.currency
