"""TOML text into frozen records, strictly: a refusal names file, line, key, what was expected, what came."""

import datetime as dt
import re
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, mapping_structure_factory

from config.lines import Path, lines_of

T = TypeVar("T")


@attrs.frozen
class Problem:
    """One refused key; `line` is None where the text does not tell."""

    file: str
    line: int | None
    key: str
    expected: str
    got: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key or 'the document'}: expected {self.expected}, got {self.got}"


class ConfigError(Exception):
    """Settings that were refused whole; `problems` holds every refusal found, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"nothing was loaded; correct these and load again:\n{lines}")


class UnfitValue(ValueError):
    """A value that has the wrong form or does not fit its neighbours; `key` is relative to its record."""

    def __init__(self, expected: str, got: object, key: str = "") -> None:
        self.expected = expected
        self.got = got
        self.key = key
        super().__init__(f"{key or 'value'}: expected {expected}, got {show(got)}")


@attrs.frozen
class Remark:
    """What stands in a report in place of a value."""

    text: str


def show(value: object) -> str:
    """A value with its TOML type, short enough for one line."""
    if isinstance(value, Remark):
        return value.text
    text = repr(value) if isinstance(value, str) else str(value)
    name = _TOML_NAMES.get(type(value), type(value).__name__)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({name})"


_TOML_NAMES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "float",
    bool: "boolean",
    list: "array",
    dict: "table",
    dt.date: "date",
    dt.datetime: "date and time",
    dt.time: "time",
}


def parse(text: str, cls: type[T], file: str, prepare: Callable[[dict[str, Any]], None] | None = None) -> T:
    """The record in a TOML text, whose data `prepare` may complete; raises ConfigError with every problem."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides bad syntax: numbers and nesting beyond all measure
        raise ConfigError((_syntax_problem(error, text, file),)) from error
    if prepare is not None:
        prepare(data)
    return structure(data, cls, file, text)


def structure(data: Mapping[str, Any], cls: type[T], file: str, text: str = "") -> T:
    """The record in parsed data; raises ConfigError with every problem, and its line where the text is given."""
    try:
        return _CONVERTER.structure(data, cls)
    except Exception as error:
        lines = lines_of(text)
        found = [_located(path, problem, file, lines) for path, problem in _walk(error, ())]
        raise ConfigError(tuple(sorted(found, key=lambda problem: problem.line or 0))) from error


def _located(path: Path, problem: UnfitValue, file: str, lines: Mapping[Path, int]) -> Problem:
    full = path + tuple(problem.key.split(".") if problem.key else ())
    line = next((lines[full[:size]] for size in range(len(full), 0, -1) if full[:size] in lines), None)
    return Problem(file, line, ".".join(full), problem.expected, show(problem.got))


def _syntax_problem(error: Exception, text: str, file: str) -> Problem:
    place = re.search(r"\(at line (\d+), column \d+\)", str(error))
    at_end = "at end of document" in str(error)
    line = int(place[1]) if place else text.count("\n") + 1 if at_end else None
    return Problem(file, line, "", "TOML", f"what is not TOML: {error}")


def _walk(error: BaseException, path: Path) -> Iterator[tuple[Path, UnfitValue]]:
    """Every leaf of a cattrs error group with the keys that lead to it."""
    path = path + tuple(_steps(error))
    if isinstance(error, ClassValidationError | IterableValidationError):
        for inner in error.exceptions:
            yield from _walk(inner, path)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = ", ".join(sorted(field.alias for field in attrs.fields(error.cl)))
        for key in sorted(error.extra_fields):
            yield (*path, key), UnfitValue(f"one of {known}", Remark("a key that has no meaning here"))
    elif isinstance(error, KeyError):
        yield path, UnfitValue("a value", Remark("no such key"))
    else:
        yield (
            path,
            error if isinstance(error, UnfitValue) else UnfitValue("a valid value", Remark(str(error))),
        )


def _steps(error: BaseException) -> Iterator[str]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            yield note.name
        elif isinstance(note, IterableValidationNote):
            yield str(note.index)


def _decimal(value: object, _: object) -> Decimal:
    """Exact numbers come as text or integers; a float has lost its digits before we see it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UnfitValue(_DECIMAL, value)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise UnfitValue(_DECIMAL, value)
    return Decimal(value)


_DECIMAL = 'a decimal in quotes, such as "0.25"'
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def _exactly(kind: type, wording: str) -> Callable[[object, object], Any]:
    def check(value: object, _: object) -> Any:
        if type(value) is not kind:
            raise UnfitValue(wording, value)
        return value

    return check


def _literal(value: object, kind: Any) -> object:
    allowed = typing.get_args(kind)
    if value not in allowed:
        raise UnfitValue("one of " + ", ".join(map(str, allowed)), value)
    return value


def _record(cls: Any) -> Callable[[Any, Any], Any]:
    return _table(make_dict_structure_fn(cls, _CONVERTER, _cattrs_forbid_extra_keys=True))


def _mapping(kind: Any) -> Callable[[Any, Any], Any]:
    return _table(mapping_structure_factory(kind, _CONVERTER, structure_to=dict))


def _table(inner: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def check(value: object, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise UnfitValue("a table", value)
        return inner(value, kind)

    return check


def _array(value: object, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UnfitValue("an array", value)
    item = typing.get_args(kind)[0]
    return tuple(_CONVERTER.structure(value, list[item]))  # type: ignore[valid-type]  # known when it runs


def _made_from(*origins: Any) -> Callable[[Any], bool]:
    return lambda kind: typing.get_origin(kind) in origins


def _strict(converter: cattrs.Converter) -> cattrs.Converter:
    """The converter, coercing nothing and refusing keys that it does not know."""
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(str, _exactly(str, "a string"))
    converter.register_structure_hook(int, _exactly(int, "an integer"))
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook(dt.date, _exactly(dt.date, "a date such as 2026-12-18, without quotes"))
    converter.register_structure_hook_func(_made_from(typing.Literal), _literal)
    converter.register_structure_hook_func(_made_from(tuple), _array)
    converter.register_structure_hook_factory(_made_from(Mapping), _mapping)
    converter.register_structure_hook_factory(attrs.has, _record)
    return converter


_CONVERTER = _strict(cattrs.Converter())
