"""P02: the defects of the arithmetic before, by number; each test holds for the ledger and fails for the old formula.

Numbers 17 to 20 and 28 to 31 are about filling orders and about the simulator's life, which a ledger has no part in.
"""

import random
from decimal import Decimal

import attrs
import pytest

from brokers.ledger import BadFact, FlowKind, Ledger, Progress, Rate, RecentIds, WrongAccount, deltas, dump
from brokers.ledger.cumulative import CumulativeReport
from tests.brokers.ledger.makers import (
    ACCOUNT,
    BROKER,
    BUY,
    LISTED,
    SELL,
    UNIT,
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
from tests.brokers.ledger.seed import SeedBooks, SeedOrder, seed_after, side_of


def test_p02_defect_01_profit_has_the_sign_of_the_position() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (SELL, 10, 110))
    assert ledger.position("ONE").realised == 100
    assert seed_after((1, 10, 100), (-1, 10, 110)).realised == -100


def test_p02_defect_02_a_flip_realises_only_what_was_held() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (SELL, 15, 110))
    assert ledger.position("ONE").realised == 100
    assert seed_after((1, 10, 100), (-1, 15, 110)).realised == -150


def test_p02_defect_03_a_reduction_keeps_the_average() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (SELL, 5, 110))
    assert ledger.position("ONE").average_price == 100
    assert seed_after((1, 10, 100), (-1, 5, 110)).positions["ONE"].average == 90


@pytest.mark.parametrize(("price", "mixture"), [(110, 130), (60, -20)])
def test_p02_defect_04_the_average_after_a_flip_is_the_price_of_the_flip(price: int, mixture: int) -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (SELL, 15, price))
    assert ledger.position("ONE").average_price == price
    assert seed_after((1, 10, 100), (-1, 15, price)).positions["ONE"].average == mixture


def test_p02_defect_05_adding_to_a_short_adds_sizes() -> None:
    ledger = new_ledger()
    bought(ledger, (SELL, 10, 100), (SELL, 5, 90))
    ledger.mark(marked("ONE", 90))
    assert ledger.position("ONE").unrealised == 100
    assert round(seed_after((-1, 10, 100), (-1, 5, 90)).unrealised["ONE"]) == -1900


def test_p02_defect_06_a_short_can_be_doubled() -> None:
    ledger = new_ledger()
    bought(ledger, (SELL, 10, 100), (SELL, 10, 90))
    assert of(ledger.position("ONE").quantity, ledger.position("ONE").average_price) == (-20, 95)
    with pytest.raises(ZeroDivisionError):
        seed_after((-1, 10, 100), (-1, 10, 90))


def test_p02_defect_07_the_side_is_the_sign_of_the_quantity() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 2, "-37.63"))
    ledger.mark(marked("ONE", "-30"))
    assert ledger.position("ONE").quantity == 2
    assert ledger.position("ONE").unrealised == D("15.26")
    assert side_of(2 * -37.63) == -1
    assert side_of(0) == 1


def test_p02_defect_08_unrealised_follows_the_market() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100))
    ledger.mark(marked("ONE", 120))
    assert ledger.position("ONE").unrealised == 200
    assert seed_after((1, 10, 100)).unrealised.get("ONE", 0) == 0


def test_p02_defect_09_unrealised_is_rescaled_and_then_gone() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (BUY, 10, 110))
    ledger.mark(marked("ONE", 110))
    assert ledger.position("ONE").unrealised == 100
    ledger.apply(fill(3, SELL, 10, 110))
    assert ledger.position("ONE").unrealised == 50
    ledger.apply(fill(4, SELL, 10, 110))
    assert ledger.position("ONE").unrealised == 0
    seed = seed_after((1, 10, 100), (1, 10, 110), (-1, 10, 110), (-1, 10, 110))
    assert seed.unrealised["ONE"] == 100


def test_p02_defect_10_equity_is_right_after_every_fill() -> None:
    ledger, seed = new_ledger(), SeedBooks()
    trades = [(BUY, 10, 100), (BUY, 10, 104), (SELL, 5, 106), (SELL, 20, 103), (BUY, 5, 101)]
    cash, held, stale = D(0), 0, 0
    for number, (side, quantity, price) in enumerate(trades, 1):
        ledger.apply(fill(number, side, quantity, price))
        ledger.mark(marked("ONE", price, time_ns=number))
        seed.execute(side.sign, quantity, price)
        cash -= side.sign * quantity * price
        held += side.sign * quantity
        assert ledger.summary().equity == cash + held * price
        stale += seed.equity != float(cash + held * price)
    assert stale == 3  # after each closing fill


