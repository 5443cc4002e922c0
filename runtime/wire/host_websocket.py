"""One WebSocket, between an ASGI application and the wire.

Beside the messages of the ASGI standard an application may send `{"type": "websocket.send", "frame": bytes}`: one or
several whole frames, encoded once by `encode_text_frame` or `encode_bytes_frame` and shared by all their subscribers.
"""

from contextlib import suppress
from enum import Enum, auto
from typing import Final

import trio
from wsproto.utilities import generate_accept_token

from runtime.wire.host_backlog import Backlog
from runtime.wire.host_context import Context, Message, base_scope, means_departure, run_app
from runtime.wire.host_errors import AppProtocolError, ClientGone, Refused
from runtime.wire.host_frames import (
    Binary,
    Closed,
    Frames,
    Incoming,
    PingSeen,
    Text,
    Violation,
)
from runtime.wire.host_head import Headers
from runtime.wire.host_inbox import Inbox
from runtime.wire.host_request import Handshake, Request
from runtime.wire.host_response import ResponseWriter, encode_head, error_response
from runtime.wire.host_sent_frames import encode_bytes_frame, encode_text_frame
from runtime.wire.host_stream import Peer, Wire

_OWN_HEADERS: Final = frozenset({b"connection", b"upgrade", b"content-length", b"transfer-encoding"})


class State(Enum):
    """Where a WebSocket stands, as its application may know."""

    CONNECTING = auto()
    DENIED = auto()
    OPEN = auto()
    CLOSED = auto()
    LOST = auto()


