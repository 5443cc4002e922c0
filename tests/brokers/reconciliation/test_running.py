"""Scenarios D, E and F: the same rules on every poll and reconnect, around cancels, replaces and broken links."""

import attrs
import pytest

from brokers.errors import Code
from brokers.model import Change
from brokers.order_events import (
    CancelRefused,
    CancelRequested,
    Filled,
    LostTouch,
    Reconciled,
    ReplaceConfirmed,
    ReplaceRefused,
    ReplaceRequested,
)
from brokers.reconciliation import Absent, CannotResolve, Found, Mismatch, Policy, Resolved, folded, resolve
from tests.brokers.model_strategies import refusal
from tests.brokers.reconciliation.play import (
    FAILED,
    SECOND,
    SELL,
    D,
    S,
    claim,
    concerns,
    fill,
    held,
    kinds,
    lost,
    of,
    order,
    play,
    told,
    working,
)

K1 = order()
K2 = order(quantity=2)


def test_d1_a_lost_cancel_frame_is_made_up_for_by_one_poll() -> None:
    stage = play(claim(working(K1)))
    stage.cycle(5, orders=[told(K1, S.CANCELED)])
    assert stage.state() is S.CANCELED


def test_d3_four_absences_and_a_return_are_no_event_and_count_from_nought_again() -> None:
    stage = play(claim(working(K1)))
    for _ in range(3):
        for _ in range(4):
            assert not stage.cycle(5, answers={"K1": None}).events
        assert not stage.cycle(5, orders=[told(K1, S.WORKING)]).events
        assert not stage.books.notes.misses
    for _ in range(4):
        stage.cycle(5, answers={"K1": None})
    assert kinds(stage.cycle(5, answers={"K1": None}).events) == ["OrderEvent"]
    assert stage.state() is S.CANCELED


def test_d5_absence_from_the_open_orders_alone_only_asks() -> None:
    stage = play(claim(working(K1)))
    for _ in range(50):
        result = stage.cycle(5, open=(), orders=FAILED)
        assert not result.events
        assert [ask.key for ask in result.asks] == ["K1"]
    x1 = fill("X1", 1, order_key="K1", broker_order_id="41")
    stage.cycle(1, open=(), orders=FAILED, fills=[x1], answers={"K1": told(K1, S.FILLED, 1, 4500)})
    assert of(stage.state(), stage.position()) == (S.FILLED, 1)


@pytest.mark.parametrize("state", [working(K1), lost(K1)])
def test_d7_ten_minutes_without_answers_change_nothing_and_the_truth_follows(state: object) -> None:
    stage = play(claim(state, sent_ns=100 * SECOND))  # type: ignore[arg-type]
    for _ in range(120):
        result = stage.cycle(5, orders=FAILED, open=FAILED, fills=FAILED, held=FAILED)
        assert not result.events
        assert not result.agreed
    assert stage.life() == state
    stage.cycle(5, orders=[told(K1, S.WORKING)])
    assert stage.state() is S.WORKING


def test_d7_after_an_outage_there_is_time_for_the_second_source_before_a_person_is_asked() -> None:
    stage = play(claim(lost(K1), sent_ns=100 * SECOND))
    stage.cycle(600, orders=FAILED, open=FAILED, fills=FAILED, held=FAILED)
    first = stage.cycle(5)
    assert not first.events
    assert of(first.next_check_ns, first.asks[0].key) == (stage.now_ns, "K1")
    assert kinds(stage.cycle(0.1, answers={"K1": None}).events) == ["NotAccepted"]


def test_d9_a_difference_is_corrected_after_three_readings() -> None:
    stage = play(holding=(2, 4500))
    for _ in range(2):
        assert not stage.cycle(5, held=[held(3, 4501)]).events
    assert not stage.cycle(held=[held(3, 4501)]).events  # the same reading again
    result = stage.cycle(5, held=[held(3, 4501)])
    assert kinds(result.events) == ["PositionCorrected"]
    assert concerns(result) == {"position"}
    for _ in range(5):
        assert not stage.cycle(5, held=[held(3, 4501)]).events


