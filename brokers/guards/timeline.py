"""One run of nanoseconds for all guards: monotonic, yet comparable with times stored by an earlier process."""

import math

import trio

from runtime.world import Clock

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
NEVER_NS = 1 << 62  # later than any time that can come

_GRAIN_NS = 1_000  # sleeping less could leave a coarse clock where it stood


class Timeline:
    """The wall's reading at the start plus monotonic time since then, so it never runs back or jumps."""

    __slots__ = ("_monotonic_ns", "_offset_ns")

    def __init__(self, clock: Clock) -> None:
        self._monotonic_ns = clock.monotonic_ns
        self._offset_ns = clock.wall_ns() - clock.monotonic_ns()

    def now_ns(self) -> int:
        """The present moment."""
        return self._monotonic_ns() + self._offset_ns

    async def reach(self, moment_ns: int) -> None:
        """Sleeps until the moment; returns at once, without a checkpoint, when it has passed."""
        while (left_ns := moment_ns - self.now_ns()) > 0:  # noqa: ASYNC110  rounding may wake it too early
            await trio.sleep(max(left_ns, _GRAIN_NS) / SECOND_NS)

    def on_trio_clock(self, moment_ns: int) -> float:
        """The moment as a deadline for trio; infinity for NEVER_NS."""
        if moment_ns >= NEVER_NS:
            return math.inf
        return trio.current_time() + max(moment_ns - self.now_ns(), _GRAIN_NS) / SECOND_NS


def left_ns() -> int:
    """Nanoseconds until the caller's own deadline; 0 when it has passed, NEVER_NS when there is none."""
    deadline = trio.current_effective_deadline()
    if deadline == math.inf:
        return NEVER_NS
    return max(0, int((deadline - trio.current_time()) * SECOND_NS)) if deadline > -math.inf else 0
