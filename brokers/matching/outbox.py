"""The venue's own clock and the events it is about to hand out."""

import random

from brokers.matching.events import Event
from brokers.matching.orders import Working
from brokers.matching.rules import Latency

Head = tuple[int, int, int, str, str, str, str]
Events = tuple[Event, ...]

NOTHING: Events = ()


class Outbox:
    """Numbers events in one sequence; an account learns of its events in that order, never of one before another."""

    def __init__(self, ack_latency: Latency, chance: random.Random) -> None:
        self.now_ns = 0
        self._ack_latency = ack_latency
        self._chance = chance
        self._sequence = 0
        self._known: dict[str, int] = {}
        self._waiting: list[Event] = []

    def resume(self, now_ns: int, sequence: int) -> None:
        """Goes on after this time and this event."""
        self.now_ns = max(self.now_ns, now_ns)
        self._sequence = max(self._sequence, sequence)

    def head(self, account: str, symbol: str, key: str, order_id: str = "") -> Head:
        """The head of the next event."""
        self._sequence += 1
        now_ns, latency = self.now_ns, self._ack_latency.samples
        known = now_ns + (latency[0] if len(latency) == 1 else self._chance.choice(latency))
        last = self._known.get(account, known)
        known = max(known, last)
        self._known[account] = known
        return self._sequence, now_ns, known, account, symbol, key, order_id

    def head_of(self, working: Working) -> Head:
        """The head of the next event of an order, which notes that something happened to it."""
        order = working.order
        head = self.head(working.account, order.symbol, order.key, working.order_id)
        working.sequence, working.time_ns = head[0], head[1]
        return head

    def put(self, event: Event) -> None:
        """Adds an event."""
        self._waiting.append(event)

    def hand_out(self) -> Events:
        """All events since the last time."""
        if not self._waiting:
            return NOTHING
        events = tuple(self._waiting)
        self._waiting.clear()
        return events
