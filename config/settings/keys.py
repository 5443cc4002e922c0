"""The keys of one layer: those that have no meaning, those that are named badly, and secrets, each refused in place."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from config.lines import Path
from config.reading import show
from config.settings.fields import NAME
from config.settings.layers import Layer
from config.settings.schema import Settings, fields, named_record_of, record_of
from config.settings.secrets import EXPECTED, is_secret_name, is_secret_value
from config.settings.sessions import NONE, SAME

_IDENTIFIERS = frozenset({"account", "accounts"})
_RESERVED = frozenset({SAME, NONE})


@attrs.frozen
class Refusal:
    """A key that cannot stay in its layer; `got` never holds the value of a secret."""

    path: Path
    expected: str
    got: str


def refusals(layer: Layer) -> tuple[Refusal, ...]:
    """Every key of the layer that has no meaning or holds a secret."""
    return tuple(_in_record(layer.data, Settings, ()))


def _in_record(data: Mapping[str, Any], record: type[Any], path: Path) -> Iterator[Refusal]:
    known = fields(record)
    for key, value in data.items():
        here = (*path, key)
        if key not in known:
            yield _secret_refusal(here, value) or _unknown(here, known)
        elif (inner := record_of(known[key])) is not None and isinstance(value, Mapping):
            yield from _in_record(value, inner, here)
        elif (inner := named_record_of(known[key])) is not None and isinstance(value, Mapping):
            yield from _in_names(value, inner, here)
        elif isinstance(value, Mapping):
            yield from filter(None, (_secret_refusal((*here, name), entry) for name, entry in value.items()))
        elif is_secret_value(value, identifier=key in _IDENTIFIERS):
            yield Refusal(here, EXPECTED, "what looks like a secret and is not shown")


def _in_names(data: Mapping[str, Any], record: type[Any], path: Path) -> Iterator[Refusal]:
    for name, value in data.items():
        here = (*path, name)
        if not NAME.fits(name):
            yield _secret_refusal(here, name) or Refusal(here, NAME.wording, show(name))
        elif path == ("brokers",) and name in _RESERVED:
            yield Refusal(here, f"another name: {SAME} and {NONE} have a meaning of their own", show(name))
        elif isinstance(value, Mapping):
            yield from _in_record(value, record, here)
        elif is_secret_name(name) or is_secret_value(value):
            yield Refusal(here, EXPECTED, "what looks like a secret and is not shown")


def _secret_refusal(path: Path, value: Any) -> Refusal | None:
    if is_secret_name(path[-1]):
        return Refusal(path, EXPECTED, "a key named like a secret; its value is not shown")
    if is_secret_value([path[-1], value]):
        return Refusal(path, EXPECTED, "what looks like a secret and is not shown")
    return None


def _unknown(path: Path, known: Iterable[str]) -> Refusal:
    return Refusal(path, f"one of {', '.join(known)}", f"a key that has no meaning here{did_you_mean(path[-1], known)}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, as the end of a sentence; empty where none is near."""
    spelled = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), spelled, n=1)
    return f"; did you mean {spelled[near[0]]}?" if near else ""
