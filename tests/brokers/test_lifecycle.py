"""The life of an order: the table of moves, the rules around it, and quantities that no disorder can spoil."""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers import lifecycle
from brokers.errors import Code
from brokers.executions import Execution, Executions, implied_fill
from brokers.lifecycle import BadEvent, IllegalMove, LifecycleError, OrderLife, advance
from brokers.model import Change, Fill, Order, OrderState, OrderType
from brokers.moves import ALLOWED, FORWARD
from brokers.order_events import (
    Acknowledged,
    Behind,
    Busted,
    CancelConfirmed,
    CancelRefused,
    CancelRequested,
    Corrected,
    Duplicate,
    Event,
    Expired,
    Filled,
    Held,
    LateFill,
    LateLife,
    LostTouch,
    OtherId,
    Overfill,
    Owed,
    Reconciled,
    Rejected,
    ReplaceConfirmed,
    ReplaceRefused,
    ReplaceRequested,
    Restated,
    Sent,
    Snapshot,
    Stale,
    Suspended,
    Withheld,
    Working,
)
from brokers.sides import Side
from tests.brokers.model_strategies import NIGHTLY, refusal

S = OrderState
ORDER = Order("K1", "ESZ26", Side.BUY, OrderType.LIMIT, Decimal(3), limit_price=Decimal(4500))
LIVE = {S.HELD, S.WORKING, S.PARTIALLY_FILLED, S.SUSPENDED}
PENDING = {S.PENDING_CANCEL, S.PENDING_REPLACE}


def fill(execution_id: str, quantity: object = 1, price: object = 4500, **other: Any) -> Fill:
    return Fill(execution_id, "paper", "A1", "ESZ26", Side.BUY, Decimal(str(quantity)), Decimal(str(price)), 0, **other)


def these(*values: Any) -> tuple[Any, ...]:
    return values


def lived(*events: Event, order: Order = ORDER) -> OrderLife:
    life = OrderLife(order)
    for event in events:
        life = advance(life, event)
    return life


def working(*events: Event) -> OrderLife:
    return lived(Sent(), Acknowledged(broker_order_id="B1"), Working(), *events)


# The table.

PUBLISHED = """
CREATED          -> PENDING_NEW
PENDING_NEW      -> HELD | WORKING | PARTIALLY_FILLED | FILLED | REJECTED | CANCELED | EXPIRED | UNKNOWN
HELD             -> PENDING_NEW | WORKING | PARTIALLY_FILLED | FILLED | PENDING_CANCEL | PENDING_REPLACE | CANCELED | EXPIRED | REJECTED
WORKING          -> PARTIALLY_FILLED | FILLED | PENDING_REPLACE | PENDING_CANCEL | CANCELED | EXPIRED | SUSPENDED | REJECTED | UNKNOWN
PARTIALLY_FILLED -> PARTIALLY_FILLED | FILLED | PENDING_REPLACE | PENDING_CANCEL | CANCELED | EXPIRED | SUSPENDED | UNKNOWN
PENDING_REPLACE  -> WORKING | PARTIALLY_FILLED | REPLACED | FILLED | CANCELED | PENDING_CANCEL | UNKNOWN
PENDING_CANCEL   -> CANCELED | FILLED | PARTIALLY_FILLED | WORKING | EXPIRED | UNKNOWN
SUSPENDED        -> WORKING | PARTIALLY_FILLED | CANCELED | EXPIRED | PENDING_CANCEL
"""


def published() -> dict[OrderState, set[OrderState]]:
    table: dict[OrderState, set[OrderState]] = {state: set() for state in S}
    for row in PUBLISHED.strip().splitlines():
        state, moves = row.split("->")
        table[OrderState[state.strip()]] = {OrderState[move.strip()] for move in moves.split("|")}
    table[S.UNKNOWN] = set(S) - {S.UNKNOWN}
    return table


def stage(state: OrderState) -> int:
    if state.final:
        return 3
    return {S.CREATED: 0, S.PENDING_NEW: 1, S.HELD: 1}.get(state, 2)


def ahead(state: OrderState) -> set[OrderState]:
    """Everything that is not before this state in an order's life, told without the table."""
    if state.final:
        return set()
    return {other for other in S if other not in (S.CREATED, S.UNKNOWN) and stage(other) >= stage(state)}


def test_the_moves_are_the_published_table() -> None:
    assert published() == ALLOWED


@pytest.mark.parametrize("state", [state for state in S if state is not S.UNKNOWN])
def test_words_may_skip_forward_to_all_that_is_not_behind(state: OrderState) -> None:
    assert FORWARD[state] == ahead(state)


def test_an_illegal_move_names_the_order_both_states_and_the_allowed_moves() -> None:
    with pytest.raises(IllegalMove) as caught:
        advance(working(), Sent())
    error = caught.value
    assert these(error.order_key, error.state, error.wanted) == ("K1", S.WORKING, S.PENDING_NEW)
    assert error.allowed == ALLOWED[S.WORKING]
    assert isinstance(error.event, Sent)
    text = str(error)
    assert "K1" in text
    assert "working -> pending_new" in text
    assert all(word.value in text for word in ALLOWED[S.WORKING])


# Our own steps.


def test_an_order_is_created_sent_acknowledged_working_and_filled() -> None:
    steps: list[Event] = [
        Sent(),
        Acknowledged(broker_order_id="B1"),
        Working(),
        Filled(fill("X1")),
        Filled(fill("X2", 2)),
    ]
    states = [lived(*steps[:count]).state for count in range(len(steps) + 1)]
    assert states == [S.CREATED, S.PENDING_NEW, S.PENDING_NEW, S.WORKING, S.PARTIALLY_FILLED, S.FILLED]


