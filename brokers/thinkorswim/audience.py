"""Who wants what of which symbols, and who listens; it outlives a crash of the streamer's actor."""

import enum
from collections import Counter
from collections.abc import Callable, Iterable

import trio

from brokers.gateway import Leave, LinkNews
from brokers.market import MarketEvent


class Flow(enum.Enum):
    """What can be wanted of a symbol."""

    PRICES = "prices"
    MINUTES = "minutes"


Wish = tuple[str, Flow]
Hear = Callable[[MarketEvent | LinkNews], None]


class Audience:
    """All sessions of one login."""

    def __init__(self) -> None:
        self._wanted: Counter[Wish] = Counter()
        self._hearers: dict[Hear, None] = {}
        self._somebody = trio.Event()

    @property
    def wanted(self) -> tuple[Wish, ...]:
        """What somebody wants, in the order it was first wanted."""
        return tuple(self._wanted)

    async def somebody(self) -> None:
        """Waits until anything is wanted."""
        await self._somebody.wait()

    def want(self, wish: Wish) -> None:
        """One user more."""
        self._wanted[wish] += 1
        self._somebody.set()

    def drop(self, wish: Wish) -> None:
        """One user fewer; one too many is fine."""
        self._wanted[wish] -= 1
        if self._wanted[wish] <= 0:
            del self._wanted[wish]
        if not self._wanted and self._somebody.is_set():
            self._somebody = trio.Event()

    def listen(self, hear: Hear) -> Leave:
        """Hands every event to hear from now on; the returned function ends that."""

        def entry(event: MarketEvent | LinkNews) -> None:
            hear(event)

        self._hearers[entry] = None

        def leave() -> None:
            self._hearers.pop(entry, None)

        return leave

    def tell(self, events: Iterable[MarketEvent | LinkNews]) -> None:
        """Hands events to all who listen."""
        for event in events:
            for hear in tuple(self._hearers):
                hear(event)
