"""What waits for one client that follows something; one that takes too long misses the oldest."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import attrs
import trio

CAPACITY: Final = 10_000


@attrs.frozen
class Missed:
    """So many lines were not sent, because the client took none meanwhile."""

    missed: int


@attrs.define(eq=False)
class Tail:
    """The lines that wait for one client."""

    waiting: deque[object] = attrs.field(factory=deque)
    missed: int = 0
    _news: trio.Event = attrs.field(factory=trio.Event)

    def offer(self, record: object) -> None:
        """Adds a record; never waits."""
        if len(self.waiting) >= CAPACITY:
            self.waiting.popleft()
            self.missed += 1
        self.waiting.append(record)
        self._news.set()

    async def records(self) -> AsyncIterator[object]:
        """All that comes, for ever."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            if self.missed:
                missed, self.missed = self.missed, 0
                yield Missed(missed)
            while self.waiting:
                yield self.waiting.popleft()
