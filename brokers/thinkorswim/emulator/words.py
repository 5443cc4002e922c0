"""How Schwab writes: JSON with plain numbers, stamps of three kinds, and errors of three shapes, text and HTML."""

import datetime as dt
import json
import uuid
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from brokers.emulation.web import Reply

SECOND_NS: Final = 1_000_000_000
MILLISECOND_NS: Final = 1_000_000
EASTERN: Final = zoneinfo.ZoneInfo("America/New_York")
_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode
_MESSAGES: Final = {
    400: "Bad Request",
    401: "Not authorized to access this resource",
    403: "Forbidden",
    404: "Not Found",
}
_TITLES: Final = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
_WHITELABEL: Final = (
    b"<html><body><h1>Whitelabel Error Page</h1>"
    b"<p>This application has no explicit mapping for /error.</p></body></html>"
)
_FAULTS: Final = {
    401: ("Invalid access token", "keymanagement.service.invalid_access_token"),
    404: ("Unable to identify proxy for host", "messaging.adaptors.http.flow.ApplicationNotFound"),
    413: ("Body buffer overflow", "protocol.http.TooBigBody"),
    429: ("Rate limit quota violation", "policies.ratelimit.QuotaViolation"),
}


class RefusedError(Exception):
    """A request is answered with an HTTP error; `source` says what of it was wrong, where that is told."""

    def __init__(self, status: int, said: str, **source: str) -> None:
        super().__init__(f"{status} {said}")
        self.status = status
        self.said = said
        self.source = source


# Errors.


def trader_error(refused: RefusedError) -> Reply:
    """An error of the trading interface."""
    message = _MESSAGES.get(refused.status, "Failed")
    return reply({"message": message, "errors": [refused.said]}, status=refused.status)


def market_error(refused: RefusedError, chance: Random) -> Reply:
    """An error of the market-data interface; its status is a string beside a header, else a number."""
    status: int | str = str(refused.status) if "header" in refused.source else refused.status
    error = {
        "id": new_uuid(chance),
        "status": status,
        "title": _TITLES.get(refused.status, "Error"),
        "detail": refused.said,
        "source": refused.source,
    }
    return reply({"errors": [error]}, status=refused.status)


def gateway_error(status: int) -> Reply:
    """An error of the gateway in front: JSON, plain text when what is behind it is slow, HTML when it is broken."""
    if status == 500:
        return Reply(status, _WHITELABEL, content_type="text/html;charset=UTF-8")
    if status > 500:
        return Reply(status, b"upstream request timeout", content_type="text/plain")
    said, code = _FAULTS.get(status, ("Request failed", f"protocol.http.{status}"))
    return reply({"fault": {"faultstring": said, "detail": {"errorcode": code}}}, status=status)


# JSON.


def reply(value: Any, *, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, compact(value))


def compact(value: Any) -> bytes:
    """A value as JSON without spaces, its decimals as exact numbers."""
    return _ENCODE(value)


def read_json(body: bytes) -> dict[str, Any]:
    """A body that must be a JSON object; raises RefusedError (400)."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise RefusedError(400, "The request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "The request body must be a JSON object")
    return value


def plain(value: Decimal) -> Decimal:
    """A number without noughts at its end, and without an exponent where it is written."""
    return Decimal(f"{value.normalize():f}") if value else Decimal(0)


def cents(value: Decimal) -> Decimal:
    """An amount of money as it is shown."""
    return value.quantize(Decimal("0.01"))


def new_uuid(chance: Random) -> str:
    """An id in the form of a UUID."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


# Times.


def milliseconds(time_ns: int) -> int:
    """An instant of market data."""
    return time_ns // MILLISECOND_NS


def stamp(time_ns: int) -> str:
    """An instant as replies of the trading interface write it."""
    return dt.datetime.fromtimestamp(time_ns // SECOND_NS, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def local_stamp(time_ns: int) -> str:
    """An instant as account activity writes it: of the east coast, without saying so."""
    found = dt.datetime.fromtimestamp(time_ns // SECOND_NS, EASTERN)
    return f"{found:%Y-%m-%d %H:%M:%S}.{time_ns // MILLISECOND_NS % 1000:03d}"


def read_stamp(query: Mapping[str, str], name: str) -> int:
    """An instant of a query, which is wanted, as yyyy-MM-dd'T'HH:mm:ss.SSSZ; raises RefusedError (400)."""
    text = query.get(name, "")
    try:
        found = dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise RefusedError(400, f"{name} must be given as yyyy-MM-dd'T'HH:mm:ss.SSSZ", parameter=name) from None
    return round(found.timestamp() * 1000) * MILLISECOND_NS