def test_a_second_attempt_before_any_answer_is_the_same_state() -> None:
    assert lived(Sent(), Sent()) == lived(Sent())


def test_nothing_is_cancelled_or_lost_before_it_is_sent() -> None:
    for event in (CancelRequested(), LostTouch(), ReplaceRequested(Change("K1"))):
        with pytest.raises(IllegalMove):
            lived(event)


def test_a13_a_cancel_wished_before_the_order_lives_is_remembered_and_shows_once_it_does() -> None:
    life = lived(Sent(), CancelRequested(), Acknowledged(broker_order_id="B1"))
    assert these(life.state, life.canceling) == (S.PENDING_NEW, True)
    assert advance(life, Working()).state is S.PENDING_CANCEL
    assert advance(life, CancelConfirmed()).state is S.CANCELED
    assert advance(life, Filled(fill("X1", 3))).state is S.FILLED


def test_a13_a_remembered_cancel_survives_reconciliation_that_finds_the_order_alive() -> None:
    assert lived(Sent(), CancelRequested(), Reconciled(S.WORKING)).state is S.PENDING_CANCEL


def test_e15_a_second_cancel_changes_nothing() -> None:
    assert working(CancelRequested(), CancelRequested()) == working(CancelRequested())


@pytest.mark.parametrize("pending", [CancelRequested(), ReplaceRequested(Change("K1", quantity=Decimal(2)))])
def test_while_a_request_is_pending_no_replace_is_asked(pending: Event) -> None:
    with pytest.raises(IllegalMove):
        working(pending, ReplaceRequested(Change("K1", quantity=Decimal(1))))


def test_a_change_of_another_order_is_refused() -> None:
    with pytest.raises(BadEvent, match="K1"):
        working(ReplaceRequested(Change("K2")))


# Fills beat pending words.


@pytest.mark.parametrize(
    ("request_", "pending"),
    [
        (CancelRequested(), S.PENDING_CANCEL),
        (ReplaceRequested(Change("K1", limit_price=Decimal(1))), S.PENDING_REPLACE),
    ],
)
def test_a_part_fill_is_booked_and_the_pending_word_stays_until_answered(request_: Event, pending: OrderState) -> None:
    life = working(request_, Filled(fill("X1")))
    assert these(life.state, life.filled, life.remaining) == (pending, 1, 2)
    refusal = CancelRefused(Code.ORDER_NOT_OPEN) if pending is S.PENDING_CANCEL else ReplaceRefused(Code.ORDER_NOT_OPEN)
    assert advance(life, refusal).state is S.PARTIALLY_FILLED


def test_e1_a_fill_that_beats_the_cancel_ends_filled_and_the_refusal_is_only_an_event() -> None:
    life = working(CancelRequested(), Filled(fill("X1", 3)))
    assert life.state is S.FILLED
    after = advance(life, CancelRefused(Code.ORDER_NOT_OPEN, "too late to cancel"))
    assert after == life
    assert after.facts == (Stale(S.PENDING_CANCEL),)


def test_e9_a_refused_replace_of_a_filled_order_stays_filled() -> None:
    life = working(ReplaceRequested(Change("K1", quantity=Decimal(5))), Filled(fill("X1", 3)))
    assert advance(life, ReplaceRefused(Code.ORDER_NOT_OPEN)).state is S.FILLED


# Refusals return to the state before.


@pytest.mark.parametrize(
    ("before", "state"),
    [
        ((Held(),), S.HELD),
        ((Working(),), S.WORKING),
        ((Working(), Filled(fill("X1"))), S.PARTIALLY_FILLED),
        ((Working(), Suspended()), S.SUSPENDED),
        ((Working(), ReplaceRequested(Change("K1", quantity=Decimal(2)))), S.PENDING_REPLACE),
    ],
)
def test_a_refused_cancel_returns_to_the_state_before(before: Sequence[Event], state: OrderState) -> None:
    life = lived(Sent(), *before)
    asked = advance(life, CancelRequested())
    assert asked.state is S.PENDING_CANCEL
    refused = advance(asked, CancelRefused(Code.ORDER_REJECTED, "no"))
    assert these(refused.state, refused.reason) == (state, "order_rejected: no")
    assert attrs.evolve(refused, reason="") == life


@pytest.mark.parametrize(
    ("before", "state"),
    [((Held(),), S.HELD), ((Working(),), S.WORKING), ((Working(), Filled(fill("X1"))), S.PARTIALLY_FILLED)],
)
def test_a_refused_replace_returns_to_the_state_before_under_the_old_terms(
    before: Sequence[Event], state: OrderState
) -> None:
    life = lived(Sent(), *before)
    asked = advance(life, ReplaceRequested(Change("K1", quantity=Decimal(9))))
    assert asked.state is S.PENDING_REPLACE
    refused = advance(asked, ReplaceRefused(Code.ORDER_REJECTED))
    assert refused.state is state
    assert attrs.evolve(refused, reason="") == life


def test_a_refusal_long_as_a_book_is_kept_short() -> None:
    assert len(working(CancelRequested(), CancelRefused(Code.ORDER_REJECTED, "x" * 100_000)).reason) < 600


# Replaces.


def test_e11_a_confirmed_quantity_counts_what_is_filled_already() -> None:
    order = attrs.evolve(ORDER, quantity=Decimal(10))
    asked = ReplaceRequested(Change("K1", quantity=Decimal(6), limit_price=Decimal(4501)))
    life = lived(Sent(), Working(), Filled(fill("X1", 4)), asked, ReplaceConfirmed(), order=order)
    assert these(life.state, life.filled, life.remaining) == (S.PARTIALLY_FILLED, 4, 2)
    assert life.order == attrs.evolve(order, quantity=Decimal(6), limit_price=Decimal(4501))


