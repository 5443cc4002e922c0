"""Scenarios A: orders whose submission has no clear outcome."""

import attrs
import pytest

from brokers.capability import KeyClass
from brokers.errors import Code
from brokers.order_events import LostTouch, Sent
from brokers.outcome import Answer as HttpAnswer
from brokers.outcome import Exists, NotSent, Sign, Unknown, Verdict, classify, settle
from brokers.reconciliation import Attempts, Intent, Policy, Refusal, may_resend, may_submit
from tests.brokers.reconciliation.play import (
    FAILED,
    NAMED,
    NAMELESS,
    SECOND,
    WALL,
    D,
    S,
    capability,
    claim,
    concerns,
    fill,
    held,
    keys_of,
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

K1 = order()


def test_a1_a_lost_answer_to_an_accepted_order_is_found_by_its_key() -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND))
    first = stage.cycle(open=(), orders=FAILED)
    assert [ask.key for ask in first.asks] == ["K1"]
    assert not first.agreed
    found = stage.cycle(1, answers={"K1": told(K1, S.WORKING)})
    assert kinds(found.events) == ["OrderEvent"]
    assert stage.state() is S.WORKING
    assert stage.life().broker_order_ids == ("41",)


def test_a3_a_fill_that_comes_by_stream_and_by_list_counts_once() -> None:
    market = order(limit=None)
    stage = play(claim(lost(market), sent_ns=99 * SECOND))
    x1 = fill("X1", 1, 4500, order_key="K1", broker_order_id="41")
    stage.hear(x1)
    stage.cycle(1, orders=[told(market, S.FILLED, 1, 4500)], fills=[x1], held=[held(1, 4500)])
    assert of(stage.state(), stage.position(), stage.average()) == (S.FILLED, 1, 4500)
    assert len(stage.life().executions.by_id) == 1


def test_a5_without_keys_a_lone_order_of_equal_attributes_is_adopted() -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND), can=NAMELESS)
    stage.cycle(orders=[nameless(told(K1, S.WORKING, created=1))])
    assert of(stage.state(), stage.life().broker_order_ids) == (S.WORKING, ("41",))


def test_a5_an_equal_order_made_before_the_send_is_somebody_elses() -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND), can=NAMELESS)
    result = stage.cycle(orders=[nameless(told(K1, S.WORKING, created=-60))])
    assert stage.state() is S.UNKNOWN
    assert kinds(result.events) == ["Adopted"]


@pytest.mark.parametrize("count", [2, 3])
def test_a5_several_candidates_are_for_a_person_and_none_is_adopted(count: int) -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND), can=NAMELESS)
    twins = [nameless(told(K1, S.WORKING, bid=str(number), created=1)) for number in range(count)]
    result = stage.cycle(orders=twins)
    assert kinds(result.events) == ["Escalated"]
    assert result.events[0].candidates == tuple(str(number) for number in range(count))  # type: ignore[union-attr]
    assert concerns(result) == {"escalated"}
    assert not stage.cycle(5, orders=twins).events


def test_a5_two_orders_in_doubt_with_equal_attributes_are_for_a_person() -> None:
    stage = play(claim(lost(K1)), claim(lost(order("K2"))), can=NAMELESS)
    result = stage.cycle(orders=[nameless(told(K1, S.WORKING, created=1))])
    assert kinds(result.events) == ["Escalated", "Escalated"]
    assert stage.state("K1") is stage.state("K2") is S.UNKNOWN


def test_a5_a_candidate_without_a_date_is_for_a_person() -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND), can=NAMELESS)
    result = stage.cycle(orders=[nameless(told(K1, S.WORKING, created=None))])
    assert kinds(result.events) == ["Escalated"]


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a7_a_server_error_is_never_a_rejection_and_the_order_is_found(status: int) -> None:
    outcome = classify("bank", HttpAnswer(status, sound=True, code="no"), ())
    assert isinstance(outcome, Unknown)
    stage = play(claim(life(K1, Sent(), LostTouch(str(outcome.error))), sent_ns=99 * SECOND))
    stage.cycle(orders=[told(K1, S.WORKING)])
    assert stage.state() is S.WORKING


def test_a9_a_rate_limited_order_that_was_not_looked_at_may_go_again_under_its_key() -> None:
    limited = Sign(Verdict.UNPROCESSED, Code.RATE_LIMITED, status=429)
    seen = HttpAnswer(429, sound=False, retry_after_ns=2 * SECOND)
    outcome = classify("bank", seen, [limited])
    assert isinstance(outcome, NotSent)
    assert outcome.error.retry_after_ns == 2 * SECOND
    assert may_resend(Intent.NOT_SENT, Attempts(K1, 0), K1, keys_of(KeyClass.ECHOED)) is None
    assert isinstance(settle(outcome, only_attempt=False), Unknown)


