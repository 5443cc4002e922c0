"""What goes into the HTTP client and what comes out: request, response, and the one failure."""

import enum
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, cast

import attrs

from runtime.wire.capture import Headers
from runtime.wire.delivery import Phase, Sent

ILLEGAL: Final = "the method, the target or a header holds a character that HTTP does not allow (it is not shown)"
_NS: Final = 1_000_000_000
_MOST_DIGITS: Final = 9  # of Retry-After: thirty years


def pairs(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    """Headers as pairs of name and value."""
    if isinstance(headers, Mapping):
        return cast("Headers", tuple(headers.items()))
    return tuple(headers)


def without_query(url: str) -> str:
    """A URL up to its query, which may hold secrets."""
    return url.partition("?")[0]


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


def _names(headers: Headers) -> str:
    return f"<{', '.join(name for name, _ in headers)}>"


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The limits of one client.

    connections      open at once, used or idle; further requests wait for one as long as their time allows
    connect_seconds  for opening one, TLS included
    idle_seconds     after which an unused one is closed rather than used again
    total_seconds    for a whole exchange, unless the request says otherwise
    max_body         bytes of an answer, inflated
    max_line         bytes of one line of a streamed answer
    user_agent       what the client calls itself, unless the request says otherwise
    """

    connections: int = attrs.field(default=8, validator=attrs.validators.gt(0))
    connect_seconds: float = attrs.field(default=5.0, validator=attrs.validators.gt(0))
    idle_seconds: float = attrs.field(default=20.0, validator=attrs.validators.gt(0))
    total_seconds: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    max_body: int = attrs.field(default=8 * 1024 * 1024, validator=attrs.validators.gt(0))
    max_line: int = attrs.field(default=1024 * 1024, validator=attrs.validators.gt(0))
    user_agent: str = "pitboss"


@attrs.frozen
class HttpRequest:
    """One request; URL, headers and body leave exactly as they stand here.

    timeout     seconds for the whole exchange (for a stream: until its head is here); None takes the client's
    intent_key  the journal's key of the order this request is about, for the audit
    """

    method: str
    url: str = attrs.field(repr=without_query)
    headers: Headers = attrs.field(default=(), converter=pairs, repr=_names)
    body: bytes = attrs.field(default=b"", repr=_size)
    timeout: float | None = None
    intent_key: str | None = None


@attrs.frozen
class HttpResponse:
    """One complete answer, whatever its status; header names in lower case."""

    status: int
    headers: Headers = attrs.field(default=(), repr=_names)
    body: bytes = attrs.field(default=b"", repr=_size)

    def header(self, name: str) -> str | None:
        """The first header of that name, any case; None when there is none."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def retry_after_ns(self, wall_ns: int) -> int | None:
        """Nanoseconds to wait as Retry-After asks, given the time of day; None when it does not say.

        A date is held against the answer's own Date where it has one, for our clock may not be the server's.
        """
        text = (self.header("retry-after") or "").strip()
        if text.isascii() and text.isdigit():
            return int(text) * _NS if len(text) <= _MOST_DIGITS else None
        until_s = second_of(text)
        if until_s is None:
            return None
        made_s = second_of(self.header("date") or "")
        return max(0, until_s * _NS - (wall_ns if made_s is None else made_s * _NS))


def second_of(date: str) -> int | None:
    """The second that an HTTP date names; None when it names none."""
    try:
        moment = parsedate_to_datetime(date)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None


class Fault(enum.Enum):
    """What kept a request from being answered."""

    INVALID = "invalid"  # it cannot be sent as it is
    FORBIDDEN = "forbidden"  # its origin is not on the allow-list
    UNREACHABLE = "unreachable"  # no connection: refused, unknown name, TLS failure, no answer in time
    TIMEOUT = "timeout"  # the time for the whole exchange ran out
    LOST = "lost"  # the connection broke or ended
    SILENT = "silent"  # a stream paused for longer than its heartbeat
    MALFORMED = "malformed"  # the answer is not HTTP, or its encoding is broken
    TOO_LARGE = "too large"  # the answer, inflated, or one line of it, exceeds its limit
    CLOSED = "closed"  # the client was closed


_ADVICE: Final = {
    Sent.NOTHING: "nothing was sent, so nothing happened",
    Sent.MAYBE: "it may have been carried out: treat the outcome as unknown and look it up",
}


class HttpFailure(Exception):
    """A request without a usable answer; `sent` says what is known about its delivery."""

    def __init__(self, fault: Fault, phase: Phase, sent: Sent, request: str, text: str) -> None:
        super().__init__(f"{request}: {fault.value} in phase {phase.name.lower()}: {text}; {_ADVICE[sent]}")
        self.fault = fault
        self.phase = phase
        self.sent = sent
        self.request = request
        self.text = text
