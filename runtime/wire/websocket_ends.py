"""How a WebSocket ends, or never begins: one typed error for each."""

import enum
from typing import Final

from runtime.wire.delivery import Sent
from runtime.wire.http_messages import HttpResponse


class Ending(enum.Enum):
    """Why an open WebSocket ended."""

    CLOSED_HERE = "closed here"  # we closed it
    CLOSED_THERE = "closed there"  # the peer closed it, with a code and perhaps a text
    LOST = "lost"  # the connection broke or ended without a goodbye
    PEER_SILENT = "peer silent"  # it gave no sign of life, or took no bytes, for too long
    TOO_LARGE = "too large"  # it sent a message, or a number of fragments, above the limit
    PROTOCOL = "protocol"  # it broke the WebSocket protocol


class WebSocketClosed(Exception):
    """The WebSocket is closed; `sent` says whether the frame this call was about can have left.

    reason  why
    code    the close code: the peer's, ours, or 1006 when no goodbye came
    text    what came with the code, or what happened; secrets masked
    clean   whether both sides said goodbye
    """

    def __init__(self, reason: Ending, code: int, text: str, clean: bool, sent: Sent = Sent.NOTHING) -> None:
        super().__init__(f"WebSocket {reason.value} ({code}){': ' if text else ''}{text}; {_ADVICE[sent]}")
        self.reason = reason
        self.code = code
        self.text = text
        self.clean = clean
        self.sent = sent


class Refusal(enum.Enum):
    """Why a WebSocket could not be opened."""

    INVALID = "invalid"  # the request to open it cannot be sent as it is
    FORBIDDEN = "forbidden"  # its origin is not on the allow-list
    UNREACHABLE = "unreachable"  # no connection: refused, unknown name, TLS failure
    TIMEOUT = "timeout"  # no connection or no answer in time
    REJECTED = "rejected"  # the server answered with something else; `answer` holds it
    LOST = "lost"  # the connection ended before an answer came
    PROTOCOL = "protocol"  # the answer is no WebSocket answer


class WebSocketRefused(Exception):
    """The WebSocket was not opened; `answer` is what the server said instead, if it did."""

    def __init__(self, reason: Refusal, url: str, text: str, answer: HttpResponse | None = None) -> None:
        super().__init__(f"{url}: {reason.value}: {text}; connect again when the cause is gone")
        self.reason = reason
        self.url = url
        self.text = text
        self.answer = answer


_ADVICE: Final = {
    Sent.NOTHING: "connect again to go on",
    Sent.MAYBE: "the frame may have arrived: treat its outcome as unknown and look it up",
}
