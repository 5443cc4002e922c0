"""What a reconciliation bears: any nonsense from a broker, and a large account within its time."""

import statistics
import time
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.model import Fill, OrderReport, OrderState
from brokers.order_events import Filled
from brokers.reconciliation import Answer, Books, Held, Holding, Listing, Told, Truth, folded, reconcile
from tests.brokers.model_strategies import NIGHTLY, anything
from tests.brokers.reconciliation.play import (
    LISTED,
    NAMED,
    NAMELESS,
    SECOND,
    D,
    Play,
    S,
    books,
    claim,
    fill,
    held,
    lost,
    of,
    order,
    play,
    told,
    truth,
    working,
)

NUMBERS = st.sampled_from([D(0), D(1), D(-1), D(3), D("0.5"), D("NaN"), D("Infinity"), D("1e60"), D(4500)])
KEYS = st.sampled_from(["", "K1", "K2", "K3", "41"])
IDS = st.sampled_from(["41", "42", "43"])


@st.composite
def nonsense(draw: st.DrawFn) -> Truth:
    """Truth of any content that is near enough to our orders to be taken for them."""
    symbols = st.sampled_from([*LISTED, "NOPE"])

    def report() -> OrderReport:
        base: OrderReport = draw(anything(OrderReport))
        one = attrs.evolve(order(draw(KEYS), quantity=draw(NUMBERS)), symbol=draw(symbols))
        return attrs.evolve(
            base,
            order=one,
            state=draw(st.sampled_from(OrderState)),
            filled=draw(NUMBERS),
            average_price=draw(st.none() | NUMBERS),
            broker_order_ids=tuple(draw(st.lists(IDS, max_size=2))),
        )

    def execution() -> Fill:
        base: Fill = draw(anything(Fill))
        return attrs.evolve(
            base,
            symbol=draw(symbols),
            quantity=draw(NUMBERS),
            price=draw(NUMBERS),
            fee=draw(NUMBERS),
            order_key=draw(st.none() | KEYS),
            broker_order_id=draw(st.none() | IDS),
        )

    def listing(one: Any) -> Listing[Any] | None:
        return draw(st.none() | st.just(Listing(tuple(one() for _ in range(draw(st.integers(0, 3)))), 100 * SECOND)))

    def position() -> Held:
        return Held(draw(symbols), draw(NUMBERS), draw(st.none() | NUMBERS))

    def sight() -> Told:
        return Told(report(), draw(st.none() | st.integers(0, 2**62)))

    answers = {key: Answer(draw(st.none() | st.just(sight())), 100 * SECOND) for key in draw(st.sets(KEYS, max_size=2))}
    before, after = listing(position), listing(position)
    return Truth("A1", listing(sight), listing(sight), listing(execution), answers, before, after)


@settings(max_examples=150 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nonsense(), st.sampled_from([NAMED, NAMELESS]), st.booleans())
def test_f39_whatever_a_broker_says_the_function_answers_and_its_events_can_be_folded(
    told_us: Truth, can: Any, starting: bool
) -> None:
    part = working(order("K3", quantity=3), "43", Filled(fill("X1", 1)))
    stage = play(
        claim(working(order("K1"))),
        claim(lost(order("K2"))),
        claim(part),
        holding=(1, 4500),
        starting=starting,
        can=can,
    )
    result = reconcile(stage.books, told_us, stage.now, can)
    after = folded(stage.books, result.events, stage.now_ns)
    assert all(isinstance(holding.quantity, Decimal) for holding in after.holdings.values())
    assert not (result.agreed and result.events)


def large() -> tuple[Books, dict[str, Any]]:
    """1,000 open orders, 5,000 fills and 100 positions, half of the fills new."""
    instruments = {f"S{n}": attrs.evolve(LISTED["ESZ26"], symbol=f"S{n}") for n in range(100)}
    orders = [order(f"K{n}", quantity=10, symbol=f"S{n % 100}") for n in range(1_000)]
    claims = [claim(working(one, f"B{n}")) for n, one in enumerate(orders)]
    fills = [
        fill(f"X{n}", 1, symbol=f"S{n % 100}", order_key=f"K{n % 1000}", broker_order_id=f"B{n % 1000}", at=n)
        for n in range(5_000)
    ]
    listed = [told(one, S.PARTIALLY_FILLED, 5, 4500, bid=f"B{n}") for n, one in enumerate(orders)]
    mine = attrs.evolve(
        books(*claims, holdings={(symbol, None): Holding(D(0), None) for symbol in instruments}),
        instruments=instruments,
    )
    return mine, {"orders": listed, "fills": fills, "held": [held(50, 4500, symbol) for symbol in instruments]}


def test_a_large_account_is_reconciled_within_its_time() -> None:
    mine, answers = large()
    spent, stage = [], Play(mine)
    result = reconcile(mine, truth(stage.now_ns, **answers), stage.now, stage.can)
    for _ in range(3):
        from_ns = time.perf_counter_ns()
        reconcile(mine, truth(stage.now_ns, **answers), stage.now, stage.can)
        spent.append(time.perf_counter_ns() - from_ns)
    assert len(result.events) == 5_000
    assert statistics.median(spent) < SECOND
    after = attrs.evolve(folded(mine, result.events, stage.now_ns), notes=result.notes)
    later = Play(after, now_ns=200 * SECOND)
    from_ns = time.perf_counter_ns()
    again = reconcile(after, truth(later.now_ns, **answers), later.now, later.can)
    assert time.perf_counter_ns() - from_ns < SECOND
    assert of(again.events, again.agreed) == ((), True)
