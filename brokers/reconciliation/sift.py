"""Puts aside what a broker cannot mean: entries with impossible numbers or unknown symbols never reach the books."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

import attrs

from brokers.instruments import Instrument, Kind, sane
from brokers.model import Fill, OrderState
from brokers.reconciliation.events import Alert, Concern
from brokers.reconciliation.truth import Answer, Held, Listing, Told, Truth

T = TypeVar("T", Told, Fill, Held)

Instruments = Mapping[str, Instrument]


def sifted(truth: Truth, instruments: Instruments) -> Truth:
    """The truth without impossible entries; a list that lost one is no longer sound."""
    aside: list[Alert] = []

    def sift(listing: Listing[T] | None, fault: Callable[[T, Instruments], str | None]) -> Listing[T] | None:
        if listing is None:
            return None
        faults = [fault(item, instruments) for item in listing.items]
        if not any(faults):
            return listing
        aside.extend(_alert(item, wrong) for item, wrong in zip(listing.items, faults, strict=True) if wrong)
        kept = tuple(item for item, wrong in zip(listing.items, faults, strict=True) if not wrong)
        return attrs.evolve(listing, items=kept, sound=False)

    rows = truth.fills and attrs.evolve(
        truth.fills, items=tuple(fill for fill in truth.fills.items if fill.symbol not in truth.combos)
    )
    return attrs.evolve(
        truth,
        open_orders=sift(truth.open_orders, order_fault),
        orders=sift(truth.orders, order_fault),
        fills=sift(rows, fill_fault),
        answers={key: answer for key, answer in truth.answers.items() if _believed(answer, instruments, aside)},
        positions_before=sift(truth.positions_before, position_fault),
        positions_after=sift(truth.positions_after, position_fault),
        quarantined=tuple(dict.fromkeys(aside)),
    )


def _believed(answer: Answer, instruments: Instruments, aside: list[Alert]) -> bool:
    wrong = answer.told and order_fault(answer.told, instruments)
    if wrong and answer.told:
        aside.append(_alert(answer.told, wrong))
    return not wrong


def order_fault(told: Told, instruments: Instruments) -> str | None:
    """What is impossible about a listed order; None when nothing is."""
    report, order = told.report, told.report.order
    if order.symbol not in instruments:
        return f"expected a known symbol, got {order.symbol!r}"
    if not (sane(order.quantity) and order.quantity > 0):
        return f"expected a positive quantity, got {order.quantity}"
    if not (sane(report.filled) and report.filled >= 0):
        return f"expected a filled quantity of zero or more, got {report.filled}"
    if report.filled and report.state is OrderState.REJECTED:
        return f"expected a rejected order without fills, got {report.filled} filled"
    if report.filled and report.average_price is not None:
        return _price_fault(report.average_price, instruments[order.symbol])
    return None


def fill_fault(fill: Fill, instruments: Instruments) -> str | None:
    """What is impossible about an execution; None when nothing is."""
    if fill.symbol not in instruments:
        return f"expected a known symbol, got {fill.symbol!r}"
    if not (sane(fill.quantity) and fill.quantity > 0):
        return f"expected a positive quantity, got {fill.quantity}"
    if not sane(fill.fee):
        return f"expected a fee that is a number, got {fill.fee}"
    return _price_fault(fill.price, instruments[fill.symbol])


def position_fault(held: Held, instruments: Instruments) -> str | None:
    """What is impossible about a position; None when nothing is."""
    if held.symbol not in instruments:
        return f"expected a known symbol, got {held.symbol!r}"
    if not sane(held.quantity):
        return f"expected a quantity that is a number, got {held.quantity}"
    if not held.quantity or held.average_price is None:
        return None
    return _price_fault(held.average_price, instruments[held.symbol])


def _price_fault(price: Decimal, instrument: Instrument) -> str | None:
    """Only a future's price may be negative, and nothing trades at nought."""
    if sane(price) and (price > 0 or (price < 0 and instrument.kind is Kind.FUTURE)):
        return None
    return f"expected a price, got {price}"


def _alert(item: Told | Fill | Held, wrong: str) -> Alert:
    return Alert(Concern.QUARANTINED, _subject(item), f"{wrong}; put aside; look at the broker's own screen")


def _subject(item: Told | Fill | Held) -> str:
    match item:
        case Told():
            return f"order {item.broker_order_id or item.report.order.key}"
        case Fill():
            return f"execution {item.id}"
        case Held():
            return f"position {item.symbol}"
