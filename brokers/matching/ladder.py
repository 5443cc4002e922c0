"""Working orders in the order in which a moving price meets them."""

from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal

from brokers.matching.orders import Working
from brokers.matching.prices import HIGHEST

_AFTER_ALL = 1 << 63


class Ladder:
    """Orders sorted by rank and, within one, by time; whoever adds an order decides its rank."""

    __slots__ = ("_orders", "_places")

    def __init__(self) -> None:
        self._places: list[tuple[Decimal, int]] = []
        self._orders: list[Working] = []

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Working]:
        return iter(self._orders.copy())

    @property
    def first_rank(self) -> Decimal:
        """The rank of the order that is met first; beyond every number when there is none."""
        return self._places[0][0] if self._places else HIGHEST

    def add(self, working: Working, rank: Decimal) -> None:
        """Puts an order in its place."""
        working.rank = rank
        place = rank, working.priority
        index = bisect_left(self._places, place)
        self._places.insert(index, place)
        self._orders.insert(index, working)

    def remove(self, working: Working) -> None:
        """Takes an order out."""
        index = bisect_left(self._places, (working.rank, working.priority))
        del self._places[index], self._orders[index]

    def until(self, rank: Decimal) -> list[Working]:
        """The orders that a price of this rank meets, copied, so that they may change under way."""
        if not self._places or self._places[0][0] > rank:
            return []
        return self._orders[: bisect_left(self._places, (rank, _AFTER_ALL))]
