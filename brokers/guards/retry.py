"""What may be tried again, and how often in all."""

from brokers.guards.lessons import Fate
from brokers.guards.operation import Kind
from brokers.guards.tally import Tally
from brokers.guards.timeline import SECOND_NS


def may_repeat(kind: Kind, fate: Fate) -> bool:
    """Whether an attempt that ended so may be made again: never an order whose fate is unknown."""
    if fate is Fate.UNKNOWN:
        return kind.repeatable
    return fate is Fate.NOT_SENT


class RetryBudget:
    """Keeps repeats a bounded share of a host's calls: at most `percent` of those of the last minute, or `free`."""

    __slots__ = ("_calls", "_free", "_percent", "_repeats")

    def __init__(self, *, percent: int = 10, free: int = 3, window_ns: int = 60 * SECOND_NS) -> None:
        self._percent = percent
        self._free = free
        self._calls = Tally(window_ns)
        self._repeats = Tally(window_ns)

    def called(self, now_ns: int) -> None:
        """Counts a first attempt."""
        self._calls.add(now_ns)

    def spend(self, now_ns: int) -> bool:
        """Takes one repeat from the budget; False when there is none left."""
        allowed = max(self._free, self._calls.count(now_ns) * self._percent // 100)
        if self._repeats.count(now_ns) >= allowed:
            return False
        self._repeats.add(now_ns)
        return True
