"""How many orders went out lately: the newest stamps, as many as the limit of a minute asks for."""

from collections import deque
from collections.abc import Iterable

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS


class Pace:
    """The newest `kept` stamps; exact in every window, with no grid of minutes that a burst could straddle."""

    def __init__(self, kept: int, stamps: Iterable[int] = ()) -> None:
        self.stamps: deque[int] = deque(stamps, maxlen=kept)

    def count(self, time_ns: int) -> None:
        """Adds one order; a clock that was set back does not make old orders older."""
        self.stamps.append(max(time_ns, self.stamps[-1]) if self.stamps else time_ns)

    def has_room(self, more: int, most: int, window_ns: int, now_ns: int) -> bool:
        """Whether so many more orders now keep the window that ends now at or under `most`, which is at most `kept`."""
        if more > most:
            return False
        place = most - more + 1
        return len(self.stamps) < place or self.stamps[-place] <= now_ns - window_ns
