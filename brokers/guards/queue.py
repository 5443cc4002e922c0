"""Who goes next when calls must wait: by priority, first come first served inside one, and nobody for ever.

The queue has no clock and no tasks. Calls that need the same meters form a lane, so that only the heads of the
lanes are looked at. A call that must wait keeps later ones off the meters it lacks; all others may pass it.
"""

import heapq
from collections import deque
from collections.abc import Sequence

import attrs

from brokers.guards.limits import Meter
from brokers.guards.operation import Operation, Priority
from brokers.guards.pauses import Held, Pauses
from brokers.guards.timeline import NEVER_NS, SECOND_NS

Charges = Sequence[tuple[Meter, int]]
_Lane = deque["Call"]
_LaneKey = tuple[object, ...]
_Rank = tuple[int, int, int]


@attrs.define(eq=False)
class Call:
    """A call that waits for its turn."""

    operation: Operation
    priority: Priority
    charges: Charges
    since_ns: int
    number: int
    admitted: bool = False
    gone: bool = False

    def waits(self) -> bool:
        """Whether it has not been let through yet."""
        return not self.admitted

    @property
    def lane(self) -> _LaneKey:
        """What it shares with the calls it must queue behind."""
        return (self.priority, self.operation.category, *[meter for meter, _ in self.charges])

    def rank(self, now_ns: int, patience_ns: int) -> _Rank:
        """Its place in the order: risk reduction, then whoever has waited long, then by priority."""
        if self.priority <= Priority.REDUCE:
            return 0, self.priority, self.number
        if now_ns - self.since_ns >= patience_ns:
            return 1, 0, self.number
        return 2, self.priority, self.number


@attrs.frozen
class Obstacle:
    """Why a call cannot go now: the pause that stops it or the meters it lacks, and for how long at least."""

    wait_ns: int
    pause: Held | None = None
    meters: tuple[Meter, ...] = ()


class Queue:
    """All calls of one host that wait, and the decision who of them may go."""

    __slots__ = ("_lanes", "_number", "_patience_ns", "_pauses", "next_ns", "waiting")

    def __init__(self, pauses: Pauses, *, patience_ns: int = 10 * SECOND_NS) -> None:
        self._pauses = pauses
        self._patience_ns = patience_ns
        self._lanes: dict[_LaneKey, _Lane] = {}
        self._number = 0
        self.waiting = 0
        self.next_ns = NEVER_NS  # when somebody may go at the soonest, if nothing else happens before

    def take_now(self, operation: Operation, priority: Priority, charges: Charges, now_ns: int) -> bool:
        """Books a call that can go at once; False when it has to wait."""
        if self.waiting or self._pauses.over(operation.category, now_ns):
            return False
        for meter, cost in charges:
            if meter.wait_ns(cost, priority, now_ns):
                return False
        for meter, cost in charges:
            meter.take(cost, now_ns)
        return True

    def enter(self, operation: Operation, priority: Priority, charges: Charges, now_ns: int) -> Call:
        """Puts a call in its lane."""
        self._number += 1
        call = Call(operation, priority, charges, now_ns, self._number)
        self._lanes.setdefault(call.lane, deque()).append(call)
        self.waiting += 1
        return call

    def withdraw(self, call: Call) -> None:
        """Forgets a call that waits no longer."""
        lane = self._lanes[call.lane]
        call.gone = True
        self.waiting -= 1
        self._drop_gone(call.lane, lane)

    def obstacle(self, call: Call, now_ns: int) -> Obstacle | None:
        """What keeps a call from going now, apart from other calls."""
        if pause := self._pauses.over(call.operation.category, now_ns):
            return Obstacle(pause.until_ns - now_ns, pause=pause)
        waits = [
            (wait_ns, meter) for meter, cost in call.charges if (wait_ns := self._wait_ns(call, meter, cost, now_ns))
        ]
        if not waits:
            return None
        return Obstacle(max(wait_ns for wait_ns, _ in waits), meters=tuple(meter for _, meter in waits))

    def _wait_ns(self, call: Call, meter: Meter, cost: int, now_ns: int) -> int:
        """How long a meter keeps a call back; one that must not starve may use what is left alone for orders."""
        wait_ns = meter.wait_ns(cost, call.priority, now_ns)
        patience_ns = call.since_ns + self._patience_ns - now_ns
        if call.priority <= Priority.ORDER or wait_ns <= patience_ns:
            return wait_ns
        return max(patience_ns, meter.wait_ns(cost, Priority.ORDER, now_ns))

    def pump(self, now_ns: int) -> list[Call]:
        """Books every call that may go now and returns them in their order; sets `next_ns`."""
        admitted: list[Call] = []
        kept: set[Meter] = set()  # what waiting calls of a better place keep for themselves
        self.next_ns = NEVER_NS
        order = [(lane[0].rank(now_ns, self._patience_ns), key) for key, lane in self._lanes.items()]
        heapq.heapify(order)  # no two ranks are equal, so keys are never compared
        while order:
            _, key = heapq.heappop(order)
            lane = self._lanes[key]
            call = lane[0]
            if self._blocked(call, kept, now_ns):
                continue
            self._book(call, now_ns)
            admitted.append(call)
            lane.popleft()
            self._drop_gone(key, lane)
            if lane:
                heapq.heappush(order, (lane[0].rank(now_ns, self._patience_ns), key))
        return admitted

    def _blocked(self, call: Call, kept: set[Meter], now_ns: int) -> bool:
        obstacle = self.obstacle(call, now_ns)
        if obstacle is None:
            return any(meter in kept for meter, _ in call.charges)
        self.next_ns = min(self.next_ns, now_ns + obstacle.wait_ns)
        kept.update(self._claims(call, obstacle, now_ns))
        return True

    def _claims(self, call: Call, obstacle: Obstacle, now_ns: int) -> Sequence[Meter]:
        """What a waiting call keeps from those behind it: what it lacks, or everything once it must not starve."""
        urgent = call.rank(now_ns, self._patience_ns)[0] < 2
        if urgent and obstacle.meters and obstacle.wait_ns < NEVER_NS:
            return [meter for meter, _ in call.charges]
        return obstacle.meters

    def _book(self, call: Call, now_ns: int) -> None:
        for meter, cost in call.charges:
            meter.take(cost, now_ns)
        call.admitted = True
        self.waiting -= 1

    def _drop_gone(self, key: _LaneKey, lane: _Lane) -> None:
        while lane and lane[0].gone:
            lane.popleft()
        if not lane:
            self._lanes.pop(key, None)
