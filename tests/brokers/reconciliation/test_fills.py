"""Scenarios B: executions, once each, from whatever source and in whatever order."""

from itertools import permutations
from typing import Any

import attrs
import pytest

from brokers.capability import KeyClass
from brokers.model import Change
from brokers.order_events import CancelConfirmed, Corrected, Filled, ReplaceRequested, Sent
from brokers.reconciliation import Adopted, InferredFill, OrderEvent, Policy
from tests.brokers.reconciliation.play import (
    FAILED,
    LISTED,
    NAMED,
    SECOND,
    SELL,
    WALL,
    D,
    S,
    capability,
    claim,
    concerns,
    fill,
    held,
    kinds,
    life,
    lost,
    nameless,
    of,
    order,
    play,
    told,
    working,
)

K2 = order(quantity=2)
REAL = fill("X1", 2, 4501.5, order_key="K1", broker_order_id="41", fee=4.2)


def test_b1_an_execution_told_three_times_counts_once() -> None:
    stage = play(claim(working(order())))
    found = [stage.hear(fill("X1", 1, order_key="K1")).events for _ in range(3)]
    assert [len(events) for events in found] == [1, 0, 0]
    assert stage.position() == 1


def test_f18_a_listed_price_that_differs_is_a_correction_that_nobody_told_unless_the_list_may_be_old() -> None:
    stage = play(claim(working(K2)))
    stage.hear(fill("X1", 2, 4500, order_key="K1", broker_order_id="41"))
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4501)], "held": [held(2, 4501)]}
    assert not stage.cycle(0.5, fills=[fill("X1", 2, 4499, order_key="K1", broker_order_id="41")], **filled).events
    result = stage.cycle(30, fills=[fill("X1", 2, 4501, order_key="K1", broker_order_id="41")], **filled)
    assert kinds(result.events) == ["OrderEvent"]
    assert of(stage.life().filled, stage.life().executions.average_price) == (2, 4501)
    assert not stage.cycle(5, fills=[fill("X1", 2, 4501, order_key="K1", broker_order_id="41")], **filled).events


def test_f14_an_execution_that_is_listed_under_another_id_than_it_was_told_under_counts_once() -> None:
    stage = play(claim(working(K2)))
    for told_id in ("S1", "S2"):
        stage.hear(fill(told_id, 1, 4500, order_key="K1", broker_order_id="41"))
    listed = [fill(id_, 1, 4500, order_key="K1", broker_order_id="41") for id_ in ("L1", "L2")]
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4500)], "held": [held(2, 4500)]}
    for _ in range(3):
        assert not stage.cycle(5, fills=listed, **filled).events
    assert stage.cycle(5, fills=[*listed, attrs.evolve(listed[0], id="L3")], **filled).events, "a third one is too many"


def test_b3_a_replay_after_the_end_gives_one_fill_and_one_end() -> None:
    stage = play(claim(working(order())))
    stage.hear(fill("X1", 1, order_key="K1"))
    before = stage.life()
    for _ in range(3):
        assert not stage.hear(fill("X1", 1, order_key="K1")).events
        assert not stage.cycle(5, orders=[told(order(), S.WORKING)], held=[held(1, 4500)]).events
    assert stage.life() == before


def test_b5_executions_that_come_late_take_the_place_of_the_inferred_fill() -> None:
    stage = play(claim(working(K2)))
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4501)], "held": [held(2, 4501)]}
    stage.cycle(**filled)
    assert kinds(stage.cycle(10, **filled).events) == ["InferredFill"]
    assert of(stage.position(), stage.average()) == (2, 4501)
    result = stage.cycle(5, fills=[REAL], **filled)
    assert kinds(result.events) == ["Superseded", "OrderEvent"]
    position = stage.ledger.position("ESZ26")
    assert of(stage.position(), stage.average()) == (2, D("4501.5"))
    assert of(position.realised, stage.ledger.statistics("ESZ26").trades) == (0, 0)
    assert set(stage.life().executions.by_id) == {"X1"}
    assert [statement.fees for statement in stage.ledger.statements()] == [D("4.2")]


def test_b5_an_inferred_fill_gives_way_piece_by_piece() -> None:
    stage = play(claim(working(K2)))
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4501)], "held": [held(2, 4501)]}
    stage.cycle(**filled)
    stage.cycle(10, **filled)
    stage.hear(fill("X1", 1, 4500, order_key="K1"))
    assert of(stage.position(), stage.average()) == (2, D("4500.5"))
    stage.hear(fill("X2", 1, 4502, order_key="K1"))
    assert of(stage.position(), stage.average(), stage.books.inferred) == (2, 4501, {})


