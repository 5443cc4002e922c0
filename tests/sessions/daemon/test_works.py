"""How far a long work is: told by its key while it is under way, and by nobody afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.control.daemon.works import Progress, Works, history_of
from sessions.trader.history import HistoryNews


@given(steps=st.lists(st.integers(0, 100)), total=st.none() | st.integers(0, 1000))
def test_a_work_tells_the_sum_of_its_steps_until_it_is_over(steps: list[int], total: int | None) -> None:
    works = Works()
    with works.begin("id", "entries are checked", total) as advance:
        assert works.of("id") == Progress("entries are checked", 0, total)
        for count in steps:
            advance(count)
        assert works.of("id") == Progress("entries are checked", sum(steps), total)
        assert works.of("other") is None
    assert works.of("id") is None


def test_a_work_that_fails_is_over_too() -> None:
    works = Works()
    with pytest.raises(OSError), works.begin("id", "entries are copied"):  # noqa: PT011 - any
        raise OSError
    assert works.of("id") is None


def test_the_history_of_a_session_is_under_way_until_all_of_it_was_answered() -> None:
    works = Works()
    works.hear(HistoryNews("a", 0, 700))
    works.hear(HistoryNews("b", 5, 10))
    assert works.of(history_of("a")) == Progress("a loads its history", 0, 700)
    works.hear(HistoryNews("a", 500, 700))
    assert works.of(history_of("a")) == Progress("a loads its history", 500, 700)
    works.hear(HistoryNews("a", 700, 700))
    assert works.of(history_of("a")) is None
    assert works.of(history_of("b")) is not None
