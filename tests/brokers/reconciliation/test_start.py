"""Scenarios C: the first reconciliation of a process."""

import datetime as dt

import attrs
import pytest

from brokers.model import TimeInForce
from brokers.order_events import Filled, Sent
from brokers.reconciliation import Cause, Holding, PositionCorrected, WrongAccount
from brokers.reconciliation.positions import tolerance
from tests.brokers.model_strategies import refusal
from tests.brokers.reconciliation.play import (
    FAILED,
    LISTED,
    SECOND,
    SELL,
    WALL,
    D,
    Play,
    S,
    capability,
    claim,
    concerns,
    fill,
    held,
    kinds,
    life,
    lost,
    of,
    order,
    play,
    told,
    working,
)

K1 = order()


def correct(holding: tuple[object, object], broker: tuple[object, object]) -> tuple[Play, list[tuple[object, ...]]]:
    """One start with a difference; the stage after it, and the corrections as (side, quantity, price)."""
    stage = play(holding=holding, starting=True)
    result = stage.cycle(held=[held(*broker)])
    fills = [event.fill for event in result.events if isinstance(event, PositionCorrected)]
    assert len(fills) == len(result.events)
    return stage, [(fill.side.value, fill.quantity, fill.price) for fill in fills]


def test_c1_what_agrees_gives_no_event_and_is_ready() -> None:
    stage = play(claim(working(K1)), holding=(1, 4500), starting=True)
    result = stage.cycle(orders=[told(K1, S.WORKING)], held=[held(1, 4500)])
    assert of(result.events, result.asks, result.alerts, result.agreed) == ((), (), (), True)


def test_c3_an_order_that_expired_meanwhile_is_expired() -> None:
    stage = play(claim(working(K1)), starting=True)
    stage.cycle(orders=[told(K1, S.EXPIRED)])
    assert stage.state() is S.EXPIRED


@pytest.mark.parametrize(
    ("expires", "word"), [(WALL + 50 * SECOND, S.EXPIRED), (WALL + 900 * SECOND, S.CANCELED), (None, S.CANCELED)]
)
def test_c3_where_expiry_is_not_told_apart_the_time_tells_and_in_doubt_it_is_cancelled(
    expires: int | None, word: S
) -> None:
    day = order(time_in_force=TimeInForce.DAY)
    silent = capability(explicit_expiry=False)
    stage = play(claim(working(day), expires_wall_ns=expires), can=silent)
    stage.cycle(orders=[told(day, S.CANCELED)])
    assert stage.state() is word
    gone = play(claim(working(day), expires_wall_ns=expires), can=silent, starting=True)
    gone.cycle(answers={"K1": None})
    assert gone.state() is word


def test_c5_a_part_filled_order_that_is_gone_was_cancelled() -> None:
    k3 = order(quantity=3)
    part = working(k3, "41", Filled(fill("X1", 1)))
    stage = play(claim(part, survived=True), holding=(1, 4500), known_fills=frozenset({"X1"}), starting=True)
    stage.cycle(held=[held(1, 4500)], answers={"K1": None})
    assert of(stage.state(), stage.life().filled, stage.position()) == (S.CANCELED, 1, 1)
    assert stage.cycle(1, held=[held(1, 4500)]).agreed


def test_c7_an_unexplained_addition_is_priced_so_that_the_average_comes_out() -> None:
    stage, steps = correct((2, 4500), (3, 4501))
    assert steps == [("buy", 1, 4503)]
    assert of(stage.position(), stage.average()) == (3, 4501)


def test_c9_a_reduction_keeps_our_average_and_says_so() -> None:
    stage = play(holding=(3, 4500), starting=True)
    result = stage.cycle(held=[held(2, 4499)])
    assert kinds(result.events) == ["PositionCorrected"]
    assert concerns(result) == {"position", "average"}
    assert of(stage.position(), stage.average(), stage.ledger.position("ESZ26").realised) == (2, 4500, 0)


def test_c11_across_nought_it_closes_at_our_average_and_opens_at_theirs() -> None:
    stage, steps = correct((2, 4500), (-1, 4490))
    assert steps == [("sell", 2, 4500), ("sell", 1, 4490)]
    assert of(stage.position(), stage.average()) == (-1, 4490)


