"""The facts a ledger is a fold of; fills are brokers.model.Fill."""

import enum
from decimal import Decimal

import attrs

from brokers.model import Fill
from runtime.quick import quick


class FlowKind(enum.Enum):
    """Why cash moved without a trade."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FUNDING = "funding"
    INTEREST = "interest"
    DIVIDEND = "dividend"
    FEE = "fee"  # a fee outside a fill, or one that a fill charged in a third currency


@quick
@attrs.frozen(weakref_slot=False)
class CashFlow:
    """Cash that moved without a trade; `amount` is positive into the account, negative out of it."""

    id: str
    broker: str
    account: str
    kind: FlowKind
    amount: Decimal
    currency: str
    time_ns: int
    symbol: str | None = None
    session: str | None = None


@quick
@attrs.frozen(weakref_slot=False)
class Settlement:
    """A daily settlement: what is unrealised at the price moves into cash; average and realised stay."""

    id: str
    broker: str
    account: str
    symbol: str
    price: Decimal
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class Correction:
    """The broker took a fill back (bust) or replaced it; the original stays on record, a reverse entry cancels it."""

    id: str
    original: Fill
    replacement: Fill | None
    time_ns: int

    @property
    def broker(self) -> str:
        """The broker of the original."""
        return self.original.broker

    @property
    def account(self) -> str:
        """The account of the original."""
        return self.original.account


@quick
@attrs.frozen(weakref_slot=False)
class Mark:
    """What an instrument stands at: a quote, or the broker's mark as `price`; what is None is not known."""

    symbol: str
    time_ns: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    price: Decimal | None = None


@quick
@attrs.frozen(weakref_slot=False)
class Rate:
    """One unit of `currency` is worth `value` of the account's currency since `time_ns`."""

    currency: str
    value: Decimal
    time_ns: int


Fact = Fill | CashFlow | Settlement | Correction | Mark | Rate
