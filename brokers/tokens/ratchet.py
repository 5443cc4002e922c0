"""A clock for deadlines that others set: it never runs back, and never slower than either clock of the world."""

from runtime.world import Clock


class Ratchet:
    """Between two readings it moves by what the wall or the monotonic clock moved, whichever is more.

    So a wall that is set back, or a machine that slept, cannot make a credential look younger than it is; a wall
    that leaps ahead makes it look older, which costs one refresh.
    """

    __slots__ = ("_clock", "_monotonic_ns", "_now_ns", "_wall_ns")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._monotonic_ns = clock.monotonic_ns()
        self._now_ns = self._wall_ns = clock.wall_ns()

    def now_ns(self) -> int:
        """The present moment."""
        monotonic_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
        self._now_ns += max(monotonic_ns - self._monotonic_ns, wall_ns - self._wall_ns, 0)
        self._monotonic_ns, self._wall_ns = monotonic_ns, wall_ns
        return self._now_ns

    def on_wall_ns(self, moment_ns: int) -> int:
        """A moment of this clock as the wall will show it."""
        now_ns = self.now_ns()
        return moment_ns - now_ns + self._wall_ns
