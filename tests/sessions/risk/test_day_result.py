"""A day's result: kept up to date with each valuation, and always what all standings add up to."""

import os
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.risk.day_result import DayResult
from sessions.risk.events import Valued

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
MONEY = st.decimals(-500, 500, places=2) | st.none()
VALUATIONS = st.builds(Valued, st.sampled_from(["a", "b", "c"]), MONEY, MONEY)


@settings(max_examples=200 * NIGHTLY)
@given(st.lists(VALUATIONS | st.none(), max_size=30))
def test_the_days_result_is_the_sum_of_all_gains_whatever_came_before(events: list[Valued | None]) -> None:
    result = DayResult(Decimal(100), resets_daily=True)
    lowest = False
    for event in events:
        if event is None:
            result.lift()
            lowest = result.today is not None and result.today <= -100
        else:
            result.value(event)
        gains = [
            None if one.now is None or one.start is None else one.now - one.start for one in result.standings.values()
        ]
        known = [gain for gain in gains if gain is not None]
        assert result.today == (sum(known) if gains and len(known) == len(gains) else None)
        lowest |= result.today is not None and result.today <= -100
        assert result.tripped is lowest
