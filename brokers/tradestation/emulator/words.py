"""How TradeStation writes: JSON, stamps, numbers as strings, and its error objects."""

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec

from brokers.emulation.web import Reply

SECOND_NS: Final = 1_000_000_000
_ERRORS: Final = {
    400: ("BadRequest", "Bad Request"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "Forbidden"),
    404: ("NotFound", "Not Found"),
    429: ("TooManyRequests", "Too Many Requests"),
    500: ("InternalServerError", "Internal Server Error"),
    501: ("NotImplemented", "Not Implemented"),
    503: ("ServiceUnavailable", "Service Unavailable"),
    504: ("GatewayTimeout", "Gateway Timeout"),
}
_STRANGE: Final = ("Failed", "Failed")
_ENCODER: Final = msgspec.json.Encoder()


class RefusedError(Exception):
    """A request is answered with an HTTP error."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message

    @property
    def reply(self) -> Reply:
        """The answer."""
        return failure(self.status, self.message)


def failure(status: int, message: str = "") -> Reply:
    """An HTTP error with TradeStation's error object."""
    name, usual = _ERRORS.get(status, _STRANGE)
    return reply({"Error": name, "Message": message or usual}, status=status)


def reply(value: Any, *, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, compact(value))


def compact(value: Any) -> bytes:
    """A value as JSON without spaces."""
    return _ENCODER.encode(value)


def frame(value: Any) -> bytes:
    """A value as one object of a stream."""
    return compact(value) + b"\n"


def number(value: Decimal | int) -> str:
    """A number as TradeStation writes it: a string without exponent or noughts at its end."""
    value = Decimal(value)
    return f"{value.normalize():f}" if value else "0"


def moment(time_ns: int) -> dt.datetime:
    """An instant in UTC, to the second below."""
    return dt.datetime.fromtimestamp(time_ns // SECOND_NS, dt.UTC)


def stamp(time_ns: int) -> str:
    """An instant as RFC 3339 with seconds."""
    return _second(time_ns // SECOND_NS)


@lru_cache(64)
def _second(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def date_stamp(day: dt.date) -> str:
    """A day as an instant whose time is to be ignored."""
    return f"{day.isoformat()}T00:00:00Z"


def read_time(text: str) -> int:
    """An instant from YYYY-MM-DD or RFC 3339; raises RefusedError (400)."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(400, f"Invalid date: {text[:40]}") from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
    return int(found.timestamp()) * SECOND_NS
