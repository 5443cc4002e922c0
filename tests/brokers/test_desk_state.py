"""An account's books as plain data: what is taken over from a snapshot is what the fold of all facts comes to."""

import contextlib
import gc
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers import order_events as events
from brokers import reconciliation as found
from brokers.account_desk import AccountDesk, Entry
from brokers.collector import collector_paused
from brokers.desk_state import BadSnapshot, DeskState
from brokers.instruments import Instrument
from brokers.ledger import AccountTerms, CashFlow, Correction, FlowKind
from brokers.lifecycle import OrderLife
from brokers.model import Change, Fill, GroupKind, OrderGroup, OrderReport, OrderState
from brokers.order_log import (
    Abandoned,
    Attempted,
    CashMoved,
    Happening,
    Intended,
    MemoryLog,
    OrderFact,
    OrderLog,
    Snapshot,
)
from brokers.reconciliation import OrderEvent, Policy
from brokers.sides import Side
from tests.brokers.model_strategies import NIGHTLY
from tests.brokers.reconciliation.play import ACCOUNT, BROKER, LISTED, WALL, fill, order, working

NOW = 7
TERMS = AccountTerms(BROKER, ACCOUNT, "USD")
SIDES = (Side.BUY, Side.SELL)
STATES = tuple(OrderState)


class StillClock:
    """A monotonic clock that stands, so that live books and folded ones can be compared whole."""

    def __init__(self) -> None:
        self.wall = WALL

    def monotonic_ns(self) -> int:
        return NOW

    def wall_ns(self) -> int:
        self.wall += 1
        return self.wall