def test_b7_more_fills_than_ordered_are_booked_and_said_aloud() -> None:
    k3 = order(quantity=3)
    stage = play(claim(working(k3)))
    fills = [fill("X1", 2, order_key="K1"), fill("X2", 2, order_key="K1", at=2)]
    result = stage.cycle(fills=fills, orders=[told(k3, S.FILLED, 4, 4500)], held=[held(4, 4500)])
    assert of(stage.position(), stage.state(), stage.life().filled) == (4, S.FILLED, 4)
    assert concerns(result) == {"overfill"}
    again = stage.cycle(5, fills=fills, orders=[told(k3, S.FILLED, 4, 4500)], held=[held(4, 4500)])
    assert of(again.events, again.alerts, again.agreed) == ((), (), True)


def test_b9_a_late_fill_of_a_cancelled_order_counts_and_it_stays_cancelled() -> None:
    stage = play(claim(working(K2, "41", CancelConfirmed())))
    result = stage.cycle(fills=[fill("X1", 1, order_key="K1", broker_order_id="41")], held=[held(1, 4500)])
    assert of(stage.state(), stage.life().filled, stage.position()) == (S.CANCELED, 1, 1)
    assert concerns(result) == {"late_fill"}


def test_b9_books_that_say_cancelled_agree_with_a_broker_that_says_filled_once_all_is_filled() -> None:
    stage = play(claim(working(K2, "41", CancelConfirmed())))
    late = {"orders": [told(K2, S.FILLED, 2, 4500)], "held": [held(2, 4500)]}
    x1 = fill("X1", 2, order_key="K1", broker_order_id="41")
    assert not stage.cycle(5, **late).agreed, "the executions are owed"
    stage.cycle(5, fills=[x1], **late)
    result = stage.cycle(5, fills=[x1], **late)
    assert of(result.agreed, result.events, concerns(result)) == (True, (), set())
    assert of(stage.state(), stage.life().filled, stage.position()) == (S.CANCELED, 2, 2)


@pytest.mark.parametrize("owner", [None, "es-trend"])
def test_b11_a_fill_of_an_unknown_order_makes_an_external_one(owner: str | None) -> None:
    stage = play(owners={} if owner is None else {"ESZ26": owner})
    result = stage.cycle(fills=[fill("X9", 1, 4502, broker_order_id="99", fee=2)], held=[held(1, 4502)])
    adopted, filled = result.events
    assert isinstance(adopted, Adopted)
    assert isinstance(filled, OrderEvent)
    assert isinstance(filled.event, Filled)
    assert of(adopted.session, filled.event.fill.id, filled.event.fill.fee) == (owner, "X9", 2)
    assert stage.position() == 1
    assert stage.books.holdings["ESZ26", None].shares == {owner: 1}
    assert stage.state(adopted.key) is S.FILLED
    assert stage.cycle(5, fills=[fill("X9", 1, 4502, broker_order_id="99")], held=[held(1, 4502)]).agreed


def test_b11_an_external_order_is_adopted_before_its_fills() -> None:
    stage = play()
    theirs = order("", SELL, quantity=3)
    result = stage.cycle(
        orders=[told(theirs, S.PARTIALLY_FILLED, 1, 4500, bid="99")],
        fills=[fill("X9", 1, side=SELL, broker_order_id="99")],
        held=[held(-1, 4500)],
    )
    assert kinds(result.events) == ["Adopted", "OrderEvent"]
    assert stage.life(result.events[0].key).executions.owed == 0  # type: ignore[union-attr]
    assert stage.position() == -1


def test_b15_a_status_before_its_trades_waits_for_them() -> None:
    stage = play(claim(working(K2)))
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4501.5)], "held": [held(2, 4501.5)]}
    first = stage.cycle(**filled)
    assert stage.state() is S.FILLED
    assert not first.agreed
    stage.hear(REAL)
    assert of(stage.position(), stage.books.inferred) == (2, {})
    assert stage.cycle(10, fills=[REAL], **filled).agreed


