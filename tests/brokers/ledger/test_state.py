"""State as plain data: without loss, and the same facts give the same state."""

import json
import random

import attrs
import pytest

from brokers.ledger import BadState, Fact, Ledger, LedgerError, Mark, Marking, RecentIds, dump, load
from tests.brokers.ledger.makers import BUY, LISTED, SELL, D, bought, fill, holds, new_ledger, terms
from tests.brokers.ledger.test_identity import TRADED, World
from tests.brokers.ledger.test_order import Journal, figures


def lived(seed: int, reorder: int = 8) -> tuple[Ledger, World]:
    """A ledger after some random events."""
    world = World(random.Random(seed))
    ledger = Ledger(terms(reorder=reorder), LISTED, fills=RecentIds(50, 20), others=RecentIds(50, 20))
    for instrument in TRADED:
        ledger.mark(Mark(instrument.symbol, 0, D(1), D(1)))
    for _ in range(100):
        outcome(ledger, world.fact())
    return ledger, world


def outcome(ledger: Ledger, fact: Fact) -> str:
    """What comes of a fact; some corrections are too old for this short memory."""
    try:
        ledger.record(fact)
    except LedgerError as error:
        return str(error)
    return "booked"


@pytest.mark.parametrize("seed", range(8))
def test_state_survives_json_and_goes_on_the_same(seed: int) -> None:
    ledger, world = lived(seed)
    again = load(json.loads(json.dumps(dump(ledger))), terms(reorder=8), LISTED)
    assert dump(again) == dump(ledger)
    assert figures(again) == figures(ledger)
    for _ in range(60):
        fact = world.fact()
        assert outcome(ledger, fact) == outcome(again, fact)
    assert dump(again) == dump(ledger)
    assert figures(again) == figures(ledger)
    assert holds(again)


def test_the_same_facts_give_the_same_state() -> None:
    assert dump(lived(3)[0]) == dump(lived(3)[0])


def test_state_is_texts_lists_dicts_and_numbers_of_64_bits() -> None:
    def walk(value: object) -> None:
        if isinstance(value, dict):
            assert all(type(key) is str for key in value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        else:
            assert value is None or type(value) in (str, bool) or (type(value) is int and abs(value) < 2**63)

    ledger, _ = lived(5)
    chance = random.Random(1)
    for number in range(300):
        side = SELL if number % 2 else BUY
        ledger.apply(fill(f"g{number}", side, chance.randint(1, 99), 1 + chance.random(), time_ns=10**18 + number))
    walk(dump(ledger))


def test_a_restored_ledger_knows_its_duplicates_and_its_old_fills() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100), (SELL, 1, 101))
    again = load(dump(ledger), terms(), LISTED)
    assert again.apply(fill(2, SELL, 1, "101.0")) is None
    late = again.apply(fill("late", BUY, 3, 90, time_ns=1))
    assert late is not None
    assert again.position("ONE").realised == 6


def test_a_restored_ledger_still_shares_one_tally_between_account_and_only_session() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100), session="a")
    book = load(dump(ledger), terms(), LISTED).account.books["ONE"]
    assert book.shares["a"] is book.net


def test_a_memory_of_ones_own_is_kept_by_its_owner() -> None:
    journal = Journal()
    ledger = Ledger(terms(), LISTED, fills=journal)
    bought(ledger, (BUY, 3, 100))
    state = dump(ledger)
    assert state["fills"] is None
    assert load(state, terms(), LISTED, fills=journal).apply(fill(1, BUY, 3, 100)) is None
    with pytest.raises(BadState):
        load(state, terms(), LISTED)


@pytest.mark.parametrize(
    "other", [{"account": "A2"}, {"broker": "b"}, {"currency": "EUR"}, {"marking": Marking.BROKER}, {"reorder": 9}]
)
def test_state_of_other_terms_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(BadState) as refused:
        load(dump(new_ledger()), attrs.evolve(terms(), **other), LISTED)  # type: ignore[arg-type]
    assert refused.value.field == "terms"


@pytest.mark.parametrize("change", [{"multiplier": D(20)}, {"currency": "EUR"}])
def test_state_of_an_instrument_that_changed_its_terms_is_refused(change: dict[str, object]) -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100), symbol="ESZ26")
    changed = LISTED | {"ESZ26": attrs.evolve(LISTED["ESZ26"], **change)}  # type: ignore[arg-type]
    with pytest.raises(BadState) as refused:
        load(dump(ledger), terms(), changed)
    assert refused.value.field == "rules"


def test_an_inverse_state_keeps_its_quantum() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 300, 60_000), symbol="XBTUSD")
    with pytest.raises(BadState):
        load(dump(ledger), attrs.evolve(terms(), quanta={}), LISTED)


@pytest.mark.parametrize("damage", [{"format": 1}, {"books": None}, {"books": [{}]}, {"flows": [["x"]]}, {"marks": 3}])
def test_damaged_state_is_refused(damage: dict[str, object]) -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100))
    with pytest.raises(BadState):
        load(dump(ledger) | damage, terms(), LISTED)


def test_a_tick_that_became_finer_does_not_matter() -> None:
    ledger = new_ledger()
    bought(ledger, (BUY, 3, 100), symbol="ESZ26")
    finer = LISTED | {"ESZ26": attrs.evolve(LISTED["ESZ26"], tick=D("0.0001"), lot=D("0.1"))}
    again = load(dump(ledger), terms(), finer)
    again.apply(fill(2, SELL, "0.1", "100.0001", "ESZ26"))
    assert again.position("ESZ26").realised == D("0.0005")
