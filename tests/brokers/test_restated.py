"""F18: executions that are told, corrected, declared void and made up, in whatever order that comes to light."""

from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.account_desk import AccountDesk
from brokers.ledger import AccountTerms, Ledger
from brokers.lifecycle import OrderLife
from brokers.model import Fill, OrderState
from brokers.order_events import Acknowledged, Busted, Corrected, Event, Filled, Snapshot
from brokers.order_log import Attempted, Intended, MemoryLog
from brokers.reconciliation import Notes, Now, OrderEvent, Policy, PositionCorrected, Truth, heard, reconcile
from tests.brokers.model_strategies import NIGHTLY
from tests.brokers.reconciliation.play import ACCOUNT, BROKER, LISTED, SECOND, WALL, D, capability, fill, held, order
from tests.brokers.reconciliation.play import told as told_of
from tests.brokers.reconciliation.play import truth as answers_of

TERMS = AccountTerms(BROKER, ACCOUNT, "USD")
ORDERED = order("K1", quantity=6, limit=None)
SYMBOL = ORDERED.symbol


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ns = 100 * SECOND

    def monotonic_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return WALL + self.ns


def working() -> tuple[AccountDesk, Clock]:
    """Books with one order that works at the broker."""
    clock = Clock()
    desk = AccountDesk(TERMS, LISTED.__getitem__, lambda *_: None, MemoryLog(), clock, Policy())
    desk.instrument(SYMBOL)
    desk.record(Intended(ORDERED, "s"))
    desk.record(Attempted(("K1",), 1))
    desk.record(OrderEvent("K1", Acknowledged(broker_order_id="41")))
    return desk, clock


def booked(fills: Sequence[Fill]) -> tuple[Any, ...]:
    """What books of these fills alone come to."""
    ledger = Ledger(TERMS, LISTED)
    for one in fills:
        ledger.apply(attrs.evolve(one, session="s"))
    return figures(ledger)


def figures(ledger: Ledger) -> tuple[Any, ...]:
    position = ledger.position(SYMBOL)
    fees = sum((one.fees for one in ledger.statements()), D(0))
    return position.quantity, position.average_price, position.realised, fees, ledger.session_quantity(SYMBOL, "s")


def counted(life: OrderLife) -> list[Fill]:
    """The executions that count by an order's life."""
    known = life.executions.by_id.items()
    return [fill(id_, one.quantity, one.price, fee=one.fee) for id_, one in known if one is not None]


EXECUTION = st.builds(
    lambda number, quantity, price, fee: fill(
        f"E{number}", quantity, price, order_key="K1", broker_order_id="41", fee=fee
    ),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(4500, 4503),
    st.integers(0, 2),
)
EVENTS = st.one_of(
    st.builds(Filled, EXECUTION),
    st.builds(Corrected, st.sampled_from(("E1", "E2", "E3")), EXECUTION),
    st.builds(Busted, st.sampled_from(("E1", "E2", "E3"))),
)


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(st.lists(EVENTS, max_size=10))
def test_the_ledger_holds_just_the_executions_that_count_by_the_orders_life(events: list[Event]) -> None:
    desk, _ = working()
    for event in events:
        desk.record(OrderEvent("K1", event))
        assert figures(desk.ledger) == booked(counted(desk.entries["K1"].life))


def test_a_correction_of_a_correction_and_its_end_are_booked() -> None:
    desk, _ = working()
    first = fill("E1", 2, 4500, order_key="K1", fee=1)
    for event in (
        Filled(first),
        Corrected("E1", attrs.evolve(first, price=D(4501))),
        Corrected("E1", attrs.evolve(first, price=D(4502), fee=D(3))),
    ):
        desk.record(OrderEvent("K1", event))
    assert figures(desk.ledger) == (2, 4502, 0, 3, 2)
    desk.record(OrderEvent("K1", Busted("E1")))
    assert figures(desk.ledger)[0] == 0
    assert desk.problems == 0


# What was made up, and the executions behind it.


@attrs.frozen
class Mistake:
    """One execution as it was told first, and as it is in the end: corrected, void, or just so."""

    first: Fill
    last: Fill | None

    def news(self) -> list[Event]:
        """What the broker tells of it."""
        news: list[Event] = [Filled(self.first)]
        if self.last is None:
            news.append(Busted(self.first.id))
        elif self.last != self.first:
            news.append(Corrected(self.first.id, self.last))
        return news


