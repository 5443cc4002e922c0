"""The rows of a batch, read straight into classes; one bad row costs itself and no other."""

from collections.abc import Mapping
from typing import Final

import msgspec

from brokers.figures import decoder
from brokers.thinkorswim.fields import Service
from brokers.thinkorswim.rows import ActivityRow, EquityCandle, EquityRow, FutureCandle, FutureRow, Row
from brokers.thinkorswim.wire import Malformed, decoded


class _Key(msgspec.Struct):
    key: str = ""


_ROWS: Final[Mapping[str, type[Row]]] = {
    Service.LEVELONE_FUTURES.value: FutureRow,
    Service.LEVELONE_EQUITIES.value: EquityRow,
    Service.CHART_FUTURES.value: FutureCandle,
    Service.CHART_EQUITY.value: EquityCandle,
    Service.ACCT_ACTIVITY.value: ActivityRow,
}
_WHOLE: Final = {service: decoder(list[row]) for service, row in _ROWS.items()}  # type: ignore[valid-type]  # a class from a table
_ONE: Final = {service: decoder(row) for service, row in _ROWS.items()}
_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_KEYS: Final = msgspec.json.Decoder(_Key)


class _Body(msgspec.Struct):
    order: str = msgspec.field(default="", name="SchwabOrderID")


_BODIES: Final = msgspec.json.Decoder(_Body)


def order_in(body: str) -> str:
    """The order that an account's activity is about, empty where it does not say; raises Malformed."""
    return decoded(_BODIES, body, "the JSON text of an order's event").order


def carries_rows(service: str) -> bool:
    """Whether the rows of a service mean something to us; those of all others are passed over."""
    return service in _ROWS


def decode_rows(service: str, content: msgspec.Raw) -> tuple[list[Row], list[tuple[str, Malformed]]]:
    """The rows that can be read, and the others with their keys, as far as those can be read.

    Raises Malformed when it is no list at all.
    """
    try:
        return _WHOLE[service].decode(content), []
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return _one_by_one(service, content)


def _one_by_one(service: str, content: msgspec.Raw) -> tuple[list[Row], list[tuple[str, Malformed]]]:
    rows: list[Row] = []
    bad: list[tuple[str, Malformed]] = []
    for part in decoded(_PARTS, content, f"a list of rows of {service}"):
        try:
            rows.append(decoded(_ONE[service], part, f"a row of {service}"))
        except Malformed as error:
            bad.append((_key_of(part), error))
    return rows, bad


def _key_of(part: msgspec.Raw) -> str:
    try:
        return decoded(_KEYS, part, "a row with a key").key
    except Malformed:
        return ""
