"""One HTTP request and its response, between an ASGI application and the wire."""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import trio

from runtime.wire.host_context import Context, Message, base_scope, means_departure, run_app
from runtime.wire.host_errors import AppProtocolError, ClientGone, Refused
from runtime.wire.host_request import Request
from runtime.wire.host_response import CONTINUE, ResponseWriter, error_response
from runtime.wire.host_stream import Peer, Wire


class Exchange:
    """Runs the application for one request.

    The handler is cancelled, after a grace, when its client leaves before the response is complete. What it does after
    that (background work) is its own affair: the connection goes on without it.
    """

    def __init__(
        self,
        context: Context,
        wire: Wire,
        peer: Peer,
        request: Request,
        *,
        last: bool,
        overrun: "Callable[[Exchange], None]",
    ) -> None:
        self.busy = True
        """The handler is not done."""
        self.overtaken = False
        """The connection has gone on to the next request."""
        self._context = context
        self._limits = context.limits
        self._wire = wire
        self._peer = peer
        self.request = request
        self._body = request.body
        self._last = last
        self._overrun = overrun
        """Called a moment after the next request came while the handler was busy after its response."""
        self._writer = ResponseWriter(request)
        self._scope = trio.CancelScope(deadline=trio.current_time() + (self._limits.handler_seconds or math.inf))
        self._refused: Refused | None = None
        self._awaits_invitation = request.expects_continue and not request.body.complete
        self._body_delivered = False
        self._answered = False
        """The whole response is on its way."""
        self._told_of_departure = False

    async def run(self) -> None:
        """Runs the handler to its end and makes sure that the client has an answer, if it is still there."""
        scope = base_scope("http", self.request, self._peer, self._context)
        scope["method"], scope["scheme"] = self.request.method.decode(), "http"
        self._wire.on_change = self._on_change
        self._on_change()
        failure = await run_app(self._context.app, scope, self._receive, self._send, self._scope)
        self.busy = False
        await self._conclude(failure)

    async def leaves_wire_clean(self) -> bool:
        """Whether another request may follow; what is left of this one's body is thrown away first."""
        if not (self._answered and self._writer.keeps_alive):
            return False
        if not self._body.complete:
            with trio.move_on_after(self._limits.linger_seconds), suppress(Refused):
                await self._discard_body()
        return self._body.complete

    async def _discard_body(self) -> None:
        room = self._limits.unread_body_bytes
        while True:
            room -= len(self._body.take(self._wire.buffer))
            if self._body.complete or self._wire.ended or room < 0:
                return
            await self._wire.more()

    @property
    def _closes(self) -> bool:
        return self._last or self._context.draining or self._awaits_invitation

    @property
    def _client_left(self) -> bool:
        return self._wire.ended or self._wire.broken is not None

    def _on_change(self) -> None:
        if self._answered:
            if self._wire.buffer and self.busy and not self.overtaken:
                self._context.alarms.soon(partial(self._overrun, self))
        elif self._client_left:
            self._scope.deadline = min(self._scope.deadline, self._wire.last_moment(self._limits.grace_seconds))

    async def _receive(self) -> Message:
        try:
            data = None if self._body_delivered else await self._read_body()
        except Refused as refused:
            self._refused = refused
            self._scope.cancel()
            await trio.lowlevel.checkpoint()
            data = None
        if data is None:
            return await self._departure()
        self._body_delivered = self._body.complete
        return {"type": "http.request", "body": data, "more_body": not self._body.complete}

    async def _read_body(self) -> bytes | None:
        """The next piece of the body, None when the client left before its end; raises Refused."""
        while True:
            data = self._body.take(self._wire.buffer)
            if data or self._body.complete:
                self._awaits_invitation = False
                self._wire.relieve()
                return data
            if self._client_left:
                return None
            await self._invite()
            with trio.move_on_after(self._limits.body_idle_seconds) as patience:
                await self._wire.more()
            if patience.cancelled_caught:
                raise Refused(408, "body_timeout")

    async def _invite(self) -> None:
        if self._awaits_invitation and not self._writer.begun:
            self._awaits_invitation = False
            await self._wire.send(CONTINUE)

    async def _departure(self) -> Message:
        while not (self._answered or self._client_left or self._refused):
            await self._wire.changed()
        self._told_of_departure = True
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._writer.start(message, self._context.stamp(), closing=self._closes)
        elif kind == "http.response.body":
            await self._wire.send(self._writer.body(message))
            if self._writer.complete:
                await self._response_complete()
        else:
            raise AppProtocolError(f"{kind} is no message of an HTTP response", message)

    async def _response_complete(self) -> None:
        self._answered = True
        if self._scope.deadline != math.inf:
            self._scope.deadline = math.inf
        if not self._writer.keeps_alive:
            await self._wire.send_eof()
        self._wire.announce()

    async def _conclude(self, failure: Exception | None) -> None:
        if self._answered:
            if failure is not None:
                self._context.failed(self.request, failure)
            return
        cancelled = self._scope.cancelled_caught
        if cancelled and not self._client_left and self._refused is None:
            self._refused = Refused(503, "handler_timeout")
        if self._refused is not None:
            await self._answer(
                self._refused.status, self._refused.reason, self._context.refused(self._refused, self._peer)
            )
        elif self._client_left and (failure is None or self._told_of_departure or means_departure(failure)):
            self._context.abandoned(self.request, failure)
        else:
            failure = failure or AppProtocolError("the application returned before its response was complete")
            await self._answer(500, "internal_error", self._context.failed(self.request, failure))

    async def _answer(self, status: int, reason: str, error_id: str) -> None:
        if not self._writer.begun:
            head_only = self.request.method == b"HEAD"
            extra = self._context.stamp()
            answer = error_response(status, reason, error_id, head_only=head_only, extra=extra)
            with suppress(ClientGone):
                await self._wire.send(answer)
