"""I24: the money identity after every event, and that what it calls owned is what the raw facts add up to."""

import os
import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import attrs

from brokers.instruments import Instrument, Kind
from brokers.ledger import CashFlow, Correction, Fact, FlowKind, Ledger, Mark, Marking, Settlement
from brokers.ledger.tally import Tally
from brokers.model import Fill
from tests.brokers.ledger.makers import (
    ACCOUNT,
    BROKER,
    BUY,
    CL,
    ES,
    FDAX,
    INVERSE,
    LISTED,
    PERPETUAL,
    SATOSHI,
    SELL,
    SPOT,
    STOCK,
    D,
    bought,
    fill,
    flow,
    holds,
    marked,
    new_ledger,
    terms,
)

RUNS = 30 * int(os.environ.get("PITBOSS_NIGHTLY", "1"))
EVENTS = 60
TRADED = (ES, CL, FDAX, STOCK, SPOT, PERPETUAL, INVERSE)
START = {"ESZ26": 20000, "CLZ26": 6000, "FDAXZ26": 40000, "AAPL": 20000, "BTC-USD": 5000000, "ETH-PERP": 300000,
         "XBTUSD": 100000}  # fmt: skip


class World:
    """Random but possible events, and the equity that they add up to without any idea of an average."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.fills: list[Fill] = []
        self.flows: dict[str, Fraction] = defaultdict(Fraction)
        self.prices = {i.symbol: i.tick * START[i.symbol] for i in TRADED}
        self.now = 0
        self.made = 0

    def fact(self) -> Fact:
        self.now += self.chance.choice([0, 1, 1, 2])
        makers: list[Callable[[], Fact]] = [self.fill, self.mark, self.flow, self.settlement, self.correction]
        return self.chance.choices(makers, [8, 3, 1, 1, 1])[0]()

    def fill(self) -> Fill:
        chance, instrument = self.chance, self.chance.choice(TRADED)
        late = chance.choice([0, 0, 0, 5])
        fee = D(chance.randint(-20, 90)) / 100
        kind_fee = instrument.kind is Kind.SPOT and chance.random() < 0.4
        self.made += 1
        made = fill(
            f"f{self.made}", chance.choice([BUY, SELL]), instrument.lot * chance.randint(1, 9),
            self.prices[instrument.symbol] + instrument.tick * chance.randint(-8, 8), instrument.symbol,
            time_ns=max(0, self.now - late), session=chance.choice([None, "a", "b"]),
            fee=fee / 100_000 if kind_fee else fee,
            fee_currency="BTC" if kind_fee else chance.choice(["", "", "BNB"]),
        )  # fmt: skip
        self.fills.append(made)
        return made

    def mark(self) -> Mark:
        instrument = self.chance.choice(TRADED)
        self.prices[instrument.symbol] += instrument.tick * self.chance.randint(-5, 5)
        bid = self.prices[instrument.symbol]
        return Mark(instrument.symbol, self.now, bid, bid + instrument.tick, bid)

    def flow(self) -> CashFlow:
        kind = self.chance.choice(list(FlowKind))
        sign = {FlowKind.DEPOSIT: 1, FlowKind.WITHDRAWAL: -1}.get(kind, self.chance.choice([1, -1]))
        currency, amount = self.chance.choice(["USD", "EUR", "BTC"]), sign * D(self.chance.randint(1, 10_000)) / 100
        self.flows[currency] += Fraction(amount)
        return flow(f"c{self.now}/{self.chance.random()}", kind, amount, currency, time_ns=self.now)

    def settlement(self) -> Settlement:
        instrument = self.chance.choice([ES, CL, FDAX, PERPETUAL, INVERSE])
        id_ = f"s{self.now}/{self.chance.random()}"
        return Settlement(id_, BROKER, ACCOUNT, instrument.symbol, self.prices[instrument.symbol], self.now)

    def correction(self) -> Fact:
        if not self.fills:
            return self.mark()
        original = self.fills.pop(self.chance.randrange(len(self.fills)))
        replacement = None
        if self.chance.random() < 0.5:
            replacement = attrs.evolve(original, id=f"{original.id}'", quantity=original.quantity * 2)
            self.fills.append(replacement)
        return Correction(f"k{original.id}", original, replacement, self.now)

    def equity(self, marks: dict[str, Mark], marking: Marking) -> dict[str, Fraction]:
        equity = defaultdict(Fraction, self.flows)
        for instrument in TRADED:
            own = [fill for fill in self.fills if fill.symbol == instrument.symbol]
            held = Fraction(0)
            for one in own:
                size = Fraction(one.quantity) * one.side.sign
                fee, currency = Fraction(one.fee), one.fee_currency or instrument.settlement
                in_kind = instrument.kind is Kind.SPOT and currency == "BTC"
                equity[instrument.settlement] -= worth(instrument, size - (fee if in_kind else 0), one.price)
                equity[instrument.settlement if in_kind else currency] -= fee * Fraction(one.price) if in_kind else fee
                held += size - (fee if in_kind else 0)
            if held:
                mark = marks[instrument.symbol]
                by_quote = mark.bid if held > 0 else mark.ask
                price = by_quote if marking is Marking.QUOTE else mark.price
                assert price is not None
                equity[instrument.settlement] += worth(instrument, held, price)
        return equity


def worth(instrument: Instrument, quantity: Fraction, price: Decimal) -> Fraction:
    if instrument.kind is Kind.INVERSE:
        step = Fraction(SATOSHI)
        return -round(quantity * Fraction(instrument.multiplier) / Fraction(price) / step) * step
    return quantity * Fraction(price) * Fraction(instrument.multiplier)


def run(seed: int) -> None:
    chance = random.Random(seed)
    marking = chance.choice(list(Marking))
    world, ledger = World(chance), Ledger(terms(marking), LISTED)
    for instrument in TRADED:
        price = world.prices[instrument.symbol]
        ledger.mark(Mark(instrument.symbol, 0, price, price + instrument.tick, price))
    for _ in range(EVENTS):
        ledger.record(world.fact())
        expected = world.equity(ledger.account.marks, marking)
        for identity in ledger.identity():
            assert identity.holds
            assert Fraction(identity.owned) == expected[identity.currency]


def test_i24_p03_the_identity_holds_after_every_event_and_owned_is_what_the_facts_add_up_to() -> None:
    for seed in range(RUNS):
        try:
            run(seed)
        except Exception as error:
            raise AssertionError(f"run {seed} breaks the identity") from error


def test_i24_the_identity_is_exact_whatever_decimal_context_the_caller_has() -> None:
    with localcontext(prec=3):
        ledger = new_ledger()
        bought(ledger, (BUY, 3, "5000.25"), (BUY, 4, "5003.75"), (SELL, 5, "5010.5"), symbol="ESZ26", fee="2.2513")
        ledger.mark(marked("ESZ26", "5007.25", "5007.5"))
        (identity,) = ledger.identity()
    assert identity.holds
    assert identity.owned == D(50) * (5 * D("5010.5") + 2 * D("5007.25") - 3 * D("5000.25") - 4 * D("5003.75")) - (
        3 * D("2.2513")
    )


def test_i24_the_identity_holds_without_any_mark() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100), (BUY, 4, 101), (SELL, 5, 107), symbol="AAPL")
    ledger.apply(fill(9, SELL, 1, 103, "AAPL", session="a"))
    assert holds(ledger)
    assert ledger.position("AAPL").mark is None


def test_i24_a_share_that_lost_its_quantity_breaks_the_identity() -> None:
    ledger = new_ledger()
    ledger.apply(fill(1, BUY, 3, 100, session="a"))
    ledger.account.books["ONE"].shares["a"] = Tally(flow=-30000)
    assert not holds(ledger)


def test_i24_a_position_that_is_never_flat_stays_exact_beyond_the_grid() -> None:
    ledger, chance = new_ledger(), random.Random(4)
    ledger.apply(fill(1, BUY, 1000, 100))
    for number in range(2, 600):
        side = SELL if ledger.position("ONE").quantity > 1500 else chance.choice([BUY, SELL])
        ledger.apply(fill(number, side, chance.randint(1, 97), D(chance.randint(9000, 11000)) / 100))
        assert holds(ledger)
    assert ledger.account.books["ONE"].net.basis.over == 10**30
