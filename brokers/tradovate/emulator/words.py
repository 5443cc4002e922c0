"""How Tradovate writes: JSON with numbers, stamps in milliseconds, refusals, and bodies that are read with care."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, NoReturn

import msgspec

from brokers.emulation.web import Reply

SECOND_NS: Final = 1_000_000_000
DENIED: Final = "Access is denied"
EXPIRED: Final = "Expired Access Token"
_MILLISECOND_NS: Final = 1_000_000
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_SAID: Final = {
    400: "Bad Request",
    401: DENIED,
    403: "Forbidden",
    404: "Not found",
    423: "Locked",
    429: "",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

Fields = Mapping[str, Any]


class RefusedError(Exception):
    """A request is answered with a status other than 200."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


class AnsweredError(Exception):
    """A request is refused inside a reply of success: `body` is what the reply holds."""

    def __init__(self, body: Fields) -> None:
        super().__init__(str(body))
        self.body = body


def fail(reason: str, text: str) -> NoReturn:
    """Refuses a command; raises AnsweredError."""
    raise AnsweredError({"failureReason": reason, "failureText": text})


def violate(constraint: str, name: str, value: object, description: str) -> NoReturn:
    """Refuses an order body that breaks a rule of its form; raises AnsweredError."""
    shown = {"constraint": constraint, "value": f"{name}={str(value)[:40]}", "description": description}
    raise AnsweredError({"violations": [shown]})


def compact(value: object) -> bytes:
    """A value as JSON in which decimals are numbers."""
    return _ENCODER.encode(value)


def reply(value: object) -> Reply:
    """An answer of success."""
    return Reply(200, compact(value))


def failure(status: int, text: str = "") -> Reply:
    """An HTTP error: its body is the bare text."""
    return Reply(status, (text or _SAID.get(status, "Failed")).encode(), content_type="text/plain")


def plain(value: Decimal) -> Decimal:
    """A number without noughts at its end and without an exponent."""
    return Decimal(f"{value.normalize():f}") if value else Decimal(0)


def moment(time_ns: int) -> dt.datetime:
    """An instant in UTC, to the millisecond below."""
    seconds, rest = divmod(time_ns, SECOND_NS)
    return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=rest // _MILLISECOND_NS * 1000)


def stamp(time_ns: int) -> str:
    """An instant as 2025-12-01T14:30:03.101Z."""
    return f"{_second(time_ns // SECOND_NS)}.{time_ns % SECOND_NS // _MILLISECOND_NS:03d}Z"


@lru_cache(16)
def _second(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def date_object(day: dt.date) -> dict[str, int]:
    """A day as an object."""
    return {"year": day.year, "month": day.month, "day": day.day}


def read_object(text: bytes) -> dict[str, Any]:
    """A body that must be a JSON object, an absent one an empty object; raises RefusedError (400)."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, InvalidOperation):
        raise RefusedError(400, "Invalid JSON") from None
    return _object(value, "body")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(400, f"Invalid parameter: {name}")
    return value


def child(fields: Fields, name: str) -> dict[str, Any]:
    """An object inside of a body; raises RefusedError (400)."""
    return _object(fields.get(name), name)


def whole(fields: Fields, name: str) -> int:
    """A whole number, also written as a string; raises RefusedError (400)."""
    found = _whole(fields.get(name))
    if found is None:
        raise RefusedError(400, f"Invalid parameter: {name}")
    return found


def wholes(fields: Fields, name: str) -> list[int]:
    """Whole numbers, in a list or joined by commas; raises RefusedError (400)."""
    value = fields.get(name)
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    found = [_whole(part) for part in parts]
    if None in found:
        raise RefusedError(400, f"Invalid parameter: {name}")
    return [one for one in found if one is not None]


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def word(fields: Fields, name: str) -> str:
    """A text that is not empty; raises RefusedError (400)."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(400, f"Invalid parameter: {name}")
    return value


def number(fields: Fields, name: str, refuse: Callable[[object], NoReturn]) -> Decimal | None:
    """A number that may be absent; what is none is refused."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        refuse(value)
    found = Decimal(value)
    if not found.is_finite() or abs(found.adjusted()) > 15 or len(found.as_tuple().digits) > 30:
        refuse(value)
    return found


def read_time(value: object) -> int | None:
    """An ISO instant, None for what is none."""
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    found = found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
    span = found - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (span // dt.timedelta(milliseconds=1)) * _MILLISECOND_NS
