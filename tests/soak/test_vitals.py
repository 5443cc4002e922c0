"""When a process of a soak counts as one that grows."""

from collections.abc import Callable

import attrs
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.vitals import DAY_SECONDS, MOST_GROWTH, SLACK, Vitals, complaints, growth_a_day

STEP = 60.0
HOURS = 6
FLAT = Vitals(0.0, 100_000, 40, 4, 139)


def life(hours: float, moment: Callable[[float], Vitals]) -> list[Vitals]:
    times = [number * STEP for number in range(int(hours * 3600 / STEP))]
    return [attrs.evolve(moment(at), at_s=at) for at in times]


def growing(share_a_day: float) -> Callable[[float], Vitals]:
    return lambda at: attrs.evolve(FLAT, rss_kib=round(FLAT.rss_kib * (1 + share_a_day * at / DAY_SECONDS)))


@given(st.floats(0, MOST_GROWTH * 0.9))
def test_r10_a_process_that_hardly_grows_is_left_in_peace(share: float) -> None:
    assert complaints(life(HOURS, growing(share))) == []


@given(st.floats(MOST_GROWTH * 1.1, 2.0))
def test_r10_a_process_that_grows_by_more_than_a_fiftieth_a_day_is_told(share: float) -> None:
    (text,) = complaints(life(HOURS, growing(share)))
    assert text.startswith("memory grows")


def test_r10_what_the_first_hour_fills_is_no_growth() -> None:
    filling = life(HOURS, lambda at: attrs.evolve(FLAT, rss_kib=100_000 + min(int(at), 3_600) * 10))
    assert growth_a_day(filling) == 0.0
    assert complaints(filling) == []


def test_a_short_life_has_no_trend_of_memory() -> None:
    assert growth_a_day(life(1, growing(5.0))) is None


@given(st.sampled_from(["descriptors", "threads", "actors"]), st.integers(-SLACK, 3 * SLACK))
def test_r10_descriptors_threads_and_actors_that_go_on_growing_are_told(name: str, more: int) -> None:
    late = life(1, lambda at: attrs.evolve(FLAT, **{name: getattr(FLAT, name) + (more if at > 2_400 else 0)}))
    assert bool(complaints(late)) is (more > SLACK)
