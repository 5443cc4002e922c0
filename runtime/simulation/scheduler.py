"""The one place that touches trio's insides: a seeded scheduler, and a clock that leaps when all tasks wait."""

import heapq
import importlib
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trio
import trio.testing

_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"
_SHUFFLER = "_r"
_ON_IDLE = "_autojump"
_CONTEXT = "GLOBAL_RUN_CONTEXT"
_FOR_EVER = 999_999_999.0
_MOST_BROKEN = 100  # naps in the heap that were broken off, before it is asked whether they are most of it
_trio_run = importlib.import_module("trio._core._run")


class UnsupportedTrioError(RuntimeError):
    """The installed trio lacks a private name that the simulation stands on; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the simulation needs {name}, which trio {trio.__version__} does not have;"
            " install the trio version that pyproject.toml asks for, or adapt runtime/simulation/scheduler.py"
        )
        self.name = name


@contextmanager
def seeded_scheduler(seed: str) -> Iterator[None]:
    """Orders the tasks of each pass by the seed; afterwards trio's scheduler is as it was."""
    shuffler = _shuffler()
    allowed = getattr(_trio_run, _SWITCH)
    state = shuffler.getstate()
    setattr(_trio_run, _SWITCH, True)
    shuffler.seed(seed)
    try:
        yield
    finally:
        shuffler.setstate(state)
        setattr(_trio_run, _SWITCH, allowed)


class _Nap:
    """A task that sleeps; without a task it is over."""

    __slots__ = ("task",)

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task: trio.lowlevel.Task | None = task


class VirtualClock:
    """A clock that stands still until every task waits, then calls on_idle, which may make it leap.

    Whatever waits for the moment that a leap leads to goes on in the same pass of the scheduler, and an alarm needs no
    task at all: a run is hardly more than leaps. `for_trio` is this clock as trio takes it, which leaps for its own
    class of clock alone and lets nobody inherit from it.
    """

    def __init__(self, on_idle: Callable[[], None]) -> None:
        if not hasattr(trio.testing.MockClock, _ON_IDLE):
            raise UnsupportedTrioError(f"trio.testing.MockClock.{_ON_IDLE}")
        self._now = 0.0
        self._alarms: list[tuple[float, int, Callable[[], object]]] = []
        self._naps: list[tuple[float, int, _Nap]] = []
        self._broken_naps = 0
        self._serial = 0
        self.for_trio = trio.testing.MockClock(autojump_threshold=0)
        self._become("current_time", self.current_time)
        self._become("deadline_to_sleep_time", self._sleep_time)
        self._become(_ON_IDLE, on_idle)

    def _become(self, name: str, method: Callable[..., object]) -> None:
        setattr(self.for_trio, name, method)

    def current_time(self) -> float:
        """Virtual seconds since the run began."""
        return self._now

    def _sleep_time(self, deadline: float) -> float:
        """None at all, or for ever: no time passes while the loop sleeps."""
        return 0.0 if deadline <= self._now else _FOR_EVER

    def stop(self, error: BaseException) -> None:
        """Ends trio itself, against the will of its tasks: the loop asks for the time on every pass."""

        def refuse() -> float:
            raise error

        self._become("current_time", refuse)

    def jump(self, seconds: float) -> None:
        """Lets so much time pass at once, while tasks wait to run."""
        if seconds < 0:
            raise ValueError(f"expected a time of at least 0, got {seconds}: time cannot run back")
        self._now += seconds

    def alarm(self, due: float, action: Callable[[], object]) -> None:
        """Calls action, which must not wait or raise, when every task waits at that time or later."""
        self._serial += 1
        heapq.heappush(self._alarms, (due, self._serial, action))

    @contextmanager
    def light_sleep(self) -> Iterator[None]:
        """Makes `trio.sleep` and `trio.sleep_until` naps on this clock, which cost a fraction of what trio's cost.

        Trio's end by the cancellation of a scope of their own, with an exception; a run sleeps tens of times a second.
        """
        before = trio.sleep, trio.sleep_until

        async def sleep(seconds: float) -> None:
            await (before[0](seconds) if not 0 < seconds < math.inf else self._nap(self._now + seconds))

        async def sleep_until(deadline: float) -> None:
            await (before[1](deadline) if not self._now < deadline < math.inf else self._nap(deadline))

        trio.sleep, trio.sleep_until = sleep, sleep_until
        try:
            yield
        finally:
            trio.sleep, trio.sleep_until = before

    async def _nap(self, until: float) -> None:
        nap = _Nap(trio.lowlevel.current_task())
        self._serial += 1
        heapq.heappush(self._naps, (until, self._serial, nap))

        def break_off(_: object) -> trio.lowlevel.Abort:
            nap.task = None
            self._forget_broken_naps()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(break_off)

    def _forget_broken_naps(self) -> None:
        self._broken_naps += 1
        if self._broken_naps > _MOST_BROKEN and self._broken_naps * 2 > len(self._naps):
            self._naps = [one for one in self._naps if one[2].task is not None]
            heapq.heapify(self._naps)
            self._broken_naps = 0

    def next_event(self) -> float:
        """When the next deadline, alarm or end of a nap is due; infinity when there is none."""
        due: float = _runner().deadlines.next_deadline()
        if self._alarms:
            due = min(due, self._alarms[0][0])
        naps = self._naps
        while naps and naps[0][2].task is None:
            heapq.heappop(naps)
            self._broken_naps -= 1
        return min(due, naps[0][0]) if naps else due

    def leap(self, due: float) -> None:
        """Lets time pass until then, while every task waits, and wakes those whose time has come."""
        now = self._now = max(self._now, due)
        while self._alarms and self._alarms[0][0] <= now:
            heapq.heappop(self._alarms)[2]()
        naps = self._naps
        while naps and naps[0][0] <= now:
            nap = heapq.heappop(naps)[2]
            if nap.task is None:
                self._broken_naps -= 1
            else:
                trio.lowlevel.reschedule(nap.task)
        _runner().deadlines.expire(now)


def _runner() -> Any:  # of a private class
    return getattr(_trio_run, _CONTEXT).runner


def _shuffler() -> random.Random:
    if not isinstance(getattr(_trio_run, _SWITCH, None), bool):
        raise UnsupportedTrioError(f"trio._core._run.{_SWITCH}")
    shuffler = getattr(_trio_run, _SHUFFLER, None)
    if not isinstance(shuffler, random.Random):
        raise UnsupportedTrioError(f"trio._core._run.{_SHUFFLER}")
    return shuffler
