"""O07, I04 and I05: fills commute, count once, and corrections reverse without editing."""

import os
import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.ledger import (
    BadFact,
    ConflictingFact,
    Correction,
    Fact,
    FactTooOld,
    FlowKind,
    Ledger,
    RecentIds,
    Settlement,
    WrongAccount,
    dump,
    rebuild,
)
from brokers.ledger.scaling import total
from brokers.ledger.seen import Print
from brokers.model import Fill
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
    new_ledger,
    of,
    terms,
)

EXAMPLES = 60 * int(os.environ.get("PITBOSS_NIGHTLY", "1"))


def figures(ledger: Ledger) -> list[object]:
    """All that a reader can ask of the fills."""
    symbols = sorted(ledger.account.books)
    return [
        ledger.positions(),
        [ledger.session_positions(symbol) for symbol in symbols],
        [ledger.statistics(symbol) for symbol in symbols],
        ledger.statements(),
    ]


@st.composite
def some_fills(draw: st.DrawFn) -> list[Fill]:
    count = draw(st.integers(1, 12))
    return [
        fill(
            f"f{number}",
            draw(st.sampled_from([BUY, SELL])),
            draw(st.integers(1, 9)),
            draw(st.decimals(90, 110, places=2)),
            draw(st.sampled_from(["ONE", "AAPL"])),
            time_ns=draw(st.integers(0, 4)),
            session=draw(st.sampled_from([None, "a", "b"])),
            fee=draw(st.integers(-3, 3)),
        )
        for number in range(count)
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(some_fills(), st.randoms(use_true_random=False), st.integers(0, 5))
def test_o07_any_permutation_with_duplicates_gives_the_same_figures(
    fills: list[Fill], chance: random.Random, doubles: int
) -> None:
    straight, shuffled = new_ledger(), new_ledger()
    for one in sorted(fills, key=lambda fill: (fill.time_ns, fill.id)):
        straight.apply(one)
    arriving = fills + chance.choices(fills, k=doubles)
    chance.shuffle(arriving)
    counted = [entry for entry in map(shuffled.apply, arriving) if entry is not None]
    assert len(counted) == len(fills)
    assert figures(shuffled) == figures(straight)


@settings(max_examples=EXAMPLES, deadline=None)
@given(some_fills(), st.randoms(use_true_random=False), st.data())
def test_o07_corrections_commute_with_the_fills_they_correct(
    fills: list[Fill], chance: random.Random, data: st.DataObject
) -> None:
    wrong = data.draw(st.lists(st.sampled_from(fills), unique_by=lambda fill: fill.id))
    corrections = [
        Correction(f"k{one.id}", one, data.draw(st.sampled_from([None, attrs.evolve(one, id=f"{one.id}'")])), 9)
        for one in wrong
    ]
    facts: list[Fact] = [*fills, *corrections, *chance.choices(fills, k=2), *corrections]
    chance.shuffle(facts)
    ledger = new_ledger()
    for fact in facts:
        ledger.record(fact)
    right = [one for one in fills if one not in wrong] + [c.replacement for c in corrections if c.replacement]
    straight = new_ledger()
    for one in sorted(right, key=lambda fill: (fill.time_ns, fill.id)):
        straight.apply(one)
    for symbol in ledger.account.books:
        assert described(ledger, symbol) == described(straight, symbol)
        assert ledger.statistics(symbol) == straight.statistics(symbol)
    assert figures(rebuild(terms(), LISTED, facts)) == figures(ledger)
    assert holds(ledger)


def described(ledger: Ledger, symbol: str) -> tuple[object, ...]:
    position = ledger.position(symbol)
    return position.quantity, position.average_price, position.realised


@settings(max_examples=EXAMPLES, deadline=None)
@given(some_fills(), st.randoms(use_true_random=False))
def test_o07_settlements_commute_with_fills(fills: list[Fill], chance: random.Random) -> None:
    futures = [attrs.evolve(one, symbol="ESZ26") for one in fills]
    days = [Settlement(f"s{day}", BROKER, ACCOUNT, "ESZ26", D(95 + 3 * day), day) for day in range(4)]
    facts: list[Fact] = [*futures, *days]
    straight = rebuild(terms(), LISTED, facts)
    chance.shuffle(facts)
    ledger = new_ledger()
    for fact in facts:
        ledger.record(fact)
    assert figures(ledger) == figures(straight)
    assert holds(ledger)


@settings(max_examples=EXAMPLES, deadline=None)
@given(some_fills())
def test_i04_the_position_is_the_sum_of_the_fills_by_account_and_by_session(fills: list[Fill]) -> None:
    ledger = new_ledger()
    for one in fills:
        ledger.apply(one)
    for symbol in {one.symbol for one in fills}:
        own = [one for one in fills if one.symbol == symbol]
        assert ledger.position(symbol).quantity == sum(one.signed_quantity for one in own)
        for share in ledger.session_positions(symbol):
            of_session = [one for one in own if one.session == share.session]
            assert share.position.quantity == sum(one.signed_quantity for one in of_session)


@settings(max_examples=EXAMPLES, deadline=None)
@given(some_fills())
def test_entries_add_up_to_the_position_however_late_the_fills_are(fills: list[Fill]) -> None:
    ledger = new_ledger()
    entries = [entry for entry in map(ledger.apply, fills) if entry is not None and entry.fact.symbol == "ONE"]
    assert total(entry.realised for entry in entries) == ledger.position("ONE").realised
    assert sum(entry.fee for entry in entries) == ledger.statistics("ONE").fees
    assert all(entry.in_order and not entry.reversal for entry in entries)


def test_i05_every_kind_of_fact_counts_once() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 2, 5000), symbol="ESZ26", fee=2)
    facts: list[Fact] = [
        fill(1, BUY, 2, 5000, "ESZ26", fee=2),
        fill(2, SELL, 1, 5001, "ESZ26"),
        flow("d", FlowKind.DEPOSIT, 1000),
        Settlement("s", BROKER, ACCOUNT, "ESZ26", D(5002), 3),
        Correction("k", fill(2, SELL, 1, 5001, "ESZ26"), fill(3, SELL, 1, 5003, "ESZ26"), 4),
    ]
    for fact in facts:
        ledger.record(fact)
    once = dump(ledger)
    for fact in facts:
        ledger.record(fact)
    assert dump(ledger) == once
    assert ledger.post(flow("d", FlowKind.DEPOSIT, 1000)) is False
    assert ledger.correct(facts[-1]) == ()  # type: ignore[arg-type]


