from hypothesis import given
from hypothesis import strategies as st

from brokers.guards.tally import Tally

WINDOW = 10_000
GRAIN = WINDOW // 200


@given(st.lists(st.integers(0, 3_000), max_size=60))
def test_a_tally_counts_what_the_window_holds_but_for_one_grain(gaps: list[int]) -> None:
    tally, now, times = Tally(WINDOW), 0, []
    for gap in gaps:
        now += gap
        times.append(now)
        tally.add(now)
        surely = sum(now - time <= WINDOW - GRAIN for time in times)
        possibly = sum(now - time <= WINDOW for time in times)
        assert surely <= tally.count(now) <= possibly


def test_a_tally_needs_bounded_memory_at_any_rate() -> None:
    tally = Tally(WINDOW)
    for now in range(5 * WINDOW):
        tally.add(now)
    assert len(tally._marks) <= 201