def test_the_terms_the_broker_tells_beat_those_we_asked_for() -> None:
    told = ReplaceConfirmed(Change("K1", quantity=Decimal(4)))
    assert working(ReplaceRequested(Change("K1", quantity=Decimal(5))), told).order.quantity == 4


def test_a_replace_down_to_what_is_filled_ends_filled() -> None:
    life = working(Filled(fill("X1", 2)), ReplaceConfirmed(Change("K1", quantity=Decimal(2))))
    assert these(life.state, life.facts) == (S.FILLED, ())


def test_a_replace_below_what_is_filled_is_an_overfill() -> None:
    life = working(Filled(fill("X1", 2)), ReplaceConfirmed(Change("K1", quantity=Decimal(1))))
    assert these(life.state, life.facts) == (S.FILLED, (Overfill(Decimal(1)),))


def test_a_confirmed_replace_does_not_release_a_held_order() -> None:
    life = lived(Sent(), Held(), ReplaceRequested(Change("K1", quantity=Decimal(2))), ReplaceConfirmed())
    assert life.state is S.HELD


def test_e7_words_about_a_replaced_broker_id_are_ignored() -> None:
    life = working(ReplaceRequested(Change("K1", quantity=Decimal(5))), ReplaceConfirmed(broker_order_id="B2"))
    assert these(life.broker_order_ids, life.state) == (("B1", "B2"), S.WORKING)
    late: list[Event] = [
        CancelConfirmed(broker_order_id="B1"),
        Snapshot(S.FILLED, filled=Decimal(3), broker_order_id="B1"),
        Expired(broker_order_id="B1"),
        ReplaceConfirmed(Change("K1", quantity=Decimal(1)), broker_order_id="B1"),
    ]
    for event in late:
        after = advance(life, event)
        assert after == life
        assert after.facts == (OtherId("B1", replaced=True),)


def test_a_replaced_id_ends_and_the_order_lives_on_under_the_next() -> None:
    ended = working(ReplaceRequested(Change("K1", quantity=Decimal(5))), Snapshot(S.REPLACED, broker_order_id="B1"))
    assert ended.state is S.REPLACED
    on = advance(ended, ReplaceConfirmed(Change("K1", quantity=Decimal(5)), broker_order_id="B2"))
    assert these(on.state, on.order.quantity, on.broker_order_ids) == (S.WORKING, 5, ("B1", "B2"))


def test_a_new_broker_id_after_the_end_is_never_overlooked() -> None:
    with pytest.raises(IllegalMove):
        working(CancelConfirmed(), ReplaceConfirmed(broker_order_id="B2"))


def test_a_second_broker_order_under_one_key_is_told_and_not_mixed_in() -> None:
    life = advance(working(), CancelConfirmed(broker_order_id="B7"))
    assert these(life.state, life.facts) == (S.WORKING, (OtherId("B7", replaced=False),))


def test_an_endless_chain_of_replaces_keeps_only_the_newest_ids() -> None:
    life = working()
    for number in range(lifecycle.MAX_BROKER_IDS + 50):
        life = advance(life, ReplaceConfirmed(broker_order_id=f"N{number}"))
    assert len(life.broker_order_ids) == lifecycle.MAX_BROKER_IDS
    assert life.broker_order_ids[-1] == f"N{lifecycle.MAX_BROKER_IDS + 49}"


def test_terms_that_make_no_sense_are_refused() -> None:
    for quantity in ("0", "-1", "NaN", "1E+300"):
        with pytest.raises(BadEvent):
            working(ReplaceConfirmed(Change("K1", quantity=Decimal(quantity))))
    with pytest.raises(BadEvent):
        working(ReplaceConfirmed(Change("K2", quantity=Decimal(1))))


# UNKNOWN.


@pytest.mark.parametrize(
    "word",
    [
        Acknowledged(),
        Working(),
        Held(),
        CancelConfirmed(),
        Expired(),
        Rejected(Code.ORDER_REJECTED),
        Snapshot(S.CANCELED),
    ],
)
def test_only_reconciliation_leaves_unknown(word: Event) -> None:
    life = lived(Sent(), LostTouch())
    after = advance(life, word)
    assert after.state is S.UNKNOWN
    assert isinstance(after.facts[0], Withheld)


def test_a3_a_fill_that_arrives_while_unknown_is_booked_once_and_reconciliation_ends_it() -> None:
    life = lived(Sent(), LostTouch(), Filled(fill("X1", 3, broker_order_id="B1")))
    assert these(life.state, life.filled, life.broker_order_ids) == (S.UNKNOWN, 3, ("B1",))
    done = advance(advance(life, Reconciled(S.FILLED, filled=Decimal(3), broker_order_id="B1")), Filled(fill("X1", 3)))
    assert these(done.state, done.filled, done.facts) == (S.FILLED, 3, (Duplicate("X1"),))


def test_no_step_of_ours_is_open_while_unknown() -> None:
    for event in (Sent(), CancelRequested(), ReplaceRequested(Change("K1"))):
        with pytest.raises(IllegalMove, match="by reconciliation only"):
            lived(Sent(), LostTouch(), event)


@pytest.mark.parametrize("state", [state for state in S if state is not S.UNKNOWN])
def test_reconciliation_may_lead_from_unknown_to_any_state(state: OrderState) -> None:
    filled = Decimal(1) if state is S.PARTIALLY_FILLED else None
    assert lived(Sent(), LostTouch(), Reconciled(state, filled)).state is state