def test_i05_a_duplicate_is_known_by_its_id_even_with_another_time_or_fee() -> None:
    ledger = new_ledger()
    ledger.apply(fill("x", BUY, 1, 100, time_ns=5))
    assert ledger.apply(fill("x", BUY, 1, "100.00", time_ns=9, fee=3)) is None


@pytest.mark.parametrize("change", [{"quantity": D(2)}, {"price": D(101)}, {"side": SELL}, {"symbol": "AAPL"}])
def test_an_id_that_comes_back_with_other_figures_is_refused(change: dict[str, object]) -> None:
    ledger, first = new_ledger(), fill(1, BUY, 1, 100)
    ledger.apply(first)
    before = dump(ledger)
    with pytest.raises(ConflictingFact) as refused:
        ledger.apply(attrs.evolve(first, **change))  # type: ignore[arg-type]
    assert refused.value.booked == ("ONE", 1, 100, BUY)
    assert dump(ledger) == before


def test_a_fill_later_than_the_tail_reaches_is_booked_and_says_so() -> None:
    ledger = new_ledger(reorder=4)
    bought(ledger, *[(BUY, 1, 100)] * 10)
    entry = ledger.apply(fill("late", BUY, 1, 50, time_ns=1, fee=1))
    assert entry is not None
    assert not entry.in_order
    assert of(entry.quantity, entry.fee, entry.cash) == (11, 1, -1)
    assert of(ledger.position("ONE").quantity, holds(ledger)) == (11, True)


