"""The clocks of a simulated world: a monotonic one that follows trio, and a wall clock that may lie."""

from collections.abc import Callable

import trio

EPOCH_NS = 1_767_625_200_000_000_000  # 2026-01-05 15:00 UTC, a Monday, half an hour into the US session
_MILLION = 1_000_000


class SimulatedClock:
    """Virtual time; the wall is epoch + virtual time until it steps or drifts, monotonic never lies."""

    def __init__(
        self,
        epoch_ns: int = EPOCH_NS,
        *,
        now: Callable[[], float] = trio.current_time,
        jump: Callable[[float], None] | None = None,
    ) -> None:
        self._now = now
        self._jump = jump
        self._base_ns = 0
        self._wall_base_ns = epoch_ns
        self._drift_ppm = 0
        self._read = 0.0, 0  # the last reading, in seconds and nanoseconds: most follow one at the same moment

    def monotonic_ns(self) -> int:
        """Virtual nanoseconds since the run began."""
        now = self._now()
        if now != self._read[0]:
            self._read = now, round(now * 1e9)
        return self._read[1]

    def wall_ns(self) -> int:
        """What the wall clock of this machine shows, in nanoseconds since 1970."""
        elapsed_ns = self.monotonic_ns() - self._base_ns
        return self._wall_base_ns + elapsed_ns + elapsed_ns * self._drift_ppm // _MILLION

    def step(self, ns: int) -> None:
        """Moves the wall clock at once, back when negative: skew, a leap second, waking from suspend."""
        self._rebase()
        self._wall_base_ns += ns

    def drift(self, ppm: int) -> None:
        """Lets the wall clock gain so many microseconds a second, or lose them when negative; 0 ends it."""
        self._rebase()
        self._drift_ppm = ppm

    def freeze(self, seconds: float) -> None:
        """Lets time pass while no task runs, as a blocked event loop or a stopped process does."""
        if self._jump is None:
            raise RuntimeError("this clock cannot freeze the world: give it a jump, or run under simulate()")
        self._jump(seconds)

    def _rebase(self) -> None:
        self._wall_base_ns = self.wall_ns()
        self._base_ns = self.monotonic_ns()