def test_reconciliation_does_not_reject_what_was_filled() -> None:
    with pytest.raises(IllegalMove):
        lived(Sent(), LostTouch(), Filled(fill("X1")), Reconciled(S.REJECTED))


def test_reconciliation_answers_a_pending_request() -> None:
    life = working(CancelRequested(), Reconciled(S.WORKING))
    assert these(life.state, life.canceling) == (S.WORKING, False)


def test_reconciliation_that_would_go_back_or_revive_raises() -> None:
    for life, word in ((working(), S.PENDING_NEW), (working(CancelConfirmed()), S.WORKING)):
        with pytest.raises(IllegalMove):
            advance(life, Reconciled(word))


def test_reconciliation_that_proves_nothing_leaves_everything_as_it_was() -> None:
    asked = working(ReplaceRequested(Change("K1", quantity=Decimal(5))), LostTouch())
    assert advance(asked, Reconciled(S.UNKNOWN)) == asked
    assert advance(advance(asked, Reconciled(S.UNKNOWN)), ReplaceConfirmed()).order.quantity == 5


def test_reconciliation_may_find_that_touch_is_lost() -> None:
    life = working(Reconciled(S.UNKNOWN))
    assert these(life.state, life.standing) == (S.UNKNOWN, S.WORKING)


def test_a_refusal_while_unknown_does_not_make_the_order_known() -> None:
    life = working(CancelRequested(), LostTouch())
    assert advance(life, CancelRefused(Code.ORDER_NOT_OPEN)).state is S.UNKNOWN


def test_held_and_suspended_orders_cannot_be_lost() -> None:
    for word in (Held(), Suspended()):
        with pytest.raises(IllegalMove):
            lived(Sent(), word, LostTouch())


# Words out of order.


@pytest.mark.parametrize("behind", [Held(), Snapshot(S.HELD), Snapshot(S.PENDING_NEW)])
def test_f16_words_that_lie_behind_are_ignored_and_told(behind: Event) -> None:
    for life in (working(), working(Suspended()), working(CancelConfirmed())):
        after = advance(life, behind)
        assert after == life
        assert isinstance(after.facts[0], Stale)


def test_f16_a_fill_before_the_acknowledgement_and_before_sent_is_booked() -> None:
    life = lived(Filled(fill("X1", broker_order_id="B1")))
    assert these(life.state, life.filled) == (S.PARTIALLY_FILLED, 1)
    assert advance(life, Acknowledged(broker_order_id="B1")) == life


def test_f16_a_snapshot_older_than_the_stream_is_ignored() -> None:
    life = working(Filled(fill("X1")), Filled(fill("X2")))
    after = advance(life, Snapshot(S.WORKING, filled=Decimal(1)))
    assert after == life
    assert after.facts == (Behind(Decimal(1)),)


def test_f16_a_word_of_an_older_snapshot_is_ignored_with_its_quantity() -> None:
    life = working(Filled(fill("X1")), Filled(fill("X2")))
    assert advance(life, Snapshot(S.SUSPENDED, filled=Decimal(1))).state is S.PARTIALLY_FILLED
    assert advance(life, Snapshot(S.SUSPENDED, filled=Decimal(2))).state is S.SUSPENDED


def test_a_suspended_order_stays_so_over_part_fills_and_ends_filled() -> None:
    life = working(Filled(fill("X1")), Suspended())
    assert life.state is S.SUSPENDED
    life = advance(life, Filled(fill("X2")))
    assert these(life.state, life.filled) == (S.SUSPENDED, 2)
    assert advance(life, Filled(fill("X3"))).state is S.FILLED


def test_f16_the_end_counts_even_from_a_snapshot_that_lags_in_quantity() -> None:
    life = working(Filled(fill("X1")), Snapshot(S.CANCELED, filled=Decimal(0)))
    assert these(life.state, life.filled) == (S.CANCELED, 1)


def test_f17_a_snapshot_may_jump_forward_over_everything_missed() -> None:
    life = lived(Sent(), Snapshot(S.CANCELED, filled=Decimal(2), average_price=Decimal("4500.5"), broker_order_id="B1"))
    assert these(life.state, life.filled, life.broker_order_ids) == (S.CANCELED, 2, ("B1",))
    assert life.executions.average_price == Decimal("4500.5")
    assert life.facts == (Owed(Decimal(2)),)


def test_a_live_word_that_counts_more_than_the_order_held_before_follows_the_quantity() -> None:
    assert working(Snapshot(S.WORKING, filled=Decimal(1))).state is S.PARTIALLY_FILLED
    assert working(Snapshot(S.WORKING, filled=Decimal(3))).state is S.FILLED
    assert working(Snapshot(S.PARTIALLY_FILLED)).state is S.WORKING


def test_b15_filled_without_its_executions_is_filled_and_owes_them() -> None:
    life = working(Snapshot(S.FILLED))
    assert these(life.state, life.filled, life.facts) == (S.FILLED, 3, (Owed(Decimal(3)),))
    assert life.executions.average_price is None
    life = advance(life, Filled(fill("X1", 3, "4500.25")))
    assert these(life.filled, life.executions.owed, life.executions.average_price) == (3, 0, Decimal("4500.25"))


def test_a_word_without_news_changes_nothing() -> None:
    for life in (working(), lived(Sent(), LostTouch())):
        for state in (S.CREATED, S.UNKNOWN):
            after = advance(life, Snapshot(state))
            assert after == life
            assert after.facts == ()


