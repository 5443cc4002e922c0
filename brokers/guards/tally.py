"""A count over the last seconds, in bounded memory."""

from collections import deque

_SLICES = 200


class Tally:
    """How often something happened within the window; exact to 1/200 of the window."""

    __slots__ = ("_count", "_grain_ns", "_marks", "_window_ns")

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._grain_ns = window_ns // _SLICES
        self._marks: deque[list[int]] = deque()  # [when the slice began, how many fell into it]
        self._count = 0

    def add(self, now_ns: int) -> None:
        """Counts one."""
        marks = self._marks
        if marks and now_ns - marks[-1][0] <= self._grain_ns:
            marks[-1][1] += 1
        else:
            self._forget(now_ns)
            marks.append([now_ns, 1])
        self._count += 1

    def count(self, now_ns: int) -> int:
        """How many of them are not older than the window."""
        self._forget(now_ns)
        return self._count

    def clear(self) -> None:
        """Forgets all."""
        self._marks.clear()
        self._count = 0

    def _forget(self, now_ns: int) -> None:
        oldest_ns = now_ns - self._window_ns
        while self._marks and self._marks[0][0] < oldest_ns:
            self._count -= self._marks.popleft()[1]
