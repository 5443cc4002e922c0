"""P06: the table of fill rules, each scenario with all the answers the venue gives."""

import pytest

from tests.brokers.matching import (
    scenarios_bars,
    scenarios_commands,
    scenarios_groups,
    scenarios_prices,
    scenarios_sessions,
)
from tests.brokers.matching.play import Scenario, engine_with, play, said

SCENARIOS = (
    *scenarios_prices.SCENARIOS,
    *scenarios_sessions.SCENARIOS,
    *scenarios_groups.SCENARIOS,
    *scenarios_commands.SCENARIOS,
    *scenarios_bars.SCENARIOS,
)


def test_P06_the_table_has_its_sixty_scenarios_under_different_names() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names) >= 60


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "_"))
def test_P06(scenario: Scenario) -> None:
    engine = engine_with(scenario.rules, scenario.admit)
    happened = play(engine, scenario.steps)
    assert tuple(said(event) for event in happened) == scenario.answers
    assert [event.sequence for event in happened] == list(range(1, len(happened) + 1))
