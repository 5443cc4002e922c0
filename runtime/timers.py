"""All timers of a runtime in one task: exact ones on a heap, call deadlines in coarse buckets."""

import heapq
import math
from collections.abc import Callable
from typing import Protocol

import trio

_GRAIN = 0.02  # seconds; a call without a deadline of its own may time out this much late
_PER_SECOND = 1 / _GRAIN


class Timer:
    """One pending call-back; `cancel()` is idempotent and works after it fired."""

    __slots__ = ("_service", "action", "due", "serial")

    def __init__(self, service: "Timers", due: float, serial: int, action: Callable[[], object]) -> None:
        self._service = service
        self.due = due
        self.serial = serial
        self.action: Callable[[], object] | None = action

    def cancel(self) -> None:
        """Makes sure the action does not run any more."""
        if self.action is not None:
            self.action = None
            self._service.cancelled_one()

    def __lt__(self, other: "Timer") -> bool:
        return (self.due, self.serial) < (other.due, other.serial)


class Expiring(Protocol):
    """What a deadline bucket holds."""

    def expire(self) -> None:
        """Called once when the deadline has passed."""


class Timers:
    """The timer service of a runtime; actions are plain functions that must not block or raise."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._serial = 0
        self._cancelled = 0
        self._scope = trio.CancelScope()
        self._buckets: dict[int, dict[Expiring, None]] = {}

    def at(self, due: float, action: Callable[[], object]) -> Timer:
        """Runs action at the trio time `due`, at once after the present step if that has passed."""
        self._serial += 1
        timer = Timer(self, due, self._serial, action)
        heapq.heappush(self._heap, timer)
        self._scope.deadline = min(self._scope.deadline, due)
        return timer

    def after(self, seconds: float, action: Callable[[], object]) -> Timer:
        """Runs action in so many seconds."""
        return self.at(trio.current_time() + seconds, action)

    def cancelled_one(self) -> None:
        """A timer was cancelled; the heap is rebuilt when most of it is such entries."""
        self._cancelled += 1
        if self._cancelled > 100 and self._cancelled * 2 > len(self._heap):
            self._heap = [timer for timer in self._heap if timer.action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def bucket(self, deadline: float) -> dict[Expiring, None]:
        """The entries that expire at the deadline or up to a grain later, in order; leave by pop(entry, None)."""
        slot = int(deadline * _PER_SECOND) + 1
        bucket = self._buckets.get(slot)
        if bucket is None:
            bucket = self._buckets[slot] = {}
            self.at(slot * _GRAIN, lambda: self._expire(slot))
        return bucket

    def _expire(self, slot: int) -> None:
        for entry in list(self._buckets.pop(slot)):
            entry.expire()

    def pending(self) -> int:
        """How many timers are still to fire, the shared ones of call deadlines left out."""
        return sum(timer.action is not None for timer in self._heap) - len(self._buckets)

    async def run(self) -> None:
        """Serves timers until cancelled."""
        while True:
            now = trio.current_time()
            while self._heap and self._heap[0].due <= now:
                timer = heapq.heappop(self._heap)
                action, timer.action = timer.action, None
                if action is None:
                    self._cancelled -= 1
                else:
                    action()
            due = self._heap[0].due if self._heap else math.inf
            with trio.CancelScope(deadline=due) as self._scope:
                await trio.sleep_forever()
