"""Schedules of faults, commands and market moves as Hypothesis draws and shrinks them: the daemon survives them all."""

import os
import random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.settings import load
from sessions.control.rehearsal.cast import usual_source
from sessions.control.rehearsal.run import Plan, rehearse
from sessions.control.rehearsal.storm import KINDS, Schedule, Strike
from sessions.control.rehearsal.storm.draw import targets_of

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "0"))
SECONDS = 45
BROKERS = ("tradovate", "tradestation", "thinkorswim")
LONGEST_MS = 30_000
CAST = {one: load((usual_source((one,), "ES", 1),), {}).settings for one in BROKERS}
TARGETS = {(one, kind.name): targets_of(kind, CAST[one]) for one in BROKERS for kind in KINDS.values()}


@st.composite
def strikes(draw: st.DrawFn, broker: str) -> Strike:
    """Any strike that fits a rehearsal with this broker; what is drawn shrinks to early, short, and first in the list."""
    kind = draw(st.sampled_from([kind for kind in KINDS.values() if TARGETS[broker, kind.name]]))
    chance = random.Random(draw(st.integers(0, 255)))
    return Strike(
        at_ms=draw(st.integers(0, SECONDS - 5)) * 1000,
        fault=kind.name,
        row=kind.row,
        at=draw(st.sampled_from(TARGETS[broker, kind.name])),
        value=kind.value(chance),
        lasts_ms=0 if kind.lasts is None else min(int(kind.lasts(chance) * 1000), LONGEST_MS),
    )


@st.composite
def storms(draw: st.DrawFn) -> tuple[str, int, Schedule]:
    """A broker, a seed, and a few strikes in the order in which they come."""
    broker = draw(st.sampled_from(BROKERS))
    found = draw(st.lists(strikes(broker), min_size=1, max_size=8))
    return broker, draw(st.integers(0, 7)), Schedule(tuple(sorted(found, key=lambda one: one.at_ms)))


@settings(
    max_examples=400 * NIGHTLY or 5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(storms())
def test_after_any_few_strikes_all_is_whole_again(storm: tuple[str, int, Schedule]) -> None:
    broker, seed, schedule = storm
    source = usual_source((broker,), "ES", seed)
    outcome = rehearse(Plan(seed=seed, sources=(source,), seconds=SECONDS, schedule=schedule))
    assert outcome.sound, f"{outcome.complaints}; seed {seed}, {broker}: {schedule.to_json()}"
