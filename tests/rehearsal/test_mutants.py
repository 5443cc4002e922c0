"""R07: every broken build is caught, each by the rule that it was made for; and nothing else is, where nothing is broken."""

import os
from pathlib import Path
from typing import Final

import pytest

from sessions.control.rehearsal.checker.catalogue import ELSEWHERE, IN_PART, RULES, SAFETY
from sessions.control.rehearsal.run import rehearse
from tests.rehearsal.mutants import MOST_SEEDS, MUTANTS, SEEDS, Mutant, names

ROOT: Final = Path(__file__).parents[2]
NIGHTLY: Final = int(os.environ.get("PITBOSS_NIGHTLY", "1")) > 1
EVERY: Final = 1 if NIGHTLY else 9  # so many pass before the next one is tried; at night none does


def test_there_are_forty_broken_builds_and_each_is_caught_within_five_hundred_seeds() -> None:
    assert len(MUTANTS) >= 40
    assert [one.name for one in MUTANTS] == list(SEEDS)
    assert all(1 <= seed <= MOST_SEEDS for seed in SEEDS.values())


def test_every_invariant_has_a_broken_build_that_it_was_made_for() -> None:
    assert {rule.name for rule in SAFETY} <= {name for one in MUTANTS for name in one.trips}  # type: ignore[attr-defined]


def test_every_row_is_a_rule_or_proved_elsewhere_by_a_test_that_is_there() -> None:
    rows = {f"I{number:02}" for number in range(1, 26)} | {f"R{number}" for number in range(20, 28)}
    assert {rule.name for rule in RULES} | set(ELSEWHERE) == rows  # type: ignore[attr-defined]
    for test in (*ELSEWHERE.values(), *IN_PART.values()):
        path, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / path).read_text(), test


@pytest.mark.parametrize("mutant", MUTANTS[::EVERY], ids=lambda one: one.name)
def test_a_rehearsal_catches_it(mutant: Mutant) -> None:
    seed = SEEDS[mutant.name]
    with mutant.breaks():
        found = rehearse(mutant.plan(seed))
    assert names(found) & set(mutant.trips), found.complaints


@pytest.mark.parametrize("mutant", MUTANTS[4 :: EVERY * 4], ids=lambda one: one.name)
def test_the_same_rehearsal_of_a_whole_build_finds_nothing(mutant: Mutant) -> None:
    found = rehearse(mutant.plan(SEEDS[mutant.name]))
    assert found.complaints == ()
