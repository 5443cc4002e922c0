"""WebSocket frames that we send, encoded without the parser of those that come; pure."""

import struct
from typing import Final

_TEXT: Final = 0x81
_BYTES: Final = 0x82


def encode_text_frame(text: str) -> bytes:
    """A whole text message as a server sends it; one encoded frame can serve any number of subscribers."""
    return _encode(_TEXT, text.encode())


def encode_bytes_frame(data: bytes) -> bytes:
    """A whole binary message as a server sends it."""
    return _encode(_BYTES, data)


def _encode(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 0x10000:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload
