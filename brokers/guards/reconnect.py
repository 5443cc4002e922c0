"""Reconnecting without a storm: each stream backs off with jitter, and a host's streams take turns."""

import random

from brokers.guards.backoff import Backoff
from brokers.guards.timeline import MILLISECOND_NS, NEVER_NS, SECOND_NS, Timeline


class Pacer:
    """Spaces the attempts of all streams to one host: 35 ms leave at most three in any 100 ms."""

    __slots__ = ("_gap_ns", "_next_ns")

    def __init__(self, gap_ns: int = 35 * MILLISECOND_NS) -> None:
        self._gap_ns = gap_ns
        self._next_ns = 0

    def book(self, now_ns: int) -> int:
        """The moment of the next free turn, which is taken by this."""
        turn_ns = max(now_ns, self._next_ns)
        self._next_ns = turn_ns + self._gap_ns
        return turn_ns


class Reconnect:
    """One stream's attempts; the back-off starts anew only after a connection that has lasted."""

    def __init__(
        self,
        pacer: Pacer,
        timeline: Timeline,
        chance: random.Random,
        *,
        backoff: Backoff | None = None,
        lasting_ns: int = 30 * SECOND_NS,
    ) -> None:
        self._pacer = pacer
        self._timeline = timeline
        self._chance = chance
        self._backoff = backoff or Backoff()
        self._lasting_ns = lasting_ns
        self._attempt = 0
        self._connected_ns = NEVER_NS

    async def turn(self) -> None:
        """Waits until this stream may try to connect."""
        now_ns = self._timeline.now_ns()
        if now_ns - self._connected_ns >= self._lasting_ns:
            self._attempt = 0
        self._connected_ns = NEVER_NS
        delay_ns = self._backoff.delay_ns(self._attempt, self._chance)
        self._attempt += 1
        await self._timeline.reach(now_ns + delay_ns)
        await self._timeline.reach(self._pacer.book(self._timeline.now_ns()))

    def connected(self) -> None:
        """Tells that the attempt succeeded."""
        self._connected_ns = self._timeline.now_ns()
