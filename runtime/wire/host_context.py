"""What all connections of one host share."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from email.utils import formatdate
from itertools import count
from typing import Any

import attrs
import trio

from runtime.wire.host_alarms import Alarms
from runtime.wire.host_errors import ClientGone, Refused
from runtime.wire.host_events import HostEvent, Report, RequestAbandoned, RequestFailed, RequestRefused, Tally
from runtime.wire.host_limits import HostLimits
from runtime.wire.host_request import Request
from runtime.wire.host_stream import Peer
from runtime.world import Clock

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

ASGI = {"version": "3.0", "spec_version": "2.4"}


@attrs.define(eq=False)
class Context:
    """The application, the bounds and the observers of one host."""

    app: App
    limits: HostLimits
    clock: Clock | None
    """Stamps the Date header; without a clock there is none."""
    server_name: str | None
    """The value of the Server header; without a name there is none."""
    on_event: Report | None
    new_id: Callable[[], str]
    state: dict[str, Any] = attrs.field(factory=dict)
    """What the application's lifespan left for its requests."""
    tally: Tally = attrs.field(factory=Tally)
    alarms: Alarms = attrs.field(factory=Alarms)
    draining: bool = False
    _stamp_second: int = -1
    _stamp: list[tuple[bytes, bytes]] = attrs.field(factory=list)

    def report(self, event: HostEvent) -> None:
        """Counts an event and passes it on."""
        self.tally.note(event)
        if self.on_event is not None:
            self.on_event(event)

    def refused(self, refused: Refused, peer: Peer) -> str:
        """Reports a refusal and returns its id."""
        error_id = self.new_id()
        self.report(RequestRefused(error_id, refused.status, refused.reason, peer.name))
        return error_id

    def failed(self, request: Request, error: Exception) -> str:
        """Reports a handler's failure and returns its id."""
        error_id = self.new_id()
        self.report(RequestFailed(error_id, request.method.decode(), request.path, error))
        return error_id

    def abandoned(self, request: Request, error: Exception | None) -> None:
        """Reports that a client left before its handler was done."""
        self.report(RequestAbandoned(request.method.decode(), request.path, error))

    def stamp(self) -> list[tuple[bytes, bytes]]:
        """The headers that the host itself adds to a response."""
        second = self.clock.wall_ns() // 1_000_000_000 if self.clock is not None else 0
        if second != self._stamp_second:
            self._stamp_second = second
            self._stamp = list(self._make_stamp(second))
        return self._stamp

    def _make_stamp(self, second: int) -> Iterator[tuple[bytes, bytes]]:
        if self.clock is not None:
            yield b"date", formatdate(second, usegmt=True).encode()
        if self.server_name is not None:
            yield b"server", self.server_name.encode("latin-1")


def base_scope(kind: str, request: Request, peer: Peer, context: Context) -> dict[str, Any]:
    """The part of an ASGI scope that HTTP and WebSocket have in common."""
    return {
        "type": kind,
        "asgi": ASGI,
        "http_version": request.version,
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query,
        "root_path": "",
        "headers": request.headers,
        "client": peer.client,
        "server": peer.server,
        "state": dict(context.state),
        "extensions": {} if peer.peercred is None else {"peercred": dict(peer.peercred)},
    }


def counted_ids() -> Callable[[], str]:
    """Ids that are unique within one host."""
    numbers = count(1)
    return lambda: f"{next(numbers):08x}"


async def run_app(app: App, scope: Message, receive: Receive, send: Send, cancel: trio.CancelScope) -> Exception | None:
    """Runs an application until it is done or cancelled and returns what it raised, if anything."""
    failure: Exception | None = None
    try:
        with cancel:
            await app(scope, receive, send)
    except* Exception as group:  # noqa: BLE001 - whatever a handler raises is reported, never passed on
        failure = group.exceptions[0] if len(group.exceptions) == 1 else group
    return failure


def means_departure(error: BaseException | None) -> bool:
    """Whether an exception only says that the client is gone."""
    if isinstance(error, BaseExceptionGroup):
        return all(means_departure(each) for each in error.exceptions)
    while error is not None and not isinstance(error, ClientGone):
        error = error.__cause__ or error.__context__
    return error is not None
