"""Rule 11: a broker that reports only totals per order; its reports are turned into fills, once each.

What an order's fills have booked so far is its Progress, a fold over these fills, so nothing extra has to be stored.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import attrs

from brokers.instruments import Instrument, Kind
from brokers.ledger.errors import BadFact, NotMonotone
from brokers.ledger.facts import CashFlow, FlowKind
from brokers.ledger.scaling import EXACT, SOUND, ZERO, add, negative, shown, sound, subtract
from brokers.model import Fill, Liquidity
from brokers.sides import Side


@attrs.frozen
class CumulativeReport:
    """What a broker says of one order as totals; `time_ns` is the report's."""

    order_id: str
    broker: str
    account: str
    symbol: str
    side: Side
    filled: Decimal
    average_price: Decimal | None
    time_ns: int
    fee: Decimal = ZERO
    fee_currency: str = ""
    order_key: str | None = None
    session: str | None = None


@attrs.frozen
class Progress:
    """What the facts made of one order's reports have booked in all."""

    instrument: Instrument
    filled: Decimal = ZERO
    value: Fraction = Fraction(0)  # quantity x price, for inverse quantity / price
    fee: Decimal = ZERO

    @classmethod
    def of(cls, instrument: Instrument, facts: Iterable[Fill | CashFlow]) -> "Progress":
        """The progress after all facts of one order."""
        progress = cls(instrument)
        for fact in facts:
            progress = progress.after(fact)
        return progress

    def after(self, fact: Fill | CashFlow) -> "Progress":
        """The progress after one more fact."""
        if isinstance(fact, CashFlow):
            return attrs.evolve(self, fee=subtract(self.fee, fact.amount))
        value = self.value + self.value_of(fact.quantity, Fraction(fact.price))
        return Progress(self.instrument, add(self.filled, fact.quantity), value, add(self.fee, fact.fee))

    def value_of(self, quantity: Decimal, price: Fraction) -> Fraction:
        """What `value` grows by with a quantity at a price."""
        inverse = self.instrument.kind is Kind.INVERSE
        return Fraction(quantity) / price if inverse else Fraction(quantity) * price


def deltas(progress: Progress, report: CumulativeReport) -> tuple[Fill | CashFlow, ...]:
    """The facts that lead from what is booked to what is reported: a fill, a late fee, or nothing.

    The fill's price makes the totals come out at the reported average, rounded to 20 digits; what rounding leaves is
    made up by the order's next fill. Raises NotMonotone for totals that shrink, BadFact for what is not a number.
    """
    _check(progress, report)
    quantity = subtract(report.filled, progress.filled)
    fee = subtract(report.fee, progress.fee)
    if quantity:
        return (_fill(progress, report, quantity, fee),)
    return (_late_fee(progress.instrument, report, fee),) if fee else ()


def _check(progress: Progress, report: CumulativeReport) -> None:
    for field in ("filled", "fee"):
        if not sound(getattr(report, field)):
            raise BadFact(report, field, getattr(report, field), SOUND)
    if report.filled < progress.filled:
        raise NotMonotone(report, progress.filled, "the filled quantity shrank")
    if report.filled > ZERO and not sound(report.average_price):
        raise BadFact(report, "average_price", report.average_price, SOUND)
    if report.filled > ZERO and report.average_price == ZERO and progress.instrument.kind is not Kind.FUTURE:
        raise BadFact(report, "average_price", report.average_price, f"positive and {SOUND}")


def _fill(progress: Progress, report: CumulativeReport, quantity: Decimal, fee: Decimal) -> Fill:
    return Fill(
        id=f"{report.order_id}@{_plain(report.filled)}",
        broker=report.broker,
        account=report.account,
        symbol=report.symbol,
        side=report.side,
        quantity=quantity,
        price=_price(progress, report, quantity),
        time_ns=report.time_ns,
        order_key=report.order_key,
        broker_order_id=report.order_id,
        fee=fee,
        fee_currency=report.fee_currency,
        liquidity=Liquidity.UNKNOWN,
        session=report.session,
    )


def _price(progress: Progress, report: CumulativeReport, quantity: Decimal) -> Decimal:
    """The price at which the new quantity makes up the difference in value."""
    average = Fraction(report.average_price or ZERO)
    missing = progress.value_of(report.filled, average) - progress.value
    kind = progress.instrument.kind
    if missing <= 0 and kind is not Kind.FUTURE:
        raise NotMonotone(report, progress.filled, "the value filled shrank")
    price = Fraction(quantity) / missing if kind is Kind.INVERSE else missing / Fraction(quantity)
    return shown(price.numerator, price.denominator)


def _late_fee(instrument: Instrument, report: CumulativeReport, fee: Decimal) -> CashFlow:
    return CashFlow(
        id=f"{report.order_id}@{_plain(report.filled)}/fee={_plain(report.fee)}",
        broker=report.broker,
        account=report.account,
        kind=FlowKind.FEE,
        amount=negative(fee),
        currency=report.fee_currency or instrument.settlement,
        time_ns=report.time_ns,
        symbol=report.symbol,
        session=report.session,
    )


def _plain(number: Decimal) -> str:
    """One text for one number, however many zeros it came with."""
    return f"{EXACT.normalize(number):f}"
