"""I24: the money in the books is what their executions come to, by another reading of the same fills."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from brokers.instruments import Instrument
from brokers.ledger import AccountTerms, Ledger, load
from brokers.order_log import Snapshot
from sessions import order_snapshot
from sessions.control.rehearsal.checker.invariant import Invariant
from sessions.control.rehearsal.checker.journalled import ToldFill
from sessions.journal import Row

FINEST: Final = Decimal("1e-9")  # what an average that does not end is rounded to


class MoneyConserved(Invariant):
    """A snapshot's books hold the positions, fees and profits that all fills before it come to."""

    name = "I24"

    def row(self, row: Row) -> None:
        """Looks at each snapshot that is one row long."""
        if row.entry.kind != order_snapshot.KIND or order_snapshot.parts_in(row.entry.body) > 1:
            return
        what = order_snapshot.from_parts([row.entry.body], 0).what
        assert isinstance(what, Snapshot)  # noqa: S101 - from_parts makes nothing else
        state = what.state
        said = state.ledger["terms"]
        instruments = {one.symbol: one for one in state.instruments}
        ledger = load(state.ledger, AccountTerms(said["broker"], said["account"], said["currency"]), instruments)
        fills = list(self.scene.told.fills.get(row.entry.stream, {}).values())
        for symbol, instrument in instruments.items():
            self._compare(row, ledger, instrument, [one for one in fills if one.symbol == symbol])

    def _compare(self, row: Row, ledger: Ledger, instrument: Instrument, fills: list[ToldFill]) -> None:
        position = ledger.position(instrument.symbol)
        held, paid, fees = _sums(fills)
        average = Fraction(position.average_price or 0)
        realised = (held * average - paid) * Fraction(instrument.multiplier)
        where = f"row {row.seq}, {instrument.symbol} in {row.entry.stream}"
        if Fraction(position.quantity) != held:
            self.broken(f"{where}: the books hold {position.quantity}, the fills come to {float(held):g}")
        elif abs(Fraction(position.realised) - realised) > Fraction(FINEST) * max(abs(paid), Fraction(1)):
            self.broken(f"{where}: the books made {position.realised}, the fills come to {float(realised):g}")
        booked = sum((Fraction(one.fees) for one in ledger.statements()), Fraction(0))
        if len(ledger.symbols()) == 1 and booked != fees:
            self.broken(f"{where}: the books paid fees of {float(booked):g}, the fills come to {float(fees):g}")


def _sums(fills: list[ToldFill]) -> tuple[Fraction, Fraction, Fraction]:
    """The quantity held, what was paid for it, and the fees."""
    held = paid = fees = Fraction(0)
    for fill in fills:
        held += Fraction(fill.signed)
        paid += Fraction(fill.signed) * Fraction(fill.price)
        fees += Fraction(fill.fee)
    return held, paid, fees
