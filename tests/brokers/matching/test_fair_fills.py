"""Properties of random sessions: P07 and P08, conservation, reduce-only, groups, and the fast path's honesty."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.matching import Event, VenueRules
from brokers.matching.pit import Pit
from tests.brokers.matching.acts import Acts, Session, rules, sessions

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
_SETTINGS = settings(max_examples=100 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _events(venue: VenueRules, acts: Acts, seed: int) -> list[Event]:
    return Session(venue, seed).run(acts).events


@_SETTINGS
@given(rules(), sessions(), st.integers(0, 3))
def test_P07_no_fill_is_better_or_more_than_the_market_allowed(venue: VenueRules, acts: Acts, seed: int) -> None:
    Session(venue, seed).run(acts)


@_SETTINGS
@given(rules(), sessions(), st.integers(0, 3))
def test_P08_the_same_data_and_seed_make_the_same_events(venue: VenueRules, acts: Acts, seed: int) -> None:
    assert _events(venue, acts, seed) == _events(venue, acts, seed)


@settings(_SETTINGS, suppress_health_check=[*_SETTINGS.suppress_health_check, HealthCheck.function_scoped_fixture])
@given(rules(), sessions(), st.integers(0, 3))
def test_P10_the_fast_path_passes_over_nothing(
    monkeypatch: pytest.MonkeyPatch, venue: VenueRules, acts: Acts, seed: int
) -> None:
    def never(pit: Pit, seen: Any) -> bool:
        return False

    fast = _events(venue, acts, seed)
    with monkeypatch.context() as slowed:
        slowed.setattr(Pit, "is_quiet", never)
        slowed.setattr(Pit, "is_quiet_at", never)
        slow = _events(venue, acts, seed)
    assert fast == slow
