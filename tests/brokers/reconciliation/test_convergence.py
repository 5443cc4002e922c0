"""I06, O07, I22, C17 as properties: whatever is lost, doubled, late or out of order, the books become the broker's."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.ledger import AccountTerms, Ledger
from brokers.lifecycle import LifecycleError, advance
from brokers.model import Fill, Order, OrderState
from brokers.order_events import CancelConfirmed, Event, Sent, Working
from brokers.reconciliation import Books, Claim, folded, reconcile
from brokers.sides import Side
from tests.brokers.model_strategies import NIGHTLY
from tests.brokers.reconciliation.play import (
    FAILED,
    LISTED,
    SECOND,
    D,
    Play,
    S,
    book,
    claim,
    fill,
    held,
    life,
    lost,
    of,
    order,
    play,
    told,
    truth,
)

OURS, ORDERS = 3, 4  # the last order is somebody else's


@attrs.frozen
class Step:
    """Something that happened at the broker: to an order, a fill of some quantity or its end."""

    number: int
    quantity: int  # 0: the order ended


@attrs.define
class Broker:
    """A broker's books after some steps; steps that cannot happen there do not."""

    orders: list[Order]
    filled: list[int] = attrs.Factory(lambda: [0] * ORDERS)
    ended: list[bool] = attrs.Factory(lambda: [False] * ORDERS)
    fills: list[Fill] = attrs.Factory(list)
    news: list[tuple[int, Event | Fill]] = attrs.Factory(list)

    def take(self, step: Step) -> None:
        order, number = self.orders[step.number], step.number
        quantity = min(step.quantity, int(order.quantity) - self.filled[number])
        if self.ended[number] or (step.quantity and not quantity):
            return
        if not step.quantity:
            self.ended[number] = True
            self.news.append((number, CancelConfirmed(broker_order_id=f"B{number}")))
            return
        self.filled[number] += quantity
        self.ended[number] = self.filled[number] == order.quantity
        name = None if number >= OURS else order.key
        at, price = len(self.fills) + 1, 4500 + len(self.fills)
        one = fill(f"X{at}", quantity, price, order.side, order_key=name, broker_order_id=f"B{number}", at=at)
        self.fills.append(one)
        self.news.append((number, one))

    def state(self, number: int) -> OrderState:
        if self.filled[number] == self.orders[number].quantity:
            return S.FILLED
        if self.ended[number]:
            return S.CANCELED
        return S.PARTIALLY_FILLED if self.filled[number] else S.WORKING

    def average(self, fills: Sequence[Fill]) -> Decimal | None:
        if not fills:
            return None
        total = sum(one.quantity for one in fills)
        return sum((one.quantity * one.price for one in fills), D(0)) / total

    def ledger(self) -> Ledger:
        ledger = Ledger(AccountTerms("bank", "A1", "USD"), LISTED)
        for one in self.fills:
            ledger.apply(one)
        return ledger

    def answers(self) -> dict[str, Any]:
        reports = []
        for number, one in enumerate(self.orders):
            fills = [row for row in self.fills if row.broker_order_id == f"B{number}"]
            listed = attrs.evolve(one, key="") if number >= OURS else one
            state = self.state(number)
            reports.append(told(listed, state, self.filled[number], self.average(fills), bid=f"B{number}", created=0))
        position = self.ledger().position("ESZ26")
        held_now = [held(position.quantity, position.average_price)] if position.quantity else []
        return {"orders": reports, "fills": list(self.fills), "held": held_now}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Order], list[Step], list[Claim]]:
    sides = draw(st.lists(st.sampled_from(Side), min_size=ORDERS, max_size=ORDERS))
    orders = [order(f"K{n}", side, quantity=draw(st.integers(1, 4))) for n, side in enumerate(sides)]
    steps = st.builds(Step, st.integers(0, ORDERS - 1), st.integers(0, 3))
    claims = []
    for number in range(OURS):
        begin = draw(st.sampled_from(["lost", "sent", "working"]))
        lives = {
            "lost": lost(orders[number]),
            "sent": life(orders[number], Sent()),
            "working": life(orders[number], Sent(), Working(broker_order_id=f"B{number}")),
        }
        claims.append(claim(lives[begin], sent_ns=100 * SECOND, in_flight=0))
    return orders, draw(st.lists(steps, max_size=12)), claims


