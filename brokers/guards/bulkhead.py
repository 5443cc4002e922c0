"""Pools that cap how many calls of a connection are under way at once, so that hanging ones sink only their own."""

from brokers.guards.operation import Priority
from brokers.guards.timeline import NEVER_NS

POOLS = {"orders": 4, "cancels": 4, "reads": 8, "sessions": 2}


class Pool:
    """The calls under way in one pool; the kill path goes even when it is full."""

    __slots__ = ("in_use", "name", "size")

    def __init__(self, name: str, size: int) -> None:
        if size < 1:
            raise ValueError(f"pool {name} needs at least one place, got {size}")
        self.name = name
        self.size = size
        self.in_use = 0

    def wait_ns(self, cost: int, priority: Priority, now_ns: int) -> int:
        """0 when there is a free place, else nobody knows how long."""
        del now_ns
        return 0 if self.in_use + cost <= self.size or priority is Priority.KILL else NEVER_NS

    def take(self, cost: int, now_ns: int) -> None:
        """Occupies a place."""
        del now_ns
        self.in_use += cost

    def leave(self) -> None:
        """Frees a place."""
        self.in_use -= 1