def test_d9_where_so_configured_trading_halts_there_and_it_is_said_once() -> None:
    stage = play(holding=(2, 4500), policy=Policy(mismatch=Mismatch.HALT))
    results = [stage.cycle(5, held=[held(3, 4501)]) for _ in range(10)]
    assert not any(result.events or result.agreed for result in results)
    assert [len(result.alerts) for result in results] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert stage.position() == 2


def test_d9_nothing_is_corrected_without_a_look_at_the_executions() -> None:
    stage = play(holding=(2, 4500))
    for _ in range(10):
        assert not stage.cycle(5, fills=FAILED, held=[held(3, 4501)]).events


def test_d9_an_execution_that_comes_late_takes_the_place_of_the_correction() -> None:
    stage = play(holding=(2, 4500), starting=True)
    stage.cycle(held=[held(3, 4501)])
    x9 = fill("X9", 1, 4502, broker_order_id="99", at=50)
    result = stage.cycle(5, fills=[x9], held=[held(3, 4501)])
    assert kinds(result.events) == ["Superseded", "Adopted", "OrderEvent"]
    assert of(stage.position(), stage.books.inferred) == (3, {})
    assert stage.ledger.position("ESZ26").quantity == 3
    later = fill("X10", 1, 4502, broker_order_id="100", at=200)
    stage.hear(later)
    assert stage.position() == 4


def test_d11_what_the_user_closes_elsewhere_is_flat_within_one_poll() -> None:
    stage = play(holding=(1, 4500))
    result = stage.cycle(5, fills=[fill("X9", 1, 4510, SELL, broker_order_id="99")])
    assert kinds(result.events) == ["Adopted", "OrderEvent"]
    assert stage.position() == 0
    assert stage.books.holdings["ESZ26", None].shares == {"es-trend": 0}
    assert [claim.session for claim in stage.books.claims.values()] == [None]
    assert concerns(result) == {"external"}


def test_d13_a_fill_frame_that_is_never_sent_is_made_up_for_by_one_poll() -> None:
    stage = play(claim(working(K1)))
    stage.cycle(5, orders=[told(K1, S.FILLED, 1, 4500)], fills=[fill("X1", 1, order_key="K1")], held=[held(1, 4500)])
    assert of(stage.state(), stage.position()) == (S.FILLED, 1)
    assert stage.cycle(5, orders=[told(K1, S.FILLED, 1, 4500)], held=[held(1, 4500)]).agreed


def test_d15_closed_orders_leave_no_entry_behind() -> None:
    stage = play()
    for day in range(10):
        done = [claim(working(order(f"K{day}-{n}"), f"{day}-{n}")) for n in range(100)]
        stage.books = attrs.evolve(stage.books, claims={**stage.books.claims, **{c.key: c for c in done}})
        reports = [told(c.life.order, S.CANCELED, bid=c.life.broker_order_ids[0]) for c in done]
        stage.cycle(5, orders=reports)
        stage.now_ns += 600 * SECOND
        stage.books = stage.books.pruned(stage.now)
        assert not stage.cycle(0, orders=reports, held=()).events  # still listed, and nobody's news
    assert not stage.books.claims
    notes = attrs.asdict(stage.books.notes, recurse=False)
    assert not any(notes.values()), notes


@pytest.mark.parametrize(
    ("answer", "kind", "state"),
    [
        (Found(S.FILLED, "41", D(1), D(4500)), "OrderEvent", S.FILLED),
        (Found(S.WORKING, "41"), "OrderEvent", S.WORKING),
        (Absent(), "NotAccepted", S.REJECTED),
    ],
)
def test_d17_a_person_resolves_an_order_in_doubt_under_his_name(answer: Found | Absent, kind: str, state: S) -> None:
    stage = play(claim(lost(K1), sent_ns=0, escalated="no proof"))
    events = resolve(stage.books, "K1", answer, "ada", stage.now)
    assert isinstance(events[0], Resolved)
    assert of(events[0].user, events[0].words, events[0].wall_ns) == ("ada", str(answer), stage.now.wall_ns)
    assert kinds(events) == ["Resolved", kind]
    stage.books = folded(stage.books, events, stage.now_ns)
    assert of(stage.state(), stage.books.claims["K1"].escalated) == (state, "")
    assert ("K1" in stage.books.watched) is isinstance(answer, Absent)