def test_the_brokers_own_pending_words_are_shown() -> None:
    assert working(Snapshot(S.PENDING_CANCEL)).state is S.PENDING_CANCEL
    assert working(Snapshot(S.PENDING_REPLACE)).change == Change("K1")


def test_a_release_that_comes_while_a_cancel_is_pending_does_not_hide_the_cancel() -> None:
    life = lived(Sent(), Held(), CancelRequested())
    assert advance(life, Snapshot(S.PENDING_NEW)).state is S.PENDING_CANCEL


def test_a21_an_order_may_be_rejected_after_it_worked() -> None:
    life = working(Rejected(Code.INSUFFICIENT_FUNDS, "margin"))
    assert these(life.state, life.reason) == (S.REJECTED, "insufficient_funds: margin")


def test_what_was_filled_cannot_be_rejected() -> None:
    with pytest.raises(IllegalMove):
        working(Filled(fill("X1")), Rejected(Code.ORDER_REJECTED))


def test_one_final_word_never_becomes_another() -> None:
    with pytest.raises(IllegalMove):
        working(Filled(fill("X1", 3)), CancelConfirmed())
    with pytest.raises(IllegalMove):
        working(CancelConfirmed(), Expired())


@pytest.mark.parametrize("word", [Acknowledged(), Working(), Held(), Snapshot(S.WORKING)])
def test_a_sign_of_life_after_rejection_is_an_alarm(word: Event) -> None:
    rejected = lived(Sent(), LostTouch(), Reconciled(S.REJECTED))
    after = advance(rejected, word)
    assert after.state is S.REJECTED
    assert isinstance(after.facts[0], LateLife)


# Executions.


def test_f14_b1_a_doubled_execution_counts_once() -> None:
    life = working(Filled(fill("X1")), Filled(fill("X1")), Filled(fill("X1", 2)))
    assert these(life.filled, life.facts) == (1, (Duplicate("X1"),))


def test_f15_b9_a_fill_after_the_cancel_is_booked_and_told_and_the_order_stays_final() -> None:
    late = fill("X1", 1)
    life = working(CancelConfirmed(), Filled(late))
    assert these(life.state, life.filled, life.facts) == (S.CANCELED, 1, (LateFill(late),))


@pytest.mark.parametrize("end", [CancelConfirmed(), Expired()])
@pytest.mark.parametrize("told", [Snapshot(S.FILLED, filled=Decimal(3)), Snapshot(S.FILLED), Reconciled(S.FILLED)])
def test_f15_an_ended_order_that_late_fills_completed_agrees_with_the_brokers_filled(end: Event, told: Event) -> None:
    life = working(end, Filled(fill("X1", 3)))
    after = advance(life, told)
    assert these(after.state, after.filled, after.executions.owed) == (life.state, 3, 0)


def test_f15_filled_with_its_count_after_a_cancel_owes_the_late_fills() -> None:
    owing = working(CancelConfirmed(), Snapshot(S.FILLED, filled=Decimal(3)))
    assert these(owing.state, owing.filled, owing.facts) == (S.CANCELED, 3, (Owed(Decimal(3)),))
    assert advance(owing, Filled(fill("X1", 3))).executions.owed == 0


@pytest.mark.parametrize("told", [Snapshot(S.FILLED), Reconciled(S.FILLED)])
def test_filled_without_a_count_completes_no_order_that_was_cancelled(told: Event) -> None:
    for life in (working(CancelConfirmed()), working(CancelConfirmed(), Filled(fill("X1", 1)))):
        with pytest.raises(IllegalMove):
            advance(life, told)


def test_f18_a_broker_that_goes_on_saying_filled_after_a_bust_neither_brings_it_back_nor_contradicts() -> None:
    life = working(Filled(fill("X1", 3)), Busted("X1"))
    for told in (Snapshot(S.FILLED), Snapshot(S.FILLED, filled=Decimal(3)), Reconciled(S.FILLED, filled=Decimal(3))):
        after = advance(life, told)
        assert these(after.state, after.filled, after.executions.owed) == (S.CANCELED, 0, 0)
    restored = advance(life, Filled(fill("X2", 3)))
    assert these(advance(restored, Snapshot(S.FILLED, filled=Decimal(3))).state, restored.filled) == (S.CANCELED, 3)


def test_b7_f39_more_filled_than_ordered_is_booked_and_told() -> None:
    life = working(Filled(fill("X1", 2)), Filled(fill("X2", 2)))
    assert these(life.state, life.filled, life.remaining, life.facts) == (S.FILLED, 4, 0, (Overfill(Decimal(1)),))


def test_f18_a_bust_takes_the_execution_out_and_reopens_filled_as_canceled() -> None:
    life = working(Filled(fill("X1", 2, 4500)), Filled(fill("X2", 1, 4503)), Busted("X2"))
    assert these(life.state, life.filled, life.executions.average_price) == (S.CANCELED, 2, 4500)
    assert life.facts == (Restated("X2", Decimal(3), reopened=True),)
    assert advance(life, Filled(fill("X2", 1, 4503))).facts == (Duplicate("X2"),)


def test_f18_a_count_without_an_execution_is_given_up_when_the_order_is_told_to_have_ended_with_less() -> None:
    counted = working(Snapshot(S.FILLED, filled=Decimal(3), average_price=Decimal(4500)))
    less = Snapshot(S.CANCELED, filled=Decimal(0))
    life = advance(counted, less)
    assert these(life.state, life.filled, life.executions.owed) == (S.CANCELED, 0, 0)
    assert advance(life, Snapshot(S.FILLED, filled=Decimal(3))).executions.owed == 3, "the broker's last word counts"
    partly = advance(working(Filled(fill("X1", 1)), Snapshot(S.FILLED, filled=Decimal(3))), less)
    assert these(partly.state, partly.filled, partly.executions.owed) == (S.CANCELED, 1, 0)
    with pytest.raises(IllegalMove):
        advance(working(Filled(fill("X1", 3))), less)