@st.composite
def mistakes(draw: st.DrawFn) -> list[Mistake]:
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        price, at = draw(st.integers(4500, 4503)), number
        first = fill(f"E{number}", draw(st.integers(1, 2)), price, order_key="K1", broker_order_id="41", at=at, fee=1)
        fate = draw(st.sampled_from(["right", "right", "price", "void"]))
        last = attrs.evolve(first, price=first.price + 1) if fate == "price" else first
        found.append(Mistake(first, None if fate == "void" else last))
    return found


def in_order(news: Sequence[Event]) -> list[Event]:
    """The same with each end after its execution: a gateway tells of one before it says that it is void."""
    found, waiting = list[Event](), list[Busted]()
    for event in news:
        if isinstance(event, Busted) and not any(
            isinstance(one, Filled) and one.fill.id == event.execution_id for one in found
        ):
            waiting.append(event)
            continue
        found.append(event)
        if isinstance(event, Filled):
            found += [one for one in waiting if one.execution_id == event.fill.id]
    return found


def cycle(desk: AccountDesk, clock: Clock, notes: Notes, answers: Truth) -> tuple[Notes, bool]:
    """One reconciliation, as the account's actor makes it."""
    books = desk.books(notes, started_ns=0, starting=False)
    result = reconcile(books, answers, Now(clock.ns, clock.wall_ns()), capability())
    for event in result.events:
        assert not isinstance(event, PositionCorrected), "executions tell everything"
        desk.record(event)
    return result.notes, result.agreed


def hear(desk: AccountDesk, clock: Clock, event: Event) -> None:
    """One piece of news, as the account's actor takes it in."""
    if isinstance(event, Filled) and desk.is_rival("K1", event.fill):
        books = desk.books(Notes(), started_ns=0, starting=False)
        for found in heard(books, event.fill, Now(clock.ns, clock.wall_ns()), capability()).events:
            desk.record(found)
    else:
        desk.hear("K1", event)


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(mistakes(), st.data())
def test_f18_corrections_before_after_and_instead_of_executions_end_in_the_brokers_books(
    executions: list[Mistake], data: st.DataObject
) -> None:
    desk, clock = working()
    first, last = [one.first for one in executions], [one.last for one in executions if one.last is not None]

    def told(fills: Sequence[Fill], listed: Sequence[Fill]) -> Truth:
        amount = sum((one.quantity for one in fills), D(0))
        value = sum((one.quantity * one.price for one in fills), D(0))
        report = told_of(ORDERED, OrderState.PARTIALLY_FILLED if amount else OrderState.WORKING, amount, None)
        if amount:
            report = attrs.evolve(report, report=attrs.evolve(report.report, average_price=value / amount))
        position = [held(amount, value / amount)] if amount else []
        return answers_of(clock.ns, orders=[report], fills=list(listed), held=position)

    notes = Notes()
    early: list[Fill] = data.draw(st.lists(st.sampled_from(first), unique=True, max_size=3))
    for _ in range(data.draw(st.integers(0, 3))):  # counts come, and executions do not
        notes, _ = cycle(desk, clock, notes, told(first, early))
        clock.ns += 6 * SECOND
    if data.draw(st.booleans()):
        total = sum((one.quantity for one in first), D(0))
        desk.hear("K1", Snapshot(OrderState.PARTIALLY_FILLED, total, D(4500), broker_order_id="41"))
    news = in_order(data.draw(st.permutations([event for one in executions for event in one.news()])))
    for event in news:
        for _ in range(data.draw(st.integers(1, 2))):
            hear(desk, clock, event)
        if data.draw(st.booleans()):
            clock.ns += SECOND // 5  # news come within what lists may lag behind
            notes, _ = cycle(desk, clock, notes, told(last, last))
    agreed = False
    for _ in range(8):
        clock.ns += 5 * SECOND
        notes, agreed = cycle(desk, clock, notes, told(last, last))
    assert agreed
    assert figures(desk.ledger) == booked(last)
    assert desk.problems == 0
