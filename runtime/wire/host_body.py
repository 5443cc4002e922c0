"""Reading request bodies out of a buffer; pure and strict where h11 is lenient about chunk lines and trailers."""

import re
from typing import Final, Protocol

from runtime.wire.host_errors import Refused
from runtime.wire.host_head import FIELD_LINE, VALUE
from runtime.wire.host_limits import HostLimits

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(;" + VALUE.pattern + rb")?\r\n")
_LONGEST_LINE: Final = 4096


class Body(Protocol):
    """A request body that is taken from the connection's buffer piece by piece."""

    complete: bool

    def take(self, buffer: bytearray) -> bytes:
        """Removes what the buffer holds of this body and returns its data; raises Refused (400, 413, 431)."""
        ...


class LengthBody:
    """A body of a declared length, none included."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = length == 0

    def take(self, buffer: bytearray) -> bytes:
        """Removes what the buffer holds of this body and returns its data."""
        if len(buffer) <= self._left:
            data = bytes(buffer)
            buffer.clear()
        else:
            data = bytes(buffer[: self._left])
            del buffer[: self._left]
        self._left -= len(data)
        self.complete = self._left == 0
        return data


class ChunkedBody:
    """A body in chunks; extensions and trailers are checked, counted and thrown away."""

    def __init__(self, limits: HostLimits) -> None:
        self.complete = False
        self._chunk = LengthBody(0)
        self._next = self._size_line
        self._room = limits.body_bytes
        self._extra_room = limits.header_bytes

    def take(self, buffer: bytearray) -> bytes:
        """Removes what the buffer holds of this body and returns its data; raises Refused (400, 413, 431)."""
        pieces = []
        while not self.complete:
            if not self._chunk.complete:
                if not buffer:
                    break
                pieces.append(self._chunk.take(buffer))
            elif (line := _take_line(buffer)) is not None:
                self._next(line)
            else:
                break
        return b"".join(pieces)

    def _size_line(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise Refused(400, "bad_chunk")
        size = int(match[1], 16)
        self._room -= size
        if self._room < 0:
            raise Refused(413, "long_body")
        self._count_extra(match[2] or b"")
        self._chunk = LengthBody(size)
        self._next = self._chunk_end if size else self._trailer

    def _chunk_end(self, line: bytes) -> None:
        if line != b"\r\n":
            raise Refused(400, "bad_chunk")
        self._next = self._size_line

    def _trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.complete = True
        elif FIELD_LINE.fullmatch(line) is None:
            raise Refused(400, "bad_trailer")
        self._count_extra(line)

    def _count_extra(self, extra: bytes) -> None:
        self._extra_room -= len(extra)
        if self._extra_room < 0:
            raise Refused(431, "long_chunk_extras")


def _take_line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(buffer) >= _LONGEST_LINE:
            raise Refused(400, "bad_chunk")
        return None
    line = bytes(buffer[: end + 1])
    del buffer[: end + 1]
    return line
