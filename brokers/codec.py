"""The model as JSON and back: decimals as strings, times as integers, enums by value, dates in ISO form.

What comes in is read strictly (see brokers.strict_json): fields that are unknown, missing or of another type are
refused, all at once, each with its path. What was encoded decodes to an equal value.
"""

import datetime as dt
import enum
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, overload

import attrs
import cattrs
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from brokers.instruments import sane
from brokers.market import Interval, MarketEvent
from brokers.order_events import Event
from brokers.strict_json import MAX_BYTES, MAX_NUMBER, Fault, InvalidJson, below, is_text, parse, shown

T = TypeVar("T")

DECIMAL: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
INTERVAL: Final = r"[1-9][0-9]{0,5}[smhdw]"
LEAST_INT, GREATEST_INT = -(2**63), 2**63 - 1


class Mismatch(ValueError):
    """A value that its field cannot take: `expected` and `value` say why."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, got {shown(value)}")
        self.expected = expected
        self.value = value


def encode(value: object, kind: Any = None) -> str:
    """The value as one line of JSON, tagged when `kind` is a union; raises Mismatch for what has no JSON."""
    return json.dumps(unstructure(value, kind), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@overload
def decode(document: str | bytes, kind: type[T], *, max_bytes: int = ...) -> T: ...
@overload
def decode(document: str | bytes, kind: UnionType, *, max_bytes: int = ...) -> Any: ...
def decode(document: str | bytes, kind: Any, *, max_bytes: int = MAX_BYTES) -> Any:
    """The value of this kind in a JSON document; raises InvalidJson with all that is wrong."""
    return structure(parse(document, max_bytes=max_bytes), kind)


@overload
def structure(raw: object, kind: type[T]) -> T: ...
@overload
def structure(raw: object, kind: UnionType) -> Any: ...
def structure(raw: object, kind: Any) -> Any:
    """The value of this kind in parsed JSON; raises InvalidJson with all that is wrong."""
    try:
        return _CONVERTER.structure(raw, kind)
    except (ClassValidationError, IterableValidationError, Mismatch) as error:
        raise InvalidJson(*_faults(error, "$")) from error


def unstructure(value: object, kind: Any = None) -> Any:
    """The value as plain JSON types, tagged when `kind` is a union; raises Mismatch for what has no JSON."""
    return _CONVERTER.unstructure(value, kind)


def tag(member: type) -> str:
    """How a member of a union is named in its `type` field: ReplaceRefused is replace_refused."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", member.__name__).lower()


def _faults(error: BaseException, path: str) -> Iterator[Fault]:
    match error:
        case ClassValidationError():
            noted, bare = error.group_exceptions()
            for inner, note in noted:
                yield from _faults(inner, below(path, note.name))
            for inner in bare:
                yield from _faults(inner, path)
        case IterableValidationError():
            for inner, place in error.group_exceptions()[0]:
                yield from _faults(inner, f"{path}[{place.index}]")
        case ForbiddenExtraKeysError():
            yield from (Fault(below(path, name), "unknown field") for name in sorted(error.extra_fields))
        case KeyError():
            yield Fault(path, "expected the field, it is missing")
        case _:
            yield Fault(path, str(error))


def _taken(kind: type[T], expected: str) -> Callable[[object, object], T]:
    def read(raw: object, _kind: object) -> T:
        if type(raw) is not kind:
            raise Mismatch(expected, raw)
        return raw

    return read


def _matched(pattern: str, expected: str, make: Callable[[str], T]) -> Callable[[object, object], T]:
    whole = re.compile(pattern)

    def read(raw: object, _kind: object) -> T:
        if not isinstance(raw, str) or len(raw) > MAX_NUMBER or not whole.fullmatch(raw):
            raise Mismatch(expected, raw)
        try:
            return make(raw)
        except ValueError:
            raise Mismatch(expected, raw) from None

    return read


def _read_int(raw: object, _kind: object) -> int:
    if type(raw) is not int or not LEAST_INT <= raw <= GREATEST_INT:
        raise Mismatch("an integer of 64 bits", raw)
    return raw


def _write_decimal(value: Decimal) -> str:
    text = format(value, "f") if sane(value) else ""
    if not 0 < len(text) <= MAX_NUMBER:
        raise Mismatch(f"a finite decimal of at most {MAX_NUMBER} characters", value)
    return text


def _write_text(value: str) -> str:
    if not is_text(value):
        raise Mismatch("text without lone surrogates", value)
    return value


def _enum_reader(kind: type[enum.Enum]) -> Callable[[object, object], enum.Enum]:
    members = {member.value: member for member in kind}
    expected = "one of " + ", ".join(map(str, members))

    def read(raw: object, _kind: object) -> enum.Enum:
        if not isinstance(raw, str) or raw not in members:
            raise Mismatch(expected, raw)
        return members[raw]

    return read


def _object(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise Mismatch("an object", raw)
    return raw


def _class_reader(kind: type[T], converter: cattrs.Converter) -> Callable[[object, object], T]:
    fields = make_dict_structure_fn(kind, converter)
    return lambda raw, _kind: fields(_object(raw), kind)


def _is_tuple(kind: Any) -> bool:
    origin: object = get_origin(kind)
    return origin is tuple


def _tuple_reader(kind: Any, converter: cattrs.Converter) -> Callable[[object, object], Any]:
    items = homogenous_tuple_structure_factory(kind, converter)

    def read(raw: object, _kind: object) -> Any:
        if not isinstance(raw, list):
            raise Mismatch("an array", raw)
        return items(raw, kind)

    return read


def _add_union(converter: cattrs.Converter, union: Any) -> None:
    """Tells the members of a union apart by a `type` field."""
    members = {tag(member): member for member in get_args(union)}
    expected = "an object whose type is one of " + ", ".join(sorted(members))

    def read(raw: object, _kind: object) -> Any:
        fields = dict(_object(raw))
        name = fields.pop("type", None)
        if not isinstance(name, str) or name not in members:
            raise Mismatch(expected, raw)
        return converter.structure(fields, members[name])

    def write(value: Any) -> dict[str, Any]:
        return {"type": tag(type(value)), **converter.unstructure(value)}

    converter.register_structure_hook(union, read)
    converter.register_unstructure_hook(union, write)


def _make() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    decimal_text = f'a decimal as a string of at most {MAX_NUMBER} characters, such as "4500.25"'
    converter.register_structure_hook(str, _taken(str, "text"))
    converter.register_structure_hook(bool, _taken(bool, "true or false"))
    converter.register_structure_hook(int, _read_int)
    converter.register_structure_hook(Decimal, _matched(DECIMAL, decimal_text, Decimal))
    converter.register_structure_hook(dt.date, _matched(DATE, "a date like 2026-12-18", dt.date.fromisoformat))
    converter.register_structure_hook(Interval, _matched(INTERVAL, "an interval like 15m or 1d", Interval.parse))
    converter.register_structure_hook_factory(lambda kind: isinstance(kind, enum.EnumMeta), _enum_reader)
    converter.register_structure_hook_factory(_is_tuple, _tuple_reader)
    converter.register_structure_hook_factory(lambda kind: attrs.has(kind) and kind is not Interval, _class_reader)
    converter.register_unstructure_hook(str, _write_text)
    converter.register_unstructure_hook(Decimal, _write_decimal)
    converter.register_unstructure_hook(dt.date, dt.date.isoformat)
    converter.register_unstructure_hook(Interval, str)
    for union in (MarketEvent, Event):
        _add_union(converter, union)
    return converter


_CONVERTER: Final = _make()
