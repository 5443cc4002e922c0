"""A failed run is cut off where it broke and left with the faults that it needs; the file brings it back whole."""

from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.control.rehearsal.checker import Violation
from sessions.control.rehearsal.failures import distilled
from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.run import NEVER_WHOLE, PATIENCE, SETTLE, Outcome, Plan
from sessions.control.rehearsal.storm import Schedule, Strike
from sessions.control.rehearsal.tape import BadTape, Tape
from tests.rehearsal.command.samples import BROKEN, SCHEDULE, SOUND

STRIKES = tuple(Strike(1_000 * place, "kill", "F28", "", "1") for place in range(1, 61))
AT_S = SETTLE + 30.5


def played_with(needed: frozenset[Strike], plans: list[Plan], at_s: float = AT_S) -> object:
    """A run that breaks if these strikes are in it, and in another way if there are none."""

    def play(plan: Plan) -> Outcome:
        plans.append(plan)
        hashed = f"{plan.seconds}/{len(plan.schedule.strikes)}"
        if not plan.schedule.strikes:
            return attrs.evolve(SOUND, violations=(Violation("I99", 1.0, "something else"),))
        if needed <= set(plan.schedule.strikes):
            return attrs.evolve(SOUND, trace_hash=hashed, violations=(Violation("I01", at_s, "twice"),))
        return SOUND

    return play


@settings(max_examples=15, deadline=None)
@given(st.frozensets(st.sampled_from(STRIKES[:30]), min_size=1, max_size=3))
def test_what_is_left_is_what_is_needed_and_ends_where_it_broke(needed: frozenset[Strike]) -> None:
    plans: list[Plan] = []
    play = played_with(needed, plans)
    programme = Programme(seconds=3600)
    tape = Tape.of(programme, Schedule(STRIKES), play(programme.plan(4, Schedule(STRIKES))))  # type: ignore[operator]
    found = distilled(tape, attrs.evolve(BROKEN, violations=(Violation("I01", AT_S, "twice"),)), 500, play=play)  # type: ignore[arg-type]
    assert set(found.tape.schedule.strikes) == needed
    assert found.minimal
    assert found.tape.programme.seconds == pytest.approx(31.5)
    assert found.tape.trace_hash == f"31.5/{len(needed)}"
    assert len(plans) == found.tries + 1


def test_the_tries_are_bounded_and_the_best_so_far_is_kept() -> None:
    needed, plans, told = frozenset(STRIKES[10:13]), list[Plan](), list[tuple[int, int]]()
    play = played_with(needed, plans)
    tape = Tape(programme=Programme(), seed=4, schedule=Schedule(STRIKES), trace_hash="")
    outcome = attrs.evolve(BROKEN, violations=(Violation("I01", AT_S, "twice"),))
    found = distilled(tape, outcome, 7, lambda *words: told.append(words), play)  # type: ignore[arg-type]
    assert found.tries == len(plans) == len(told) == 7
    assert needed <= set(found.tape.schedule.strikes) < set(STRIKES)
    assert not found.minimal
    assert [left for _, left in told] == sorted((left for _, left in told), reverse=True)


def test_a_run_that_only_never_came_together_again_is_not_cut_off() -> None:
    outcome = attrs.evolve(SOUND, converged_s=float("inf"), apart="1 order is open here, 0 there")
    assert outcome.failure == NEVER_WHOLE
    said = f"never whole again: {PATIENCE:g} s after the last fault 1 order is open here, 0 there"
    assert outcome.complaints == (said,)
    plans: list[Plan] = []

    def play(plan: Plan) -> Outcome:
        plans.append(plan)
        return outcome if plan.schedule.strikes else SOUND

    tape = Tape(programme=Programme(), seed=4, schedule=SCHEDULE, trace_hash="")
    found = distilled(tape, outcome, 50, play=play)
    assert len(found.tape.schedule.strikes) == 1
    assert {plan.seconds for plan in plans} == {3600.0}


words = st.text(max_size=20)
strikes = st.builds(
    Strike,
    at_ms=st.integers(0, 1 << 40),
    fault=words,
    row=words,
    at=words,
    value=words,
    lasts_ms=st.integers(0, 1 << 40),
)
tapes = st.builds(
    Tape,
    programme=st.builds(
        Programme,
        settings=words,
        folder=words,
        seconds=st.floats(0, 1e6),
        faults=st.lists(words).map(tuple),
        data=words,
        invariants=st.lists(words).map(tuple),
    ),
    seed=st.integers(0, 1 << 62),
    schedule=st.lists(strikes).map(lambda found: Schedule(tuple(found))),
    trace_hash=words,
    violations=st.lists(words).map(tuple),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tape=tapes)
def test_a_run_comes_back_from_its_file_as_it_was(tape: Tape, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("tape") / "run.json"
    tape.write(path)
    assert Tape.read(path) == tape


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seed": "x"}', "\x00"])
def test_a_file_that_holds_no_run_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(BadTape, match=r"run\.json: expected a run as `pitboss rehearse` writes it"):
        Tape.read(path)
