"""The clock for expiries: whatever the wall does, no credential looks younger than it is."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from brokers.tokens.ratchet import Ratchet


@attrs.define
class Clocks:
    wall: int = 10**18
    monotonic: int = 0

    def wall_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic


@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(-(10**15), 10**15))))
def test_it_never_runs_back_nor_slower_than_the_monotonic_clock(moves: list[tuple[int, int]]) -> None:
    clocks = Clocks()
    ratchet = Ratchet(clocks)
    for passed, leap in moves:
        before = ratchet.now_ns()
        clocks.monotonic += passed
        clocks.wall += passed + leap
        assert ratchet.now_ns() == before + passed + max(leap, 0)


def test_sleep_that_only_the_wall_has_seen_counts() -> None:
    clocks = Clocks()
    ratchet = Ratchet(clocks)
    clocks.wall += 8 * 3600 * 10**9
    assert ratchet.now_ns() == clocks.wall


def test_a_moment_is_shown_as_the_wall_will_show_it() -> None:
    clocks = Clocks()
    ratchet = Ratchet(clocks)
    clocks.wall += 10**12
    now = ratchet.now_ns()
    clocks.wall -= 5 * 10**12
    assert ratchet.on_wall_ns(now + 7) == clocks.wall + 7
