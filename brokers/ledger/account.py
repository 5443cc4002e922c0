"""All state of one account's ledger, as data; brokers.ledger.ledger writes it, brokers.ledger.report reads it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import attrs

from brokers.instruments import Instrument
from brokers.ledger.book import Book
from brokers.ledger.errors import UnknownInstrument
from brokers.ledger.facts import FlowKind, Mark, Rate
from brokers.ledger.seen import RecentIds, Seen
from brokers.ledger.terms import AccountTerms, Marking


class FlowKey(NamedTuple):
    """What cash flows are summed by."""

    kind: FlowKind
    currency: str
    symbol: str | None
    session: str | None


@attrs.define
class Account:
    """The books, cash flows, marks and rates of one account; `instruments` stays the caller's and may grow."""

    terms: AccountTerms
    instruments: Mapping[str, Instrument]
    fills: Seen = attrs.field(factory=RecentIds)
    others: Seen = attrs.field(factory=RecentIds)  # ids of cash flows, settlements and corrections
    books: dict[str, Book] = attrs.field(factory=dict)
    flows: dict[FlowKey, Decimal] = attrs.field(factory=dict)
    marks: dict[str, Mark] = attrs.field(factory=dict)
    rates: dict[str, Rate] = attrs.field(factory=dict)
    time_ns: int = 0  # of the latest cash flow

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; raises UnknownInstrument."""
        found = self.instruments.get(symbol)
        if found is None:
            raise UnknownInstrument(symbol)
        return found

    def book(self, symbol: str) -> Book:
        """The book of a symbol, or a blank one that is not kept; raises UnknownInstrument."""
        return self.books.get(symbol) or self._blank(symbol)

    def _blank(self, symbol: str) -> Book:
        instrument = self.instrument(symbol)
        return Book(instrument, self.terms.quantum(instrument.settlement), self.terms.reorder)

    def mark_price(self, symbol: str, quantity: int) -> Decimal | None:
        """The price a position is valued at by the account's terms; None when flat or not known."""
        mark = self.marks.get(symbol)
        if mark is None or not quantity:
            return None
        if self.terms.marking is Marking.BROKER:
            return mark.price
        return mark.bid if quantity > 0 else mark.ask

    def latest_ns(self) -> int:
        """The time of the latest fact."""
        latest = self.time_ns
        facts: Mapping[str, Book | Mark | Rate]
        for facts in (self.books, self.marks, self.rates):
            for fact in facts.values():
                latest = max(latest, fact.time_ns)
        return latest
