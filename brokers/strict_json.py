"""JSON read strictly: what is doubtful is refused, with the place where it stands.

Refused are invalid UTF-8, NaN and Infinity, duplicate keys, nesting deeper than 32, numbers longer than 64
characters, lone surrogates, and documents over a size limit. Numbers with a point or exponent become exact Decimals.
"""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import attrs

MAX_DEPTH: Final = 32
MAX_NUMBER: Final = 64
MAX_BYTES: Final = 1 << 20
_SHOWN: Final = 80
_LISTED: Final = 10


@attrs.frozen
class Fault:
    """One thing wrong with a document: where, and what was expected against what came."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class InvalidJson(ValueError):
    """A document that was refused whole; `faults` are all that is wrong, of which the message shows the first."""

    def __init__(self, *faults: Fault) -> None:
        listed = "; ".join(str(fault) for fault in faults[:_LISTED])
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        super().__init__(f"{listed}{more}; nothing was taken from it")
        self.faults = faults


@attrs.frozen
class _Odd:
    """A word of JSON's neighbourhood that is no value of JSON, kept until its path is known."""

    text: str


class _Pairs(list[tuple[str, Any]]):
    """An object before its keys are known to differ."""


def parse(document: str | bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """The document's value; raises InvalidJson."""
    text = _decoded(document, max_bytes)
    try:
        raw = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_Odd, parse_int=_integer, parse_float=_decimal)
    except RecursionError:
        _refuse("$", f"expected at most {MAX_DEPTH} levels, it is nested far deeper")
    except json.JSONDecodeError as error:
        _refuse("$", f"expected JSON, {error.msg} at character {error.pos}")
    return _checked(raw, "$", 0)


def below(path: str, key: str) -> str:
    """The path of an object's member; a key that is no plain name is shown escaped."""
    return f"{path}.{key}" if key.isidentifier() and len(key) <= _SHOWN else f"{path}[{shown(key)}]"


def shown(value: object) -> str:
    """A value for a message: one line, never long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _refuse(path: str, text: str) -> NoReturn:
    raise InvalidJson(Fault(path, text))


def _decoded(document: str | bytes, max_bytes: int) -> str:
    if len(document) > max_bytes:
        _refuse("$", f"expected at most {max_bytes} bytes, got {len(document)}")
    if isinstance(document, str):
        return document
    try:
        return document.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse("$", f"expected UTF-8, got byte 0x{document[error.start]:02x} at {error.start}")


def _integer(text: str) -> int | _Odd:
    return int(text) if len(text) <= MAX_NUMBER else _Odd(text)


def _decimal(text: str) -> Decimal | _Odd:
    try:
        return Decimal(text) if len(text) <= MAX_NUMBER else _Odd(text)
    except InvalidOperation:  # an exponent of twenty digits is JSON, and no Decimal
        return _Odd(text)


def _checked(value: Any, path: str, depth: int) -> Any:
    if isinstance(value, _Pairs | list) and depth >= MAX_DEPTH:
        _refuse(path, f"expected at most {MAX_DEPTH} levels")
    if isinstance(value, _Pairs):
        return dict(_members(value, path, depth))
    if isinstance(value, list):
        return [_checked(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, _Odd):
        _refuse(
            path,
            f"expected a JSON number of at most {MAX_NUMBER} characters that a Decimal holds, got {shown(value.text)}",
        )
    if isinstance(value, str):
        _check_text(value, path)
    return value


def _members(pairs: _Pairs, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key, value in pairs:
        _check_text(key, path)
        if key in seen:
            _refuse(path, f"expected each key once, got {shown(key)} twice")
        seen.add(key)
        yield key, _checked(value, below(path, key), depth + 1)


def is_text(value: str) -> bool:
    """Whether the string can be written as UTF-8: a lone surrogate cannot."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _check_text(text: str, path: str) -> None:
    if not is_text(text):
        _refuse(path, f"expected text, got a lone surrogate in {shown(text)}")