def test_a11_a_duplicate_key_means_that_the_first_order_lives() -> None:
    taken = Sign(Verdict.EXISTS, Code.DUPLICATE_KEY, code="dup")
    outcome = classify("bank", HttpAnswer(422, sound=True, code="dup"), [taken])
    assert isinstance(outcome, Exists)
    stage = play(claim(life(K1, Sent(), LostTouch(str(outcome.error))), attempts=2, sent_ns=99 * SECOND))
    stage.cycle(answers={"K1": told(K1, S.WORKING)})
    assert stage.state() is S.WORKING


def test_a15_an_order_that_was_journalled_and_not_sent_ends_at_the_start() -> None:
    stage = play(claim(life(K1), survived=True), starting=True)
    result = stage.cycle()
    assert kinds(result.events) == ["NeverSent"]
    assert stage.state() is S.REJECTED
    assert not result.asks
    assert stage.cycle(1).agreed


def test_a17_an_order_filled_while_we_were_dead_is_filled_by_its_execution() -> None:
    stage = play(claim(life(K1, Sent()), survived=True), starting=True)
    x1 = fill("X1", 1, 4499, order_key="K1", broker_order_id="41")
    result = stage.cycle(fills=[x1], held=[held(1, 4499)])
    assert of(stage.state(), stage.position()) == (S.FILLED, 1)
    assert kinds(result.events) == ["OrderEvent"]
    assert stage.cycle(1, fills=[x1], held=[held(1, 4499)]).agreed


def test_a19_nothing_is_resolved_while_news_wait_to_be_folded() -> None:
    stage = play(claim(lost(K1), sent_ns=0), backlog=50)
    for _ in range(5):
        assert not stage.cycle(5, answers={"K1": None}).events
    stage.books = attrs.evolve(stage.books, backlog=0)
    assert kinds(stage.cycle(5, answers={"K1": None}).events) == ["NotAccepted"]


def test_a21_a_late_rejection_ends_a_working_order_and_moves_no_position() -> None:
    stage = play(claim(working(K1)))
    stage.cycle(orders=[told(K1, S.REJECTED)])
    assert stage.state() is S.REJECTED
    assert not stage.books.holdings


def test_a23_an_equal_order_is_refused_while_the_first_is_in_doubt_unless_configured() -> None:
    again = order("K2")
    claims = [claim(lost(K1))]
    assert may_submit(again, claims, keys_of(), Policy()) is Refusal.EQUAL_IN_DOUBT
    assert may_submit(again, claims, keys_of(), Policy(duplicate_intents=True)) is None
    assert may_submit(order("K2", limit=4501), claims, keys_of(), Policy()) is None
    assert may_submit(again, [claim(working(K1))], keys_of(), Policy()) is None


def test_a23_without_keys_equal_orders_go_one_after_the_other_whatever_is_configured() -> None:
    nothing = keys_of(KeyClass.ABSENT)
    sent, doubtful = [claim(life(K1, Sent()))], [claim(lost(K1))]
    assert may_submit(order("K2"), sent, nothing, Policy(duplicate_intents=True)) is Refusal.EQUAL_IN_FLIGHT
    assert may_submit(order("K2"), doubtful, nothing, Policy(duplicate_intents=True)) is Refusal.EQUAL_IN_DOUBT
    assert may_submit(order("K2"), sent, keys_of(), Policy()) is None


# Proof of absence, O04 and F20, and what follows it.


def test_o04_absence_needs_the_silence_of_t_and_two_sources() -> None:
    stage = play(claim(lost(K1), sent_ns=95 * SECOND))
    assert not stage.cycle(answers={"K1": None}).events  # 5 s after the send; T is 8 s
    assert not stage.cycle(4, orders=FAILED, answers={"K1": None}).events
    assert not stage.cycle(1, since=2**62, answers={"K1": None}).events  # the lists do not reach back to the send
    assert kinds(stage.cycle(1).events) == ["NotAccepted"]
    assert stage.state() is S.REJECTED
    assert "K1" in stage.books.watched


def test_o04_the_same_answer_twice_is_no_second_source() -> None:
    stage = play(claim(lost(K1), sent_ns=0), can=capability(query=False))
    assert not stage.cycle().events
    assert not stage.cycle().events
    assert kinds(stage.cycle(5).events) == ["NotAccepted"]


@pytest.mark.parametrize("state", [S.WORKING, S.CANCELED])
def test_o04_what_its_date_alone_rules_out_is_shown_to_a_person_before_ours_is_held_for_dead(state: S) -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND), can=NAMELESS)
    double = nameless(told(K1, state, created=-60))
    found = [kind for _ in range(4) for kind in kinds(stage.cycle(5, orders=[double]).events)]
    assert "NotAccepted" not in found
    assert "Escalated" in found
    assert stage.state() is S.UNKNOWN


def test_f21_an_order_is_dated_by_a_clock_that_was_put_right_since() -> None:
    ahead = attrs.evolve(claim(lost(K1), sent_ns=99 * SECOND), sent_wall_ns=WALL + 3600 * SECOND)
    stage = play(ahead, can=NAMELESS)
    stage.cycle(orders=[nameless(told(K1, S.WORKING, created=99))])
    assert of(stage.state(), stage.life().broker_order_ids) == (S.WORKING, ("41",))


