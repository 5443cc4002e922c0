"""The audit hook: one record for each request, each answer or failure, and each frame, with no secret in it."""

import enum
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, TypedDict, Unpack

import attrs

from runtime.wire.delivery import Sent
from runtime.wire.redaction import Redactor
from runtime.world import Clock

KEPT_BYTES: Final = 64 * 1024
_MARGIN: Final = 4 * 1024  # longer than any secret: none can lie half inside the part that is kept

Headers = tuple[tuple[str, str], ...]


class Direction(enum.Enum):
    """Which way the bytes went."""

    OUT = "out"
    IN = "in"


class Kind(enum.Enum):
    """What a record tells."""

    REQUEST = "request"  # an HTTP request, or the request that opens a WebSocket; taken before its first byte
    ANSWER = "answer"  # the answer to it, whatever its status
    FAILURE = "failure"  # there was no usable answer; `sent` tells whether the request may have arrived
    FRAME = "frame"  # a WebSocket message, or a piece of a streamed answer
    CLOSED = "closed"  # the end of a WebSocket or of a streamed answer


@attrs.frozen
class Exchange:
    """One record; those with the same connection and number belong together.

    The body is text with its secrets masked. One that is longer than what is kept is cut, and the hash is
    that of all its bytes.
    """

    kind: Kind
    direction: Direction
    connection: str
    number: int
    monotonic_ns: int
    wall_ns: int
    method: str = ""
    url: str = ""
    headers: Headers = ()
    body: str = ""
    body_bytes: int = 0
    body_sha256: str | None = None
    status: int | None = None
    sent: Sent | None = None
    intent_key: str | None = None


class Content(TypedDict, total=False):
    """What a record holds besides its stamps, before redaction."""

    method: str
    url: str
    headers: Iterable[tuple[str, str]]
    body: str | bytes
    status: int
    sent: Sent


Capture = Callable[[Exchange], None]  # takes a record, at once and without fail


class Recorder:
    """Makes the records of one connection and hands them to a capture.

    Bodies are cut at `kept_bytes`. Without `heard` the messages of streams that come in make no records: prices all
    day long would fill any disk, and what is asked, answered and sent is recorded all the same.
    """

    def __init__(
        self,
        connection: str,
        clock: Clock,
        redactor: Redactor,
        capture: Capture,
        *,
        kept_bytes: int = KEPT_BYTES,
        heard: bool = True,
    ) -> None:
        self.connection = connection
        self._kept_bytes = kept_bytes
        self._heard = heard
        self._clock = clock
        self._redactor = redactor
        self._capture = capture
        self._number = 0

    def number(self) -> int:
        """A number that ties the records of the next exchange together."""
        self._number += 1
        return self._number

    def record(
        self,
        kind: Kind,
        direction: Direction,
        number: int,
        *,
        intent_key: str | None = None,
        **content: Unpack[Content],
    ) -> None:
        """Stamps, redacts and hands over one record."""
        if kind is Kind.FRAME and direction is Direction.IN and not self._heard:
            return
        body = content.get("body", b"")
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        self._capture(
            Exchange(
                kind=kind,
                direction=direction,
                connection=self.connection,
                number=number,
                monotonic_ns=self._clock.monotonic_ns(),
                wall_ns=self._clock.wall_ns(),
                method=content.get("method", ""),
                url=self._redactor.text(content.get("url", "")),
                headers=self._redactor.headers(content.get("headers", ())),
                body=self._kept(raw),
                body_bytes=len(raw),
                body_sha256=hashlib.sha256(raw).hexdigest() if len(raw) > self._kept_bytes else None,
                status=content.get("status"),
                sent=content.get("sent"),
                intent_key=intent_key,
            )
        )

    def _kept(self, raw: bytes) -> str:
        """Masks first and cuts then, so that no secret survives as a part."""
        if len(raw) <= self._kept_bytes:
            return self._redactor.body(raw)
        masked = self._redactor.body(raw[: self._kept_bytes + _MARGIN])
        return masked[: min(self._kept_bytes, len(masked) - _MARGIN)]
