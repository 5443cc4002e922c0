"""What goes on happening, one JSON object a line for as long as the client listens; a slow one misses lines."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import trio

from sessions.control.api.reads import event_row
from sessions.control.api.records import encode
from sessions.control.daemon.house import House

CAPACITY: Final = 10_000
Send = Callable[[dict[str, Any]], Awaitable[None]]


@attrs.frozen
class Missed:
    """So many lines were not sent, because the client took none meanwhile."""

    missed: int


@attrs.frozen
class LogLine:
    """One line of the log."""

    line: str


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


def follow_events(house: House, tail: Tail) -> Callable[[], None]:
    """Begins to offer every event of the tree; the returned function ends that."""
    row = event_row(house)
    return house.runtime.events.listen(lambda event: tail.offer(row(event)))


def follow_logs(house: House, tail: Tail) -> Callable[[], None]:
    """Begins to offer every line of the log; the returned function ends that."""
    return house.log.listen(lambda line: tail.offer(LogLine(line)))


FOLLOWED: Final[Mapping[str, Callable[[House, Tail], Callable[[], None]]]] = {
    "events": follow_events,
    "logs": follow_logs,
}


@attrs.frozen(eq=False)
class Follow:
    """A response that does not end; Starlette calls it as the application that it is."""

    house: House
    what: str

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Sends lines until the client leaves, which the host tells by raising."""
        tail = Tail()
        leave = FOLLOWED[self.what](self.house, tail)
        try:
            headers = [(b"content-type", b"application/x-ndjson")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_gone, receive, nursery.cancel_scope)
                async for record in tail.records():
                    await send({"type": "http.response.body", "body": encode(record) + b"\n", "more_body": True})
        finally:
            leave()


async def _gone(receive: Any, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