def test_p02_defect_11_fees_and_funding_are_paid() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (SELL, 10, 110), fee="1.25")
    ledger.post(flow("f", FlowKind.FUNDING, "-0.75", symbol="ONE"))
    assert ledger.summary().equity == D(100) - D("2.50") - D("0.75")
    assert ledger.summary().fees == D("2.50")
    assert ledger.statements()[0].funding == D("-0.75")
    assert abs(seed_after((1, 10, 100), (-1, 10, 110)).balance) == 100


def test_p02_defect_12_a_point_is_worth_the_multiplier() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 2, 5000), (SELL, 2, 5001), symbol="ESZ26")
    assert ledger.position("ESZ26").realised == 100
    assert abs(seed_after((1, 2, 5000), (-1, 2, 5001)).realised) == 2


def test_p02_defect_13_inverse_profit_is_in_the_base_currency_and_converts_with_its_rate() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 30000, 50000), (SELL, 30000, 60000), symbol="XBTUSD")
    ledger.rate(Rate("BTC", D(60000), 7))
    position = ledger.position("XBTUSD")
    assert (position.realised, position.currency) == (D("0.1"), "BTC")
    converted = ledger.convert(position.realised, "BTC")
    assert of(converted.amount, converted.currency, converted.rate) == (6000, "USD", Rate("BTC", D(60000), 7))
    assert abs(seed_after((1, 30000, 50000), (-1, 30000, 60000)).realised) == 300_000_000


def test_p02_defect_14_stock_moves_its_price_in_cash_and_a_future_does_not() -> None:
    ledger = new_ledger()
    ledger.post(flow("d", FlowKind.DEPOSIT, 10_000))
    ledger.apply(fill(1, BUY, 10, 100, "AAPL"))
    assert of(ledger.summary().cash, ledger.summary().equity) == (9000, 10_000)
    ledger.apply(fill(2, BUY, 1, 5000, "ESZ26"))
    assert of(ledger.summary().cash, ledger.summary().equity) == (9000, 10_000)
    seed = SeedBooks(balance=10_000)
    seed.execute(1, 10, 100)
    assert seed.balance == 10_000


def test_p02_defect_15_no_phantom_position_is_left() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, "0.1", 10), (BUY, "0.2", 10), (SELL, "0.3", 10))
    position = ledger.position("ONE")
    assert of(position.quantity, position.average_price) == (0, None)
    phantom = seed_after((1, 0.1, 10), (1, 0.2, 10), (-1, 0.3, 10)).positions["ONE"]
    assert 0 < phantom.quantity < 1e-16


def test_p02_defect_16_part_fills_count_once_and_are_averaged_by_weight() -> None:
    report = CumulativeReport("o", BROKER, ACCOUNT, "ONE", BUY, D(4), D(100), 1)
    whole = attrs.evolve(report, filled=D(10), average_price=D("100.6"), time_ns=2)
    ledger, done = new_ledger(), Progress(UNIT)
    for told in (report, whole, whole):
        for fact in deltas(done, told):
            ledger.record(fact)
            done = done.after(fact)
    assert of(ledger.position("ONE").quantity, ledger.position("ONE").average_price) == (10, D("100.6"))
    order, seed = SeedOrder(10, filled=4, average=100), SeedBooks()
    seed.execute(1, 4, 100)
    seed.execute_order(order, 1, 101)
    assert (order.average, seed.positions["ONE"].quantity) == (101, 14)


def test_p02_defect_21_a_refused_fact_leaves_no_trace() -> None:
    ledger = new_ledger()
    bought(ledger, (SELL, 10, 100))
    before = dump(ledger)
    with pytest.raises(BadFact):
        ledger.apply(fill(2, SELL, 10, "NaN"))
    assert dump(ledger) == before
    seed, order = seed_after((-1, 10, 100)), SeedOrder(10)
    with pytest.raises(ZeroDivisionError):
        seed.execute_order(order, -1, 90)
    assert (order.state, seed.positions["ONE"].quantity) == ("filled", 10)


