"""From ASGI response messages to bytes; pure."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import msgspec

from runtime.wire.host_context import Message
from runtime.wire.host_errors import AppProtocolError
from runtime.wire.host_head import NAME, VALUE
from runtime.wire.host_request import Request

Headers = Iterable[tuple[bytes, bytes]]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The invitation to send the body."""
_CLOSE: Final = (b"connection", b"close")
_CHUNKED: Final = (b"transfer-encoding", b"chunked")
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def encode_head(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Status line and headers; raises AppProtocolError for bytes that would end a header early or hide in one."""
    for name, value in headers:
        if NAME.fullmatch(name) is None or VALUE.fullmatch(value) is None:
            raise AppProtocolError("a header of the response is not valid HTTP; nothing was sent", (name, value))
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return line + b"".join([b"%b: %b\r\n" % header for header in headers]) + b"\r\n"


class ResponseWriter:
    """The response to one request: `start`, then `body` until it is complete."""

    def __init__(self, request: Request) -> None:
        self.begun = False
        """Bytes of this response were handed out."""
        self.complete = False
        self.keeps_alive = request.keeps_alive
        """Whether another request may follow on the connection."""
        self._version = request.version
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._empty = request.method == b"HEAD"
        self._chunked = False
        self._left: int | None = None
        """How many bytes of a body of known length are missing."""

    def start(self, message: Message, stamp: Headers, *, closing: bool) -> None:
        """Keeps status and headers until the first piece of the body; raises AppProtocolError.

        The framing is the host's: it follows a content-length and makes up its own mind on everything else.
        """
        if self._status:
            raise AppProtocolError("a response was started twice; start it once", message)
        if not 200 <= message["status"] <= 599:
            raise AppProtocolError("the status of a response is a number from 200 to 599", message)
        self._status = message["status"]
        names = set()
        for name, value in message.get("headers", ()):
            lower = name.lower()
            names.add(lower)
            self._take_header(lower, name, value)
        self._headers += [header for header in stamp if header[0] not in names]
        self._empty = self._empty or self._status in {204, 304}
        self.keeps_alive = self.keeps_alive and not closing

    def _take_header(self, lower: bytes, name: bytes, value: bytes) -> None:
        if lower == b"content-length":
            if self._left is not None or not value.isdigit():
                raise AppProtocolError("a response needs one content-length of digits, or none", value)
            self._left = int(value)
            if self._status == 204:
                return
        elif lower == b"connection":
            self.keeps_alive = self.keeps_alive and b"close" not in value.lower()
            return
        elif lower == b"transfer-encoding":
            return
        self._headers.append((name, value))

    def body(self, message: Message) -> bytes:
        """The bytes to send for one piece of the body; raises AppProtocolError."""
        if not self._status or self.complete:
            raise AppProtocolError("a body came before its start or after its end", message)
        data, more = message.get("body", b""), message.get("more_body", False)
        head = b"" if self.begun else self._open(len(data), more=more)
        piece = b"" if self._empty else self._encode(data, more=more)
        self.begun, self.complete = True, not more
        return head + piece

    def _open(self, size: int, *, more: bool) -> bytes:
        """The head; a body that comes in one piece gets its length."""
        if self._left is None and not self._empty:
            self._frame_unknown_length(size, more=more)
        if not self.keeps_alive:
            self._headers.append(_CLOSE)
        return encode_head(self._status, self._headers)

    def _frame_unknown_length(self, size: int, *, more: bool) -> None:
        """To HTTP/1.0 the end of the connection, which is never kept there, is the end of such a body."""
        if not more:
            self._left = size
            self._headers.append((b"content-length", b"%d" % size))
        elif self._version == "1.1":
            self._chunked = True
            self._headers.append(_CHUNKED)

    def _encode(self, data: bytes, *, more: bool) -> bytes:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0 or (self._left and not more):
                raise AppProtocolError(f"the body misses its content-length by {-self._left} bytes", self._headers)
            return data
        if not self._chunked:
            return data
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return chunk if more else chunk + b"0\r\n\r\n"


def error_response(status: int, reason: str, error_id: str, *, head_only: bool, extra: Headers) -> bytes:
    """A whole response for a request that got none from its handler; its body is one word and an id."""
    body = msgspec.json.encode({"error": reason, "id": error_id})
    length = (b"content-length", b"%d" % len(body))
    head = encode_head(status, [(b"content-type", b"application/json"), length, _CLOSE, *extra])
    return head if head_only else head + body