def test_b15_trades_that_never_come_are_inferred_after_the_wait_and_not_before() -> None:
    stage = play(claim(working(K2)))
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4501.5)], "held": [held(2, 4501.5)]}
    assert stage.cycle(**filled).next_check_ns == 105 * SECOND
    for _ in range(3):
        assert not stage.cycle(3, **filled).events
    assert not stage.cycle(1, fills=FAILED, **filled).events  # a failed question shows nothing
    result = stage.cycle(1, **filled)
    assert kinds(result.events) == ["InferredFill"]
    assert concerns(result) == {"inferred"}
    assert stage.position() == 2
    assert stage.cycle(5, **filled).agreed


def test_b15_without_execution_ids_nothing_is_waited_for() -> None:
    stage = play(claim(working(K2)), can=capability(fill_ids=False))
    result = stage.cycle(orders=[told(K2, S.PARTIALLY_FILLED, 1, 4500)], held=[held(1, 4500)])
    assert kinds(result.events) == ["OrderEvent", "InferredFill"]
    result = stage.cycle(5, orders=[told(K2, S.FILLED, 2, 4501)], held=[held(2, 4501)])
    assert kinds(result.events) == ["OrderEvent", "InferredFill"]
    assert of(stage.position(), stage.average()) == (2, 4501)


UNTOLD = capability(KeyClass.ABSENT, fill_ids=False)  # a broker that counts, and tells of no executions
STRANGE = order("", quantity=2)


@pytest.mark.parametrize("owner", [None, "es-trend"])
def test_b11_a_strangers_order_that_was_filled_before_anybody_saw_it_is_named_where_only_its_count_tells(
    owner: str | None,
) -> None:
    stage = play(owners={} if owner is None else {"ESZ26": owner}, can=UNTOLD)
    filled: dict[str, Any] = {"orders": [told(STRANGE, S.FILLED, 2, 4501, bid="99")], "held": [held(2, 4501)]}
    result = stage.cycle(**filled)
    adopted, inferred = result.events
    assert isinstance(adopted, Adopted)
    assert isinstance(inferred, InferredFill)
    assert of(adopted.session, adopted.life.broker_order_ids) == (owner, ("99",))
    assert of(inferred.fill.order_key, inferred.fill.price, inferred.fill.session) == (adopted.key, 4501, owner)
    assert concerns(result) == {"external", "inferred"}
    assert of(stage.state(adopted.key), stage.position()) == (S.FILLED, 2)
    again = stage.cycle(5, **filled)
    assert of(again.events, again.alerts, again.agreed) == ((), (), True)


def test_b11_what_a_stranger_sells_of_a_sessions_position_is_the_sessions_though_only_a_count_tells() -> None:
    stage = play(holding=(2, 4500), can=UNTOLD)
    sold = told(order("", SELL), S.FILLED, 1, 4502, bid="99")
    stage.cycle(orders=[sold], held=[held(1, 4500)])
    assert stage.books.holdings["ESZ26", None].shares == {"es-trend": 1}


@pytest.mark.parametrize(
    ("can", "more", "state", "filled"),
    [
        (NAMED, {}, S.FILLED, 2),  # its executions are told
        (UNTOLD, {"since": WALL + SECOND}, S.FILLED, 2),  # older than what the list must show
        (UNTOLD, {"policy": Policy(adopt=False)}, S.FILLED, 2),
        (UNTOLD, {}, S.CANCELED, 0),
    ],
)
def test_b11_a_strangers_order_that_is_over_is_no_news_otherwise(
    can: Any, more: dict[str, Any], state: S, filled: int
) -> None:
    stage = play(can=can, **({"policy": more.pop("policy")} if "policy" in more else {}))
    assert stage.cycle(orders=[told(STRANGE, state, filled, 4501, bid="99")], **more).events == ()


@pytest.mark.parametrize("doubt", [lost(order("K1")), life(order("K1"), Sent())])
def test_b11_a_finished_order_that_may_be_ours_is_nobody_elses_while_ours_is_in_doubt(doubt: Any) -> None:
    stage = play(claim(doubt, sent_ns=99 * SECOND, sent_wall_ns=WALL + 3600 * SECOND, in_flight=1), can=UNTOLD)
    early = told(order("", quantity=1), S.FILLED, 1, 4500, bid="99", created=90)  # our clock was ahead when we sent it
    result = stage.cycle(1, orders=[nameless(early)], held=[held(1, 4500)])
    assert not [event for event in result.events if isinstance(event, Adopted)]
    assert not result.agreed


