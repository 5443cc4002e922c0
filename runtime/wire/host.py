"""The ASGI host: serves an application over HTTP/1.1 and WebSocket on any trio listeners."""

from collections.abc import Callable, Sequence

import trio

from runtime.wire.host_connection import Connection
from runtime.wire.host_context import App, Context, Message, Receive, Send, counted_ids
from runtime.wire.host_errors import AppProtocolError, ClientGone, LifespanStartupError, Refused
from runtime.wire.host_events import (
    ConnectionFailed,
    HostEvent,
    HostStatistics,
    LifespanFailed,
    PeerDropped,
    Report,
    RequestAbandoned,
    RequestFailed,
    RequestRefused,
)
from runtime.wire.host_lifespan import within_lifespan
from runtime.wire.host_limits import HostLimits
from runtime.wire.host_sent_frames import encode_bytes_frame, encode_text_frame
from runtime.wire.host_stream import Peer, read_peer
from runtime.world import Clock

__all__ = [
    "App",
    "AppProtocolError",
    "ClientGone",
    "ConnectionFailed",
    "Host",
    "HostEvent",
    "HostLimits",
    "HostStatistics",
    "LifespanFailed",
    "LifespanStartupError",
    "Message",
    "PeerDropped",
    "Receive",
    "Report",
    "RequestAbandoned",
    "RequestFailed",
    "RequestRefused",
    "Send",
    "encode_bytes_frame",
    "encode_text_frame",
    "serve",
]


class Host:
    """One application being served."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._connections: dict[Connection, None] = {}
        self._turned_away = 0
        self._accepting = trio.CancelScope()
        self._nursery: trio.Nursery | None = None

    def statistics(self) -> HostStatistics:
        """The counters as they stand."""
        return self._context.tally.read()

    def drain(self, within_seconds: float) -> None:
        """Begins a graceful end: no new connections, running requests are answered, WebSockets closed with 1001.

        `serve` returns when all are done, at the latest after within_seconds, when the rest is cancelled.
        """
        self._context.draining = True
        self._accepting.cancel()
        if self._nursery is not None:
            self._nursery.cancel_scope.deadline = trio.current_time() + within_seconds
        for connection in list(self._connections):
            connection.drain()

    async def run(
        self, listeners: Sequence[trio.abc.Listener[trio.abc.Stream]], task_status: trio.TaskStatus["Host"]
    ) -> None:
        """Serves until cancelled or drained; closes the listeners in any case."""

        async def serve_all() -> None:
            async with trio.open_nursery() as watching:
                watching.start_soon(self._context.alarms.watch)
                async with trio.open_nursery() as self._nursery:
                    task_status.started(self)
                    with self._accepting:
                        await trio.serve_listeners(self._serve_stream, list(listeners), handler_nursery=self._nursery)
                watching.cancel_scope.cancel()

        try:
            await within_lifespan(self._context, serve_all)
        finally:
            for listener in listeners:
                await trio.aclose_forcefully(listener)

    async def _serve_stream(self, stream: trio.abc.Stream) -> None:
        """Serves one connection; whatever goes wrong there ends only that connection."""
        try:
            peer = read_peer(stream)
        except OSError:
            return
        try:
            await self._serve_peer(stream, peer)
        except* Exception as group:  # noqa: BLE001 - reported with its id; the other connections go on
            self._context.report(ConnectionFailed(self._context.new_id(), peer.name, group))

    async def _serve_peer(self, stream: trio.abc.Stream, peer: Peer) -> None:
        connection = Connection(self._context, stream, peer)
        if len(self._connections) >= self._context.limits.connections:
            await self._turn_away(connection)
            return
        tally = self._context.tally
        tally.connections_open += 1
        tally.connections_total += 1
        self._connections[connection] = None
        try:
            await connection.run()
        finally:
            del self._connections[connection]
            tally.connections_open -= 1

    async def _turn_away(self, connection: Connection) -> None:
        """Tells a client that the house is full; with as many at the door as inside, it is shut in silence."""
        if self._turned_away < self._context.limits.connections:
            self._turned_away += 1
            try:
                await connection.run(Refused(503, "too_many_connections"))
            finally:
                self._turned_away -= 1


async def serve(
    app: App,
    listeners: Sequence[trio.abc.Listener[trio.abc.Stream]],
    *,
    limits: HostLimits = HostLimits(),  # noqa: B008 - frozen
    on_event: Report | None = None,
    clock: Clock | None = None,
    new_id: Callable[[], str] | None = None,
    server_name: str | None = None,
    task_status: trio.TaskStatus[Host] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves app on the listeners until cancelled or drained, then closes them; raises LifespanStartupError.

    `nursery.start` returns the `Host`, with its `drain` and `statistics`. The clock stamps the Date header, new_id
    makes the ids that stand in error responses and events, server_name makes a Server header; without clock or name
    there is no such header.
    """
    context = Context(app, limits, clock, server_name, on_event, new_id or counted_ids())
    await Host(context).run(listeners, task_status)