class Facts(MemoryLog):
    """A log that keeps every fact and every snapshot in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[OrderFact] = []

    def note(self, fact: OrderFact) -> None:
        self.noted.append(fact)

    def since_snapshot(self) -> list[OrderFact]:
        starts = [place for place, fact in enumerate(self.noted) if type(fact.what) is Snapshot]
        return self.noted[starts[-1] if starts else 0 :]

    def all_facts(self) -> list[OrderFact]:
        return [fact for fact in self.noted if type(fact.what) is not Snapshot]


def desk(log: OrderLog | None = None, **more: Any) -> AccountDesk:
    finder = more.pop("instruments", LISTED.__getitem__)
    tell = more.pop("tell", lambda *_: None)
    terms = more.pop("terms", TERMS)
    return AccountDesk(terms, finder, tell, log or MemoryLog(), StillClock(), Policy(), keep_finished=1)


def folded(facts: Iterable[OrderFact], **more: Any) -> AccountDesk:
    books = desk(**more)
    books.fold(facts, NOW)
    return books


def through_json(state: DeskState) -> DeskState:
    return msgspec.json.decode(msgspec.json.encode(state), type=DeskState)


def entry_facts(entry: Entry) -> tuple[Any, ...]:
    return (entry.kept(), entry.sent_ns, entry.touched_ns, entry.in_flight, entry.survived, entry.cancel_sent)


def same(one: AccountDesk, other: AccountDesk) -> None:
    """All that the books hold is equal, to the last id, time and order of keys."""
    assert one.state() == other.state()
    assert list(map(entry_facts, one.entries.values())) == list(map(entry_facts, other.entries.values()))
    assert all(one.open[key] is one.entries[key] for key in one.open)
    assert (one.watched, one.moved_ns, one.by_broker_id) == (other.watched, other.moved_ns, other.by_broker_id)
    assert (one.closed.state(), one.closed.unsure_ns) == (other.closed.state(), other.closed.unsure_ns)
    assert one.ledger.positions() == other.ledger.positions()
    assert one.ledger.balances() == other.ledger.balances()
    assert one.fill_ids.state() == other.fill_ids.state()


# Random histories.


@attrs.define
class History:
    """Books that live through random happenings; each of them is drawn as a word and two numbers."""

    log: Facts = attrs.field(factory=Facts)
    desk: AccountDesk = attrs.Factory(lambda self: desk(self.log), takes_self=True)
    number: int = 0

    def step(self, word: str, which: int, much: int) -> None:
        self.number += 1
        keys = list(self.desk.entries)
        if word == "save":
            self.desk.save()
        elif word in NEW:
            for what in NEW[word](self.number, much):
                self.desk.record(what)
        elif keys:
            key = keys[which % len(keys)]
            for what in KNOWN[word](self.desk.entries[key].life, self.number, much):
                self.desk.record(what)


def execution(number: int, life: OrderLife, much: int) -> Fill:
    price = 4500 + much
    return fill(f"f{number}", much % 3 + 1, price, life.order.side, at=number, order_key=life.order.key, fee="2.25")


def of_order(event: events.Event) -> Callable[[OrderLife, int, int], list[Happening]]:
    return lambda life, _number, _much: [OrderEvent(life.order.key, event)]


def intended(number: int, much: int) -> list[Happening]:
    return [Intended(order(f"K{number}", SIDES[much % 2], much % 4 + 1), f"s{much % 2}")]


def grouped(number: int, much: int) -> list[Happening]:
    members = tuple(order(f"K{number}/{child}", SIDES[child], much % 4 + 1) for child in range(2))
    return [Intended(OrderGroup(f"K{number}", GroupKind.OCO, None, members), "s1")]


def adopted(number: int, much: int) -> list[Happening]:
    life = working(order(f"X{number}", quantity=much % 4 + 1), f"b{number}")
    return [found.Adopted(f"X{number}", life, None, WALL, sketched=bool(much % 2))]


def guessed(number: int, much: int) -> list[Happening]:
    """A fill by inference, and what takes its place."""
    guess = fill(f"guess/{number}", much % 3 + 1, session="s1", at=number)
    right = fill(f"right/{number}", 1, session="s1", at=number) if much % 2 else None
    taken_back = found.Superseded(Correction(f"c{number}", guess, right, guess.time_ns))
    return [found.InferredFill(guess), *([taken_back] if much % 3 else [])]


def cash(number: int, much: int) -> list[Happening]:
    return [CashMoved(CashFlow(f"d{number}", BROKER, ACCOUNT, FlowKind.DEPOSIT, Decimal(much + 1), "USD", WALL))]


def filled(life: OrderLife, number: int, much: int) -> list[Happening]:
    return [OrderEvent(life.order.key, events.Filled(execution(number, life, much)))]


def restated(life: OrderLife, number: int, much: int) -> list[Happening]:
    known = list(life.executions.by_id)
    if not known:
        return []
    id_ = known[much % len(known)]
    event = events.Busted(id_) if much % 2 else events.Corrected(id_, execution(number, life, much))
    return [OrderEvent(life.order.key, event)]


def replaced(life: OrderLife, number: int, much: int) -> list[Happening]:
    change = Change(life.order.key, quantity=Decimal(much + 1))
    confirmed = events.ReplaceConfirmed(change, broker_order_id=f"r{number}")
    return [OrderEvent(life.order.key, event) for event in (events.ReplaceRequested(change), confirmed)[: much % 2 + 1]]


def reconciled(life: OrderLife, _number: int, much: int) -> list[Happening]:
    state = STATES[much % len(STATES)]
    return [OrderEvent(life.order.key, events.Reconciled(state, broker_order_id=f"q{life.order.key}"))]


def late(life: OrderLife, number: int, _much: int) -> list[Happening]:
    """An order that was proved absent, and lives."""
    alive = working(life.order, f"l{number}")
    key = life.order.key
    return [found.NotAccepted(key), found.LateAcceptance(key, alive, "s1", WALL, found.Remedy.KEEP)]


def acknowledged(life: OrderLife, number: int, _much: int) -> list[Happening]:
    told = (events.Acknowledged(broker_order_id=f"b{number}"), events.Working(broker_order_id=f"b{number}"))
    return [OrderEvent(life.order.key, event) for event in told]


NEW: dict[str, Callable[[int, int], list[Happening]]] = {
    "intended": intended,
    "group": grouped,
    "adopted": adopted,
    "guessed": guessed,
    "cash": cash,
    "external": lambda number, much: [found.ExternalFill(fill(f"e{number}", much + 1, at=number, session="s2"))],
}
KNOWN: dict[str, Callable[[OrderLife, int, int], list[Happening]]] = {
    "attempted": lambda life, _, much: [Attempted((life.order.key,), much % 3 + 1)],
    "abandoned": lambda life, _, much: [Abandoned((life.order.key,), "no")] if much == 0 else [],
    "acknowledged": acknowledged,
    "filled": filled,
    "restated": restated,
    "replaced": replaced,
    "canceled": of_order(events.CancelConfirmed()),
    "cancel": of_order(events.CancelRequested()),
    "lost": of_order(events.LostTouch("no answer")),
    "reconciled": reconciled,
    "absent": lambda life, _, __: [found.NotAccepted(life.order.key)],
    "late": late,
    "never": lambda life, _, __: [found.NeverSent(life.order.key)],
    "escalated": lambda life, _, __: [found.Escalated(life.order.key, "a person is asked")],
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["intended", "attempted", "acknowledged", "filled", "canceled", "never", *NEW, *KNOWN]),
        st.integers(0, 5),
        st.integers(0, 13),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=60 * NIGHTLY)
@given(STEPS, st.integers(0, 200))
def test_a_snapshot_and_the_facts_since_fold_to_what_all_facts_fold_to(
    steps: list[tuple[str, int, int]], cut: int
) -> None:
    history = History()
    for step in steps:
        history.step(*step)
    facts = history.log.all_facts()
    cut = cut % (len(facts) + 1)
    state = through_json(folded(facts[:cut]).state())
    begun = folded([OrderFact(WALL, Snapshot(state)), *facts[cut:]])
    same(begun, folded(facts))
    assert begun.unsaved == len(facts) - cut


@settings(max_examples=60 * NIGHTLY)
@given(STEPS, st.sets(st.integers(0, 59), min_size=1, max_size=3))
def test_snapshots_taken_amid_trading_change_nothing_of_the_books_that_the_next_life_has(
    steps: list[tuple[str, int, int]], saves: set[int]
) -> None:
    history = History()
    for place, step in enumerate(steps):
        history.step(*step)
        if place in saves:
            history.step("save", 0, 0)
    same(folded(history.log.since_snapshot()), folded(history.log.all_facts()))


def test_random_histories_reach_every_corner_of_the_books() -> None:
    reached: set[str] = set()

    @settings(max_examples=100)
    @given(STEPS)
    def play(steps: list[tuple[str, int, int]]) -> None:
        history = History()
        for step in steps:
            history.step(*step)
        state = history.desk.state()
        reached.update(field for field, value in attrs.asdict(state, recurse=False).items() if value)
        reached.update("forgotten" for ids in state.closed if ids)

    play()
    assert reached >= {field.name for field in attrs.fields(DeskState)} | {"forgotten"}


# What is refused, and what is not.


def traded() -> AccountDesk:
    """Books with an order that works, one that is filled, and the position of it."""
    history = History()
    for word, which in [("intended", 0), ("attempted", 0), ("filled", 0), ("intended", 0), ("attempted", 1)]:
        history.step(word, which, 0)
    return history.desk


DAMAGES: dict[str, Callable[[DeskState], DeskState]] = {
    "format": lambda state: attrs.evolve(state, format=3),
    "open": lambda state: attrs.evolve(state, open=("nobody",)),
    "doubted": lambda state: attrs.evolve(state, doubted=("nobody",)),
    "orders": lambda state: attrs.evolve(state, orders=state.orders * 2),
    "ledger": lambda state: attrs.evolve(state, ledger={**state.ledger, "books": [{}]}),
}


@pytest.mark.parametrize("request_of", [intended, grouped])
def test_an_order_that_is_to_be_sent_stands_in_the_books_as_its_facts_fold(
    request_of: Callable[[int, int], list[Happening]],
) -> None:
    (wish, *_) = request_of(1, 3)
    assert isinstance(wish, Intended)
    log = Facts()
    sent, recorded = desk(log), desk()
    keys = tuple(one.key for one in wish.orders)
    sent.intend(wish.request, keys, wish.session)
    assert [fact.what for fact in log.noted] == [wish, Attempted(keys, 1)]
    for fact in log.noted:
        recorded.apply(fact, NOW)
    same(sent, recorded)
    assert sent.state() == folded(log.noted).state()


@pytest.mark.parametrize("field", DAMAGES)
def test_a_snapshot_that_does_not_hold_together_is_refused_by_name_and_nothing_is_taken_over(field: str) -> None:
    books = traded()
    before = books.state()
    with pytest.raises(BadSnapshot, match=f"expected {field} to be") as refused:
        books.fold([OrderFact(WALL, Snapshot(DAMAGES[field](traded().state())))], NOW)
    assert refused.value.field == field
    assert books.state() == before


def test_the_books_of_another_account_are_refused() -> None:
    other = AccountTerms(BROKER, "A2", "USD")
    with pytest.raises(BadSnapshot, match="A2"):
        folded([OrderFact(WALL, Snapshot(traded().state()))], terms=other)


def test_a_contract_that_nobody_knows_any_more_is_taken_over_as_it_was() -> None:
    def unknown(symbol: str) -> Instrument:
        raise LookupError(symbol)

    books = traded()
    begun = folded([OrderFact(WALL, Snapshot(books.state()))], instruments=unknown)
    assert begun.ledger.positions() == books.ledger.positions()
    assert begun.instruments["ESZ26"] == LISTED["ESZ26"]


def test_what_the_log_holds_is_told_to_nobody_and_what_happens_next_is() -> None:
    history = History()
    for word in ("intended", "attempted", "acknowledged"):
        history.step(word, 0, 0)
    told: list[OrderReport | Fill] = []
    books = folded(history.log.noted, tell=lambda _, change: told.append(change))
    assert told == []
    (key,) = books.open
    books.record(OrderEvent(key, events.CancelConfirmed()))
    assert [report.state for report in told if isinstance(report, OrderReport)] == [OrderState.CANCELED]


def test_an_order_that_lives_after_it_was_held_for_dead_is_not_forgotten_with_the_finished_ones() -> None:
    history = History()
    history.step("intended", 0, 0)
    history.step("attempted", 0, 0)
    history.step("late", 0, 0)
    (alive,) = history.desk.open
    for _ in range(5):
        history.step("intended", 0, 0)
        history.step("never", -1, 0)
    assert alive in history.desk.entries
    assert len(history.desk.entries) <= 5


async def test_a_log_in_memory_begins_with_its_newest_snapshot() -> None:
    log = MemoryLog(keep=True)
    second = OrderFact(2, Attempted(("K1",), 1))
    snapshot = OrderFact(1, Snapshot(desk().state()))
    for fact in (OrderFact(0, Intended(order(), "s1")), snapshot, second):
        log.note(fact)
    assert await log.load() == (snapshot, second)


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_put_off_and_afterwards_as_it_was(*, was_on: bool) -> None:
    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        with contextlib.suppress(LookupError), collector_paused():
            assert not gc.isenabled()
            raise LookupError
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()


def test_b11_a_stranger_s_fill_moves_the_position_of_the_session_that_it_is_booked_for() -> None:
    told: list[tuple[str | None, object]] = []
    books = desk(tell=lambda session, news: told.append((session, news)))
    stranger = OrderLife(order("x"), broker_order_ids=("7",), standing=OrderState.WORKING)
    books.record(found.Adopted("x", stranger, None, WALL))
    bought = fill("f1", 1, session="s1")
    books.record(OrderEvent("x", events.Filled(bought)))
    symbol = bought.symbol
    assert (books.quantity(symbol, "s1"), books.quantity(symbol, None)) == (bought.signed_quantity, Decimal(0))
    assert [session for session, news in told if isinstance(news, Fill)] == ["s1"]
