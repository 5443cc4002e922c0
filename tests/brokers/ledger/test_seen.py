"""The memory of ids: nothing counts twice, nothing is lost silently, and it does not grow without end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.ledger import Print, RecentIds

ARRIVALS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 6)), max_size=150)


@settings(max_examples=150, deadline=None)
@given(entries=st.integers(1, 8), skew=st.integers(0, 12), arrivals=ARRIVALS)
def test_what_is_not_known_is_new_or_owned_to_be_forgotten(
    entries: int, skew: int, arrivals: list[tuple[int, int, int]]
) -> None:
    seen, ever, now = RecentIds(entries, skew), dict[str, Print](), 0
    for number, pace, late in arrivals:
        now += pace
        id_, figures = str(number), Print(max(0, now - late))
        known = seen.get(id_)
        if known is not None:
            assert known is ever[id_]
            assert seen.remember(id_, figures) is known
        elif id_ in ever:
            assert ever[id_].time_ns + skew <= seen.unsure_ns
        elif figures.time_ns > seen.unsure_ns:
            ever[id_] = figures
            assert seen.remember(id_, figures) is None
            assert seen.get(id_) is figures
        assert all(seen.get(recent) is not None for recent in list(ever)[-entries:])


@settings(max_examples=150, deadline=None)
@given(entries=st.integers(1, 8), skew=st.integers(0, 12), paces=st.lists(st.integers(0, 9), max_size=200))
def test_memory_is_twice_the_entries_or_twice_what_came_within_two_skews(
    entries: int, skew: int, paces: list[int]
) -> None:
    seen, times, most = RecentIds(entries, skew), list[int](), entries
    for number, pace in enumerate(paces):
        times.append(times[-1] + pace if times else pace)
        seen.remember(str(number), Print(times[-1]))
        most = max(most, sum(time >= times[-1] - 2 * skew for time in times))
        assert len(seen) <= 2 * most


@given(count=st.integers(0, 90), more=st.integers(0, 90))
def test_memory_that_was_taken_over_forgets_at_the_same_moments(count: int, more: int) -> None:
    one, other = RecentIds(5, 4), RecentIds(5, 4)
    for number in range(count):
        one.remember(str(number), Print(number // 3))
    other.restore(*one.state(), one.unsure_ns)
    for number in range(count, count + more):
        for seen in (one, other):
            seen.remember(str(number), Print(number // 3))
        assert (one.state(), one.unsure_ns) == (other.state(), other.unsure_ns)