def test_b11_a_strangers_order_that_is_listed_late_takes_the_place_of_the_correction_of_its_position() -> None:
    stage = play(can=UNTOLD, starting=True)
    assert kinds(stage.cycle(5, held=[held(2, 4501)]).events) == ["PositionCorrected"]
    late = [told(STRANGE, S.FILLED, 2, 4501, bid="99", created=100)]
    assert kinds(stage.cycle(5, orders=late, held=[held(2, 4501)]).events) == ["Adopted", "Superseded", "InferredFill"]
    result = stage.cycle(5, orders=late, held=[held(2, 4501)])
    assert of(stage.position(), stage.average(), result.agreed) == (2, 4501, True)


def test_f18_an_average_that_was_corrected_unseen_corrects_the_executions_where_nothing_else_tells_of_them() -> None:
    stage = play(claim(working(K2)), can=UNTOLD)
    for number, price in ((1, 4500), (2, 4503)):
        stage.hear(fill(f"41/{number}", 1, price, order_key="K1", broker_order_id="41", fee=2))
    told_now: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, "4501.51")], "held": [held(2, "4501.51")]}
    assert stage.cycle(30, **told_now).events == (), "half a tick may be rounded"
    late: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4502)], "held": [held(2, 4502)]}
    events = [one.event for one in stage.cycle(30, **late).events if isinstance(one, OrderEvent)]
    fills = [one.fill for one in events if isinstance(one, Corrected)]
    assert [(one.id, str(one.price), str(one.fee)) for one in fills] == [("41/1", "4502", "2"), ("41/2", "4502", "2")]
    assert stage.life().executions.value == 2 * 4502
    old = [fill(f"41/{number}", 1, 4500, order_key="K1", broker_order_id="41", fee=2) for number in (1, 2)]
    assert stage.cycle(30, fills=old, **late).agreed, "what is listed as executions is made of what was told before"


def test_f18_what_was_made_up_for_a_count_is_corrected_with_its_average() -> None:
    stage = play(claim(working(K2)), can=UNTOLD)
    stage.cycle(orders=[told(K2, S.FILLED, 2, 4501)], held=[held(2, 4501)])
    for average in (4502, 4501, 4502):
        late: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, average)], "held": [held(2, average)]}
        assert kinds(stage.cycle(30, **late).events) == ["Superseded"]
        assert of(stage.position(), stage.average()) == (2, average)
        assert stage.cycle(30, **late).agreed


def test_f18_what_was_made_up_for_a_count_is_taken_back_with_the_count() -> None:
    stage = play(claim(working(K2)), can=UNTOLD)
    stage.cycle(orders=[told(K2, S.FILLED, 2, 4501)], held=[held(2, 4501)])
    stage.cycle(10, orders=[told(K2, S.FILLED, 2, 4501)], held=[held(2, 4501)])
    assert stage.position() == 2
    results = [stage.cycle(10, orders=[told(K2, S.CANCELED, 0)], held=[]) for _ in range(3)]
    assert of(stage.state(), stage.position(), stage.books.inferred) == (S.CANCELED, 0, {})
    assert of(results[-1].agreed, concerns(results[-1])) == (True, set())


def test_a_fee_that_a_list_shows_later_than_its_execution_is_booked_and_one_that_it_does_not_show_is_kept() -> None:
    stage = play(claim(working(K2)))
    stage.hear(attrs.evolve(REAL, fee=D(0)))
    filled: dict[str, Any] = {"orders": [told(K2, S.FILLED, 2, 4501.5)], "held": [held(2, 4501.5)]}
    (event,) = stage.cycle(30, fills=[REAL], **filled).events
    assert isinstance(event, OrderEvent)
    assert event.event == Corrected("X1", REAL)
    assert stage.cycle(5, fills=[REAL], **filled).agreed
    assert stage.cycle(5, fills=[attrs.evolve(REAL, fee=D(0))], **filled).events == ()


def test_b17_a_fill_during_a_replace_fills_the_order() -> None:
    stage = play(claim(working(K2, "41", ReplaceRequested(Change("K1", limit_price=D(4499))))))
    stage.cycle(fills=[REAL], orders=[told(K2, S.FILLED, 2, 4501.5)], held=[held(2, 4501.5)])
    assert of(stage.state(), stage.position()) == (S.FILLED, 2)


