"""Deadlines that nearly never pass, at the price of an assignment each.

Every request arms and disarms several. A cancel scope for each would cost a tenth of the request, so one task watches
them all: it sleeps until the earliest deadline that can exist, and looks again.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final

import trio

_MOMENT: Final = 0.01


class Alarm:
    """Rings unless it is disarmed within its time; always armed for the same time ahead."""

    __slots__ = ("_ring", "_seconds", "deadline")

    def __init__(self, seconds: float, ring: Callable[[], Awaitable[None]]) -> None:
        self.deadline = math.inf
        self._seconds = seconds
        self._ring = ring

    def arm(self) -> None:
        """Starts the time anew."""
        self.deadline = trio.current_time() + self._seconds

    def disarm(self) -> None:
        """Stops the time."""
        self.deadline = math.inf

    def earliest(self, now: float) -> float:
        """When it might ring, be it armed or armed only later."""
        return min(self.deadline, now + self._seconds)

    async def ring(self) -> None:
        """Does what is to be done when the time is up."""
        self.deadline = math.inf
        await self._ring()


class Alarms:
    """All alarms of one host, and what it wants to look at again in a moment."""

    def __init__(self) -> None:
        self._alarms: dict[Alarm, None] = {}
        self._soon: list[Callable[[], None]] = []
        self._nap = trio.CancelScope()

    def add(self, *alarms: Alarm) -> None:
        """Watches these alarms until they are removed."""
        self._alarms.update(dict.fromkeys(alarms))
        now = trio.current_time()
        self._wake_by(min(alarm.earliest(now) for alarm in alarms))

    def remove(self, *alarms: Alarm) -> None:
        """Forgets these alarms."""
        for alarm in alarms:
            del self._alarms[alarm]

    def soon(self, look: Callable[[], None]) -> None:
        """Calls look in a moment, together with all others that asked meanwhile."""
        if not self._soon:
            self._wake_by(trio.current_time() + _MOMENT)
        self._soon.append(look)

    def _wake_by(self, when: float) -> None:
        self._nap.deadline = min(self._nap.deadline, when)

    async def watch(self) -> None:
        """Rings the alarms that are due, for ever."""
        while True:
            now = trio.current_time()
            looks, self._soon = self._soon, []
            for look in looks:
                look()
            for alarm in [alarm for alarm in self._alarms if alarm.deadline <= now]:
                await alarm.ring()
            with trio.CancelScope(deadline=self._earliest(now)) as self._nap:
                await trio.sleep_forever()

    def _earliest(self, now: float) -> float:
        moment = now + _MOMENT if self._soon else math.inf
        return min([moment, *(alarm.earliest(now) for alarm in self._alarms)])
