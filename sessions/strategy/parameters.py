"""A strategy's parameters from settings: `fast=12` on a command line, or values of a TOML table, into its attrs class.

A parameter is a str, int, bool, Decimal, Interval, enum or Literal, a tuple of one of these, or any of them or None.
All that is wrong is told at once.
"""

import enum
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.instruments import sane
from brokers.market import Interval
from config.reading import UnfitValue, show
from sessions.strategy.errors import BadStrategy, ParameterError, ParameterProblem
from sessions.strategy.strategy import Strategy

_INT: Final = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?")
_SWITCH: Final = {"true": True, "false": False}


@attrs.frozen
class _Text:
    """A value that was written on a command line, where all is text."""

    text: str


def from_words(strategy: type[Strategy[Any, Any]], words: Iterable[str]) -> Any:
    """The parameters in words like `fast=12`, a tuple as `a,b,c`; raises ParameterError."""
    values: dict[str, object] = {}
    problems: list[ParameterProblem] = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            problems.append(ParameterProblem(word, "key=value, such as fast=12", "no key and value"))
        elif key in values:
            problems.append(ParameterProblem(key, "one value", "a second one"))
        else:
            values[key] = _Text(text)
    return _made(strategy, values, problems)


def from_table(strategy: type[Strategy[Any, Any]], table: Mapping[str, object]) -> Any:
    """The parameters in a TOML table, exact numbers in quotes; raises ParameterError."""
    return _made(strategy, table, [])


def changed_keys(old: object, new: object) -> tuple[str, ...]:
    """The parameters in which two values of one or of two versions of a class differ."""
    before, after = _values(old), _values(new)
    names = dict.fromkeys((*before, *after))
    return tuple(name for name in names if name not in before or name not in after or before[name] != after[name])


def _values(parameters: Any) -> dict[str, Any]:
    return {field.name: getattr(parameters, field.name) for field in attrs.fields(type(parameters))}


def _made(strategy: type[Strategy[Any, Any]], values: Mapping[str, object], problems: list[ParameterProblem]) -> Any:
    kind = strategy.parameters_type
    fields = {field.alias: field for field in attrs.fields(attrs.resolve_types(kind)) if field.init}
    taken: dict[str, object] = {}
    problems += [
        ParameterProblem(key, f"one of {', '.join(fields) or 'none: it takes no parameters'}", "an unknown key")
        for key in values
        if key not in fields
    ]
    for key, field in fields.items():
        if key in values:
            _take(key, field.type, values[key], taken, problems)
        elif field.default is attrs.NOTHING:
            problems.append(ParameterProblem(key, f"{_described(field.type)}: it has no default", "nothing"))
    if not problems:
        return _built(strategy, taken)
    raise ParameterError(strategy.__qualname__, tuple(problems))


def _take(key: str, kind: Any, value: object, taken: dict[str, object], problems: list[ParameterProblem]) -> None:
    try:
        taken[key] = _read(kind, value)
    except UnfitValue as error:
        got = repr(error.got.text) if isinstance(error.got, _Text) else show(error.got)
        problems.append(ParameterProblem(key, error.expected, got))


def _built(strategy: type[Strategy[Any, Any]], values: dict[str, object]) -> Any:
    """The parameters, held against the class's own validators, which may speak of several at once."""
    try:
        return strategy.parameters_type(**values)
    except UnfitValue as error:
        problem = ParameterProblem(error.key or "the parameters", error.expected, show(error.got))
    except (ValueError, TypeError, ArithmeticError) as error:
        named = [key for key in values if f"'{key}'" in str(error)]
        problem = ParameterProblem(", ".join(named) or "the parameters", "valid values", str(error.args[0]))
    raise ParameterError(strategy.__qualname__, (problem,))


# What each kind of field takes.


def _read(kind: Any, value: object) -> object:
    """The value of a field's type; raises UnfitValue."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return _read_optional(kind, inner, value)
    if origin is tuple and len(inner) == 2 and inner[1] is ...:
        return tuple(_read(inner[0], item) for item in _items(kind, value))
    if origin is typing.Literal:
        return _chosen(kind, {str(choice): choice for choice in inner}, value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _chosen(kind, {str(member.value): member for member in kind}, value)
    if kind not in _READERS:
        raise BadStrategy(repr(kind), "is no type of a parameter; see sessions.strategy.parameters for those that are")
    return _READERS[kind](kind, value)


def _read_optional(kind: Any, inner: tuple[Any, ...], value: object) -> object:
    """The value of `X | None`: TOML has no null, so a missing key is None, and on a command line the empty text."""
    kinds = [one for one in inner if one is not types.NoneType]
    if len(kinds) != 1:
        raise BadStrategy(str(kind), "is no type of a parameter: only `X | None` can be read")
    return None if value == _Text("") else _read(kinds[0], value)


def _items(kind: Any, value: object) -> Iterator[object]:
    if isinstance(value, _Text):
        return (_Text(part.strip()) for part in value.text.split(",")) if value.text else iter(())
    if not isinstance(value, list):
        raise UnfitValue(_described(kind), value)
    return iter(value)


def _chosen(kind: Any, choices: Mapping[str, object], value: object) -> object:
    text = value.text if isinstance(value, _Text) else value
    if isinstance(text, bool) or not isinstance(text, str | int) or str(text) not in choices:
        raise UnfitValue(_described(kind), value)
    return choices[str(text)]


def _text(kind: Any, value: object) -> object:
    found = value.text if isinstance(value, _Text) else value
    if not isinstance(found, str):
        raise UnfitValue(_described(kind), value)
    return found


def _int(kind: Any, value: object) -> object:
    if isinstance(value, _Text) and _INT.fullmatch(value.text):
        return int(value.text)
    if type(value) is not int:
        raise UnfitValue(_described(kind), value)
    return value


def _bool(kind: Any, value: object) -> object:
    found = _SWITCH.get(value.text) if isinstance(value, _Text) else value
    if not isinstance(found, bool):
        raise UnfitValue(_described(kind), value)
    return found


def _decimal(kind: Any, value: object) -> object:
    text = value.text if isinstance(value, _Text) else value
    if type(text) is int:
        text = str(text)
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text) or not sane(Decimal(text)):
        raise UnfitValue(_described(kind), value)
    return Decimal(text)


def _interval(kind: Any, value: object) -> object:
    try:
        return Interval.parse(str(_text(kind, value)))
    except ValueError as error:
        raise UnfitValue(_described(kind), value) from error


_READERS: Final[dict[Any, Callable[[Any, object], object]]] = {
    str: _text,
    int: _int,
    bool: _bool,
    Decimal: _decimal,
    Interval: _interval,
}

_NAMES: Final[dict[Any, str]] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    Decimal: 'an exact number, such as "0.25" (in quotes in TOML)',
    Interval: "an interval, such as 1m, 15m or 1d",
}


def _described(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_described(one) for one in inner if one is not types.NoneType)
    if origin is tuple:
        return f"a list, each {_described(inner[0])}"
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}"
    return _NAMES.get(kind, str(kind))
