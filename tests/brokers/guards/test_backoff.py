import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.guards.backoff import Backoff
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import NIGHTLY

SAMPLES = 10_000 * NIGHTLY


def kolmogorov_smirnov(samples: list[float]) -> float:
    """The largest distance between the samples' distribution and the uniform one on [0, 1]."""
    ordered = sorted(samples)
    size = len(ordered)
    return max(max((i + 1) / size - x, x - i / size) for i, x in enumerate(ordered))


@pytest.mark.parametrize("attempt", [0, 1, 3, 5, 40])
def test_b01_delays_are_uniform_below_the_ceiling(attempt: int) -> None:
    backoff, chance = Backoff(), random.Random(attempt)
    ceiling = backoff.ceiling_ns(attempt)
    distance = kolmogorov_smirnov([backoff.delay_ns(attempt, chance) / ceiling for _ in range(SAMPLES)])
    assert distance < 1.628 / math.sqrt(SAMPLES)  # the critical value at 1 %


def test_b01_the_ceiling_doubles_from_half_a_second_to_fifteen() -> None:
    ceilings = [Backoff().ceiling_ns(n) / SECOND_NS for n in range(8)]
    assert ceilings == [0.5, 1, 2, 4, 8, 15, 15, 15]


@given(attempt=st.integers(0, 10**9), base=st.integers(1, 10**12), cap=st.integers(1, 10**15), seed=st.integers())
def test_b01_no_delay_leaves_its_range(attempt: int, base: int, cap: int, seed: int) -> None:
    delay = Backoff(base, cap).delay_ns(attempt, random.Random(seed))
    assert 0 <= delay <= cap
    assert attempt > 60 or delay <= base * 2**attempt