def hear(stage: Play, number: int, news: Event | Fill) -> None:
    """One piece of news from the stream, as the account's actor takes it in."""
    if isinstance(news, Fill):
        stage.hear(news)
        return
    key = f"K{number}"
    if key not in stage.books.claims:
        return
    before = stage.books.claims[key]
    try:
        after = advance(before.life, news)
    except LifecycleError:
        return
    touched = attrs.evolve(before, life=after, touched_ns=stage.now_ns)
    stage.books = attrs.evolve(stage.books, claims={**stage.books.claims, key: touched})


@settings(max_examples=60 * NIGHTLY, deadline=None)
@given(histories(), st.data())
def test_i06_o07_any_mixture_of_stream_and_polls_ends_in_the_brokers_books(
    history: tuple[list[Order], list[Step], list[Claim]], data: st.DataObject
) -> None:
    orders, steps, claims = history
    broker, stage = Broker(orders), play(*claims, starting=data.draw(st.booleans()))
    waiting: list[tuple[int, Event | Fill]] = []
    for step in steps:
        told_before = len(broker.news)
        lagging = broker.answers()
        broker.take(step)
        for news in broker.news[told_before:]:
            waiting += [news] * data.draw(st.integers(0, 2))
        waiting = data.draw(st.permutations(waiting))
        for _ in range(data.draw(st.integers(0, len(waiting)))):
            hear(stage, *waiting.pop())
        if data.draw(st.booleans()):
            late = data.draw(st.booleans())  # by less than L
            answers = dict(lagging if late else broker.answers())
            for question in data.draw(st.sets(st.sampled_from(["orders", "fills", "held"]))):
                answers[question] = FAILED
            stage.cycle(0.5 if late else 2, **answers)
    for news in waiting:
        hear(stage, *news)
    for _ in range(12):
        stage.cycle(5, **broker.answers())
    result = stage.cycle(5, **broker.answers())
    assert result.agreed, result
    assert not result.events
    check_equal(stage, broker)


def check_equal(stage: Play, broker: Broker) -> None:
    for number in range(OURS):
        life = stage.life(f"K{number}")
        assert of(life.state, life.filled) == (broker.state(number), broker.filled[number])
    ours, theirs = stage.ledger.position("ESZ26"), broker.ledger().position("ESZ26")
    assert of(ours.quantity, ours.average_price, ours.realised) == (
        theirs.quantity,
        theirs.average_price,
        theirs.realised,
    )
    holding = stage.books.holdings.get(("ESZ26", None))
    assert holding is None or holding.quantity == sum(holding.shares.values()) == theirs.quantity
    external = [c for c in stage.books.claims.values() if c.session is None and not c.life.state.final]
    assert len(external) == (not broker.ended[OURS])


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(histories(), st.sets(st.sampled_from(["orders", "fills", "held"])), st.integers(0, 4), st.booleans())
def test_c17_i22_the_same_input_gives_the_same_and_a_second_run_gives_nothing(
    history: tuple[list[Order], list[Step], list[Claim]], missing: set[str], position: int, starting: bool
) -> None:
    orders, steps, claims = history
    broker = Broker(orders)
    for step in steps:
        broker.take(step)
    answers = broker.answers() | ({"held": [held(position, 4500)]} if position else {})
    stage = play(*claims, starting=starting)
    round_ = truth(stage.now_ns, **(answers | dict.fromkeys(missing, FAILED)))
    first, again = (reconcile(stage.books, round_, stage.now, stage.can) for _ in range(2))
    assert first == again
    books = attrs.evolve(folded(stage.books, first.events, stage.now_ns), notes=first.notes)
    second = reconcile(books, round_, stage.now, stage.can)
    assert of(second.events, second.alerts) == ((), ())
    _check_ledger(first.events, books)


def _check_ledger(events: Sequence[object], books: Books) -> None:
    """The ledger and the holdings of the books take the same from the events."""
    ledger = Ledger(AccountTerms("bank", "A1", "USD"), LISTED)
    for event in events:
        book(ledger, event)  # type: ignore[arg-type]
    holding = books.holdings.get(("ESZ26", None))
    assert ledger.position("ESZ26").quantity == (holding.quantity if holding else 0)
