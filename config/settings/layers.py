"""Settings as they were stated: each source is a layer of keys with their origins, and a later layer wins."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from config.lines import Path, lines_of
from config.reading import ConfigError, Problem
from config.settings.secrets import is_secret_value


@attrs.frozen
class Origin:
    """Where a value was stated: a file and its line, or an environment variable."""

    place: str
    line: int | None = None
    variable: bool = False

    @property
    def name(self) -> str:
        """The file or the variable, in words."""
        return f"environment variable {self.place}" if self.variable else self.place

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}:{self.line}"


DEFAULT = Origin("default")
_NOWHERE = Origin("the settings as a whole")


@attrs.frozen
class Source:
    """The text of one file under the name that reports use for it."""

    name: str
    text: str


@attrs.frozen
class Layer:
    """What one source or several merged state; `origins` tells it for each path in `data`."""

    data: Mapping[str, Any] = attrs.field(factory=dict)
    origins: Mapping[Path, Origin] = attrs.field(factory=dict)

    def problem(self, path: Path, expected: str, got: str) -> Problem:
        """A problem at the place where the path, or else what holds it, was stated."""
        known = (path[:size] for size in range(len(path), 0, -1))
        origin = next((self.origins[part] for part in known if part in self.origins), _NOWHERE)
        return Problem(origin.name, origin.line, ".".join(map(_shown, path)), expected, got)

    def value(self, path: Path) -> Any:
        """What is stated at a path, None where nothing is."""
        value: Any = self.data
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def without(self, paths: Iterable[Path]) -> "Layer":
        """The layer without what stands at the paths."""
        data: Mapping[str, Any] = self.data
        for path in paths:
            data = _removed(data, path)
        return attrs.evolve(self, data=data)


def _shown(step: str) -> str:
    return "***" if is_secret_value(step) else step


def read_layer(source: Source) -> Layer:
    """The layer that a file's text states; raises ConfigError where the text is not TOML."""
    try:
        data = tomllib.loads(source.text)
        lines = lines_of(source.text)
    except (ValueError, RecursionError) as error:  # numbers too long and tables too deep are no TOMLDecodeError
        raise ConfigError((_syntax_problem(error, source),)) from error
    return Layer(data, {path: Origin(source.name, line) for path, line in lines.items()})


def _syntax_problem(error: Exception, source: Source) -> Problem:
    words = "tables or arrays too deep" if isinstance(error, RecursionError) else str(error)
    place = re.search(r" ?\(at (?:line (\d+), column \d+|end of document)\)", words)
    why = words.replace(place[0], "") if place else words
    got = "what is not TOML" if is_secret_value(why) else f"what is not TOML: {why}"
    last = source.text.rstrip().count("\n") + 1
    line = int(place[1] or last) if place else None
    return Problem(source.name, line, "", "TOML", got)


def merged(layers: Iterable[Layer]) -> Layer:
    """The layers as one: tables are merged key by key, any other value is replaced by that of a later layer."""
    data: Mapping[str, Any] = {}
    origins: dict[Path, Origin] = {}
    for layer in layers:
        data = _united(data, layer.data)
        origins.update(_news(layer, origins))
    return Layer(data, origins)


def _news(layer: Layer, known: Mapping[Path, Origin]) -> Iterator[tuple[Path, Origin]]:
    """The origins that a layer adds; a table is where it was first mentioned, a value where it was last stated."""
    for path, origin in layer.origins.items():
        if path not in known or not isinstance(layer.value(path), Mapping):
            yield path, origin


def _united(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> Mapping[str, Any]:
    united = dict(lower)
    for key, value in upper.items():
        below = united.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        united[key] = _united(below, value) if both else value  # type: ignore[arg-type]  # both are tables
    return united


def _removed(data: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    head, rest = path[0], path[1:]
    if head not in data:
        return data
    if not rest:
        return {key: value for key, value in data.items() if key != head}
    inner = data[head]
    return {**data, head: _removed(inner, rest)} if isinstance(inner, Mapping) else data
