"""Bad input is refused with its value, and the books are to the last digit as they were before."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.instruments import Instrument, Kind
from brokers.ledger import (
    AccountTerms,
    BadFact,
    Fact,
    FlowKind,
    Ledger,
    LedgerError,
    Mark,
    Marking,
    Rate,
    Settlement,
    UnknownInstrument,
    WrongAccount,
    dump,
)
from tests.brokers.ledger.makers import (
    ACCOUNT,
    BROKER,
    BUY,
    LISTED,
    SELL,
    SPOT,
    D,
    bought,
    fill,
    flow,
    holds,
    marked,
    new_ledger,
)

NOT_NUMBERS = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D("1E+41"), D("1E-41"), D("1." + "1" * 90), 1.5, "1",
               None]  # fmt: skip


def used_ledger() -> Ledger:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 5000), (SELL, 1, 5001), symbol="ESZ26", session="a", fee=2)
    ledger.mark(marked("ESZ26", 5002))
    return ledger


def assert_refused(refusable: Fact, error: type[LedgerError], **attributes: Any) -> None:
    ledger = used_ledger()
    before = dump(ledger)
    with pytest.raises(error) as refused:
        ledger.record(refusable)
    assert dump(ledger) == before
    for name, value in attributes.items():
        assert getattr(refused.value, name) is value or getattr(refused.value, name) == value


@pytest.mark.parametrize("value", [*NOT_NUMBERS, D(0), D(-1), D("-0")], ids=repr)
def test_a_quantity_must_be_a_positive_number(value: Any) -> None:
    assert_refused(attrs.evolve(fill(9, BUY, 1, 5000, "ESZ26"), quantity=value), BadFact, field="quantity")


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_a_price_must_be_a_number(value: Any) -> None:
    assert_refused(attrs.evolve(fill(9, BUY, 1, 5000, "ESZ26"), price=value), BadFact, field="price")


@pytest.mark.parametrize("symbol", ["AAPL", "BTC-USD", "ETH-PERP", "XBTUSD"])
@pytest.mark.parametrize("price", [0, -1])
def test_only_a_dated_future_can_have_a_price_that_is_not_positive(symbol: str, price: int) -> None:
    assert_refused(fill(9, BUY, 1, price, symbol), BadFact, field="price", value=price)
    ledger = new_ledger()
    assert ledger.apply(fill(9, BUY, 1, price, "CLZ26")) is not None
    assert ledger.position("CLZ26").average_price == price


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_a_fee_must_be_a_number(value: Any) -> None:
    assert_refused(attrs.evolve(fill(9, BUY, 1, 5000, "ESZ26"), fee=value), BadFact, field="fee")


def test_a_side_must_be_a_side() -> None:
    side: Any = "buy"
    for price in (5000, "5000.1234"):  # on the grid, and finer than anything before
        assert_refused(attrs.evolve(fill(9, BUY, 1, price, "ESZ26"), side=side), BadFact, field="side", value="buy")


@pytest.mark.parametrize("id_", ["", 7])
def test_a_fill_without_an_id_is_refused(id_: Any) -> None:
    assert_refused(attrs.evolve(fill(9, BUY, 1, 5000, "ESZ26"), id=id_), BadFact, field="id", value=id_)


@pytest.mark.parametrize("time_ns", [-1, 1.5e18, None])
def test_a_time_is_whole_nanoseconds(time_ns: Any) -> None:
    assert_refused(attrs.evolve(fill(9, BUY, 1, 5000, "ESZ26"), time_ns=time_ns), BadFact, field="time_ns")


@pytest.mark.parametrize("owner", [{"account": "A2"}, {"broker": "other"}])
def test_a_fact_of_another_account_is_refused(owner: dict[str, Any]) -> None:
    stray = fill(9, BUY, 1, 5000, "ESZ26", **owner)
    assert_refused(stray, WrongAccount, fact=stray, broker=BROKER, account=ACCOUNT)
    assert_refused(attrs.evolve(flow("x", FlowKind.DEPOSIT, 1), **owner), WrongAccount)


@pytest.mark.parametrize(
    "fact",
    [
        fill(9, BUY, 1, 5000, "NONE"),
        marked("NONE", 1),
        Settlement("s", BROKER, ACCOUNT, "NONE", D(1), 1),
        flow("x", FlowKind.DIVIDEND, 1, symbol="NONE"),
    ],
)
def test_an_unknown_instrument_is_refused(fact: Fact) -> None:
    assert_refused(fact, UnknownInstrument, symbol="NONE")


def test_reading_an_unknown_instrument_is_refused() -> None:
    with pytest.raises(UnknownInstrument):
        new_ledger().position("NONE")


@pytest.mark.parametrize("price", [*NOT_NUMBERS[:-1], D(0), D(-5)], ids=repr)
def test_a_mark_must_be_a_price(price: Any) -> None:
    assert_refused(Mark("AAPL", 5, bid=price, ask=D(1)), BadFact, field="bid")


def test_a_mark_must_be_of_the_kind_that_the_account_is_marked_by() -> None:
    assert_refused(Mark("AAPL", 5, price=D(1)), BadFact, field="bid or ask")
    ledger = new_ledger(Marking.BROKER)
    with pytest.raises(BadFact, match="marked by broker"):
        ledger.mark(marked("AAPL", 1))


@pytest.mark.parametrize("value", [*NOT_NUMBERS, D(0), D(-1)], ids=repr)
def test_a_rate_must_be_a_positive_number(value: Any) -> None:
    assert_refused(Rate("EUR", value, 5), BadFact, field="value")


def test_a_rate_of_the_accounts_own_currency_is_refused() -> None:
    assert_refused(Rate("USD", D(1), 5), BadFact, field="currency", value="USD")


@pytest.mark.parametrize(
    ("kind", "amount"),
    [(FlowKind.DEPOSIT, -1), (FlowKind.DEPOSIT, 0), (FlowKind.WITHDRAWAL, 1), (FlowKind.FUNDING, "NaN")],
)
def test_a_cash_flow_goes_its_own_way(kind: FlowKind, amount: Any) -> None:
    assert_refused(flow("x", kind, amount), BadFact, field="amount")


def test_a_cash_flow_has_a_currency() -> None:
    assert_refused(flow("x", FlowKind.DEPOSIT, 1, currency=""), BadFact, field="currency")


@pytest.mark.parametrize("price", [*NOT_NUMBERS[:4], D(0)], ids=repr)
def test_a_settlement_needs_a_price(price: Any) -> None:
    assert_refused(Settlement("s", BROKER, ACCOUNT, "ETH-PERP", price, 5), BadFact, field="price")


@pytest.mark.parametrize("symbol", ["AAPL", "BTC-USD"])
def test_what_is_paid_in_full_is_not_settled(symbol: str) -> None:
    assert_refused(Settlement("s", BROKER, ACCOUNT, symbol, D(1), 5), BadFact, field="symbol", value=symbol)


def test_a_spot_instrument_with_a_multiplier_is_refused() -> None:
    ledger = Ledger(AccountTerms(BROKER, ACCOUNT, "USD"), {"BTC-USD": attrs.evolve(SPOT, multiplier=D(2))})
    with pytest.raises(BadFact, match="multiplier"):
        ledger.apply(fill(1, BUY, 1, 1, "BTC-USD"))


def test_a_number_of_a_hundred_thousand_digits_is_refused_at_once() -> None:
    huge = Decimal("1." + "3" * 100_000)
    assert_refused(attrs.evolve(fill(9, BUY, 1, 5000, "ESZ26"), quantity=huge), BadFact, field="quantity")


def test_an_error_tells_what_was_expected_what_came_and_what_to_do() -> None:
    with pytest.raises(BadFact) as refused:
        new_ledger().apply(fill(9, BUY, 0, 5000, "ESZ26"))
    assert "Fill.quantity must be positive" in str(refused.value)
    assert "got Decimal('0'); nothing was booked; correct" in str(refused.value)


EXTREMES = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.sampled_from([D("1E+40"), D("9" * 40), D("1E-40"), D("0." + "1" * 40), D("1E+4000"), D("-0"), D("0E-900")]),
)


@settings(max_examples=150, deadline=None)
@given(EXTREMES, EXTREMES, EXTREMES, st.sampled_from(sorted(LISTED)), st.sampled_from(["", "BTC", "BNB"]))
def test_whatever_numbers_come_a_fill_is_booked_whole_or_refused_whole(
    quantity: Decimal, price: Decimal, fee: Decimal, symbol: str, currency: str
) -> None:
    ledger = used_ledger()
    before, held = dump(ledger), ledger.position(symbol).quantity
    one = attrs.evolve(fill(9, SELL, 1, 1, symbol, fee_currency=currency), quantity=quantity, price=price, fee=fee)
    try:
        entry = ledger.apply(one)
    except LedgerError:
        assert dump(ledger) == before
    else:
        assert entry is not None
        in_kind = LISTED[symbol].kind is Kind.SPOT and currency == "BTC"
        assert holds(ledger)
        assert in_kind or held == Fraction(entry.quantity) + Fraction(quantity)


def test_listed_instruments_are_read_when_they_are_needed() -> None:
    listed: dict[str, Instrument] = {}
    ledger = Ledger(AccountTerms(BROKER, ACCOUNT, "USD"), listed)
    with pytest.raises(UnknownInstrument):
        ledger.apply(fill(1, BUY, 1, 1))
    listed["ONE"] = LISTED["ONE"]
    assert ledger.apply(fill(1, BUY, 1, 1)) is not None
