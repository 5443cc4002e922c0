"""Files and environment into settings: defaults, then each file from left to right, then the environment."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from config.lines import Path
from config.reading import ConfigError, Problem, structure
from config.settings.conflicts import Readable, conflicts
from config.settings.environment import environment_layer
from config.settings.keys import refusals
from config.settings.layers import DEFAULT, Layer, Origin, Source, merged, read_layer
from config.settings.schema import Settings, embedded_brokers, fields, named_record_of, record_of


@attrs.frozen
class Loaded:
    """Settings that fit, and where each key was stated."""

    settings: Settings
    origins: Mapping[Path, Origin] = attrs.field(factory=dict, repr=False)

    def origin(self, path: Path) -> Origin:
        """Where the value of a key comes from."""
        return self.origins.get(path, DEFAULT)


def load(sources: Iterable[Source], environ: Mapping[str, str]) -> Loaded:
    """The settings that the sources and the environment state; raises ConfigError with every problem."""
    loaded, problems = _examined(sources, environ)
    if loaded is None:
        raise ConfigError(problems)
    return loaded


def check(sources: Iterable[Source], environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Every problem of the settings, source by source; empty when they would load."""
    return _examined(sources, environ)[1]


def _examined(sources: Iterable[Source], environ: Mapping[str, str]) -> tuple[Loaded | None, tuple[Problem, ...]]:
    report = _Report()
    layers = [*_files(sources, report), _environment(environ, report)]
    stated = merged(layers)
    parts = _parts(stated, report)
    if report.complete:
        for conflict in conflicts(_readable(parts), stated):
            report.add(stated.problem(conflict.path, conflict.expected, conflict.words), conflict.path)
    if report.problems:
        return None, report.in_order()
    return Loaded(Settings(**{key: part for key, part in parts.items() if part}), stated.origins), ()


class _Report:
    """The problems found so far; what is absent because it was refused is no further problem."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.refused: set[Path] = set()
        self.complete = True  # whether every source was read, so that an absent key is known to be absent
        self._places: dict[str, int] = {}

    def begin(self, source: str) -> None:
        """Notes the next source, for the order of the problems."""
        self._places.setdefault(source, len(self._places))

    def add(self, problem: Problem, path: Path) -> None:
        """Adds a problem of a path."""
        self.problems.append(problem)
        self.refused.add(path)

    def unreadable(self, problems: Iterable[Problem]) -> None:
        """Adds the problems of a source that could not be read at all."""
        self.problems += problems
        self.complete = False

    def in_order(self) -> tuple[Problem, ...]:
        """Source by source from left to right, each from top to bottom, the environment last."""
        last = len(self._places)
        return tuple(sorted(self.problems, key=lambda one: (self._places.get(one.file, last), one.line or 0)))


def _files(sources: Iterable[Source], report: _Report) -> Iterator[Layer]:
    for source in sources:
        report.begin(source.name)
        try:
            layer = read_layer(source)
        except ConfigError as error:
            report.unreadable(error.problems)
        else:
            yield _cleaned(layer, report)


def _environment(environ: Mapping[str, str], report: _Report) -> Layer:
    layer, problems = environment_layer(environ)
    if problems:
        report.unreadable(problems)
    return _cleaned(layer, report)


def _cleaned(layer: Layer, report: _Report) -> Layer:
    """The layer without what must not stand in it, all of which is reported."""
    found = refusals(layer)
    for refusal in found:
        report.add(layer.problem(refusal.path, refusal.expected, refusal.got), refusal.path)
    return layer.without(refusal.path for refusal in found)


def _parts(stated: Layer, report: _Report) -> dict[str, Any]:
    """Each section, broker and session that was stated, None where it was refused."""
    parts: dict[str, Any] = {}
    for key in stated.data:
        field = fields(Settings)[key]
        if record := record_of(field):
            parts[key] = _part((key,), record, stated, report)
        elif (record := named_record_of(field)) and isinstance(names := stated.data[key], Mapping):
            parts[key] = {name: _part((key, name), record, stated, report) for name in names}
        else:
            report.add(stated.problem((key,), "a table for each name", "a single value"), (key,))
    return parts


def _part(path: Path, record: type[Any], stated: Layer, report: _Report) -> Any:
    """The record at a path, None where it was refused.

    A record stops at its first value that does not fit; so what was refused is taken out and the rest is read again,
    until nothing is left to take out.
    """
    rest, last = stated, None
    refused = False
    while rest != last:
        try:
            part = structure(rest.value(path), record, "")
        except ConfigError as error:
            refused = True
            found = [(*path, *_steps(problem.key)) for problem in error.problems]
            for full, problem in zip(found, error.problems, strict=True):
                _note(full, problem, stated, report)
            last, rest = rest, rest.without(full for full in found if full != path)
        else:
            return None if refused else part
    return None


def _steps(key: str) -> Path:
    return tuple(key.split(".")) if key else ()


def _note(path: Path, problem: Problem, stated: Layer, report: _Report) -> None:
    known = report.complete or stated.value(path) is not None
    if known and path not in report.refused:
        report.add(stated.problem(path, problem.expected, problem.got), path)


def _readable(parts: Mapping[str, Any]) -> Readable:
    """The parts that could be read, the defaults in place of those that nobody stated."""
    default = Settings()
    return Readable(
        brokers=parts.get("brokers") or embedded_brokers(),
        sessions={name: part for name, part in parts.get("sessions", {}).items() if part is not None},
        vault=parts.get("vault", default.vault),
        risk=parts.get("risk", default.risk),
    )
