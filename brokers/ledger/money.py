"""The account's money in one pass over its books, because it is told with every execution; no attribution, no detail.

What it says is the sum of the converted statements of brokers.ledger.report, to the last digit.
"""

from decimal import Decimal

from brokers.instruments import Kind
from brokers.ledger.account import Account
from brokers.ledger.book import Book
from brokers.ledger.errors import RateMissing
from brokers.ledger.facts import FlowKind
from brokers.ledger.figures import cost_of, fees_of, settled_of
from brokers.ledger.measure import paid_in_full
from brokers.ledger.scaling import ZERO, add, magnitude, multiply, negative, subtract
from brokers.model import AccountSummary, Margin


class _Sums:
    """Running sums in one currency."""

    __slots__ = ("cash", "fees", "initial", "maintenance", "market", "realised", "tied", "unrealised")

    def __init__(self) -> None:
        self.cash = self.market = self.realised = self.unrealised = ZERO
        self.fees = self.initial = self.maintenance = self.tied = ZERO

    def take(self, account: Account, book: Book) -> None:
        """Adds what one book holds and did."""
        net, measure, instrument = book.net, book.measure, book.instrument
        flow = multiply(Decimal(net.flow), measure.unit)
        fees = fees_of(net, measure)
        self.fees = add(self.fees, fees)
        if not net.quantity:
            self.cash = add(self.cash, subtract(flow, fees))
            self.realised = add(self.realised, flow)
            return
        mark, cost = account.mark_price(instrument.symbol, net.quantity), cost_of(net, measure)
        value = cost if mark is None else measure.worth(net.quantity, mark)
        realised, unrealised = add(flow, cost), subtract(value, cost)
        if paid_in_full(instrument):
            cash, market = flow, value
        else:
            settled = settled_of(net, measure)
            cash, market = add(realised, settled), subtract(unrealised, settled)
        self.cash = add(self.cash, subtract(cash, fees))
        self.market = add(self.market, market)
        self.realised = add(self.realised, realised)
        self.unrealised = add(self.unrealised, unrealised)
        self._tie(book, value)

    def _tie(self, book: Book, value: Decimal) -> None:
        instrument = book.instrument
        extent = magnitude(book.held() if instrument.kind is Kind.FUTURE else value)
        initial = multiply(extent, instrument.initial_margin)
        self.initial = add(self.initial, initial)
        self.maintenance = add(self.maintenance, multiply(extent, instrument.maintenance_margin))
        whole = paid_in_full(instrument) and not instrument.initial_margin
        self.tied = add(self.tied, magnitude(value) if whole else initial)

    def convert(self, rate: Decimal) -> "_Sums":
        """The sums in another currency."""
        other = _Sums()
        for name in _Sums.__slots__:
            setattr(other, name, multiply(getattr(self, name), rate))
        return other

    def join(self, other: "_Sums") -> None:
        """Adds other sums of the same currency."""
        for name in _Sums.__slots__:
            setattr(self, name, add(getattr(self, name), getattr(other, name)))


def summary(account: Account) -> AccountSummary:
    """The account's money in its own currency; raises RateMissing."""
    own = account.terms.currency
    by_currency = {own: _Sums()}
    for book in account.books.values():
        currency = book.settlement
        sums = by_currency.get(currency) or by_currency.setdefault(currency, _Sums())
        sums.take(account, book)
    for key, amount in account.flows.items():
        sums = by_currency.get(key.currency) or by_currency.setdefault(key.currency, _Sums())
        sums.cash = add(sums.cash, amount)
        if key.kind is FlowKind.FEE:
            sums.fees = add(sums.fees, negative(amount))
    sums = by_currency.pop(own)
    for currency in sorted(by_currency):
        rate = account.rates.get(currency)
        if rate is None:
            raise RateMissing(currency, own)
        sums.join(by_currency[currency].convert(rate.value))
    equity = add(sums.cash, sums.market)
    return AccountSummary(
        account.terms.account,
        own,
        sums.cash,
        equity,
        sums.realised,
        sums.unrealised,
        sums.fees,
        Margin(sums.initial, sums.maintenance),
        subtract(equity, sums.tied),
        account.latest_ns(),
    )