@pytest.mark.parametrize(
    ("key", "answer", "user"),
    [
        ("K1", Found(S.UNKNOWN), "ada"),
        ("K1", Found(S.REJECTED, "41", D(1)), "ada"),
        ("K1", Absent(), " "),
        ("K2", Absent(), "ada"),
        ("K9", Absent(), "ada"),
    ],
)
def test_d17_an_answer_that_fits_nothing_is_refused(key: str, answer: Found | Absent, user: str) -> None:
    stage = play(claim(lost(K1)), claim(working(order("K2"))))
    error = refusal(CannotResolve, resolve, stage.books, key, answer, user, stage.now)
    assert error is not None
    assert error.key == key


# E: cancels and replaces.


def test_e1_a_cancel_that_came_too_late_leaves_a_filled_order() -> None:
    late = CancelRefused(Code.ORDER_NOT_OPEN, "too late to cancel")
    state = working(K1, "41", CancelRequested(), Filled(fill("X1", 1)), late)
    assert state.state is S.FILLED


def test_e3_an_unknown_id_for_a_finished_order_changes_nothing() -> None:
    unknown = CancelRefused(Code.ORDER_NOT_FOUND, "Invalid order ID")
    filled = working(K1, "41", Filled(fill("X1", 1)))
    assert working(K1, "41", Filled(fill("X1", 1)), unknown).state is filled.state is S.FILLED


def test_e5_a_cancel_without_an_answer_leaves_doubt_and_not_a_cancelled_order() -> None:
    state = working(K1, "41", CancelRequested(), LostTouch())
    stage = play(claim(state, sent_ns=100 * SECOND))
    for _ in range(10):
        assert not stage.cycle(5, orders=FAILED, open=FAILED, fills=FAILED, held=FAILED).events
    assert of(stage.state(), stage.life().canceling) == (S.UNKNOWN, True)


def test_e5_a_cancel_on_its_way_stays_pending_until_it_can_no_longer_act() -> None:
    state = working(K1, "41", CancelRequested(), LostTouch())
    stage = play(claim(state, sent_ns=100 * SECOND))
    stage.cycle(2, orders=[told(K1, S.WORKING)])
    assert stage.state() is S.PENDING_CANCEL
    assert not stage.cycle(2, orders=[told(K1, S.WORKING)]).events
    stage.cycle(5, orders=[told(K1, S.WORKING)])
    assert stage.state() is S.WORKING


def test_e7_an_old_snapshot_of_a_replaced_id_is_ignored() -> None:
    change = Change("K1", limit_price=D(4499))
    state = working(K1, "V1", ReplaceRequested(change), ReplaceConfirmed(broker_order_id="V2"))
    stage = play(claim(state))
    assert not stage.cycle(5, orders=[told(K1, S.WORKING, bid="V1")]).events
    assert stage.life() == state


def test_e9_a_refused_replace_of_a_filled_order_leaves_it_filled() -> None:
    asked = ReplaceRequested(Change("K1", limit_price=D(4499)))
    refused = ReplaceRefused(Code.ORDER_NOT_OPEN, "filled")
    assert working(K1, "41", asked, Filled(fill("X1", 1)), refused).state is S.FILLED


@pytest.mark.parametrize("bid", ["41", "42"])
def test_e11_new_terms_count_what_is_filled_already(bid: str) -> None:
    ten = order(quantity=10)
    change = Change("K1", quantity=D(6))
    state = working(ten, "41", Filled(fill("X1", 4)), ReplaceRequested(change), LostTouch())
    stage = play(claim(state, sent_ns=99 * SECOND), known_fills=frozenset({"X1"}))
    after = told(order(quantity=6), S.PARTIALLY_FILLED, 4, 4500, ids=("41", bid) if bid != "41" else ("41",))
    stage.cycle(orders=[after], held=[held(4, 4500)])
    assert of(stage.state(), stage.life().remaining, stage.life().broker_order_ids[-1]) == (S.PARTIALLY_FILLED, 2, bid)


