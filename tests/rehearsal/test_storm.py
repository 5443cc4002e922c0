"""What goes wrong in a rehearsal: drawn from a seed, written down, carried out, and ended without a trace."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.emulation.faults import parse_fault
from config.settings import load
from sessions.control.rehearsal.cast import parts_of, usual_source
from sessions.control.rehearsal.run import Plan, rehearse
from sessions.control.rehearsal.storm import KINDS, Schedule, Strike, UnknownFault, draw
from sessions.control.rehearsal.storm.elsewhere import ELSEWHERE
from sessions.control.rehearsal.storm.kinds import Kind
from sessions.control.rehearsal.storm.wire import WIRE

ROOT = Path(__file__).parents[2]
BROKERS = ("tradovate", "tradestation", "thinkorswim")
SETTINGS = load((usual_source(BROKERS, "ES", 1),), {}).settings
draw(1, 60, SETTINGS)  # what the emulators are is imported once


@settings(deadline=None)
@given(st.integers(0, 1 << 32), st.floats(10, 20_000))
def test_a_schedule_follows_from_its_seed_fits_its_time_and_survives_a_file(seed: int, seconds: float) -> None:
    schedule = draw(seed, seconds, SETTINGS)
    assert schedule == draw(seed, seconds, SETTINGS)
    assert Schedule.from_json(schedule.to_json()) == schedule
    times = [one.at_ms for one in schedule.strikes]
    assert times == sorted(times)
    assert all(0 <= one <= seconds * 1000 for one in times)


def test_over_many_seeds_every_class_is_drawn_and_none_always() -> None:
    drawn = [{one.fault for one in draw(seed, 3600, SETTINGS).strikes} for seed in range(60)]
    for name in KINDS:
        assert 0 < sum(name in one for one in drawn) < 60, name


def test_every_row_of_the_fault_table_is_struck_or_proved_by_a_test_elsewhere() -> None:
    struck = {kind.row for kind in KINDS.values()}
    assert {f"F{number:02}" for number in range(1, 41)} <= struck | ELSEWHERE.keys()
    for tests in ELSEWHERE.values():
        for file, test in tests:
            assert f"def {test}(" in (ROOT / file).read_text(), test


def test_only_what_is_allowed_is_drawn_by_class_or_by_row() -> None:
    found = {one.fault for seed in range(20) for one in draw(seed, 3600, SETTINGS, ("kill", "F08")).strikes}
    assert found == {"kill", "error-after"}
    with pytest.raises(UnknownFault, match="no fault is named 'gremlin'"):
        draw(1, 60, SETTINGS, ("gremlin",))


@given(st.sampled_from(WIRE), st.integers(0, 1 << 32))
def test_each_value_drawn_for_a_fault_of_the_wire_is_one_that_the_emulators_take(kind: Kind, seed: int) -> None:
    name, value = kind.name, kind.value(random.Random(seed))
    for broker in BROKERS:
        if kind.part in parts_of(broker):
            assert parse_fault(name + value, parts_of(broker)).kind.name == name


def test_a_daemon_that_was_killed_cut_off_and_lied_to_is_whole_again_when_it_is_over() -> None:
    strikes = (
        Strike(1_000, "refuse", "F05", "tradovate", "refused", 5_000),
        Strike(2_000, "kill", "F28", "", "0.5"),
        Strike(20_000, "wall-step", "F21", "", "3600", 600_000),
        Strike(25_000, "error-after", "F08", "tradovate", "=504/command*1"),
        Strike(40_000, "power-cut", "F29", "", "2"),
        Strike(50_000, "partition", "F40", "tradovate", "", 600_000),
    )
    source = usual_source(("tradovate",), "ES", 1)
    outcome = rehearse(Plan(seed=1, sources=(source,), seconds=70, schedule=Schedule(strikes)))
    assert (outcome.error, outcome.violations) == ("", ())
    assert outcome.converged_s < 240
    assert [one.why for one in outcome.restarts[:2]] == ["cut off", "cut off"]
    assert outcome.faults == {"F05": 1, "F28": 1, "F21": 1, "F08": 1, "F29": 1, "F40": 1}
    assert {row for row, _ in outcome.cells} == outcome.faults.keys()
