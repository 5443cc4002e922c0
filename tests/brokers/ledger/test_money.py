"""Cash by kind of instrument, fees, marks, settlement, margin, currencies and trade statistics."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest

from brokers.instruments import Instrument, Kind
from brokers.ledger import BadFact, FlowKind, Ledger, Mark, Marking, Rate, RateMissing, Settlement
from brokers.ledger.scaling import shown
from tests.brokers.ledger.makers import (
    ACCOUNT,
    BROKER,
    BUY,
    LISTED,
    SELL,
    D,
    bought,
    fill,
    flow,
    holds,
    marked,
    new_ledger,
    of,
    terms,
)


def test_a_position_never_opened_is_flat_without_average_or_mark() -> None:
    position = new_ledger().position("ESZ26")
    assert of(position.quantity, position.average_price, position.mark, position.unrealised) == (0, None, None, 0)


def test_a_flat_position_has_no_average_and_keeps_what_it_realised() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (SELL, 1, 103))
    ledger.mark(marked("ONE", 110))
    position = ledger.position("ONE")
    assert of(position.average_price, position.mark, position.unrealised, position.realised) == (None, None, 0, 3)


def test_a_long_is_marked_at_the_bid_and_a_short_at_the_ask() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 2, 100))
    ledger.apply(fill(2, SELL, 2, 100, "AAPL"))
    for symbol in ("ONE", "AAPL"):
        ledger.mark(marked(symbol, 101, 103))
    assert of(ledger.position("ONE").mark, ledger.position("ONE").unrealised) == (101, 2)
    assert of(ledger.position("AAPL").mark, ledger.position("AAPL").unrealised) == (103, -6)


def test_an_account_marked_by_the_broker_takes_the_brokers_mark_for_both_sides() -> None:
    ledger = new_ledger(Marking.BROKER)
    bought(ledger, (SELL, 2, 100))
    ledger.mark(Mark("ONE", 1, bid=D(90), ask=D(110), price=D(99)))
    assert of(ledger.position("ONE").mark, ledger.position("ONE").unrealised) == (99, 2)


def test_a_side_that_a_quote_does_not_give_keeps_its_last_price() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100))
    ledger.mark(marked("ONE", 101, 102, time_ns=5))
    ledger.mark(Mark("ONE", 6, ask=D(105)))
    assert ledger.position("ONE").mark == 101


def test_an_older_mark_or_rate_changes_nothing() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100))
    assert ledger.mark(marked("ONE", 105, time_ns=9))
    assert not ledger.mark(marked("ONE", 90, time_ns=8))
    assert ledger.rate(Rate("EUR", D("1.1"), 9))
    assert not ledger.rate(Rate("EUR", D("1.2"), 8))
    assert of(ledger.position("ONE").mark, ledger.convert(D(1), "EUR").amount) == (105, D("1.1"))


def test_unrealised_follows_every_mark_and_every_fill() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 4, 100), symbol="ESZ26")
    seen = []
    for time_ns, bid in ((1, 101), (2, 99)):
        ledger.mark(marked("ESZ26", bid, time_ns=time_ns))
        seen.append(ledger.position("ESZ26").unrealised)
    ledger.apply(fill(5, SELL, 1, 99, "ESZ26"))
    assert [*seen, ledger.position("ESZ26").unrealised] == [200, -200, -150]


def test_stock_sold_short_brings_its_price_in_cash() -> None:
    ledger = new_ledger()
    bought(ledger, (SELL, 10, 100), symbol="AAPL", fee=1)
    ledger.mark(marked("AAPL", 90, 91))
    assert of(ledger.summary().cash, ledger.summary().equity) == (999, 89)


def test_a_fee_in_the_base_currency_changes_the_quantity_held() -> None:
    ledger = new_ledger()
    ledger.post(flow("d", FlowKind.DEPOSIT, 50_000))
    entry = ledger.apply(fill(1, BUY, 1, 50_000, "BTC-USD", fee="0.0012345678", fee_currency="BTC"))
    position = ledger.position("BTC-USD")
    assert of(position.quantity, position.average_price) == (D("0.9987654322"), 50_000)
    assert entry is not None
    assert of(entry.fee, entry.cash) == (D("61.72839"), -50_000)
    ledger.mark(marked("BTC-USD", 50_000))
    assert of(ledger.summary().cash, ledger.summary().equity) == (0, 50_000 - D("61.72839"))
    assert holds(ledger)


def test_a_rebate_is_a_negative_fee() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (SELL, 1, 100), fee="-0.25")
    assert (ledger.summary().cash, ledger.summary().fees) == (D("0.50"), D("-0.50"))


def test_a_fee_in_a_third_currency_is_that_currencys_cash() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 50_000), symbol="BTC-USD", fee="0.03", fee_currency="BNB")
    assert [(b.currency, b.cash) for b in ledger.balances()] == [("BNB", D("-0.03")), ("USD", -50_000)]
    ledger.rate(Rate("BNB", D(600), 1))
    assert ledger.summary().fees == 18


def test_a_late_fee_is_a_cash_flow() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), symbol="AAPL")
    ledger.post(flow("1/fee", FlowKind.FEE, "-1.5", symbol="AAPL"))
    assert (ledger.summary().fees, ledger.summary().cash) == (D("1.5"), D("-101.5"))


@pytest.mark.parametrize("kind", list(FlowKind))
def test_cash_flows_move_cash_and_are_told_apart(kind: FlowKind) -> None:
    ledger = new_ledger()
    amount = D(-7) if kind in (FlowKind.WITHDRAWAL, FlowKind.FEE) else D(7)
    assert ledger.post(flow("x", kind, amount))
    (statement,) = ledger.statements()
    told = attrs.asdict(statement, recurse=False)
    names = {FlowKind.FEE: "fees", FlowKind.DIVIDEND: "dividends", FlowKind.DEPOSIT: "deposits",
             FlowKind.WITHDRAWAL: "withdrawals"}  # fmt: skip
    assert told[names.get(kind, kind.value)] == (7 if kind is FlowKind.FEE else amount)
    assert (statement.cash, statement.equity) == (amount, amount)
    assert holds(ledger)


def test_daily_settlement_moves_unrealised_into_cash_and_keeps_average_and_realised() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 2, 5000), symbol="ESZ26")
    ledger.mark(marked("ESZ26", 5010))
    entry = ledger.settle(Settlement("s1", BROKER, ACCOUNT, "ESZ26", D(5010), 2))
    assert entry is not None
    assert of(entry.cash, entry.realised) == (1000, 0)
    assert of(ledger.summary().cash, ledger.summary().equity) == (1000, 1000)
    assert ledger.position("ESZ26").average_price == 5000
    assert ledger.position("ESZ26").unrealised == 1000
    ledger.mark(marked("ESZ26", 5004, time_ns=3))
    assert of(ledger.summary().cash, ledger.summary().equity) == (1000, 400)
    closing = ledger.apply(fill(4, SELL, 2, 5004, "ESZ26"))
    assert closing is not None
    assert of(closing.cash, closing.realised) == (-600, 400)
    assert of(ledger.summary().cash, ledger.summary().equity) == (400, 400)
    assert holds(ledger)


def test_reducing_a_settled_position_pays_only_the_difference_to_the_settlement_price() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 5000), symbol="ESZ26")
    ledger.settle(Settlement("s1", BROKER, ACCOUNT, "ESZ26", D(5010), 2))
    entry = ledger.apply(fill(4, SELL, 1, 5004, "ESZ26"))
    assert entry is not None
    assert of(entry.cash, entry.realised) == (-300, 200)
    assert ledger.summary().cash == 1200


def test_what_settlement_paid_shrinks_with_the_position_and_stays_where_it_grows() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 5000), symbol="ESZ26")
    ledger.settle(Settlement("s1", BROKER, ACCOUNT, "ESZ26", D(5010), 2))
    ledger.apply(fill(4, SELL, 1, 5010, "ESZ26"))
    assert ledger.summary().cash == 1500
    ledger.apply(fill(5, BUY, 1, 5020, "ESZ26"))
    assert ledger.summary().cash == 1500
    ledger.apply(fill(6, SELL, 3, 5020, "ESZ26"))
    assert ledger.summary().cash == ledger.position("ESZ26").realised == 2500


def test_a_settled_position_can_be_reduced_in_parts_that_do_not_divide() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (BUY, 2, 101), (SELL, 1, 103))
    ledger.settle(Settlement("s", BROKER, ACCOUNT, "ONE", D("101.37"), 4))
    ledger.apply(fill(5, SELL, 1, 102))
    ledger.mark(marked("ONE", "101.5"))
    assert holds(ledger)
    assert ledger.summary().equity == D("-302") + 103 + 102 + D("101.5")
    ledger.apply(fill(6, SELL, 1, "101.5"))
    assert ledger.summary().cash == ledger.summary().equity == D("-302") + 103 + 102 + D("101.5")


def test_an_average_without_a_finite_decimal_is_shown_with_20_digits_and_kept_exactly() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (BUY, 2, 101))
    assert ledger.position("ONE").average_price == D("100.66666666666666667")
    book = ledger.account.books["ONE"]
    basis = book.net.basis
    assert book.measure.average(basis.quantity, basis.cost, basis.over) == Fraction(302, 3)


def test_an_inverse_average_is_harmonic() -> None:
    ledger = Ledger(attrs.evolve(terms(), quanta={}), LISTED)
    bought(ledger, (BUY, 100, 40_000), (BUY, 100, 60_000), symbol="XBTUSD")
    average = ledger.position("XBTUSD").average_price
    assert average is not None
    assert abs(average - 48_000) < D("1e-6")


def test_an_inverse_value_is_rounded_to_what_the_exchange_pays_in() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1000, "65432.5"), (SELL, 1000, "65999.5"), symbol="XBTUSD")
    assert ledger.position("XBTUSD").realised == D("0.01528293") - D("0.01515163")


def test_an_inverse_position_worth_less_than_a_quantum_has_no_average() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 10**10), symbol="XBTUSD")
    assert of(ledger.position("XBTUSD").quantity, ledger.position("XBTUSD").average_price) == (1, None)


@pytest.mark.parametrize(
    ("symbol", "price", "worth"), [("ESZ26", 5000, 500_000), ("ETH-PERP", 3000, 6000), ("XBTUSD", 50_000, "0.00004")]
)
def test_the_notional_of_a_position_has_its_sign_in_settlement_currency(symbol: str, price: int, worth: Any) -> None:
    for side in (BUY, SELL):
        ledger = new_ledger()
        ledger.apply(fill(1, side, 2, price, symbol))
        assert ledger.notional(symbol, D(price)) == side.sign * D(str(worth))
    with pytest.raises(BadFact):
        new_ledger().notional("XBTUSD", D(0))


def test_margin_is_per_contract_for_dated_futures_and_a_share_of_value_otherwise() -> None:
    ledger = new_ledger()
    ledger.post(flow("d", FlowKind.DEPOSIT, 100_000))
    bought(ledger, (SELL, 2, 5000), symbol="ESZ26")
    ledger.apply(fill("e", BUY, 10, 3000, "ETH-PERP"))
    ledger.mark(marked("ETH-PERP", 3100))
    summary = ledger.summary()
    assert summary.margin.initial == 2 * 12_000 + D("0.1") * 31_000
    assert summary.buying_power == summary.equity - summary.margin.initial


def test_what_is_paid_in_full_backs_no_other_trade() -> None:
    ledger = new_ledger()
    ledger.post(flow("d", FlowKind.DEPOSIT, 10_000))
    bought(ledger, (BUY, 60, 100), symbol="AAPL")
    ledger.mark(marked("AAPL", 110))
    summary = ledger.summary()
    assert of(summary.equity, summary.buying_power, summary.margin.initial) == (10_600, 4000, 0)


def test_converted_figures_carry_their_rate_and_its_time() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 2, 20_000), (SELL, 2, 20_010), symbol="FDAXZ26", fee=3)
    with pytest.raises(RateMissing) as missing:
        ledger.summary()
    assert (missing.value.currency, missing.value.into) == ("EUR", "USD")
    ledger.rate(Rate("EUR", D("1.0825"), 77))
    euro, dollar = ledger.converted_statements()
    assert of(euro.realised.original, euro.realised.original_currency) == (500, "EUR")
    assert (euro.realised.amount, euro.realised.currency) == (D("541.25"), "USD")
    assert euro.realised.rate == Rate("EUR", D("1.0825"), 77)
    assert (dollar.statement.currency, dollar.equity.rate) == ("USD", None)
    assert ledger.summary().equity == D("494") * D("1.0825")
    assert ledger.summary().time_ns == 77


def test_statistics_count_trades_from_flat_to_flat_net_of_fees() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 2, 100), (SELL, 1, 110), (SELL, 1, 120), (SELL, 1, 100), (BUY, 1, 105), fee=1)
    told = ledger.statistics("ONE")
    assert (told.trades, told.wins, told.losses) == (2, 1, 1)
    assert of(told.won, told.lost, told.best, told.worst, told.fees) == (27, -7, 27, -7, 5)


def test_a_flip_ends_a_trade_and_splits_its_fee_pro_rata() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (SELL, 4, 110))
    ledger.apply(fill(3, SELL, 1, 100, fee=8))
    ledger.apply(fill(4, BUY, 16, 100, fee=8))
    told = ledger.statistics("ONE")
    assert of(told.trades, told.won, told.lost) == (2, 10 + (3 * 10) - 8 - 2, 0)
    ledger.apply(fill(5, SELL, 12, 100))
    assert ledger.statistics("ONE").worst == -6


def test_statistics_leave_profit_exact_where_the_pro_rata_share_is_not() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (SELL, 3, 100), (BUY, 2, 100), fee=1)
    told = ledger.statistics("ONE")
    assert told.lost == -3
    assert told.lost + told.won == ledger.position("ONE").realised - told.fees


def test_a_break_even_trade_is_neither_won_nor_lost() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (SELL, 1, 100))
    told = ledger.statistics("ONE")
    assert of(told.trades, told.wins, told.losses, told.best) == (1, 0, 0, 0)


def test_fills_off_the_grid_are_booked_exactly() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 5000), symbol="ESZ26")
    ledger.apply(fill(2, BUY, "0.333", "5000.123456789", "ESZ26", session="a"))
    ledger.apply(fill(3, SELL, "1.333", "5001.00000000000000000001", "ESZ26"))
    cost = 5000 + D("0.333") * D("5000.123456789")
    assert ledger.position("ESZ26").realised == 50 * (D("1.333") * D("5001.00000000000000000001") - cost)
    assert holds(ledger)


def test_an_instrument_listed_later_can_be_traded() -> None:
    listed: dict[str, Instrument] = {}
    ledger = Ledger(terms(), listed)
    listed["ESH27"] = Instrument("ESH27", "ES", Kind.FUTURE, "USD", Decimal("0.25"), multiplier=Decimal(50))
    assert ledger.apply(fill(1, BUY, 1, 5000, "ESH27")) is not None
    del listed["ESH27"]
    assert ledger.apply(fill(2, SELL, 1, 5001, "ESH27")) is not None
    assert ledger.position("ESH27").realised == 50


def test_a_reduction_leaves_the_basis_as_it_was() -> None:
    ledger = new_ledger()
    bought(ledger, (SELL, 3, 100), (SELL, 4, 102))
    basis = ledger.account.books["ONE"].net.basis
    ledger.apply(fill(3, BUY, 2, 107))
    ledger.apply(fill(4, BUY, 1, 99))
    assert ledger.account.books["ONE"].net.basis is basis
    ledger.apply(fill(5, SELL, 3, 103))
    average = (Fraction(3 * 100 + 4 * 102, 7) * 4 + 3 * 103) / 7
    assert ledger.position("ONE").average_price == shown(average.numerator, average.denominator)
    assert holds(ledger)


@pytest.mark.parametrize("symbol", ["ESZ26", "XBTUSD"])
def test_a_finer_measure_changes_nothing_of_what_can_no_longer_be_moved(symbol: str) -> None:
    said = []
    for reorder in (1, 512):
        ledger = new_ledger(reorder=reorder)
        bought(ledger, (BUY, 3, 5000), (SELL, 1, 5003), (BUY, 4, 5007), (SELL, 2, 5001), symbol=symbol, fee="2.25")
        ledger.settle(Settlement("s", BROKER, ACCOUNT, symbol, D(5002), 4))
        ledger.apply(fill(5, SELL, 1, 5004, symbol, fee="2.25", session="a"))
        ledger.apply(fill(6, SELL, "0.125", "5004.0625", symbol, fee="0.0625"))
        ledger.apply(fill(7, BUY, "0.0625", 5004, symbol))
        said.append((ledger.position(symbol), ledger.session_positions(symbol), ledger.statements()))
        assert holds(ledger)
    assert said[0] == said[1]


def test_a_fee_finer_than_any_before_is_booked_exactly() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100), (SELL, 1, 101), fee="0.25")
    ledger.apply(fill(3, SELL, 1, 102, fee="-0.0000000000000000000000000001"))
    assert ledger.summary().fees == D("0.4999999999999999999999999999")
    assert ledger.apply(fill(1, BUY, 3, 100, fee="0.25")) is None
    assert holds(ledger)
