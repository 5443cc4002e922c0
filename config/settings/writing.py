"""Values as TOML on one line, in a form that a terminal cannot misread."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from config.lines import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(value: Any) -> str:
    """A value as TOML; a decimal is a string, as the reader wants it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Decimal):
        return f'"{escaped(str(value))}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_key(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return repr(value)


def toml_key(key: str) -> str:
    """A key, in quotes where it needs them."""
    return key if _BARE.fullmatch(key) else f'"{escaped(key)}"'


def header(path: Path) -> str:
    """The line that begins a table."""
    return f"[{'.'.join(map(toml_key, path))}]"


def escaped(text: str) -> str:
    """The text with quotes, backslashes and all that is not printable as escapes."""
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
