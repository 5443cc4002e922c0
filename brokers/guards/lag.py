"""How late the event loop runs, and whose callback held it up."""

from collections import deque
from collections.abc import Callable

import attrs
import trio

from brokers.guards.timeline import MILLISECOND_NS, SECOND_NS, Timeline

_KEPT = 1_000  # latest measurements
ALIVE_LAG_NS = SECOND_NS


@attrs.frozen
class SlowCallback:
    """An actor kept the event loop to itself for too long."""

    name: str
    took_ns: int
    at_ns: int


@attrs.frozen
class LagStatistics:
    """The lag of the event loop over the latest measurements."""

    measured: int
    median_ns: int
    p99_ns: int
    worst_ns: int


class LoopWatch:
    """Measures how late timers fire, and reports callbacks that run longer than `slow_ns`."""

    def __init__(
        self,
        timeline: Timeline,
        tell: Callable[[SlowCallback], None],
        *,
        every_ns: int = 250 * MILLISECOND_NS,
        slow_ns: int = 100 * MILLISECOND_NS,
    ) -> None:
        self._timeline = timeline
        self._tell = tell
        self._every_ns = every_ns
        self._slow_ns = slow_ns
        self._lags: deque[int] = deque(maxlen=_KEPT)
        self._beat_ns = timeline.now_ns()

    def observe(self, name: str, started_ns: int, ended_ns: int) -> None:
        """Takes in one callback of an actor."""
        if ended_ns - started_ns > self._slow_ns:
            self._tell(SlowCallback(name, ended_ns - started_ns, self._timeline.now_ns()))

    async def run(self) -> None:
        """Measures until cancelled."""
        while True:
            due = trio.current_time() + self._every_ns / SECOND_NS
            await trio.sleep_until(due)
            self._lags.append(max(0, round((trio.current_time() - due) * SECOND_NS)))
            self._beat_ns = self._timeline.now_ns()

    def alive(self) -> bool:
        """Liveness: whether the loop is less than a second late, now and at the last measurement."""
        overdue_ns = self._timeline.now_ns() - self._beat_ns - self._every_ns
        last_ns = self._lags[-1] if self._lags else 0
        return max(overdue_ns, last_ns) < ALIVE_LAG_NS

    def statistics(self) -> LagStatistics:
        """Median, 99th percentile and worst of the latest measurements."""
        lags = sorted(self._lags) or [0]
        return LagStatistics(len(self._lags), lags[len(lags) // 2], lags[len(lags) * 99 // 100], lags[-1])
