"""Rule 11: totals per order become fills, once each, and must not shrink."""

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.instruments import Instrument
from brokers.ledger import BadFact, CashFlow, CumulativeReport, FlowKind, NotMonotone, Progress, deltas
from brokers.model import Fill
from tests.brokers.ledger.makers import ACCOUNT, BROKER, BUY, CL, INVERSE, STOCK, D, new_ledger, of


def report(filled: Any, average: Any, instrument: Instrument = STOCK, **more: Any) -> CumulativeReport:
    price = None if average is None else D(str(average))
    told = CumulativeReport("o1", BROKER, ACCOUNT, instrument.symbol, BUY, D(str(filled)), price, 1)
    return attrs.evolve(told, **more)


def facts_of(*reports: CumulativeReport, instrument: Instrument = STOCK) -> list[Fill | CashFlow]:
    facts: list[Fill | CashFlow] = []
    for told in reports:
        facts.extend(deltas(Progress.of(instrument, facts), told))
    return facts


def test_totals_become_the_fills_between_them() -> None:
    first, second = facts_of(report(2, 100, time_ns=5), report(5, 106, time_ns=7, session="a"))
    assert isinstance(first, Fill)
    assert isinstance(second, Fill)
    assert of(first.id, first.quantity, first.price, first.time_ns) == ("o1@2", 2, 100, 5)
    assert of(second.id, second.quantity, second.price, second.session) == ("o1@5", 3, 110, "a")
    assert second.broker_order_id == "o1"


def test_the_same_total_twice_is_no_fill() -> None:
    assert len(facts_of(report(2, 100), report("2.000", "100.0"))) == 1
    assert facts_of(report(0, None)) == []


def test_one_fill_has_one_id_however_its_total_is_written() -> None:
    assert facts_of(report("200", 1))[0].id == facts_of(report("2E+2", 1))[0].id == "o1@200"
    assert facts_of(report("0.50", 1))[0].id == "o1@0.5"


def test_fees_come_as_differences_and_late_ones_as_cash_flows() -> None:
    first, late, second = facts_of(report(2, 100, fee=D(1)), report(2, 100, fee=D("1.5")), report(3, 100, fee=D(2)))
    assert isinstance(first, Fill)
    assert first.fee == 1
    assert isinstance(late, CashFlow)
    assert (late.kind, late.amount, late.currency, late.id) == (FlowKind.FEE, D("-0.5"), "USD", "o1@2/fee=1.5")
    assert isinstance(second, Fill)
    assert second.fee == D("0.5")


@pytest.mark.parametrize("instrument", [STOCK, CL, INVERSE])
def test_a_shrinking_total_is_refused(instrument: Instrument) -> None:
    with pytest.raises(NotMonotone, match="filled quantity shrank") as refused:
        facts_of(report(5, 100, instrument), report(4, 100, instrument), instrument=instrument)
    assert (refused.value.report.filled, refused.value.filled_before) == (4, 5)


def test_a_shrinking_value_is_refused_but_for_futures_which_can_be_sold_below_nothing() -> None:
    with pytest.raises(NotMonotone, match="value filled shrank"):
        facts_of(report(5, 100), report(6, 10))
    assert facts_of(report(5, 1, CL), report(6, 0, CL), instrument=CL)[1].price == -5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"filled": D("NaN")}, "filled"),
        ({"average_price": None}, "average_price"),
        ({"average_price": D("NaN")}, "average_price"),
        ({"average_price": D(0)}, "average_price"),
        ({"fee": D("Infinity")}, "fee"),
    ],
)
def test_totals_that_are_not_numbers_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadFact) as refused:
        facts_of(attrs.evolve(report(1, 100), **change))
    assert refused.value.field == field


def test_the_totals_of_an_inverse_order_average_harmonically() -> None:
    _, second = facts_of(report(100, 40_000, INVERSE), report(200, 48_000, INVERSE), instrument=INVERSE)
    assert isinstance(second, Fill)
    assert second.price == 60_000


sizes = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 10_000)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(2, 6), st.data())
def test_whatever_reports_are_missed_the_ledger_ends_at_the_last_total(
    steps: list[tuple[int, int]], places: int, data: st.DataObject
) -> None:
    filled, value, reports = Decimal(0), Decimal(0), []
    for quantity, cents in steps:
        filled, value = filled + quantity, value + quantity * Decimal(cents) / 100
        average = round(value / filled, places)
        reports.append(report(filled, average))
    told = [one for one in reports if data.draw(st.booleans())] + reports[-1:]
    ledger, facts = new_ledger(), list[Fill | CashFlow]()
    for one in told:
        try:
            facts.extend(deltas(Progress.of(STOCK, facts), one))
        except NotMonotone:  # rounding of tiny averages can make a value shrink
            return
    for fact in facts:
        ledger.record(fact)
    position = ledger.position("AAPL")
    assert position.quantity == filled
    assert position.average_price is not None
    assert reports[-1].average_price is not None
    assert abs(position.average_price - reports[-1].average_price) < Decimal("1e-15")