def test_a_late_fill_within_the_tail_changes_what_later_fills_realised() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 1, 100), (SELL, 1, 110))
    entry = ledger.apply(fill("late", BUY, 1, 90, time_ns=1))
    assert entry is not None
    assert of(entry.realised, entry.average_price, entry.in_order) == (5, 95, True)
    assert ledger.position("ONE").realised == 15


def test_a_bust_leaves_the_books_as_if_the_fill_had_never_been() -> None:
    ledger, straight = new_ledger(), new_ledger()
    wrong = fill("x", BUY, 7, 130, time_ns=2, fee=3)
    for one in (fill(1, BUY, 3, 100), wrong, fill(3, SELL, 5, 120), fill(4, BUY, 9, 80)):
        ledger.apply(one)
        if one is not wrong:
            straight.apply(one)
    (entry,) = ledger.correct(Correction("k", wrong, None, 9))
    assert of(entry.reversal, entry.in_order, entry.fee, entry.fact) == (True, True, -3, wrong)
    assert described(ledger, "ONE") == described(straight, "ONE")
    assert ledger.statistics("ONE") == straight.statistics("ONE")
    assert ledger.apply(wrong) is None


def test_a_correction_books_a_reverse_and_a_new_entry() -> None:
    ledger, wrong = new_ledger(), fill(1, BUY, 3, 100, session="a")
    ledger.apply(wrong)
    right = attrs.evolve(wrong, id="1'", price=D(101))
    reverse, new = ledger.correct(Correction("k", wrong, right, 5))
    assert of(reverse.fact, reverse.reversal, reverse.quantity) == (wrong, True, 0)
    assert of(new.fact, new.reversal, new.quantity, new.average_price) == (right, False, 3, 101)
    assert [share.position.average_price for share in ledger.session_positions("ONE")] == [101]


def test_a_bust_beyond_the_tail_is_booked_in_reverse_and_says_so() -> None:
    ledger = new_ledger(reorder=4)
    bought(ledger, *[(BUY, 2, 100 + n) for n in range(10)], fee=1)
    (entry,) = ledger.correct(Correction("k", fill(1, BUY, 2, 100, fee=1), None, 20))
    assert (entry.reversal, entry.in_order) == (True, False)
    assert ledger.position("ONE").quantity == 18
    assert ledger.statistics("ONE").fees == 9
    assert holds(ledger)


def test_folding_the_facts_again_puts_right_what_came_too_late() -> None:
    facts = [fill(n, SELL if n % 3 == 0 else BUY, n, 100 + n, session="a") for n in range(1, 60)]
    late = [facts.pop(3), facts.pop(7)]
    ledger = new_ledger(reorder=4)
    every: list[Fact] = [*facts, *late, Correction("k", facts[2], None, 99)]
    for fact in every:
        ledger.record(fact)
    again = rebuild(terms(reorder=4), LISTED, every)
    straight = new_ledger()
    for one in sorted([*facts[:2], *facts[3:], *late], key=lambda fill: fill.time_ns):
        straight.apply(one)
    assert described(again, "ONE") == described(straight, "ONE")
    assert ledger.position("ONE").quantity == again.position("ONE").quantity
    assert described(ledger, "ONE") != described(straight, "ONE")


def test_a_chain_of_corrections_leaves_the_last_word() -> None:
    first = fill(1, BUY, 3, 100)
    second, third = attrs.evolve(first, id="2", price=D(101)), attrs.evolve(first, id="3", price=D(102))
    facts: list[Fact] = [first, Correction("k1", first, second, 5), Correction("k2", second, third, 6)]
    ledger = new_ledger()
    for fact in facts:
        ledger.record(fact)
    assert described(ledger, "ONE") == (3, 102, 0)
    assert figures(rebuild(terms(), LISTED, reversed(facts))) == figures(ledger)