def test_f18_a_doubled_bust_or_correction_counts_once() -> None:
    for event in (Busted("X1"), Corrected("X1", fill("X1", 2)), Corrected("X1", fill("X2", 2))):
        once = working(Filled(fill("X1")), event)
        again = advance(once, event)
        assert again == once
        assert again.facts == (Duplicate("X1"),)


def test_f18_a_bust_of_the_excess_leaves_the_order_filled() -> None:
    life = working(Filled(fill("X1", 3)), Filled(fill("X2", 1)), Busted("X2"))
    assert these(life.state, life.filled) == (S.FILLED, 3)


def test_f18_a_bust_while_unknown_leaves_the_order_live_beneath() -> None:
    life = lived(Sent(), LostTouch(), Filled(fill("X1", 2)), Filled(fill("X2", 1)), Busted("X2"))
    assert these(life.state, life.standing, life.filled) == (S.UNKNOWN, S.PARTIALLY_FILLED, 2)


def test_f18_a_bust_of_a_live_order_leaves_it_live() -> None:
    life = working(Filled(fill("X1")), Busted("X1"))
    assert these(life.state, life.filled) == (S.WORKING, 0)


def test_f18_a_bust_leaves_what_the_broker_reported_too() -> None:
    life = working(Snapshot(S.FILLED), Filled(fill("X1", 1)), Busted("X1"))
    assert these(life.state, life.filled, life.executions.owed) == (S.CANCELED, 2, 2)


def test_f18_a_correction_restates_price_and_quantity_under_the_same_or_a_new_id() -> None:
    for new in ("X1", "X9"):
        life = working(Filled(fill("X1", 2, 4500)), Corrected("X1", fill(new, 1, 4400)))
        assert these(life.filled, life.executions.average_price) == (1, 4400)
        assert life.facts == (Restated("X1", Decimal(2), reopened=False),)


def test_f18_a_bust_of_what_was_never_seen_voids_it_for_good() -> None:
    life = working(Busted("X1"), Filled(fill("X1")))
    assert these(life.state, life.filled) == (S.WORKING, 0)


def test_b5_a_real_execution_takes_the_place_of_an_implied_one() -> None:
    life = working(Filled(fill("B1/2", 2, 4501)), Corrected("B1/2", fill("X1", 2, "4501.50")))
    assert these(life.filled, life.executions.average_price) == (2, Decimal("4501.50"))


@pytest.mark.parametrize(
    "wrong",
    [
        fill("X1", -1),
        fill("X1", 0),
        fill("X1", "NaN"),
        fill("X1", "1E+99"),
        fill("X1", 1, "Infinity"),
        attrs.evolve(fill("X1"), symbol="NQZ26"),
        attrs.evolve(fill("X1"), side=Side.SELL),
    ],
)
def test_f39_a_fill_that_cannot_be_of_this_order_is_refused_whole(wrong: Fill) -> None:
    life = working()
    for event in (Filled(wrong), Corrected("X1", wrong)):
        with pytest.raises(BadEvent) as caught:
            advance(life, event)
        assert caught.value.event is event
    with pytest.raises(BadEvent):
        advance(life, Snapshot(S.WORKING, filled=Decimal(-1)))


def test_f39_a_flood_of_executions_is_refused_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MAX_EXECUTIONS", 5)
    life = working(*(Filled(fill(f"X{number}")) for number in range(5)))
    with pytest.raises(BadEvent, match="at most 5"):
        advance(life, Filled(fill("X5")))


def test_facts_are_those_of_the_last_event_alone() -> None:
    assert working(Filled(fill("X1")), Filled(fill("X1")), Working()).facts == ()


def test_the_report_carries_the_word_and_the_quantity_facts() -> None:
    report = working(Filled(fill("X1", 1, 4500)), Filled(fill("X2", 1, 4501))).report("A1", 7, sequence=2)
    assert these(report.state, report.filled, report.remaining) == (S.PARTIALLY_FILLED, 2, 1)
    assert these(report.average_price, report.broker_order_ids) == (Decimal("4500.5"), ("B1",))
    assert these(report.account, report.time_ns, report.sequence, report.reason) == ("A1", 7, 2, "")
    assert working(Rejected(Code.MARGIN_CALL, "no")).report("A1", 7).reason == "margin_call: no"


# Quantities by themselves.


def test_an_average_without_end_is_given_to_28_digits_ties_to_even() -> None:
    thirds = working(Filled(fill("X1", 1, 1)), Filled(fill("X2", 2, 0))).executions
    assert thirds.average_price == Decimal("0." + "3" * 28)
    assert thirds.value == 1
    ties = {1: 10**27, 3: 10**27 + 2}  # 10**27 + half of it: between two figures of 28 digits
    for half, even in ties.items():
        value = Execution(Decimal(1), Decimal(2 * 10**27 + half)), Execution(Decimal(1), Decimal(0))
        halved = Executions().restated(dict(zip("XY", value, strict=True)))
        assert halved.average_price == Decimal(even)


def test_a_report_raises_what_is_known_and_nothing_else() -> None:
    known = Executions().restated({"X1": Execution(Decimal(2), Decimal(10))})
    assert known.counted(Decimal(1), Decimal(5)) is known
    told = known.counted(Decimal(3), None)
    assert these(told.filled, told.owed, told.average_price) == (3, 1, None)
    priced = told.counted(Decimal(3), Decimal(11))
    assert priced.average_price == 11
    assert priced.counted(Decimal(3), Decimal(99)) is priced
    assert priced.counted(Decimal(2), Decimal(99)) is priced
    assert priced.counted(Decimal(4), Decimal(12)).average_price == 12


