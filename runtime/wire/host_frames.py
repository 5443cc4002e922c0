"""WebSocket frames that we receive, joined to messages; pure."""

from collections.abc import Iterator
from typing import Final

import attrs
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from runtime.wire.host_limits import HostLimits

_TOO_BIG: Final = 1009
_COMPLAINTS: Final = {1002: "protocol error", 1007: "invalid data", 1009: "message too big"}


@attrs.frozen
class Text:
    """A whole text message."""

    text: str


@attrs.frozen
class Binary:
    """A whole binary message."""

    data: bytes


@attrs.frozen
class PingSeen:
    """The client asks for a sign of life; pong is the frame that answers."""

    pong: bytes


@attrs.frozen
class Closed:
    """The client closes; reply is the frame that completes the handshake, empty when we had begun it."""

    code: int
    reason: str
    reply: bytes


@attrs.frozen
class Violation:
    """The client broke the protocol or a limit; farewell is the close frame that says so."""

    code: int
    reason: str
    farewell: bytes


Incoming = Text | Binary | PingSeen | Closed | Violation


class Frames:
    """The server's side of the frame protocol on one WebSocket."""

    def __init__(self, limits: HostLimits) -> None:
        self._limits = limits
        self._protocol = Connection(ConnectionType.SERVER)
        self._message = bytearray()
        self._fragments = 0
        self.over = False
        """The client closed or broke the protocol: nothing more is read."""

    @property
    def open(self) -> bool:
        """Whether neither side has begun to close."""
        return self._protocol.state is ConnectionState.OPEN

    def feed(self, data: bytes) -> Iterator[Incoming]:
        """What these bytes complete, in order; ends with Closed or Violation."""
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            seen = self._read(event)
            if seen is not None:
                yield seen
            if self.over:
                return

    def ping(self) -> bytes:
        """A frame that asks the client for a sign of life."""
        return bytes(self._protocol.send(Ping()))

    def close(self, code: int, reason: str) -> bytes:
        """The frame that begins or completes the closing handshake; empty when we sent one before."""
        if self._protocol.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
            return bytes(self._protocol.send(CloseConnection(code=code, reason=reason)))
        return b""

    def _read(self, event: Event) -> Incoming | None:
        match event:
            case TextMessage() | BytesMessage():
                return self._read_part(event)
            case Ping() if self.open:
                return PingSeen(bytes(self._protocol.send(event.response())))
            case CloseConnection():
                return self._read_close(event)
            case _:
                return None

    def _read_part(self, event: TextMessage | BytesMessage) -> Incoming | None:
        self._message += event.data.encode() if isinstance(event, TextMessage) else event.data
        self._fragments += event.frame_finished
        if len(self._message) > self._limits.websocket_message_bytes:
            return self._violation(_TOO_BIG)
        if self._fragments > self._limits.websocket_fragments:
            return self._violation(_TOO_BIG)
        if not event.message_finished:
            return None
        data = bytes(self._message)
        self._message.clear()
        self._fragments = 0
        return Text(data.decode()) if isinstance(event, TextMessage) else Binary(data)

    def _read_close(self, event: CloseConnection) -> Incoming:
        """The library reports a client's close and its own complaint alike; only a real close moves its state."""
        if self._protocol.state not in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
            return self._violation(event.code)
        self.over = True
        return Closed(event.code, event.reason or "", self.close(event.code, ""))

    def _violation(self, code: int) -> Violation:
        self.over = True
        reason = _COMPLAINTS[code]
        return Violation(code, reason, self.close(code, reason))
