"""Working orders in the order in which a moving price meets them."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from decimal import Decimal

from brokers.matching.orders import Working
from brokers.matching.prices import HIGHEST

_Row = tuple[Decimal, int, Working]


def _place(row: _Row) -> tuple[Decimal, int]:
    return row[0], row[1]


def _rank(row: _Row) -> Decimal:
    return row[0]


class Ladder:
    """Orders sorted by rank and, within one, by time; whoever adds an order decides its rank."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []

    def __iter__(self) -> Iterator[Working]:
        return iter([row[2] for row in self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def first(self) -> Working | None:
        """The order that is met first."""
        return self._rows[0][2] if self._rows else None

    @property
    def first_rank(self) -> Decimal:
        """The rank of that order; beyond every number when there is none."""
        return self._rows[0][0] if self._rows else HIGHEST

    def add(self, working: Working, rank: Decimal) -> None:
        """Puts an order in its place."""
        working.rank = rank
        insort(self._rows, (rank, working.priority, working), key=_place)

    def remove(self, working: Working) -> None:
        """Takes an order out."""
        del self._rows[bisect_left(self._rows, (working.rank, working.priority), key=_place)]

    def until(self, rank: Decimal) -> list[Working]:
        """The orders that a price of this rank meets, copied, so that they may change under way."""
        return [row[2] for row in self._rows[: bisect_right(self._rows, rank, key=_rank)]]
