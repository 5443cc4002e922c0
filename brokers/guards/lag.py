"""How late the event loop runs, and who held it up.

To measure every step of every task would cost more than some steps do. So a loop that was late is watched step by step
for a while: who holds it up more than once is named, if not the first time.
"""

from collections import deque
from collections.abc import Callable

import attrs
import trio

from brokers.guards.timeline import MILLISECOND_NS, SECOND_NS, Timeline

_KEPT = 1_000  # latest measurements
ALIVE_LAG_NS = SECOND_NS
CLOSE_LOOK_NS = 60 * SECOND_NS


@attrs.frozen
class SlowStep:
    """A task kept the event loop to itself for too long; it is named after its actor's path."""

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
    """Measures how late timers fire, and when they were, names the steps of tasks that take longer than `slow_ns`."""

    def __init__(
        self,
        timeline: Timeline,
        tell: Callable[[SlowStep], None],
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
        self._steps: _Steps | None = None
        self._close_until_ns = 0

    async def run(self) -> None:
        """Measures until cancelled."""
        try:
            while True:
                due = trio.current_time() + self._every_ns / SECOND_NS
                await trio.sleep_until(due)
                self._beat_ns = self._timeline.now_ns()
                self._measured(max(0, round((trio.current_time() - due) * SECOND_NS)))
        finally:
            self._look_away()

    def _measured(self, lag_ns: int) -> None:
        self._lags.append(lag_ns)
        if lag_ns > self._slow_ns // 2:  # the timer was due when much of the slow step was over
            self._close_until_ns = self._beat_ns + CLOSE_LOOK_NS
            if self._steps is None:
                self._steps = _Steps(self._timeline, self._slow_ns, self._tell)
                trio.lowlevel.add_instrument(self._steps)
        elif self._beat_ns > self._close_until_ns:
            self._look_away()

    def _look_away(self) -> None:
        if self._steps is not None:
            trio.lowlevel.remove_instrument(self._steps)
            self._steps = None

    def alive(self) -> bool:
        """Liveness: whether the loop is less than a second late, now and at the last measurement."""
        overdue_ns = self._timeline.now_ns() - self._beat_ns - self._every_ns
        last_ns = self._lags[-1] if self._lags else 0
        return max(overdue_ns, last_ns) < ALIVE_LAG_NS

    def statistics(self) -> LagStatistics:
        """Median, 99th percentile and worst of the latest measurements."""
        lags = sorted(self._lags) or [0]
        return LagStatistics(len(self._lags), lags[len(lags) // 2], lags[len(lags) * 99 // 100], lags[-1])


class _Steps(trio.abc.Instrument):
    """Hears of every step of every task."""

    def __init__(self, timeline: Timeline, slow_ns: int, tell: Callable[[SlowStep], None]) -> None:
        self._timeline = timeline
        self._slow_ns = slow_ns
        self._tell = tell
        self._began_ns = timeline.now_ns()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task is about to run."""
        del task
        self._began_ns = self._timeline.now_ns()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """It lets others run; what an instrument raises would be lost, and the instrument with it."""
        now_ns = self._timeline.now_ns()
        if now_ns - self._began_ns > self._slow_ns:
            self._tell(SlowStep(task.name, now_ns - self._began_ns, now_ns))
