"""The command: a line a run, exit codes, what it leaves behind, and what it refuses; the runs are made up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from sessions.control.commands import rehearsing
from sessions.control.rehearsal import failures, tape
from sessions.control.rehearsal.run import Outcome, Plan
from sessions.control.rehearsal.storm import KINDS
from sessions.control.rehearsal.tape import Tape
from tests.rehearsal.command.samples import BROKEN, EMPTY, SOUND
from tests.sessions.commands.test_without_daemon import Home

Play = Callable[[Callable[[Plan], Outcome]], None]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Has every run come out as a function says."""

    def with_outcomes(outcome: Callable[[Plan], Outcome]) -> None:
        def rehearse(plan: Plan, watch: Callable[[float], object] = lambda _: None) -> Outcome:
            watch(30.0)
            return attrs.evolve(outcome(plan), seed=plan.seed)

        for module in (rehearsing, tape):
            monkeypatch.setattr(module, "rehearse", rehearse)
        monkeypatch.setattr(rehearsing, "played", lambda programme, seeds, _: map(rehearse, map(programme.plan, seeds)))
        monkeypatch.setattr(rehearsing, "distilled", _distilled(rehearse))

    return with_outcomes


def _distilled(rehearse: Callable[[Plan], Outcome]) -> Callable[..., failures.Distilled]:
    return lambda kept, outcome, most, watch: failures.distilled(kept, outcome, most, watch, rehearse)


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_sound_run_is_one_object_with_everything_that_was_counted(home: Home, play: Play) -> None:
    play(lambda _: SOUND)
    done = home.run("rehearse", "--seed", "5", "--json")
    assert done.exit_code == 0
    assert lines(done.stdout) == [
        {
            "seed": 5,
            "trace_hash": "5c52df99f3dcb031",
            "simulated_s": 90.0,
            "wall_s": 0.5,
            "simulated_per_wall": 180.0,
            "events": 1234,
            "events_per_s": 2468,
            "orders": 2,
            "fills": 2,
            "faults": {"F06": 1, "F28": 1},
            "cells": {"F06 working": 1, "F28 none": 1},
            "restarts": 1,
            "converged_s": 1.5,
            "violations": 0,
            "profit": {"USD": "58.32"},
            "broken": [],
        }
    ]


def test_for_people_a_run_is_one_line_and_many_are_summed_up(home: Home, play: Play) -> None:
    play(lambda _: SOUND)
    done = home.run("rehearse", "--runs", "3")
    assert done.exit_code == 0
    said = done.stdout.splitlines()
    assert len(said) == 4
    assert said[0].startswith("seed 1      sound   1 min 30 s in 0.5 s (180x, 2,468 events/s)  1,234 events  2 orders")
    assert said[3].startswith("3 runs: all sound; 4 min 30 s in")


def test_a_broken_run_ends_with_code_1_and_a_file_that_plays_it_again(home: Home, play: Play, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    play(lambda plan: BROKEN if any(one.fault == "kill" for one in plan.schedule.strikes) or plan.seed == 2 else SOUND)
    done = home.run("rehearse", "--faults", "kill", "--hours", "5", "--runs", "2", "--keep", str(kept))
    assert done.exit_code == 1
    assert "order <b>7f</b> is at the broker twice" in done.stdout
    path = kept / "rehearsal-2.json"
    assert f"pitboss rehearse --replay {path}" in done.stdout
    assert Tape.read(path).violations == BROKEN.complaints
    again = home.run("rehearse", "--replay", str(path), "--json")
    assert again.exit_code == 1
    assert lines(again.stdout)[0]["same_trace"] is True


def test_a_run_that_is_another_one_now_is_said_to_be_and_told_sound(home: Home, play: Play, tmp_path: Path) -> None:
    play(lambda _: BROKEN)
    assert home.run("rehearse", "--keep", str(tmp_path), "--tries", "0").exit_code == 1
    play(lambda _: attrs.evolve(SOUND, trace_hash="another"))
    done = home.run("rehearse", "--replay", str(tmp_path / "rehearsal-1.json"))
    assert done.exit_code == 0
    assert "not the same run: the code or what it reads has changed" in done.stdout


def test_of_runs_that_fail_alike_the_first_is_shrunk_and_all_are_kept(home: Home, play: Play, tmp_path: Path) -> None:
    played: list[int] = []

    def outcome(plan: Plan) -> Outcome:
        played.append(plan.seed)
        return EMPTY if plan.seed == 3 else BROKEN

    play(outcome)
    done = home.run("rehearse", "--runs", "4", "--keep", str(tmp_path), "--json")
    assert done.exit_code == 1
    assert sorted(path.name for path in tmp_path.glob("rehearsal-*.json")) == [
        f"rehearsal-{one}.json" for one in (1, 2, 3, 4)
    ]
    assert played.count(2) == played.count(4) == 1
    assert played.count(1) > 1
    assert played.count(3) > 1
    assert [one["replay"] for one in lines(done.stdout) if "replay" in one] == [
        str(tmp_path / f"rehearsal-{one}.json") for one in (1, 2, 3, 4)
    ]


def test_a_report_shows_every_run(home: Home, play: Play, tmp_path: Path) -> None:
    play(lambda plan: BROKEN if plan.seed == 2 else SOUND)
    page = tmp_path / "page.html"
    home.run("rehearse", "--runs", "3", "--keep", str(tmp_path), "--report", str(page))
    assert "1 of 3 runs broken" in page.read_text()
    assert f"pitboss rehearse --replay {tmp_path / 'rehearsal-2.json'}" in page.read_text()


def test_every_fault_is_listed_by_row(home: Home) -> None:
    assert {one["name"] for one in home.json("rehearse", "--list")} == set(KINDS)
    assert home.run("rehearse", "--list").stdout.splitlines()[1].split()[1] == "F01"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--faults", "gremlin"), "no fault is named 'gremlin'"),
        (("nobody",), "expected configured sessions, got nobody; none is configured"),
        (("--broker", "etrade"), "--broker: expected one with an emulator"),
        (("--data", "/nowhere.csv"), "/nowhere.csv"),
        (("--replay", "/nowhere.json"), "/nowhere.json"),
        (("--invariant", "nowhere"), "--invariant nowhere: there is no nowhere.py in"),
    ],
)
def test_what_cannot_be_done_is_refused_with_code_3(home: Home, words: tuple[str, ...], told: str) -> None:
    done = home.run("rehearse", *words)
    assert done.exit_code == 3
    assert told in done.stderr
    assert "Traceback" not in done.stderr