class WebSocketSession:
    """Runs the application for one WebSocket; its handler is cancelled, after a grace, when the client leaves."""

    def __init__(self, context: Context, wire: Wire, peer: Peer, request: Request, handshake: Handshake) -> None:
        limits = context.limits
        self._context = context
        self._limits = limits
        self._wire = wire
        self._peer = peer
        self._request = request
        self._handshake = handshake
        self._state = State.CONNECTING
        self._accepted = False
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery
        self._frames = Frames(limits)
        self._backlog = Backlog(wire, limits.websocket_backlog_bytes, limits.write_seconds)
        self._denial = ResponseWriter(request)
        self._inbox = Inbox(limits.websocket_message_bytes)
        self._greeted = False
        self._told_of_departure = False
        self._read_out = trio.Event()

    async def run(self) -> None:
        """Runs the handler to its end and parts from the client in good order, if it is still there."""
        scope = base_scope("websocket", self._request, self._peer, self._context)
        scope["scheme"] = "ws"
        scope["subprotocols"] = list(self._handshake.subprotocols)
        scope["extensions"] |= {"websocket.http.response": {}, "websocket.frame": {}}
        self._wire.on_change = self._on_change
        self._on_change()
        try:
            async with trio.open_nursery() as self._nursery:
                failure = await run_app(self._context.app, scope, self._receive, self._send, self._scope)
                await self._conclude(failure)
                self._nursery.cancel_scope.cancel()
        finally:
            self._context.tally.websockets_open -= self._accepted

    def drain(self) -> None:
        """Closes the WebSocket because the host is going away."""
        if self._state is State.OPEN:
            self._begin_close(1001, "going away")
            self._lose(1001, "going away")
        elif self._state is State.CONNECTING:
            self._scope.cancel()

    # what the application calls

    async def _receive(self) -> Message:
        if not self._greeted:
            self._greeted = True
            return {"type": "websocket.connect"}
        message = await self._inbox.take()
        self._told_of_departure = message["type"] == "websocket.disconnect"
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._state is State.OPEN and kind == "websocket.send":
            await self._backlog.put(_frame(message))
        elif self._state is State.OPEN and kind == "websocket.close":
            self._begin_close(_checked_code(message), message.get("reason") or "")
        elif self._state is State.CONNECTING and kind == "websocket.accept":
            await self._accept(message)
        elif self._state is State.CONNECTING and kind == "websocket.close":
            await self._deny({"type": kind, "status": 403}, {"type": kind})
        elif self._state is State.CONNECTING and kind == "websocket.http.response.start":
            self._start_denial(message)
        elif self._state is State.DENIED and kind == "websocket.http.response.body":
            await self._wire.send(self._denial.body(message))
        elif self._state is State.LOST:
            raise ClientGone("websocket closed")
        else:
            raise AppProtocolError(f"{kind} makes no sense while the WebSocket is {self._state.name}", message)

    async def _accept(self, message: Message) -> None:
        headers = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", generate_accept_token(self._handshake.key)),
            *self._subprotocol_header(message),
            *self._context.stamp(),
            *_checked_headers(message),
        ]
        await self._wire.send(encode_head(101, headers))
        self._open()

    def _subprotocol_header(self, message: Message) -> Headers:
        name = message.get("subprotocol")
        if name is None:
            return []
        if name not in self._handshake.subprotocols:
            offered = ", ".join(self._handshake.subprotocols) or "none"
            raise AppProtocolError(f"accepted subprotocol {name!r}, but the client offered {offered}", message)
        return [(b"sec-websocket-protocol", name.encode())]

    def _start_denial(self, message: Message) -> None:
        self._denial.start(message, self._context.stamp(), closing=True)
        self._state = State.DENIED

    async def _deny(self, start: Message, body: Message) -> None:
        self._start_denial(start)
        await self._wire.send(self._denial.body(body))

    def _open(self) -> None:
        if self._state is State.CONNECTING:
            self._state = State.OPEN
        self._accepted = True
        self._context.tally.websockets_open += 1
        self._context.tally.websockets_total += 1
        self._nursery.start_soon(self._read)
        self._nursery.start_soon(self._backlog.run)
        self._nursery.start_soon(self._keep_alive)

    def _begin_close(self, code: int, reason: str) -> None:
        self._backlog.put_now(self._frames.close(code, reason))
        self._state = State.CLOSED
        self._inbox.close()

    # what the client does

    def _on_change(self) -> None:
        if self._wire.broken is not None or (self._wire.ended and not self._accepted):
            self._lose(1006, "")
        if self._wire.ended:
            self._inbox.lift_bound()

    def _lose(self, code: int, reason: str) -> None:
        """The client is gone, or as good as gone, for the application."""
        if self._state is not State.LOST:
            self._state = State.LOST
            self._inbox.close({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._scope.deadline = min(self._scope.deadline, self._wire.last_moment(self._limits.grace_seconds))

    async def _read(self) -> None:
        with suppress(ClientGone):
            while not self._frames.over:
                if self._wire.buffer:
                    await self._read_frames()
                elif self._wire.ended:
                    break
                else:
                    await self._wire.more()
        self._lose(1006, "")
        self._read_out.set()

    async def _read_frames(self) -> None:
        data = bytes(self._wire.buffer)
        self._wire.buffer.clear()
        self._wire.relieve()
        for seen in self._frames.feed(data):
            await self._take(seen)

    async def _take(self, seen: Incoming) -> None:
        match seen:
            case Text(text):
                await self._inbox.put(len(text), {"type": "websocket.receive", "text": text})
            case Binary(data):
                await self._inbox.put(len(data), {"type": "websocket.receive", "bytes": data})
            case PingSeen(pong):
                await self._backlog.put(pong)
            case Closed(code, reason, reply):
                self._backlog.put_now(reply)
                self._lose(code, reason)
            case Violation(code, reason, farewell):
                self._context.refused(Refused(code, f"websocket_{code}"), self._peer)
                self._backlog.put_now(farewell)
                self._lose(code, reason)

    async def _keep_alive(self) -> None:
        """Asks a client that says nothing whether it is there, and drops it if it is not."""
        while await self._speaks_within(self._limits.ping_interval_seconds) or await self._answers_ping():
            pass
        if self._state is State.OPEN:
            self._wire.abort("pong_deadline")

    async def _answers_ping(self) -> bool:
        if self._state is not State.OPEN:
            return False
        self._backlog.put_now(self._frames.ping())
        return await self._speaks_within(self._limits.pong_seconds) or self._inbox.full

    async def _speaks_within(self, seconds: float) -> bool:
        received = self._wire.received
        await trio.sleep(seconds)
        return self._wire.received != received

    # how it ends

    async def _conclude(self, failure: Exception | None) -> None:
        if self._accepted:
            await self._conclude_accepted(failure)
        elif not self._denial.complete:
            await self._conclude_unanswered(failure)
        elif failure is not None:
            self._context.failed(self._request, failure)
        if self._wire.broken is None:
            await self._wire.linger(self._limits.linger_seconds)

    async def _conclude_accepted(self, failure: Exception | None) -> None:
        if self._departed(failure):
            self._report_departure(failure)
        elif failure is not None:
            error_id = self._context.failed(self._request, failure)
            if self._state is State.OPEN:
                self._begin_close(1011, error_id)
        elif self._state is State.OPEN:
            self._begin_close(1000, "")
        with trio.move_on_after(self._limits.websocket_close_seconds) as patience:
            await self._backlog.flushed()
            if self._wire.broken is None:
                await self._read_out.wait()
        if patience.cancelled_caught:
            self._wire.abort("close_deadline")

    async def _conclude_unanswered(self, failure: Exception | None) -> None:
        if self._departed(failure):
            self._context.abandoned(self._request, failure)
        elif self._scope.cancelled_caught:
            refused = Refused(503, "going_away")
            await self._answer(503, refused.reason, self._context.refused(refused, self._peer))
        else:
            failure = failure or AppProtocolError("the application returned without accepting or closing")
            await self._answer(500, "internal_error", self._context.failed(self._request, failure))

    def _departed(self, failure: Exception | None) -> bool:
        """Whether the handler ended because the client left, which is no failure of its own."""
        return self._state is State.LOST and (failure is None or self._told_of_departure or means_departure(failure))

    def _report_departure(self, failure: Exception | None) -> None:
        """A client that leaves is the usual end; only a handler that did not take it in good part is worth a word."""
        if failure is not None or self._scope.cancelled_caught:
            self._context.abandoned(self._request, failure)

    async def _answer(self, status: int, reason: str, error_id: str) -> None:
        if not self._denial.begun:
            extra = self._context.stamp()
            with suppress(ClientGone):
                await self._wire.send(error_response(status, reason, error_id, head_only=False, extra=extra))


def _frame(message: Message) -> bytes:
    frame: bytes | None = message.get("frame")
    if frame is not None:
        return frame
    text: str | None = message.get("text")
    if text is not None:
        return encode_text_frame(text)
    data: bytes | None = message.get("bytes")
    if data is not None:
        return encode_bytes_frame(data)
    raise AppProtocolError("a websocket.send without text, bytes or frame; give one of them", message)


def _checked_headers(message: Message) -> Headers:
    headers = [(bytes(name), bytes(value)) for name, value in message.get("headers") or ()]
    for name, _ in headers:
        if name.lower() in _OWN_HEADERS or name.lower().startswith(b"sec-websocket-"):
            raise AppProtocolError(f"the header {name!r} of an accept belongs to the host", message)
    return headers


def _checked_code(message: Message) -> int:
    code: int = message.get("code") or 1000
    if code in range(1000, 1004) or code in range(1007, 1015) or code in range(3000, 5000):
        return code
    raise AppProtocolError(f"a WebSocket cannot be closed with code {code}; 1000 or 3000-4999 will do", message)
