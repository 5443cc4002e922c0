"""The shapes in which a secret value can appear in text."""

import base64
import json
from urllib.parse import quote, quote_plus


def disguises(value: bytes) -> set[str]:
    """A secret as text, hexadecimal, base64 at each alignment, URL-encoded, escaped for JSON and for Python."""
    shapes = {value.hex(), value.hex().upper(), *_base64(value)}
    try:
        shapes |= _textual(value.decode())
    except UnicodeDecodeError:
        shapes.add(repr(value)[2:-1])
    return shapes


def _textual(text: str) -> set[str]:
    escaped = json.dumps(text)[1:-1]
    return {
        text,
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        repr(text.encode())[2:-1],
        *_percent(text),
    }


def _percent(text: str) -> set[str]:
    upper = {quote(text), quote(text, safe=""), quote_plus(text)}
    return upper | {_lower_escapes(shape) for shape in upper}


def _lower_escapes(shape: str) -> str:
    head, *rest = shape.split("%")
    return "%".join([head, *(piece[:2].lower() + piece[2:] for piece in rest)])


def _base64(value: bytes) -> set[str]:
    """The characters that the value alone decides, when 0, 1 or 2 bytes of something else stand before it."""
    shapes: set[str] = set()
    for before in range(3):
        first = -(-8 * before // 6)  # the characters before it also hold bits of what stands before
        last = 8 * (before + len(value)) // 6  # and those after it of what follows
        padded = b"\0" * before + value
        shapes |= {encode(padded).decode()[first:last] for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    return shapes