def test_a_fill_is_reversed_once_whatever_the_corrections_are_called() -> None:
    ledger, wrong = new_ledger(), fill(1, BUY, 3, 100)
    ledger.apply(wrong)
    assert len(ledger.correct(Correction("k", wrong, None, 5))) == 1
    assert ledger.correct(Correction("also k", wrong, None, 6)) == ()
    assert ledger.position("ONE").quantity == 0


def test_a_bust_gives_back_fees_in_kind_and_in_a_third_currency() -> None:
    ledger = new_ledger()
    in_kind = fill(1, BUY, 1, 50000, "BTC-USD", fee="0.001", fee_currency="BTC")
    third = fill(2, BUY, 1, 50000, "BTC-USD", fee="0.3", fee_currency="BNB")
    for one in (in_kind, third):
        ledger.apply(one)
    assert ledger.position("BTC-USD").quantity == D("1.999")
    for one in (in_kind, third):
        ledger.correct(Correction(f"k{one.id}", one, None, 5))
    assert ledger.position("BTC-USD").quantity == 0
    assert all(statement.equity == 0 and statement.fees == 0 for statement in ledger.statements())


@pytest.mark.parametrize("replacement", [{"id": "1"}, {"id": "2", "price": D("NaN")}, {"id": "2", "account": "A9"}])
def test_a_correction_that_cannot_be_booked_whole_is_not_booked_at_all(replacement: dict[str, object]) -> None:
    ledger, wrong = new_ledger(), fill(1, BUY, 3, 100)
    ledger.apply(wrong)
    before = dump(ledger)
    with pytest.raises((BadFact, WrongAccount)):
        ledger.correct(Correction("k", wrong, attrs.evolve(wrong, **replacement), 5))  # type: ignore[arg-type]
    assert dump(ledger) == before


def test_memory_of_ids_is_bounded_and_refuses_what_it_cannot_tell() -> None:
    seen = RecentIds(entries=100, skew_ns=50)
    ledger = Ledger(terms(), LISTED, fills=seen)
    for number in range(1, 1001):
        ledger.apply(fill(number, BUY, 1, 100))
    assert 100 <= len(seen) <= 200
    assert ledger.apply(fill(1000, BUY, 1, 100)) is None
    before = dump(ledger)
    with pytest.raises(FactTooOld) as refused:
        ledger.apply(fill(7, BUY, 1, 100))
    assert refused.value.fact.id == "7"
    assert refused.value.unsure_ns == seen.unsure_ns
    assert dump(ledger) == before


def test_a_fill_within_the_skew_of_the_newest_is_never_too_old() -> None:
    seen = RecentIds(entries=3, skew_ns=50)
    ledger, chance = Ledger(terms(), LISTED, fills=seen), random.Random(5)
    for number in range(1, 2000):
        assert ledger.apply(fill(f"x{number}", BUY, 1, 100, time_ns=number + 50 - chance.randint(0, 50))) is not None
    assert len(seen) < 250


def test_a_stamp_from_the_future_does_not_stop_the_forgetting() -> None:
    seen = RecentIds(entries=100, skew_ns=10)
    seen.remember("odd", Print(10**18))
    for number in range(5000):
        seen.remember(str(number), Print(number))
    assert len(seen) <= 300


class Journal:
    """A memory that forgets nothing."""

    unsure_ns = -1

    def __init__(self) -> None:
        self.kept: dict[str, Print] = {}

    def get(self, id: str, /) -> Print | None:  # noqa: A002 - the word of the facts
        return self.kept.get(id)

    def remember(self, id: str, seen: Print) -> Print | None:  # noqa: A002 - the word of the facts
        known = self.kept.setdefault(id, seen)
        return None if known is seen else known


def test_a_memory_of_ones_own_decides_what_was_booked() -> None:
    journal = Journal()
    ledger = Ledger(terms(), LISTED, fills=journal)
    ledger.apply(fill(1, BUY, 1, 100))
    after_restart = Ledger(terms(), LISTED, fills=journal)
    assert after_restart.apply(fill(1, BUY, 1, 100)) is None
    assert list(journal.kept) == ["1"]