# Cumulative reports of brokers without execution ids.


def implied(life: OrderLife, filled: object, average: object) -> Fill | None:
    return implied_fill(
        life.order,
        life.executions,
        Decimal(str(filled)),
        Decimal(str(average)),
        broker="paper",
        account="A1",
        broker_order_id="B1",
        time_ns=0,
    )


def test_cumulative_reports_become_fills_whose_ids_repeat_with_the_report() -> None:
    life = working()
    first = implied(life, "1.0", 4500)
    assert first == fill("B1/1", 1, 4500, order_key="K1", broker_order_id="B1")
    life = advance(life, Filled(first))
    second = implied(life, 3, 4502)
    assert second is not None
    assert these(second.id, second.quantity, second.price) == ("B1/3", 2, 4503)
    life = advance(life, Filled(second))
    assert implied(life, 3, 4502) is None
    assert implied(life, 1, 4500) is None
    assert these(life.state, life.executions.average_price) == (S.FILLED, 4502)


@given(
    tick=st.sampled_from(["0.01", "0.25", "0.03125", "0.0001", "0.1"]).map(Decimal),
    prints=st.lists(st.tuples(st.integers(1, 5), st.integers(20_000, 30_000)), min_size=1, max_size=8),
)
@settings(max_examples=200 * NIGHTLY)
def test_the_prices_behind_rounded_averages_are_those_that_were_printed(
    tick: Decimal, prints: list[tuple[int, int]]
) -> None:
    known, filled, value = Executions(), Decimal(0), Decimal(0)
    for lots, ticks in prints:
        filled, value = filled + lots, value + lots * ticks * tick
        average = (value / filled).quantize(Decimal("1e-8")).normalize()
        found = implied_fill(
            ORDER, known, filled, average, broker="paper", account="A1", broker_order_id="B1", time_ns=0
        )
        assert found is not None
        assert these(found.quantity, found.price) == (lots, ticks * tick)
        known = known.restated({found.id: Execution(found.quantity, found.price)})


# Properties.


def scaled(places: int) -> st.SearchStrategy[Decimal]:
    return st.builds(
        lambda digits, point: Decimal(digits).scaleb(-point), st.integers(1, 10**27), st.integers(0, places)
    )


quantities = st.integers(1, 5000).map(lambda thousandths: Decimal(thousandths).scaleb(-3))
prices = st.integers(1, 999_999).map(lambda cents: Decimal(cents).scaleb(-2))
ids = st.sampled_from(["X1", "X2", "X3", "X4"])
broker_ids = st.sampled_from([None, "B1", "B2", "B3"])
small = st.integers(0, 5).map(Decimal)
codes = st.sampled_from(Code)
fills = st.builds(fill, ids, st.integers(1, 3), st.integers(4400, 4600))
changes = st.builds(Change, st.just("K1"), st.none() | st.integers(1, 5).map(Decimal))
said = {"broker_order_id": broker_ids}

any_event: st.SearchStrategy[Event] = st.one_of(
    st.just(Sent()),
    st.just(CancelRequested()),
    st.builds(ReplaceRequested, changes),
    st.just(LostTouch()),
    st.builds(Reconciled, st.sampled_from(S), st.none() | small, st.none(), broker_ids),
    *(st.builds(kind, **said) for kind in (Acknowledged, Held, Working, Suspended, Expired, CancelConfirmed)),
    *(st.builds(kind, codes, **said) for kind in (Rejected, CancelRefused, ReplaceRefused)),
    st.builds(ReplaceConfirmed, st.none() | changes, **said),
    st.builds(Filled, fills),
    st.builds(Corrected, ids, fills),
    st.builds(Busted, ids),
    st.builds(Snapshot, st.sampled_from(S), st.none() | small, **said),
)
any_life = st.lists(any_event, max_size=40)
TABLE = published()


def reason_to_move(before: OrderLife, event: Event, after: OrderLife) -> bool:
    """Whether a change of the word is one the table, or a rule beside it, has a reason for."""
    was, now = before.state, after.state
    if was is S.UNKNOWN:
        return isinstance(event, Reconciled)
    if isinstance(event, Busted | Corrected) and (was, now) in {
        (S.FILLED, S.CANCELED),
        (S.PARTIALLY_FILLED, S.WORKING),
    }:
        return True
    if was is S.REPLACED:
        return isinstance(event, ReplaceConfirmed) and len(after.broker_order_ids) > len(before.broker_order_ids)
    if now in TABLE[was]:
        return now is not S.UNKNOWN or isinstance(event, LostTouch | Reconciled)
    if isinstance(event, Sent | CancelRequested | ReplaceRequested | LostTouch):
        return False
    if isinstance(event, CancelRefused | ReplaceRefused | ReplaceConfirmed) and was in PENDING:
        return now in LIVE | {S.PENDING_REPLACE}
    return now in ahead(was)


def fold(events: Iterable[Event], order: Order = ORDER) -> tuple[OrderLife, list[tuple[OrderLife, Event, OrderLife]]]:
    life, steps = OrderLife(order), []
    for event in events:
        try:
            after = advance(life, event)
        except LifecycleError:
            continue
        steps.append((life, event, after))
        life = after
    return life, steps


