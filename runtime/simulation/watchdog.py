"""Moves virtual time, and ends a run that would never end: deadlock, runaway, a loop in which no time passes."""

import gc
import math
from typing import ClassVar

import trio
import trio.testing

from runtime.simulation.scheduler import VirtualClock
from runtime.simulation.waiting import WaitingTask, waiting_tasks

_GRACE_SECONDS = 60.0
_PASSES_PER_COLLECTION = 4096  # of the objects made since the last one
_PASSES_PER_FULL_COLLECTION = 64 * _PASSES_PER_COLLECTION

# Tasks that nothing could end: if they were freed, their clean-up would run outside of any run.
_abandoned: list[object] = []


class StuckError(Exception):
    """A simulated run was ended because it would not end; `tasks` says what each task waited for."""

    complaint: ClassVar[str]

    def __init__(self, at_seconds: float, tasks: tuple[WaitingTask, ...]) -> None:
        waits = "".join(f"\n  {task}" for task in tasks)
        super().__init__(f"{self.complaint} at {at_seconds:.6f} virtual seconds; the tasks wait for:{waits}")
        self.at_seconds = at_seconds
        self.tasks = tasks


class DeadlockError(StuckError):
    """Every task waits and no timer is left that could wake one."""

    complaint = "deadlock: every task waits and no timer is set"


class TimeLimitError(StuckError):
    """The next timer lies beyond the time that the run was given."""

    complaint = "the virtual time limit is reached: end the run yourself, or raise limit_seconds"


class LivelockError(StuckError):
    """Tasks run and run while virtual time stands still, or nearly so."""

    complaint = "livelock: tasks keep running while virtual time hardly moves"


class Watchdog(trio.abc.Instrument):
    """Owns the virtual clock of one run, and counts the scheduler's passes.

    A stuck run is cancelled. If that does not end it within a minute of virtual time, all shields are taken
    away; if that does not help either, trio itself is stopped and the tasks are abandoned.
    """

    def __init__(self, limit_seconds: float, passes_per_second: int) -> None:
        self.clock = VirtualClock(self._all_wait)
        self.scope = trio.CancelScope()
        self.error: StuckError | None = None
        self._main: trio.lowlevel.Task | None = None
        self._until = limit_seconds
        self._unshielded = False
        self._passes = 0
        self._passes_per_second = passes_per_second
        self._mark = -math.inf

    def watch(self, main: trio.lowlevel.Task) -> None:
        """Tells which task is the main one of the run."""
        self._main = main

    def before_io_wait(self, timeout: float) -> None:
        """Called by trio once a pass."""
        self._passes += 1
        if self._passes % _PASSES_PER_COLLECTION == 0:
            full = self._passes % _PASSES_PER_FULL_COLLECTION == 0
            gc.collect(2 if full else 1)
        if self._passes % self._passes_per_second == 0:
            now = self.clock.current_time()
            if now - self._mark < 1.0:
                self._give_up(LivelockError)
            self._mark = now

    def _all_wait(self) -> None:
        due = self.clock.next_event()
        if due <= self._until:
            self.clock.leap(due)
        else:
            self._give_up(DeadlockError if due == math.inf else TimeLimitError)

    def _give_up(self, kind: type[StuckError]) -> None:
        now = self.clock.current_time()
        if self.error is None:
            self.error = kind(now, () if self._main is None else waiting_tasks(self._main))
            self._until = now + _GRACE_SECONDS
            self.scope.cancel()
        elif not self._unshielded:
            self._unshielded = True
            self._until = now + _GRACE_SECONDS
            _take_shields_away()
        else:
            self._stop_trio(self.error)

    def _stop_trio(self, error: StuckError) -> None:
        self.clock.stop(error)
        _abandoned.append(self._main)


def _take_shields_away() -> None:
    for thing in gc.get_objects():
        if isinstance(thing, trio.CancelScope) and thing.shield:
            thing.shield = False