def test_e17_two_legs_that_both_fill_make_the_position_that_the_fills_say() -> None:
    target, stop = order("K1", SELL), order("K2", SELL, limit=4490)
    stage = play(claim(working(target)), claim(working(stop, "42")), holding=(1, 4500))
    rows = [fill("X1", 1, 4500, SELL, order_key="K1"), fill("X2", 1, 4490, SELL, order_key="K2", at=2)]
    stage.cycle(5, fills=rows)
    assert of(stage.position(), stage.state("K1"), stage.state("K2")) == (-1, S.FILLED, S.FILLED)
    assert stage.cycle(5, fills=rows, held=[held(-1, 4490)]).agreed


def test_e21_a_refused_change_keeps_the_order_as_it_was() -> None:
    asked = ReplaceRequested(Change("K1", limit_price=D(4499)))
    refused = ReplaceRefused(Code.ORDER_REJECTED, "prior stop already triggered")
    state = working(K1, "41", asked, refused)
    assert of(state.state, state.order) == (S.WORKING, K1)
    assert not play(claim(state)).cycle(5, orders=[told(K1, S.WORKING)]).events


def test_e23_a_replayed_fill_of_a_child_gives_nothing_to_act_on() -> None:
    child = claim(working(order("K1", SELL, quantity=2)))
    sibling = claim(working(order("K2", SELL, quantity=2, limit=4490), "42"))
    stage = play(child, sibling, holding=(2, 4500))
    assert stage.hear(fill("X1", 1, side=SELL, order_key="K1")).events
    assert not stage.hear(fill("X1", 1, side=SELL, order_key="K1")).events
    assert stage.state("K2") is S.WORKING


def test_an_order_that_the_broker_shows_alive_twice_is_not_dead() -> None:
    stage = play(claim(working(K1, "41", Reconciled(S.CANCELED))))
    assert not stage.cycle(5, orders=[told(K1, S.WORKING)]).events
    result = stage.cycle(5, orders=[told(K1, S.WORKING)])
    assert kinds(result.events) == ["LateAcceptance"]
    assert stage.state() is S.WORKING


def test_two_living_orders_under_one_key_are_said_aloud() -> None:
    stage = play(claim(working(K1)))
    result = stage.cycle(5, orders=[told(K1, S.WORKING), told(K1, S.WORKING, bid="42")])
    assert not result.events
    assert not result.agreed
    assert concerns(result) == {"contradiction"}


# F: links and clocks.


def test_f1_after_a_broken_stream_only_what_changed_is_an_event() -> None:
    others = [order(f"K{n}") for n in range(2, 7)]
    stage = play(claim(working(K1)), *(claim(working(o, o.key)) for o in others))
    x1 = fill("X1", 1, order_key="K1", broker_order_id="41")
    listed = [told(K1, S.FILLED, 1, 4500), *(told(o, S.WORKING, bid=o.key) for o in others)]
    result = stage.cycle(20, orders=listed, fills=[x1], held=[held(1, 4500)])
    assert {event.key for event in result.events} == {"K1"}  # type: ignore[union-attr]
    assert of(stage.state(), stage.position()) == (S.FILLED, 1)


def test_f11_an_execution_counts_whatever_is_thought_of_the_link() -> None:
    stage = play(claim(working(K1)))
    stage.cycle(5, orders=FAILED, open=FAILED, fills=FAILED, held=FAILED)
    stage.hear(fill("X1", 1, order_key="K1"))
    assert stage.state() is S.FILLED


@pytest.mark.parametrize("jump", [3600, -3600])
def test_f17_a_wall_clock_that_jumps_ages_nothing(jump: int) -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND))
    stage.wall_jump_ns = jump * SECOND
    result = stage.cycle(2, answers={"K1": None})
    assert not result.events
    assert stage.state() is S.UNKNOWN
