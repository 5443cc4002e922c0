"""Every broker's adapter against its other side, scenario by scenario, and the table of what ran where."""

import os
import sys
from collections import Counter
from typing import Final

import pytest

from tests.conformance.brokers import CANDIDATES
from tests.conformance.candidate import Candidate
from tests.conformance.kit import Result, run, shown, summary
from tests.conformance.scenario import Scenario
from tests.conformance.table import TABLE

NIGHTLY: Final = int(os.environ.get("PITBOSS_NIGHTLY", "1")) > 1
FEWEST_SCENARIOS: Final = 60
FEWEST_APPLICABLE: Final = {"orders": 85, "data": 35}  # of a broker that takes orders, of one that gives data alone

DEFECTS: Final[dict[tuple[str, str], str]] = {}
"""What fails today and why; an entry whose scenario passes fails the test, so that none outlives its defect."""


def _cases() -> list[object]:
    return [
        pytest.param(candidate, scenario, id=f"{candidate.name}-{scenario.id}", marks=_known(candidate, scenario))
        for number, scenario in enumerate(TABLE.values())
        for candidate in _turn(number, [one for one in CANDIDATES if not scenario.excluded(one)])
    ]


def _turn(number: int, able: list[Candidate]) -> list[Candidate]:
    """Every broker in the nightly run; else those without a wire, the known defects, and one of the others in turn."""
    wired = [one for one in able if one.parts]
    if NIGHTLY or not wired:
        return able
    scenario = list(TABLE.values())[number]
    chosen = wired[number % len(wired)]
    return [one for one in able if one is chosen or not one.parts or (one.name, scenario.id) in DEFECTS]


def _known(candidate: Candidate, scenario: Scenario) -> list[pytest.MarkDecorator]:
    reason = DEFECTS.get((candidate.name, scenario.id))
    return [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]


@pytest.mark.parametrize(("candidate", "scenario"), _cases())
def test_the_adapter_holds_against_its_other_side(candidate: Candidate, scenario: Scenario) -> None:
    run(candidate, scenario)


def test_O10_the_table_covers_every_broker_and_every_scenario_runs_somewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        Result(one.name, scenario.id, "not applicable" if (why := scenario.excluded(one)) else "applies", why)
        for one in CANDIDATES
        for scenario in TABLE.values()
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + summary(rows) + "\n")
    sys.stdout.write(shown(row for row in rows if row.word == "not applicable"))
    assert len(TABLE) >= FEWEST_SCENARIOS
    assert {row.id for row in rows if row.word == "applies"} == set(TABLE), (
        "a scenario that no broker runs proves nothing"
    )
    counts = Counter(row.broker for row in rows if row.word == "applies")
    for one in CANDIDATES:
        fewest = FEWEST_APPLICABLE["data" if one.capability.orders is None else "orders"]
        assert counts[one.name] >= fewest, f"{one.name} runs {counts[one.name]} scenarios, expected {fewest}"
    assert all(row.why for row in rows if row.word == "not applicable")


def test_every_known_defect_names_a_scenario_that_applies() -> None:
    by_name = {one.name: one for one in CANDIDATES}
    assert [key for key in DEFECTS if TABLE[key[1]].excluded(by_name[key[0]])] == []