def test_b19_a_fee_in_the_base_currency_is_not_held() -> None:
    btc = order(symbol="BTC-USD", limit=20_000)
    stage = play(claim(working(btc)))
    bought = fill("X1", 1, 20_000, symbol="BTC-USD", order_key="K1", fee="0.001", fee_currency="BTC")
    stage.hear(bought)
    theirs = [held("0.999", 20_000, "BTC-USD")]
    assert stage.position("BTC-USD") == stage.ledger.position("BTC-USD").quantity == D("0.999")
    assert stage.cycle(5, fills=[bought], orders=[told(btc, S.FILLED, 1, 20_000)], held=theirs).agreed


def test_b21_the_legs_of_a_spread_count_and_its_own_row_does_not() -> None:
    spread, far = order(symbol="ESZ26-ESH27"), attrs.evolve(LISTED["ESZ26"], symbol="ESH27")
    stage = play(claim(working(spread)))
    stage.books = attrs.evolve(stage.books, instruments={**LISTED, "ESH27": far})
    stage.ledger.account.instruments = stage.books.instruments
    rows = [
        fill("C1", 1, 10, symbol="ESZ26-ESH27", broker_order_id="41"),
        fill("L1", 1, 4500, symbol="ESZ26", broker_order_id="41"),
        fill("L2", 1, 4490, SELL, symbol="ESH27", broker_order_id="41"),
    ]
    result = stage.cycle(fills=rows, combos=frozenset({"ESZ26-ESH27"}))
    assert [event.fill.id for event in result.events] == ["L1", "L2"]  # type: ignore[union-attr]
    assert of(stage.position(), stage.position("ESH27")) == (1, -1)
    assert stage.books.holdings["ESZ26", None].shares == {"es-trend": 1}


def test_b23_fills_in_any_order_give_one_position_and_one_cycle() -> None:
    fills = [fill("X1", 1, 4500, at=1), fill("X2", 1, 4510, at=3), fill("X3", 2, 4520, SELL, at=5)]
    for arrivals in permutations(fills):
        stage = play()
        for one in arrivals:
            stage.hear(one)
        position = stage.ledger.position("ESZ26")
        assert of(stage.position(), position.realised) == (0, 30)
        assert stage.ledger.statistics("ESZ26").trades == 1


# F39: what a broker cannot mean.


@pytest.mark.parametrize(
    "lie",
    [
        fill("X1", -1, order_key="K1"),
        fill("X1", 1, 0, order_key="K1"),
        fill("X1", 1, "NaN", order_key="K1"),
        fill("X1", 1, symbol="NOPE", order_key="K1"),
        fill("X1", 1, side=SELL, order_key="K1"),
        fill("X1", 100, order_key="K1"),
        fill("X1", 1, order_key="K1", fee="Infinity"),
    ],
)
def test_f39_an_impossible_execution_is_put_aside_and_stops_trading(lie: object) -> None:
    stage = play(claim(working(K2)))
    result = stage.cycle(fills=[lie], orders=[told(K2, S.WORKING)])
    assert not result.events
    assert concerns(result) == {"quarantined"}
    assert not result.agreed
    assert not stage.cycle(5, fills=[lie], orders=[told(K2, S.WORKING)]).alerts  # told once


@pytest.mark.parametrize(("filled", "average"), [(-1, None), (1, 0), (3, 4500), ("NaN", None)])
def test_f39_an_impossible_report_is_put_aside(filled: object, average: object) -> None:
    stage = play(claim(working(K2)))
    result = stage.cycle(orders=[told(K2, S.PARTIALLY_FILLED, filled, average)])
    assert not result.events
    assert concerns(result) == {"quarantined"}


@pytest.mark.parametrize("lie", [held("NaN"), held(1, 0), held(1, symbol="NOPE")])
def test_f39_an_impossible_position_makes_the_reading_worthless(lie: object) -> None:
    stage = play(holding=(2, 4500), starting=True)
    result = stage.cycle(held=[lie])
    assert not result.events
    assert not result.agreed


def test_f39_a_list_with_something_put_aside_proves_no_absence() -> None:
    stage = play(claim(life(order())), starting=True)
    lie = told(order("K7", quantity=-1), S.WORKING, bid="7")
    stage.books = attrs.evolve(stage.books, claims={"K1": claim(working(order()))})
    for _ in range(10):
        assert not stage.cycle(5, orders=[lie], answers={"K1": None}).events


def test_a_live_word_after_a_fill_is_stale() -> None:
    stage = play(claim(working(order(), "41", Filled(fill("X1", 1)))))
    assert stage.state() is S.FILLED
    assert not stage.cycle(60, orders=[told(order(), S.WORKING)], held=[held(0)]).events
