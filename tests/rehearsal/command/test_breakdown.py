"""A run that breaks down is told with what it counted until then."""

import re

import attrs

from brokers.emulation.log import FILLED, Entry
from sessions.control.rehearsal.checker.invariant import Invariant
from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.run import rehearse


class BreaksDown(Invariant):
    """No rule: it raises at the first fill, as nothing that listens may."""

    def entry(self, broker: str, entry: Entry) -> None:
        if entry.kind == FILLED:
            raise ZeroDivisionError("the rehearsal itself is broken")


def test_what_was_counted_until_a_run_broke_down_is_told() -> None:
    plan = Programme(brokers=("tradovate",), seconds=60.0, faults=()).plan(4)
    outcome = rehearse(attrs.evolve(plan, rules=(BreaksDown,)))
    assert not outcome.sound
    assert outcome.events > 0
    assert outcome.fills == len(outcome.story.trades) + 1 == 1
    assert outcome.simulated_s < 90
    assert outcome.failure == "ZeroDivisionError"
    said = r"ZeroDivisionError: the rehearsal itself is broken \(test_breakdown\.py:\d+, entry\)"
    assert re.fullmatch(said, outcome.complaints[0])
