"""Environment variables as a layer: PITBOSS__SESSIONS__ES_TREND__SYMBOLS=ES,NQ sets sessions.es-trend.symbols.

Two underscores stand between the steps of a key, capitals for small letters, and one underscore for the hyphen in the
name of a broker or session. Names hold no underscore, so every key has exactly one variable.
"""

import tomllib
import typing
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from config.lines import Path
from config.reading import Problem
from config.settings.fields import Field
from config.settings.layers import Layer, Origin
from config.settings.schema import Settings, fields, is_set_by_name, is_table, named_record_of, record_of, value_type

PREFIX = "PITBOSS__"


def variable_of(path: Path) -> str:
    """The environment variable of a key."""
    return PREFIX + "__".join(step.replace("-", "_").upper() for step in path)


@attrs.frozen
class _Target:
    """Where a variable's name leads: `field` is None off the map, `entry` says that it names one entry of a table."""

    path: Path
    field: Field | None
    entry: bool
    whole: bool


def environment_layer(environ: Mapping[str, str]) -> tuple[Layer, tuple[Problem, ...]]:
    """What the variables state, and the problems of those that cannot be a value at all."""
    data: dict[str, Any] = {}
    origins: dict[Path, Origin] = {}
    problems: list[Problem] = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        origin = Origin(variable, variable=True)
        target = _target(variable)
        refusal = _refusal(environ[variable], target)
        if refusal is not None:
            problems.append(Problem(origin.name, None, ".".join(target.path), *refusal))
            continue
        value = _value(environ[variable], target)
        _put(data, target.path, value)
        origins.update(dict.fromkeys(_paths(target.path, value), origin))
        origins = {target.path[:size]: origin for size in range(1, len(target.path))} | origins
    return Layer(data, origins), tuple(problems)


def _target(variable: str) -> _Target:
    path: list[str] = []
    record: type[Any] | None = Settings
    field: Field | None = None
    entry = False
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        named = named_record_of(field) if field is not None else None
        if record is not None:
            field = fields(record).get(part)
            record = record_of(field) if field is not None else None
            path.append(part)
        elif named is not None:
            field, record = None, named
            path.append(part.replace("_", "-"))
        else:
            entry = field is not None and is_table(field)
            path.append(part)
    whole = record is not None or (field is not None and named_record_of(field) is not None)
    return _Target(tuple(path), field, entry, whole)


def _refusal(text: str, target: _Target) -> tuple[str, str] | None:
    """What was expected and what came, where a variable cannot be a value at all."""
    if not all(target.path):
        return "a key on each side of every two underscores", "none"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "UTF-8 text", "bytes that are none"
    if target.whole:
        return f"a variable of one key, such as {variable_of(target.path)}__KEY", "one that names a whole table"
    if target.entry and target.field is not None and not is_set_by_name(target.field):
        return "a variable of the whole table with a value such as {ES = 1}", "one that names a single entry"
    return None


def _value(text: str, target: _Target) -> Any:
    """The text as the field's type has it; what cannot be read stays text, which the reader then refuses."""
    kind = Any if target.field is None or target.entry else value_type(target.field)
    if kind in (str, Decimal) or typing.get_origin(kind) is typing.Literal:
        return text
    if typing.get_origin(kind) is tuple and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    return _toml_value(text)


def _toml_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}\n")
    except (ValueError, RecursionError):
        return text
    return table["value"] if list(table) == ["value"] else text


def _put(data: dict[str, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        inner = data.setdefault(step, {})
        if not isinstance(inner, dict):
            inner = data[step] = {}
        data = inner
    data[path[-1]] = value


def _paths(path: Path, value: Any) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else ()
    return [path, *(deeper for key, one in inner for deeper in _paths((*path, key), one))]
