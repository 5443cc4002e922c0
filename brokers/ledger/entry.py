"""What one fact did to a position: the tallies before and after, with the figures derived on demand."""

from decimal import Decimal

import msgspec

from brokers.instruments import Instrument
from brokers.ledger.facts import Settlement
from brokers.ledger.figures import average_of, cash_of, quantity_of, realised_of
from brokers.ledger.measure import Measure, paid_in_full
from brokers.ledger.scaling import decimal_of, subtract
from brokers.ledger.tally import Tally
from brokers.model import Fill


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """One booked fact; a fill that came late shows the whole change that its insertion made."""

    fact: Fill | Settlement
    instrument: Instrument
    measure: Measure
    before: Tally
    after: Tally
    session_before: Tally | None  # None where no session is touched
    session_after: Tally | None
    reversal: bool = False  # the fact was taken back
    in_order: bool = True  # False: it belongs before everything the book can still reorder

    @property
    def quantity(self) -> Decimal:
        """The account's net quantity after."""
        return quantity_of(self.after, self.measure)

    @property
    def average_price(self) -> Decimal | None:
        """The account's average after; None when flat."""
        return average_of(self.after, self.measure)

    @property
    def realised(self) -> Decimal:
        """What this fact realised before fees, in settlement currency; entries sum to the position's realised."""
        return subtract(realised_of(self.after, self.measure), realised_of(self.before, self.measure))

    @property
    def fee(self) -> Decimal:
        """The fee in settlement currency, a fee in kind at the fill's price; a rebate is negative."""
        return decimal_of(self.after.fees - self.before.fees, self.measure.digits.fee)

    @property
    def cash(self) -> Decimal:
        """What moved in cash of the settlement currency, fees included."""
        in_full = paid_in_full(self.instrument)
        return subtract(
            cash_of(self.after, self.measure, in_full=in_full),
            cash_of(self.before, self.measure, in_full=in_full),
        )
