"""Worker threads that are none: real ones would let virtual time run away."""

import random
from collections.abc import Callable
from typing import TypeVar

import trio

from runtime.simulation.conditions import INSTANTLY, Latency

T = TypeVar("T")


class InlineThreads:
    """Runs work on the event loop, `latency` later; like a thread it cannot be cancelled half-way."""

    def __init__(self, chance: random.Random, freeze: Callable[[float], None]) -> None:
        self.latency: Latency = INSTANTLY
        self._chance = chance
        self._freeze = freeze
        self._working = False
        self._owed = 0.0

    async def run(self, work: Callable[[], T], heard: Callable[[T], object] | None = None) -> T:
        """Runs work and returns its result; once it has begun a cancellation waits for its end."""
        await trio.lowlevel.checkpoint()
        await _pass(self.latency(self._chance))
        self._working, self._owed = True, 0.0
        try:
            result = work()
        finally:
            self._working = False
            await _pass(self._owed)
        if heard is not None:
            heard(result)
        return result

    def pass_time(self, seconds: float) -> None:
        """Blocks for so many seconds: only the worker when called by work, else the whole event loop."""
        if self._working:
            self._owed += seconds
        else:
            self._freeze(seconds)


async def _pass(seconds: float) -> None:
    if seconds > 0:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)
