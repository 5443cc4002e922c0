"""What goes on happening, one JSON object a line for as long as the client listens; a slow one misses lines."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol

import attrs
import trio
from starlette.responses import Response

from sessions.control.api.live_bars import follow_bars
from sessions.control.api.once import Answer
from sessions.control.api.reads import Query, event_row
from sessions.control.api.records import encode
from sessions.control.api.tail import Tail
from sessions.control.daemon.house import House

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answered = Callable[[Callable[[], Awaitable[object]]], Awaitable[Answer]]

_FINE: Final = 200


@attrs.frozen
class LogLine:
    """One line of the log."""

    line: str


class Followed(Protocol):
    """Offers to a tail until it is cancelled; says when it has begun, or raises why it cannot."""

    async def __call__(self, house: House, query: Query, tail: Tail, *, task_status: trio.TaskStatus[None]) -> None:
        """`query` says what of it."""
        ...


async def follow_events(
    house: House, query: Query, tail: Tail, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Offers every event of the tree."""
    del query
    row = event_row(house)
    await _until_cancelled(house.runtime.events.listen(lambda event: tail.offer(row(event))), task_status)


async def follow_logs(
    house: House, query: Query, tail: Tail, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Offers every line of the log."""
    del query
    await _until_cancelled(house.log.listen(lambda line: tail.offer(LogLine(line))), task_status)


async def _until_cancelled(leave: Callable[[], None], task_status: trio.TaskStatus[None]) -> None:
    try:
        task_status.started()
        await trio.sleep_forever()
    finally:
        leave()


FOLLOWED: Final[Mapping[str, Followed]] = {"events": follow_events, "logs": follow_logs, "bars": follow_bars}


@attrs.frozen(eq=False)
class Follow:
    """A response that does not end; Starlette calls it as the application that it is."""

    house: House
    what: str
    query: Query
    answered: Answered

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Sends lines until the client leaves, which the host tells by raising; or why there are none."""
        tail = Tail()
        async with trio.open_nursery() as nursery:
            begun = await self.answered(lambda: nursery.start(FOLLOWED[self.what], self.house, self.query, tail))
            if begun.status != _FINE:
                await Response(begun.body, begun.status, media_type="application/json")(scope, receive, send)
                return
            headers = [(b"content-type", b"application/x-ndjson")]
            await send({"type": "http.response.start", "status": _FINE, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            nursery.start_soon(_gone, receive, nursery.cancel_scope)
            async for record in tail.records():
                await send({"type": "http.response.body", "body": encode(record) + b"\n", "more_body": True})


async def _gone(receive: Any, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