def test_o04_an_order_that_survived_a_crash_is_counted_from_the_start_of_the_process() -> None:
    stage = play(claim(lost(K1), sent_ns=0, survived=True), started_ns=99 * SECOND)
    assert not stage.cycle(answers={"K1": None}).events
    assert kinds(stage.cycle(8, answers={"K1": None}).events) == ["NotAccepted"]


def test_f20_beyond_the_brokers_memory_absence_proves_nothing() -> None:
    stage = play(claim(lost(K1), sent_ns=0))
    result = stage.cycle(86_400, answers={"K1": None})
    assert kinds(result.events) == ["Escalated"]
    assert stage.state() is S.UNKNOWN
    assert not stage.cycle(5, answers={"K1": None}).events


def test_r24_an_order_in_doubt_is_escalated_within_two_polls_of_t() -> None:
    stage = play(claim(lost(K1), sent_ns=100 * SECOND))
    for _ in range(2):
        assert not stage.cycle(5).events  # the question by key is never answered
    assert kinds(stage.cycle(5).events) == ["Escalated"]
    stage.cycle(5, orders=[told(K1, S.WORKING)])
    assert of(stage.state(), stage.books.claims["K1"].escalated) == (S.WORKING, "")


@pytest.mark.parametrize(("can", "hide"), [(NAMED, False), (NAMELESS, True)])
def test_a_watched_order_that_shows_up_is_adopted_and_to_be_cancelled(can: object, hide: bool) -> None:
    stage = play(claim(lost(K1), sent_ns=0), can=can)
    stage.cycle(answers={"K1": None})
    stage.cycle(5)
    assert "K1" in stage.books.watched
    stage.books = stage.books.pruned(attrs.evolve(stage.now, ns=stage.now_ns + 3600 * SECOND))
    assert "K1" not in stage.books.claims
    late = told(K1, S.WORKING, created=1)
    result = stage.cycle(3600, orders=[nameless(late) if hide else late])
    assert kinds(result.events) == ["LateAcceptance"]
    assert result.events[0].remedy.value == "cancel"  # type: ignore[union-attr]
    assert concerns(result) == {"late_acceptance"}
    assert of(stage.state(), stage.books.watched) == (S.WORKING, {})


def test_a_fill_of_a_watched_order_brings_it_back_and_counts() -> None:
    stage = play(claim(lost(K1), sent_ns=0))
    stage.cycle(answers={"K1": None})
    result = stage.hear(fill("X1", 1, order_key="K1", broker_order_id="41"))
    assert kinds(result.events) == ["LateAcceptance", "OrderEvent"]
    assert of(stage.state(), stage.position()) == (S.FILLED, 1)


def test_a_watch_ends_after_its_day() -> None:
    stage = play(claim(lost(K1), sent_ns=0))
    stage.cycle(answers={"K1": None})
    stage.now_ns += 24 * 3600 * SECOND
    assert not stage.books.pruned(stage.now).watched


# What may go again, O02.


@pytest.mark.parametrize("kind", KeyClass)
def test_o02_only_a_unique_key_may_go_again_in_doubt(kind: KeyClass) -> None:
    keys, attempts = keys_of(kind), Attempts(K1, 0)
    allowed = may_resend(Intent.UNKNOWN, attempts, K1, keys) is None
    assert allowed is (kind is KeyClass.UNIQUE)
    assert may_resend(Intent.NOT_ACCEPTED, attempts, K1, keys) is None


def test_o02_within_its_lifetime_with_the_same_payload_and_alone() -> None:
    keys = attrs.evolve(keys_of(), lifetime_ns=60 * SECOND)
    assert may_resend(Intent.UNKNOWN, Attempts(K1, 59 * SECOND), K1, keys) is None
    assert may_resend(Intent.UNKNOWN, Attempts(K1, 60 * SECOND), K1, keys) is Refusal.KEY_FORGOTTEN
    changed = attrs.evolve(K1, quantity=D(2))
    assert may_resend(Intent.NOT_ACCEPTED, Attempts(K1, 0), changed, keys) is Refusal.ANOTHER_ORDER
    assert may_resend(Intent.NOT_SENT, Attempts(K1, 0, in_flight=1), K1, keys) is Refusal.IN_FLIGHT


def test_a_word_of_an_order_that_says_nothing_changes_nothing() -> None:
    stage = play(claim(lost(K1), sent_ns=99 * SECOND))
    assert not stage.cycle(orders=[told(K1, S.UNKNOWN)]).events


def test_f21_an_order_under_a_known_id_is_ours_whatever_the_clock_said_when_it_was_sent() -> None:
    ahead = claim(working(K1, "41"), survived=True, sent_wall_ns=WALL + 3600 * SECOND)
    stage = play(ahead, can=NAMELESS)
    result = stage.cycle(orders=[nameless(told(K1, S.WORKING, bid="41", created=1))])
    assert "Adopted" not in kinds(result.events)
    assert stage.life().broker_order_ids == ("41",)
