"""What is agreed about one account: its currency, how it is marked, where its broker rounds."""

import enum
from collections.abc import Mapping
from decimal import Decimal

import attrs

FINEST = Decimal("1e-18")


class Marking(enum.Enum):
    """Which price an open position is valued at."""

    QUOTE = "quote"  # a long at the bid, a short at the ask
    BROKER = "broker"  # the broker's own mark


@attrs.frozen
class AccountTerms:
    """One account of one broker; `quanta` holds the smallest unit paid in a currency where the broker states one."""

    broker: str
    account: str
    currency: str
    marking: Marking = Marking.QUOTE
    quanta: Mapping[str, Decimal] = attrs.field(factory=dict)
    reorder: int = attrs.field(default=512, validator=attrs.validators.ge(1))

    def quantum(self, currency: str) -> Decimal:
        """The step that values of inverse contracts are rounded to in a currency."""
        return self.quanta.get(currency, FINEST)
