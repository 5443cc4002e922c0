"""The hand-written copies say what attrs.evolve says, whatever fields their classes come to have."""

from decimal import Decimal

import attrs

from brokers.executions import Execution, Executions
from brokers.lifecycle import OrderLife
from brokers.model import Change, Fill, Liquidity, Order, OrderState, OrderType
from brokers.order_events import Owed
from brokers.sides import Side

D = Decimal
FILL = Fill(
    "1", "paper", "a", "ESZ26", Side.BUY, D(1), D(2), 3, "key", "b1", D("0.1"), "EUR", Liquidity.MAKER, "one"
)  # fmt: skip
LIFE = OrderLife(
    Order("key", "ESZ26", Side.BUY, OrderType.MARKET, D(2)),
    OrderState.WORKING,
    canceling=True,
    change=Change("key", D(3)),
    uncertain=True,
    executions=Executions({"1": Execution(D(1), D(2))}, D(1), D(2), D(2), D(4)),
    broker_order_ids=("b1",),
    reason="slow",
    facts=(Owed(D(1)),),
)


def _differs_from_every_default(value: attrs.AttrsInstance) -> bool:
    return all(getattr(value, field.name) != field.default for field in attrs.fields(type(value)))


def test_the_samples_leave_no_field_at_its_default() -> None:
    assert _differs_from_every_default(FILL)
    assert _differs_from_every_default(LIFE)


def test_a_fill_keeps_all_but_its_fee_and_its_session() -> None:
    assert FILL.attributed(D(7), "two") == attrs.evolve(FILL, fee=D(7), session="two")


def test_a_life_that_moves_keeps_all_but_its_word_its_executions_and_its_ids() -> None:
    moved = LIFE.moved(OrderState.FILLED, Executions(), ("b1", "b2"))
    evolved = attrs.evolve(
        LIFE, standing=OrderState.FILLED, executions=Executions(), broker_order_ids=("b1", "b2")
    )  # fmt: skip
    assert (moved, moved.facts) == (evolved, evolved.facts)


def test_executions_keep_the_reported_average() -> None:
    news = {"2": Execution(D(1), D(4))}
    assert LIFE.executions.restated(news) == Executions(
        {"1": Execution(D(1), D(2)), **news}, D(2), D(6), reported=D(2), reported_average=D(4)
    )
