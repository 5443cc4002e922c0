"""Each of the 82 scenarios of reconciliation has at least one test that bears its id; this is the list of the ids.

Rows of other tables are named the same way (faults F.., limits B..): folders whose ids are only those do not count.
"""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT.parent / "shared" / "scenarios" / "reconcile.json"
GROUPS = {"A": 23, "B": 23, "C": 39, "D": 17, "E": 23, "F": 21, "G": 11}  # the odd numbers up to this one
IDS = [f"{group}{number}" for group, last in GROUPS.items() for number in range(1, last + 1, 2)]
OF_OTHER_TABLES = ("brokers/guards/test_limits.py", "brokers/guards/test_queue.py", "runtime/", "/emulator/", "fuzz/")
NAME = re.compile(r"^\s*(?:async )?def test_(\w+)\(", re.MULTILINE)


def bearers(scenario: str) -> list[str]:
    """The tests that have the id among the words that their name begins with."""
    return [
        f"{path.relative_to(ROOT)}::test_{name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if not any(part in path.as_posix() for part in OF_OTHER_TABLES)
        for name in NAME.findall(path.read_text())
        if scenario.lower() in re.match(r"(?:[A-Za-z]\d+_)*", name)[0].lower().split("_")  # type: ignore[index]  # it matches always
    ]


@pytest.mark.parametrize("scenario", IDS)
def test_every_scenario_has_a_test_that_bears_its_id(scenario: str) -> None:
    assert bearers(scenario), f"no test is named test_{scenario.lower()}_..."


def test_the_list_of_ids_is_that_of_the_scenarios() -> None:
    if not SCENARIOS.exists():
        pytest.skip(f"{SCENARIOS} is not here: the ids cannot be compared with the scenarios themselves")
    assert [one["id"] for one in json.loads(SCENARIOS.read_text())] == IDS
