import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.guards.ladder import Action, Cause, Cleared, Ladder, LadderEvent, Raised, Reconciled, Rung

TOP = Ladder(Rung.FULL)


def climb(*events: LadderEvent, start: Ladder = TOP) -> Ladder:
    ladder = start
    for now, event in enumerate(events, 1):
        ladder = ladder.after(event, now)
    return ladder


@pytest.mark.parametrize("cause", Cause)
def test_b22_every_cause_is_mapped_and_steps_down_at_once(cause: Cause) -> None:
    assert cause.rung is not Rung.FULL
    assert climb(Raised(cause)).rung is cause.rung


@pytest.mark.parametrize(
    ("cause", "rung"),
    [
        (Cause.STALE_DATA, Rung.NO_NEW_RISK),
        (Cause.TOKEN_LOST, Rung.CANCEL_ONLY),
        (Cause.JOURNAL_WRITE_FAILED, Rung.CANCEL_ONLY),
        (Cause.ORDER_UNRESOLVED, Rung.CANCEL_ONLY),
        (Cause.DATA_IMPOSSIBLE, Rung.CANCEL_ONLY),
        (Cause.OWNER_CHANGED, Rung.HALTED),
        (Cause.KILL_SWITCH, Rung.HALTED),
    ],
)
def test_b22_causes_with_a_rung_of_their_own_have_it(cause: Cause, rung: Rung) -> None:
    assert cause.rung is rung


def test_b22_each_rung_permits_less_than_the_one_above() -> None:
    permitted = {rung: {action for action in Action if rung.permits(action)} for rung in Rung}
    assert permitted == {
        Rung.FULL: set(Action),
        Rung.NO_NEW_RISK: {Action.REDUCE_RISK, Action.CANCEL},
        Rung.CANCEL_ONLY: {Action.CANCEL},
        Rung.HALTED: set(),
    }


def test_b22_a_cause_that_clears_does_not_lift_before_reconciliation() -> None:
    ladder = climb(Raised(Cause.CONNECTION_DOWN), Cleared(Cause.CONNECTION_DOWN))
    assert ladder.rung is Rung.CANCEL_ONLY
    assert ladder.reconciliation_lifts
    assert ladder.after(Reconciled(began_ns=3), 5).rung is Rung.FULL


def test_b22_a_reconciliation_that_began_before_the_change_proves_nothing() -> None:
    ladder = climb(Raised(Cause.CONNECTION_DOWN), Cleared(Cause.CONNECTION_DOWN))
    assert ladder.after(Reconciled(began_ns=1), 5).rung is Rung.CANCEL_ONLY


def test_b22_reconciliation_lifts_only_as_far_as_the_remaining_causes_allow() -> None:
    events = (Raised(Cause.JOURNAL_WRITE_FAILED), Raised(Cause.STALE_DATA), Cleared(Cause.JOURNAL_WRITE_FAILED))
    assert climb(*events, Reconciled(began_ns=10)).rung is Rung.NO_NEW_RISK


def test_b22_what_clears_for_one_instrument_stays_for_another() -> None:
    stale = (Raised(Cause.STALE_DATA, "ES"), Raised(Cause.STALE_DATA, "NQ"), Cleared(Cause.STALE_DATA, "ES"))
    assert climb(*stale, Reconciled(began_ns=10)).rung is Rung.NO_NEW_RISK
    both = (*stale, Cleared(Cause.STALE_DATA, "NQ"))
    assert climb(*both, Reconciled(began_ns=10)).rung is Rung.FULL


def test_b22_a_halt_is_left_only_when_its_cause_is_cleared() -> None:
    halted = climb(Raised(Cause.KILL_SWITCH), Reconciled(began_ns=10), Cleared(Cause.LOOP_LAG), Reconciled(began_ns=20))
    assert halted.rung is Rung.HALTED


def test_b22_a_session_starts_without_new_risk_until_it_is_reconciled() -> None:
    assert Ladder().rung is Rung.NO_NEW_RISK
    assert Ladder().after(Reconciled(began_ns=1), 2).rung is Rung.FULL


events = st.one_of(
    st.builds(Raised, st.sampled_from(Cause), st.sampled_from(["", "ES"])),
    st.builds(Cleared, st.sampled_from(Cause), st.sampled_from(["", "ES"])),
    st.builds(Reconciled, st.integers(0, 60)),
)


@given(st.lists(events, max_size=60))
def test_b22_i16_no_history_lifts_a_session_without_proof(history: list[LadderEvent]) -> None:
    ladder, active = TOP, set[tuple[Cause, str]]()
    for now, event in enumerate(history, 1):
        before, ladder = ladder, ladder.after(event, now)
        match event:
            case Raised(cause, about):
                active.add((cause, about))
            case Cleared(cause, about):
                active.discard((cause, about))
            case Reconciled():
                pass
        assert ladder.causes == active
        assert all(ladder.rung >= cause.rung for cause, _ in active)
        if ladder.rung < before.rung:
            assert isinstance(event, Reconciled)
            assert event.began_ns >= before.changed_ns
