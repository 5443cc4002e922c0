"""Claims about the plan of a contract roll."""

import datetime as dt
from decimal import Decimal

import pytest

from brokers.calendar import SECOND_NS
from brokers.catalogue import Catalogue
from brokers.ledger import AccountTerms, Ledger
from brokers.model import Fill
from brokers.rolls import Roll
from brokers.sides import Side
from brokers.symbols import Contract
from sessions.bars import RollPlan, due_roll, plan_roll
from sessions.bars.rolling import Announce, CancelOrders, Close, LoadHistory, Open, Subscribe, Unsubscribe

CATALOGUE = Catalogue.shipped()
OLD, NEW = "ESZ26", "ESH27"
SCHEDULE = CATALOGUE.schedule("ES", dt.date(2026, 10, 1), dt.date(2027, 12, 1))
ROLL = SCHEDULE.rolls[0]


def noon(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(18), dt.UTC).timestamp()) * SECOND_NS


def plan(position: int, *, move: bool = True, roll: Roll = ROLL) -> RollPlan:
    return plan_roll(roll, CATALOGUE.instrument(roll.old.symbol), Decimal(position), move_position=move)


def kinds(plan: RollPlan) -> list[type]:
    return [type(step) for step in plan.steps]


def test_the_new_contract_is_there_before_the_strategy_is_told_and_the_old_one_leaves_last() -> None:
    assert plan(2).steps == (
        Subscribe(NEW),
        LoadHistory(NEW),
        Announce(OLD, NEW),
        CancelOrders(OLD),
        Close(OLD, Side.SELL, Decimal(2)),
        Open(NEW, Side.BUY, Decimal(2)),
        Unsubscribe(OLD),
    )


def test_a_short_position_moves_the_other_way() -> None:
    assert Close(OLD, Side.BUY, Decimal(3)) in plan(-3).steps
    assert Open(NEW, Side.SELL, Decimal(3)) in plan(-3).steps


def test_a_position_that_is_not_to_move_keeps_its_orders_and_its_data() -> None:
    assert kinds(plan(2, move=False)) == [Subscribe, LoadHistory, Announce]


@pytest.mark.parametrize("move", [True, False])
def test_without_a_position_only_the_orders_go(move: bool) -> None:
    assert kinds(plan(0, move=move)) == [Subscribe, LoadHistory, Announce, CancelOrders, Unsubscribe]


def test_a_contract_that_expired_meanwhile_is_neither_closed_nor_opened_anew() -> None:
    late = Roll(ROLL.old, ROLL.new, dt.date(2026, 12, 21))
    assert kinds(plan(2, roll=late)) == [Subscribe, LoadHistory, Announce, CancelOrders, Unsubscribe]


def test_a_close_is_trimmed_to_what_the_strategy_left() -> None:
    close = Close(OLD, Side.SELL, Decimal(2))
    assert [close.trimmed(Decimal(held)) for held in (3, 2, 1, 0, -1)] == [2, 2, 1, 0, 0]
    assert Close(OLD, Side.BUY, Decimal(2)).trimmed(Decimal(-1)) == 1


def test_a_roll_is_due_when_its_trading_day_begins_and_not_before() -> None:
    calendar = CATALOGUE.calendar("ES")
    session = calendar.session_of(ROLL.day)
    assert session is not None
    before = calendar.previous_session(session).end_ns - 1
    assert due_roll(OLD, SCHEDULE, calendar, before) is None
    assert due_roll(OLD, SCHEDULE, calendar, session.start_ns - 1) is None  # the weekend before, when nothing trades
    assert due_roll(OLD, SCHEDULE, calendar, session.start_ns) == ROLL
    assert due_roll(NEW, SCHEDULE, calendar, session.start_ns) is None


def test_rolls_that_were_slept_through_are_one() -> None:
    found = due_roll(OLD, SCHEDULE, CATALOGUE.calendar("ES"), noon(dt.date(2027, 7, 1)))
    assert found is not None
    assert (found.old, found.new) == (Contract.parse(OLD), Contract.parse("ESU27"))


def test_g5_a_roll_realises_the_close_and_the_gap_is_nobodys_profit() -> None:
    instruments = {symbol: CATALOGUE.instrument(symbol) for symbol in (OLD, NEW)}
    ledger = Ledger(AccountTerms("paper", "A1", "USD"), instruments)

    def fill(number: int, symbol: str, side: Side, price: int) -> None:
        ledger.apply(Fill(str(number), "paper", "A1", symbol, side, Decimal(1), Decimal(price), number))

    fill(1, OLD, Side.BUY, 4490)
    steps = [step for step in plan(1).steps if isinstance(step, Close | Open)]
    for number, (step, price) in enumerate(zip(steps, (4500, 4510), strict=True), start=2):
        fill(number, step.symbol, step.side, price)
    closed, opened = ledger.position(OLD), ledger.position(NEW)
    assert [closed.quantity, closed.realised] == [0, 10 * 50]
    assert [opened.quantity, opened.average_price, opened.realised] == [1, 4510, 0]
