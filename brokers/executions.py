"""What is filled of an order, from executions and cumulative reports in any order and any number of times.

The executions count by their ids, each once; a report can only raise what is known. What is filled is the larger
of the two, so a report may come before, after or instead of the executions that it covers.
"""

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import attrs

from brokers.instruments import EXACT
from brokers.model import Fill, Order
from runtime.quick import quick

_ZERO: Final = Decimal(0)
_PLACES: Final = 8  # that an average is told with at the most
_ROUNDED: Final = Decimal(1).scaleb(-_PLACES)
_AVERAGE: Final = decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN)


@quick
@attrs.frozen(weakref_slot=False)
class Execution:
    """What is kept of a fill that counts."""

    quantity: Decimal
    price: Decimal
    fee: Decimal = _ZERO


Restatement = Mapping[str, Execution | None]
"""New readings of executions by id; None is void for good."""


@quick
@attrs.frozen(weakref_slot=False)
class Executions:
    """The quantity facts of one order; sums are exact."""

    by_id: Restatement = attrs.field(factory=dict)
    quantity: Decimal = _ZERO  # of the known executions
    value: Decimal = _ZERO  # sum of quantity times price over them
    reported: Decimal = _ZERO  # the highest cumulative quantity told
    reported_average: Decimal | None = None

    @property
    def filled(self) -> Decimal:
        """The quantity filled, as far as executions or reports tell."""
        quantity, reported = self.quantity, self.reported
        return max(quantity, reported)

    @property
    def owed(self) -> Decimal:
        """How much more the broker counts than the executions we have seen."""
        return max(EXACT.subtract(self.reported, self.quantity), _ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """The average price of what is filled, to 28 digits; None where nothing is, or it was not told."""
        if self.reported > self.quantity:
            return self.reported_average
        return _AVERAGE.divide(self.value, self.quantity) if self.quantity else None

    def knows(self, news: Restatement) -> bool:
        """Whether the news say nothing new."""
        return news.items() <= self.by_id.items()

    def counted(self, filled: Decimal, average_price: Decimal | None) -> "Executions":
        """With a cumulative report taken in; a lower one than known changes nothing."""
        if filled < self.filled or (filled == self.reported and self.reported_average is not None):
            return self
        return attrs.evolve(self, reported=filled, reported_average=average_price)

    def restated(self, news: Restatement) -> "Executions":
        """With executions put in, replaced or made void; what is taken out leaves the reported quantity too."""
        quantity_in, value_in = _sums(news, news)
        quantity, value, reported = (
            EXACT.add(self.quantity, quantity_in),
            EXACT.add(self.value, value_in),
            self.reported,
        )
        if not self.by_id.keys().isdisjoint(news):
            quantity_out, value_out = _sums(self.by_id, news)
            quantity, value = EXACT.subtract(quantity, quantity_out), EXACT.subtract(value, value_out)
            if quantity_in < quantity_out:
                reported = max(EXACT.add(reported, EXACT.subtract(quantity_in, quantity_out)), _ZERO)
        return Executions({**self.by_id, **news}, quantity, value, reported, self.reported_average)


NO_EXECUTIONS: Final = Executions()


def implied_fill(
    order: Order,
    known: Executions,
    filled: Decimal,
    average_price: Decimal,
    *,
    broker: str,
    account: str,
    broker_order_id: str,
    time_ns: int,
) -> Fill | None:
    """The fill behind a cumulative report of a broker without execution ids; None when the report is not new.

    Its id is made of the order's id and the cumulative quantity, so that the same report never counts twice. Of all
    prices that a rounded average may stand for it has the one with the fewest digits.
    """
    if filled <= known.quantity:
        return None
    quantity = EXACT.subtract(filled, known.quantity)
    value = EXACT.subtract(EXACT.multiply(filled, average_price), known.value)
    return Fill(
        id=f"{broker_order_id}/{EXACT.normalize(filled):f}",
        broker=broker,
        account=account,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=_implied_price(value, quantity, filled),
        time_ns=time_ns,
        order_key=order.key,
        broker_order_id=broker_order_id,
    )


def _implied_price(value: Decimal, quantity: Decimal, filled: Decimal) -> Decimal:
    price = _AVERAGE.divide(value, quantity)
    off = _AVERAGE.divide(EXACT.multiply(filled, _ROUNDED), quantity)
    for digits in range(_PLACES):
        near = price.quantize(Decimal((0, (1,), -digits)), context=_AVERAGE)
        if abs(EXACT.subtract(near, price)) <= off:
            return near
    return price


def _sums(book: Restatement, ids: Restatement) -> tuple[Decimal, Decimal]:
    quantity = value = _ZERO
    for execution_id in ids:
        execution = book.get(execution_id)
        if execution is not None:
            quantity = EXACT.add(quantity, execution.quantity)
            value = EXACT.add(value, EXACT.multiply(execution.quantity, execution.price))
    return quantity, value
