"""Delta debugging: what is left is what is needed, each part of it, in few tries, and never more than allowed."""

import random
import statistics

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.control.rehearsal.shrinking import shrunk


@st.composite
def wholes(draw: st.DrawFn) -> tuple[list[int], frozenset[int]]:
    whole = draw(st.lists(st.integers(), min_size=1, max_size=40, unique=True))
    return whole, draw(st.frozensets(st.sampled_from(whole), max_size=4))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wholes())
def test_what_is_left_is_exactly_what_is_needed(case: tuple[list[int], frozenset[int]]) -> None:
    whole, needed = case
    found = shrunk(whole, lambda parts: needed <= set(parts), 10_000)
    assert found.parts == tuple(part for part in whole if part in needed)
    assert found.minimal


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wholes(), st.integers(0, 12))
def test_it_never_tries_more_often_than_allowed_and_what_is_left_still_fails(
    case: tuple[list[int], frozenset[int]], most: int
) -> None:
    whole, needed = case
    tried: list[tuple[int, ...]] = []

    def fails(parts: tuple[int, ...]) -> bool:
        tried.append(parts)
        return needed <= set(parts)

    found = shrunk(whole, fails, most)
    assert found.tries == len(tried) == len(set(tried)) <= most
    assert needed <= set(found.parts)
    assert not found.minimal or set(found.parts) == needed


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 2**32))
def test_whatever_the_parts_have_to_do_with_each_other_no_single_one_can_be_left_out(
    whole: list[bool], seed: int
) -> None:
    numbered = list(enumerate(whole))

    def fails(parts: tuple[tuple[int, bool], ...]) -> bool:
        return len(parts) == len(whole) or random.Random(f"{seed}{parts}").random() < 0.3

    found = shrunk(numbered, fails, 100_000)
    assert found.parts == tuple(numbered) or fails(found.parts)
    if len(found.parts) > 1:
        assert not any(fails(found.parts[:place] + found.parts[place + 1 :]) for place in range(len(found.parts)))


def test_one_or_two_causes_among_a_hundred_are_found_in_a_median_of_at_most_twenty_five_tries() -> None:
    chance = random.Random(1)
    tries = []
    for _ in range(200):
        needed = set(chance.sample(range(100), chance.choice((1, 1, 2))))
        tries.append(shrunk(range(100), needed.issubset, 1_000).tries)
    assert statistics.median(tries) <= 25
