"""What is still to happen, by time and then by the order it was put down."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]
NEVER = 1 << 63


class Agenda:
    """Actions sorted by their time; what was struck out takes no more room than what still counts."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._struck: set[int] = set()
        self._count = 0
        self.next_ns = NEVER

    def __len__(self) -> int:
        return len(self._heap) - len(self._struck)

    def put(self, time_ns: int, action: Action) -> int:
        """Puts down an action and returns the ticket to strike it out with."""
        self._count += 1
        heapq.heappush(self._heap, (time_ns, self._count, action))
        self.next_ns = self._heap[0][0]
        return self._count

    def strike(self, ticket: int) -> None:
        """Forgets an action that has not been taken yet."""
        self._struck.add(ticket)
        if len(self._struck) > len(self._heap) // 2:
            self._heap = [row for row in self._heap if row[1] not in self._struck]
            heapq.heapify(self._heap)
            self._struck.clear()
        self._drop_struck()

    def take(self, now: int) -> tuple[int, Action] | None:
        """The next action that is due by now, with its time; None when nothing is."""
        if self.next_ns > now:
            return None
        time_ns, _, action = heapq.heappop(self._heap)
        self._drop_struck()
        return time_ns, action

    def _drop_struck(self) -> None:
        while self._heap and self._heap[0][1] in self._struck:
            self._struck.discard(heapq.heappop(self._heap)[1])
        self.next_ns = self._heap[0][0] if self._heap else NEVER
