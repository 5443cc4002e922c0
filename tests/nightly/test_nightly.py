"""A night goes on where it was, repeats what failed, mixes nothing, and forgets no suite."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.nightly import __main__ as nightly
from tests.nightly.jobs import ROOT, SEEDS, Job, jobs, suites
from tests.nightly.state import Done, Night, OtherNight, State

NIGHT = Night(commit="abc", scale=1.0, hours=6.5)
SAYS = "import json; print(json.dumps({'trace_hash': 'x', 'orders': 2, 'fills': 1, 'events': 9, 'restarts': 0, "
SAYS += "'violations': 0, 'simulated_s': 60.0, 'faults': {'F08': 3}, 'cells': {'F08 working': 2}})); print('{\"seed\": 1}'); print('words')"


def job(name: str, text: str) -> Job:
    return Job(name, (sys.executable, "-c", text))


def test_every_seed_is_played_once_and_every_suite_with_a_size_is_run() -> None:
    found = jobs(1.0)
    seeds = [job.name.removeprefix("rehearse seeds ").split("-") for job in found if job.kind == "rehearse"]
    played = [seed for first, last in seeds for seed in range(int(first), int(last) + 1)]
    assert played == list(range(1, SEEDS + 1))
    switched = [job for job in found if "PITBOSS_NIGHTLY" in job.environ]
    assert [job.words[-1] for job in switched] == list(suites())
    assert "tests/brokers/ledger/test_oracle.py" in suites()
    assert all((ROOT / path).is_file() for path in suites())
    assert len({job.name for job in found}) == len(found)


@pytest.mark.parametrize("scale", [0.0001, 0.01, 3.0])
def test_a_scale_makes_each_size_larger_or_smaller_and_none_vanish(scale: float) -> None:
    kinds = {job.kind for job in jobs(scale)}
    assert kinds == {"rehearse", "pytest", "fuzz", "soak"}
    assert all(int(job.environ["PITBOSS_NIGHTLY"]) >= 2 for job in jobs(scale) if job.environ)


def test_what_failed_is_run_again_and_what_was_well_is_not(tmp_path: Path) -> None:
    mark = tmp_path / "once"
    count = f"open({str(mark)!r}, 'a').write('x')"
    wanted = [job("well", count), job("ill", "raise SystemExit(3)"), job("told", SAYS)]
    for _ in range(2):
        nightly.run(wanted, State(tmp_path / "night.json", NIGHT), 2)
    state = State(tmp_path / "night.json", NIGHT)
    assert mark.read_text() == "x"
    assert {name: done.ok for name, done in state.done.items()} == {"well": True, "ill": False, "told": True}
    assert state.figures() == {
        "runs": 1, "orders": 2, "fills": 1, "events": 9, "restarts": 0, "violations": 0, "simulated_s": 60.0, "F08": 3,
        "F08 working": 2,
    }  # fmt: skip


def test_the_end_of_a_failed_command_is_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [job("ill", "print('it [broke] here'); raise SystemExit(1)")]
    state = State(tmp_path / "night.json", NIGHT)
    nightly.run(wanted, state, 1)
    assert nightly.told(wanted, state) == 1
    assert "it [broke] here" in capsys.readouterr().out


def test_the_state_of_another_night_is_refused_unless_it_may_be_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "night.json"
    State(path, NIGHT).note("one", Done(ok=True, seconds=1.0))
    with pytest.raises(OtherNight, match="nothing was run"):
        State(path, Night(commit="abd", scale=1.0, hours=6.5))
    assert State(path, Night(commit="abd", scale=1.0, hours=6.5), fresh=True).done == {}
    assert not State(path, NIGHT).open("one")
    assert json.loads(path.read_text())["night"] == {"commit": "abc", "hours": 6.5, "scale": 1.0}


def test_what_there_is_to_do_is_listed_with_what_cannot_be_done_here() -> None:
    done = CliRunner().invoke(nightly.main, ["--list", "--scale", "0.01", "--only", "rehearse"])
    assert done.output == "rehearse seeds 1-20\n"


def test_what_was_rehearsed_is_told_with_what_never_struck() -> None:
    total = {"runs": 3.0, "simulated_s": 7200.0, "F08": 5.0, "F08 working": 2.0, "F08 none": 3.0, "command": 1.0}
    said = list(nightly.rehearsed({**dict.fromkeys(nightly.COUNTED, 1.0), **total}))
    assert said[0] == "rehearsed: 3 runs, 2.0 h, 1 orders, 1 fills, 1 events, 1 restarts, 1 violations"
    assert said[1] == "faults: F08 5"
    assert "F01" in said[2]
    assert "F08" not in said[2]
    assert said[3] == "2 cells of fault and state of orders, the rarest: F08 working 2, F08 none 3"
