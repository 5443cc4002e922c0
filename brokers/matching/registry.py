"""Which orders the venue knows: the open ones, and as many of the finished as it remembers."""

from collections import deque
from collections.abc import Iterator

from brokers.matching.orders import Working


class Registry:
    """Orders by number, by account and by key; with a key used twice, the key means the newest order."""

    def __init__(self, keep: int, keep_ns: int | None) -> None:
        self._keep = keep
        self._keep_ns = keep_ns
        self._open: dict[str, dict[int, Working]] = {}
        self._by_key: dict[tuple[str, str], list[Working]] = {}
        self._finished: deque[Working] = deque()

    def add(self, working: Working) -> None:
        """Enters an order; one that is over already goes straight to the finished."""
        self._by_key.setdefault((working.account, working.order.key), []).append(working)
        if working.open:
            self._open.setdefault(working.account, {})[working.number] = working
        else:
            self._finished.append(working)

    def finish(self, working: Working) -> None:
        """Moves an order to the finished."""
        del self._open[working.account][working.number]
        self._finished.append(working)

    def prune(self, now: int) -> None:
        """Drops the finished that are too many or too old."""
        if self._keep_ns is None and len(self._finished) <= self._keep:
            return
        while self._finished and self._is_surplus(self._finished[0], now):
            working = self._finished.popleft()
            name = working.account, working.order.key
            self._by_key[name].remove(working)
            if not self._by_key[name]:
                del self._by_key[name]

    def find(self, account: str, key: str, order_id: str | None = None) -> Working | None:
        """An order by key; of several the one with this id, else the newest open one, else the newest."""
        found = self._by_key.get((account, key))
        if found is None:
            return None
        if order_id is None and len(found) == 1:
            return found[0]
        if order_id is not None:
            found = [working for working in found if working.order_id == order_id]
        alive = [working for working in found if working.open]
        candidates = alive or found
        return candidates[-1] if candidates else None

    def numbered(self) -> dict[int, Working]:
        """Every order it knows, by number."""
        return {working.number: working for found in self._by_key.values() for working in found}

    def open_of(self, account: str) -> list[Working]:
        """The open orders of an account, the oldest first."""
        orders = self._open.get(account)
        return list(orders.values()) if orders else []

    def has_open(self, account: str) -> bool:
        """Whether an account has any."""
        return bool(self._open.get(account))

    def all_open(self) -> Iterator[Working]:
        """The open orders of every account."""
        for orders in list(self._open.values()):
            yield from list(orders.values())

    def _is_surplus(self, oldest: Working, now: int) -> bool:
        if len(self._finished) > self._keep:
            return True
        return self._keep_ns is not None and now - oldest.time_ns > self._keep_ns
