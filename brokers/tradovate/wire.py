"""Tradovate's frames and documents, decoded with limits; whatever the bytes are, the only failure is BadPayload.

o          the socket is open
h          a heartbeat
a[...]     responses {i, s, d} and events {e, d}, mixed
c[...]     a close notice: a code and a reason
"""

import datetime as dt
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

import attrs
import msgspec

from brokers.figures import decoder
from brokers.instruments import sane

T = TypeVar("T")

MAX_DOCUMENT: Final = 8 * 1024 * 1024
MAX_FRAME: Final = 8 * 1024 * 1024
_SHOWN: Final = 200
_DAY_NS: Final = 86_400_000_000_000
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class BadPayload(ValueError):
    """What the broker sent cannot be: `what` it was, what was `expected`, and the `excerpt` that came instead."""

    def __init__(self, what: str, expected: str, excerpt: object) -> None:
        self.what = what
        self.expected = expected
        self.excerpt = repr(excerpt)[:_SHOWN]
        super().__init__(f"{what}: expected {expected}, got {self.excerpt}; put aside; ask the broker again")


class Payload(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What all payloads are: frozen, with Tradovate's spelling of the field names; unknown fields are passed over."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One response (`s` is its status) or one event (`e` is its kind); `d` is what it holds, not yet read."""

    i: int = -1
    s: int = 0
    e: str = ""
    d: msgspec.Raw = msgspec.Raw(b"")


@attrs.frozen
class Opened:
    """The socket waits to be authorized."""


@attrs.frozen
class Beat:
    """The broker is alive."""


@attrs.frozen
class Closing:
    """The broker ends the socket."""

    code: int
    reason: str


Frame = Opened | Beat | Closing | tuple[Message, ...]

_OPENED: Final = Opened()
_BEAT: Final = Beat()
_MESSAGES: Final = msgspec.json.Decoder(tuple[Message, ...])
_NOTICE: Final = msgspec.json.Decoder(tuple[int, str])
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
BROKEN: Final = (msgspec.MsgspecError, RecursionError, ValueError)
"""What decoding raises for bytes that are not what was expected."""


def read_frame(text: str | bytes) -> Frame:
    """What a frame holds; raises BadPayload."""
    frame = text if isinstance(text, str) else _text(text)
    kind = frame[:1]
    try:
        if kind == "a":
            return _MESSAGES.decode(frame[1:])
        if kind == "c":
            return Closing(*_NOTICE.decode(frame[1:]))
    except BROKEN as error:
        raise BadPayload("frame", f"messages ({error})", frame[:_SHOWN]) from None
    if frame == "h":
        return _BEAT
    if frame == "o":
        return _OPENED
    raise BadPayload("frame", "one that begins with o, h, a or c", frame[:_SHOWN])


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadPayload("frame", "text in UTF-8", data[:_SHOWN]) from None


def request_text(endpoint: str, number: int, body: str = "", query: str = "") -> str:
    """A request as a socket takes it."""
    return f"{endpoint}\n{number}\n{query}\n{body}"


def decode(kind: type[T], data: bytes | msgspec.Raw, limit: int = MAX_DOCUMENT) -> T:
    """The document as that kind; raises BadPayload."""
    if len(memoryview(data)) > limit:
        raise BadPayload(_name(kind), f"at most {limit} bytes", f"{len(memoryview(data))} bytes")
    try:
        return cast("T", _decoder(kind).decode(data))
    except BROKEN as error:
        raise BadPayload(_name(kind), str(error), bytes(memoryview(data)[:_SHOWN])) from None


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    found = _DECODERS.get(kind)
    if found is None:
        found = _DECODERS[kind] = decoder(kind)
    return found


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


# What stands in the fields.


def quantity(value: Decimal, what: str) -> Decimal:
    """A quantity of zero or more; raises BadPayload."""
    if not sane(value) or value < 0:
        raise BadPayload(what, "a number of zero or more", value)
    return value


def price(value: Decimal, what: str) -> Decimal:
    """A price, which may be negative; raises BadPayload for what no market shows."""
    if not sane(value):
        raise BadPayload(what, "a price", value)
    return value


def time_ns(text: str, what: str) -> int:
    """A stamp as nanoseconds since 1970 UTC; raises BadPayload."""
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment_ns(moment)
    except (ValueError, TypeError, OverflowError):
        raise BadPayload(what, "a time like 2025-12-01T14:30:05.100Z", text) from None


def moment_ns(moment: dt.datetime) -> int:
    """A moment that knows its zone as nanoseconds since 1970 UTC."""
    since = moment - _EPOCH
    return since.days * _DAY_NS + since.seconds * 1_000_000_000 + since.microseconds * 1_000


def stamp(time_ns: int) -> str:
    """A moment as the broker writes it, to the millisecond, rounded down."""
    moment = _EPOCH + dt.timedelta(milliseconds=time_ns // 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