@settings(max_examples=200 * NIGHTLY, deadline=None)
@given(any_life)
def test_i07_no_sequence_of_events_leaves_the_table(events: list[Event]) -> None:
    for before, event, after in fold(events)[1]:
        assert after.state is before.state or reason_to_move(before, event, after), (before.state, event, after.state)


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(any_life)
def test_word_and_quantities_never_contradict_each_other(events: list[Event]) -> None:
    for _, event, life in fold(events)[1]:
        assert life.remaining == max(life.order.quantity - life.filled, 0)
        match life.state:
            case S.FILLED:
                assert life.filled >= life.order.quantity
            case S.PARTIALLY_FILLED:
                assert 0 < life.filled < life.order.quantity
            case S.WORKING:
                assert life.filled == 0
            case S.REJECTED if not isinstance(event, Filled | Corrected | Snapshot | Reconciled):
                assert life.standing is S.REJECTED
            case _:
                pass


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(any_life)
def test_a_final_state_is_left_by_correction_or_a_next_broker_id_only(events: list[Event]) -> None:
    for before, event, after in fold(events)[1]:
        if before.state.final and after.state is not before.state:
            assert isinstance(event, Busted | Corrected) or before.state is S.REPLACED


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(any_life)
def test_what_is_filled_falls_by_correction_only(events: list[Event]) -> None:
    for before, event, after in fold(events)[1]:
        assert after.filled >= before.filled or isinstance(event, Busted | Corrected)


@settings(max_examples=200 * NIGHTLY, deadline=None)
@given(any_life, any_event)
def test_a_refused_event_names_the_states_and_a_taken_one_is_repeatable_in_its_quantities(
    events: list[Event], event: Event
) -> None:
    life, _ = fold(events)
    error = refusal(LifecycleError, advance, life, event)
    if error is None:
        assert fold([*events, event, event])[0].filled == advance(life, event).filled
        return
    assert isinstance(error, IllegalMove | BadEvent)
    assert these(error.order_key, error.event) == ("K1", event)
    if isinstance(error, IllegalMove):
        assert these(error.state, error.allowed) == (life.state, TABLE[life.state])


def true_executions(events: Iterable[Event]) -> dict[str, tuple[Fraction, Fraction]]:
    """What a set of execution events amounts to, with no order in it: an independent reading of the rules."""
    told = [event.fill for event in events if isinstance(event, Filled | Corrected)]
    void = {event.execution_id for event in events if isinstance(event, Busted)}
    void |= {
        event.execution_id for event in events if isinstance(event, Corrected) and event.execution_id != event.fill.id
    }
    return {one.id: (Fraction(one.quantity), Fraction(one.price)) for one in told if one.id not in void}


@st.composite
def real_histories(draw: st.DrawFn) -> list[Event]:
    """A history as a broker could tell it: parts of one order filled, some busted or corrected to new ids."""
    events: list[Event] = [Sent(), Acknowledged(broker_order_id="B1"), Working()]
    for number in range(draw(st.integers(0, 6))):
        part = fill(f"X{number}", draw(quantities), draw(prices))
        events.append(Filled(part))
        match draw(st.integers(0, 5)):
            case 0:
                events.append(Busted(part.id))
            case 1:
                events.append(Corrected(part.id, attrs.evolve(part, id=f"Y{number}", price=Decimal(7))))
            case 2:
                events.append(CancelRequested())
            case _:
                pass
    endings: list[Event] = [CancelConfirmed(), Expired(), Working(), CancelRefused(Code.ORDER_NOT_OPEN)]
    events.append(draw(st.sampled_from(endings)))
    return events


@settings(max_examples=200 * NIGHTLY, deadline=None)
@given(real_histories(), st.randoms(use_true_random=False))
def test_o07_f14_f16_any_order_and_repetition_of_a_history_ends_in_the_same_quantities(
    events: list[Event], chance: random.Random
) -> None:
    shuffled = events + [chance.choice(events) for _ in range(len(events))]
    chance.shuffle(shuffled)
    order = attrs.evolve(ORDER, quantity=Decimal(chance.choice(["0.5", "3", "100"])))
    life, _ = fold(shuffled, order)
    truth = true_executions(events).values()
    assert Fraction(life.executions.quantity) == sum(quantity for quantity, _ in truth)
    assert Fraction(life.executions.value) == sum(quantity * price for quantity, price in truth)
    assert life.executions == fold(events, order)[0].executions


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(
    st.lists(st.tuples(quantities, st.integers(1, 9999)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_o07_executions_and_cumulative_reports_of_them_mix_in_any_order(
    parts: list[tuple[Decimal, int]], chance: random.Random
) -> None:
    events: list[Event] = [Sent(), Working()]
    cumulative = Decimal(0)
    for number, (quantity, price) in enumerate(parts):
        cumulative += quantity
        events += [Filled(fill(f"X{number}", quantity, price)), Snapshot(S.WORKING, filled=cumulative)]
    order = attrs.evolve(ORDER, quantity=cumulative)
    shuffled = events + events
    chance.shuffle(shuffled)
    life, _ = fold(shuffled, order)
    assert these(life.filled, life.executions.quantity, life.executions.owed) == (cumulative, cumulative, 0)
    assert life.state is S.FILLED


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(st.lists(st.tuples(scaled(18), scaled(12)), max_size=12))
def test_the_value_of_executions_is_exact_however_fine_they_are(parts: list[tuple[Decimal, Decimal]]) -> None:
    executions = Executions()
    for number, (quantity, price) in enumerate(parts):
        executions = executions.restated({f"X{number}": Execution(quantity, price)})
    assert Fraction(executions.value) == sum(Fraction(quantity) * Fraction(price) for quantity, price in parts)
