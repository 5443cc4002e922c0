"""P01 and P04: the ledger equals the fraction oracle on random fills, for each of the five kinds."""

import os
import random
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import pytest

from brokers.instruments import Instrument, Kind
from brokers.ledger import Ledger
from brokers.ledger.measure import Measure, paid_in_full
from brokers.ledger.tally import Tally
from brokers.model import Fill
from brokers.sides import Side
from tests.brokers.ledger.makers import ACCOUNT, BROKER, BUY, SATOSHI, SELL, holds, marked, terms
from tests.brokers.ledger.oracle import Oracle, oracle_for

SEQUENCES = 500 * int(os.environ.get("PITBOSS_NIGHTLY", "1"))  # of each kind; 400 makes a million in all
D = Decimal
MULTIPLIERS = [D(1), D(5), D("12.5"), D(50), D(1000)]
TICKS = [D("0.25"), D("0.01"), D("0.5"), D(1), D("0.0001")]
LOTS = {Kind.SPOT: [D("0.00001"), D("0.01")], Kind.PERPETUAL: [D("0.001"), D(1)]}


def random_instrument(chance: random.Random, kind: Kind) -> Instrument:
    return Instrument(
        "X",
        "X",
        kind,
        "USD",
        tick=chance.choice(TICKS),
        lot=chance.choice(LOTS.get(kind, [D(1)])),
        multiplier=D(1) if kind in (Kind.STOCK, Kind.SPOT) else chance.choice(MULTIPLIERS),
        base="BTC" if kind in (Kind.SPOT, Kind.INVERSE) else None,
    )


def random_fee(chance: random.Random, instrument: Instrument) -> tuple[Decimal, str]:
    """No fee, a fee, a rebate, a fee in a third currency or, for spot, in kind and finer than the lot."""
    pick = chance.randrange(6)
    if pick == 0:
        return D(0), ""
    if pick == 1:
        return D(chance.randint(-50, 50)) / 100, "BNB"
    if pick == 2 and instrument.kind is Kind.SPOT:
        return instrument.lot * chance.randint(-5, 5) / 1000, "BTC"
    return D(chance.randint(-100, 300)) / 100, chance.choice(["", instrument.settlement])


def random_fills(chance: random.Random, instrument: Instrument) -> list[Fill]:
    """Two to twelve fills around one price, some off the grid, often closing or flipping what is held."""
    fills: list[Fill] = []
    centre, held = chance.randint(400, 900), 0
    for number in range(chance.randint(2, 12)):
        lots = chance.randint(1, 12)
        if held and chance.random() < 0.35:
            lots, side = chance.choice([abs(held), abs(held) + lots]), SELL if held > 0 else BUY
        else:
            side = chance.choice([BUY, SELL])
        held += lots if side is BUY else -lots
        price = instrument.tick * (centre + chance.randint(-30, 30))
        if chance.random() < 0.1:
            price += instrument.tick / 8
        fee, currency = random_fee(chance, instrument)
        time_ns = number // chance.randint(1, 2)
        session = chance.choice([None, "a", "b"])
        quantity = instrument.lot * lots
        fills.append(
            Fill(str(number), BROKER, ACCOUNT, "X", side, quantity, price, time_ns,
                 fee=fee, fee_currency=currency, session=session)
        )  # fmt: skip
    return fills


def arrivals(chance: random.Random, fills: list[Fill]) -> list[Fill]:
    """The fills as they arrive: some twice, in half of all cases in any order."""
    arriving = fills + chance.choices(fills, k=chance.randint(0, 4))
    if chance.random() < 0.5:
        chance.shuffle(arriving)
    return arriving


def open_cost(tally: Tally) -> Fraction:
    basis = tally.basis
    return Fraction(basis.cost * tally.quantity, basis.over * basis.quantity) if tally.quantity else Fraction(0)


def assert_equal(tally: Tally, measure: Measure, oracle: Oracle, mark: Decimal) -> None:
    unit = Fraction(measure.unit)
    basis = tally.basis
    cost = open_cost(tally)
    assert Fraction(tally.quantity, 10**measure.digits.quantity) == oracle.quantity
    assert (measure.average(basis.quantity, basis.cost, basis.over) if tally.quantity else None) == oracle.average
    assert (tally.flow + cost) * unit == oracle.realised
    assert Fraction(measure.worth(tally.quantity, mark)) - cost * unit == oracle.unrealised(Fraction(mark))
    assert Fraction(tally.fees, 10**measure.digits.fee) == oracle.fees


def booked(oracle: Oracle, fills: Iterable[Fill]) -> Oracle:
    for fill in sorted(fills, key=lambda fill: (fill.time_ns, fill.id)):
        oracle.fill(fill)
    return oracle


def check_one(seed: int, kind: Kind) -> None:
    chance = random.Random(f"{kind.value}/{seed}")
    instrument = random_instrument(chance, kind)
    fills = random_fills(chance, instrument)
    ledger = Ledger(terms(), {"X": instrument})
    for fill in arrivals(chance, fills):
        ledger.apply(fill)
    mark = instrument.tick * chance.randint(300, 1000)
    book = ledger.account.book("X")
    oracle = booked(oracle_for(instrument, SATOSHI), fills)
    assert_equal(book.net, book.measure, oracle, mark)
    moved = Fraction(0) if paid_in_full(instrument) else open_cost(book.net)
    fees = Fraction(book.net.fees, 10**book.measure.digits.fee)
    assert (book.net.flow + moved) * Fraction(book.measure.unit) - fees == oracle.cash()
    for session in {fill.session for fill in fills}:
        own = [fill for fill in fills if fill.session == session]
        share = booked(oracle_for(instrument, SATOSHI), own)
        assert_equal(book.shares[session], book.measure, share, mark)
    for currency, fee in oracle.foreign_fees.items():
        flows = (amount for key, amount in ledger.account.flows.items() if key.currency == currency)
        assert sum(map(Fraction, flows)) == -fee
    assert holds(ledger)
    ledger.mark(marked("X", mark))
    assert holds(ledger)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_p01_p04_the_ledger_equals_the_fraction_oracle_on_random_fills(kind: Kind) -> None:
    for seed in range(SEQUENCES):
        try:
            check_one(seed, kind)
        except Exception as error:
            raise AssertionError(f"sequence {kind.value}/{seed} differs") from error


@pytest.mark.parametrize("side", [BUY, SELL])
def test_p01_a_position_that_is_never_flat_stays_within_the_stated_rounding_of_the_oracle(side: Side) -> None:
    chance = random.Random(9)
    instrument = Instrument("X", "X", Kind.FUTURE, "USD", D("0.01"))
    ledger, oracle = Ledger(terms(), {"X": instrument}), Oracle(instrument)
    for number in range(400):
        size = 5000 if number == 0 else chance.randint(1, 97)
        way = side if number == 0 else chance.choice([BUY, SELL])
        price = D(chance.randint(9000, 11000)) / 100
        one = Fill(str(number), BROKER, ACCOUNT, "X", way, D(size), price, number)
        ledger.apply(one)
        oracle.fill(one)
    book = ledger.account.books["X"]
    realised = (book.net.flow + open_cost(book.net)) * Fraction(book.measure.unit)
    assert book.net.basis.over == 10**30
    assert 0 < abs(realised - oracle.realised) <= Fraction(400, 10**30) * Fraction(book.measure.unit)