def test_p02_defect_22_no_reader_sees_money_without_its_position() -> None:
    ledger, seen = new_ledger(), []
    bought(ledger, (BUY, 10, 100))
    entry = ledger.apply(fill(2, SELL, 10, 110))
    assert entry is not None
    assert (entry.quantity, entry.realised) == (ledger.position("ONE").quantity, ledger.position("ONE").realised)
    assert holds(ledger)
    seed = seed_after((1, 10, 100))
    seed.on_equity = lambda books: seen.append((books.realised, books.positions["ONE"].quantity))
    seed.execute(-1, 10, 110)
    assert seen == [(-100, 10)]  # the profit is booked and the position still stands


def test_p02_defect_23_what_is_handed_out_never_changes() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100))
    position, summary = ledger.position("ONE"), ledger.summary()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        position.quantity = D(0)  # type: ignore[misc]
    ledger.apply(fill(2, BUY, 5, 130))
    assert of(position.quantity, position.average_price, summary) != (ledger.position("ONE").quantity, None, None)
    assert of(position.quantity, position.average_price) == (10, 100)
    seed = seed_after((1, 10, 100))
    handed_out = seed.positions["ONE"]
    seed.execute(1, 5, 130)
    assert handed_out.quantity == 15


def test_p02_defect_24_accounts_and_sessions_do_not_collide() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 10, 100, session="trend"))
    ledger.apply(fill(2, SELL, 4, 90, session="revert"))
    quantities = {share.session: share.position.quantity for share in ledger.session_positions("ONE")}
    assert quantities == {"trend": 10, "revert": -4}
    with pytest.raises(WrongAccount):
        ledger.apply(fill(3, BUY, 1, 100, account="A2"))
    assert ledger.position("ONE").quantity == 6
    assert seed_after((1, 10, 100), (-1, 4, 90)).positions["ONE"].quantity == 6  # whoever traded


def test_p02_defect_25_a_fill_that_comes_twice_counts_once() -> None:
    ledger, twice = new_ledger(), fill(1, BUY, 10, 100)
    assert ledger.apply(twice) is not None
    assert ledger.apply(twice) is None
    assert ledger.position("ONE").quantity == 10
    assert seed_after((1, 10, 100), (1, 10, 100)).positions["ONE"].quantity == 20


def test_p02_defect_26_memory_does_not_grow_with_the_fills() -> None:
    ledger = Ledger(terms(reorder=16), LISTED, fills=RecentIds(entries=100, skew_ns=10))
    seed = SeedBooks()
    for number in range(1, 2001):
        ledger.apply(fill(number, BUY if number % 2 else SELL, 1, 100))
        seed.execute(1 if number % 2 else -1, 1, 100)
    assert isinstance(ledger.account.fills, RecentIds)
    assert len(ledger.account.fills) <= 200
    assert 16 <= len(ledger.account.book("ONE").movable()[2]) <= 32
    assert len(seed.executions) == 2000


def test_p02_defect_27_there_is_one_truth_about_equity() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 10, 100), (SELL, 4, 103))
    ledger.mark(marked("ONE", 105))
    position, summary = ledger.position("ONE"), ledger.summary()
    assert (summary.realised, summary.unrealised) == (position.realised, position.unrealised)
    assert summary.equity == position.realised + position.unrealised
    seed = seed_after((1, 10, 100), (1, 10, 110))
    assert seed.declared_equity != seed.equity


@pytest.mark.parametrize("quantity", ["0", "-5", "NaN", "sNaN", "Infinity", "1E+999999", "1E-999999"])
def test_p02_defect_32_numbers_that_cannot_be_are_refused(quantity: str) -> None:
    ledger = new_ledger()
    with pytest.raises(BadFact) as refused:
        ledger.apply(fill(1, BUY, quantity, 100))
    assert str(refused.value.value) == str(Decimal(quantity))
    assert refused.value.field == "quantity"
    assert seed_after((1, -5, 100)).positions["ONE"].quantity == -5


def test_p02_defect_33_fills_of_one_instant_have_an_order() -> None:
    fills = [fill("a", BUY, 10, 100, time_ns=5), fill("b", SELL, 10, 110, time_ns=5), fill("c", BUY, 4, 90, time_ns=5)]
    chance, seen, old = random.Random(3), set(), set()
    for _ in range(20):
        ledger, seed = new_ledger(), SeedBooks()
        chance.shuffle(fills)
        for one in fills:
            ledger.apply(one)
            seed.execute(one.side.sign, float(one.quantity), float(one.price))
        seen.add((ledger.position("ONE").average_price, ledger.position("ONE").realised))
        old.add((seed.positions["ONE"].average, seed.realised))
    assert seen == {(D(90), D(100))}
    assert len(old) > 1