def test_c13_one_unit_of_a_fraction_is_no_difference() -> None:
    mine = {("BTC-USD", None): Holding(D("0.1234"), D(20_000))}
    assert play(holdings=mine, starting=True).cycle(held=[held("0.1235", 20_000, "BTC-USD")]).agreed
    assert not play(holdings=mine, starting=True).cycle(held=[held("0.1236", 20_000, "BTC-USD")]).agreed
    assert of(tolerance(LISTED["ESZ26"]), tolerance(LISTED["BTC-USD"])) == (0, D("0.0001"))


@pytest.mark.parametrize(("average", "warned"), [("4500.30", False), ("4501.00", True)])
def test_c15_an_average_that_differs_is_said_and_not_corrected(average: str, warned: bool) -> None:
    stage = play(holding=(2, 4500), starting=True)
    result = stage.cycle(held=[held(2, average)])
    assert of(result.events, result.agreed) == ((), True)
    assert concerns(result) == ({"average"} if warned else set())
    assert not stage.cycle(5, held=[held(2, average)]).alerts


def test_c17_the_same_pass_again_finds_nothing_and_the_first_twice_finds_the_same() -> None:
    first, again = (correct((2, 4500), (3, 4501))[0] for _ in range(2))
    assert first.books == again.books  # ids included
    assert not first.cycle(held=[held(3, 4501)]).events
    assert first.cycle(5, held=[held(3, 4501)]).agreed


def test_c19_fills_listed_before_their_order_are_booked_on_it() -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND))
    result = stage.cycle(fills=[fill("X1", 1, broker_order_id="41")], orders=[told(K1, S.FILLED, 1, 4500)])
    assert of(stage.state(), list(stage.life().executions.by_id), stage.position()) == (S.FILLED, ["X1"], 1)
    assert "Adopted" not in kinds(result.events)


@pytest.mark.parametrize("missing", ["held", "held_after"])
def test_c21_a_failed_position_query_is_not_read_as_flat(missing: str) -> None:
    stage = play(holding=(2, 4500), starting=True)
    result = stage.cycle(0, **{"held": [held(2, 4500)], missing: FAILED})
    assert of(result.events, result.agreed, stage.position()) == ((), False, 2)
    assert result.next_check_ns <= stage.now_ns + 5 * SECOND
    assert stage.cycle(5, held=[held(2, 4500)]).agreed


def test_c21_two_readings_that_differ_prove_nothing() -> None:
    stage = play(holding=(2, 4500), starting=True)
    result = stage.cycle(held=[held(3, 4501)], held_after=[held(2, 4500)])
    assert of(result.events, result.agreed) == ((), False)


def test_c23_an_external_order_belongs_to_no_session_that_cancels_all() -> None:
    stage = play(claim(working(K1)), starting=True)
    stage.cycle(orders=[told(K1, S.WORKING), told(order(""), S.WORKING, bid="99")])
    assert [claim.session for claim in stage.books.claims.values()] == ["es-trend", None]


def test_c25_another_account_is_refused_and_nothing_is_written() -> None:
    stage = play(claim(working(K1)), starting=True)
    before = stage.books
    error = refusal(WrongAccount, lambda: stage.cycle(account="A2"))
    assert error is not None
    assert of(error.expected, error.told) == ("A1", "A2")
    assert stage.books is before


@pytest.mark.parametrize("finished", [True, False])
def test_c27_an_id_that_is_used_again_is_another_order(finished: bool) -> None:
    stage = play(claim(working(K1), sent_ns=0))
    if finished:
        stage.cycle(orders=[told(K1, S.CANCELED)])
    else:
        stage.books = attrs.evolve(stage.books, starting=True)
    stage.now_ns += 86_400 * SECOND
    today = told(order("", quantity=5, side=SELL), S.WORKING, bid="41", created=86_450)
    result = stage.cycle(orders=[today])
    assert "Adopted" in kinds(result.events)
    assert {claim.life.order.quantity for claim in stage.books.claims.values()} == {1, 5}
    assert stage.life().order == K1


def test_c27_an_equal_order_under_an_id_of_yesterday_is_another_order() -> None:
    stage = play(claim(working(K1), sent_ns=0))
    stage.cycle(orders=[told(K1, S.CANCELED)])
    stage.now_ns += 86_400 * SECOND
    result = stage.cycle(orders=[told(order(""), S.WORKING, bid="41", created=86_450)])
    assert kinds(result.events) == ["Adopted"]
    assert stage.state() is S.CANCELED


def test_c29_where_positions_have_ids_only_the_wrong_one_is_corrected() -> None:
    mine = {("ESZ26", "P1"): Holding(D(1), D(4500)), ("ESZ26", "P2"): Holding(D(-1), D(4510))}
    stage = play(holdings=mine, starting=True)
    result = stage.cycle(held=[held(2, 4501, position_id="P1"), held(-1, 4510, position_id="P2")])
    assert kinds(result.events) == ["PositionCorrected"]
    assert of(stage.position(position_id="P1"), stage.position(position_id="P2")) == (2, -1)


@pytest.mark.parametrize("known", [True, False])
def test_c31_a_window_of_fills_does_not_move_a_position_that_includes_them(known: bool) -> None:
    rows = [fill("X1", 5, broker_order_id="1"), fill("X2", 5, side=SELL, broker_order_id="2", at=2)]
    rows.append(fill("X3", 10, side=SELL, broker_order_id="3", at=3))
    stage = play(holding=(-65, 4500), known_fills=frozenset({"X1", "X2", "X3"})) if known else play()
    stage.books = attrs.evolve(stage.books, starting=True)
    for _ in range(3):
        stage.cycle(1, fills=rows, held=[held(-65, 4500)])
    assert of(stage.position(), stage.average()) == (-65, 4500)
    assert stage.cycle(1, fills=rows, held=[held(-65, 4500)]).agreed


def test_c33_an_open_order_without_quantity_is_ignored_and_said() -> None:
    stage = play(starting=True)
    result = stage.cycle(orders=[told(order("", quantity=0), S.WORKING)])
    assert not result.events
    assert concerns(result) == {"quarantined"}


@pytest.mark.parametrize(("settlement", "price"), [({"ESZ26": D(4600)}, 4600), ({}, 4500)])
def test_c35_a_position_in_an_expired_contract_is_closed_for_that_reason(settlement: object, price: int) -> None:
    today = dt.datetime.fromtimestamp(WALL / SECOND, dt.UTC).date()
    gone = attrs.evolve(LISTED["ESZ26"], expiry=today - dt.timedelta(days=1))
    stage = play(holding=(1, 4500))  # not at the start alone
    stage.books = attrs.evolve(stage.books, instruments={"ESZ26": gone})
    result = stage.cycle(settlements=settlement)
    (event,) = result.events
    assert isinstance(event, PositionCorrected)
    assert of(event.cause, event.fill.price, stage.position()) == (Cause.EXPIRY, price, 0)
    assert not result.alerts


def test_c37_an_order_without_a_time_is_stamped_with_its_discovery() -> None:
    stage = play(starting=True)
    result = stage.cycle(orders=[told(order(""), S.WORKING, bid="99", created=None)])
    assert result.events[0].wall_ns == stage.now.wall_ns  # type: ignore[union-attr]
    assert not stage.cycle(5, orders=[told(order(""), S.WORKING, bid="99", created=None)]).events


def test_c39_many_orders_that_are_not_listed_are_asked_for_ten_at_a_time_each_in_its_turn() -> None:
    claims = [claim(working(order(f"K{number}"), f"B{number}")) for number in range(500)]
    stage = play(*claims, starting=True)
    asked: set[str] = set()
    for _ in range(50):
        asks = stage.cycle(5, open=(), orders=FAILED).asks
        assert len(asks) == 10
        asked |= {ask.key for ask in asks}
    assert len(asked) == 500
    assert (
        not play(*claims)
        .cycle(orders=[told(c.life.order, S.WORKING, bid=c.life.broker_order_ids[0]) for c in claims])
        .asks
    )


def test_f15_an_attempt_whose_session_died_is_in_doubt_and_found() -> None:
    stage = play(claim(life(K1, Sent()), in_flight=0, sent_ns=99 * SECOND))
    stage.cycle()
    assert stage.state() is S.UNKNOWN
    stage.cycle(1, orders=[told(K1, S.WORKING)])
    assert stage.state() is S.WORKING
    busy = play(claim(life(K1, Sent()), in_flight=1))
    busy.cycle()
    assert busy.state() is S.PENDING_NEW
