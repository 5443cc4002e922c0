"""Small chunks of an answer put together before they are parsed.

A feed sends each line as a chunk of its own, and a parser takes as long for a line as for 64 KiB.
"""

import re
from typing import Final

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n").match
_LONGEST_SIZE: Final = 17
_LONGEST_HEAD: Final = 64 * 1024
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE).search
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1\d\d[ \r]").match


class ChunkMerger:
    """Makes one chunk of those that came whole in one piece of an answer; everything else passes as it came.

    From the first byte on that it does not understand, and after the last chunk, all passes: the parser shall judge it.
    """

    def __init__(self) -> None:
        self._in_head = True
        self._passes = False
        self._held = b""  # the head so far, or the beginning of a chunk's size; of these only the latter is kept back
        self._owed = 0  # bytes of a chunk, its end included, whose beginning has passed

    def feed(self, data: bytes) -> bytes:
        """What the parser gets for a piece of the answer; nothing, where it is kept back until the next one."""
        if self._passes:
            return data
        return self._head(data) if self._in_head else self._chunks(data)

    def finish(self) -> bytes:
        """What was kept back, at the end of the connection."""
        held, self._held, passes = self._held, b"", self._passes
        self._passes = True
        return b"" if passes or self._in_head else held

    def _head(self, data: bytes) -> bytes:
        seen = self._held + data
        end = seen.find(b"\r\n\r\n") + 4
        if end < 4:
            self._held = seen
            self._passes = len(seen) > _LONGEST_HEAD
            return data
        head, rest, self._held = seen[:end], seen[end:], b""
        shown = data[: len(data) - len(rest)]
        if _INTERIM(head):
            return shown + (self._head(rest) if rest else b"")
        self._in_head = False
        self._passes = _CHUNKED(head) is None
        return shown + self.feed(rest)

    def _chunks(self, data: bytes) -> bytes:
        owed = min(self._owed, len(data))
        self._owed -= owed
        shown, buffer, at = data[:owed], self._held + data[owed:], 0
        self._held = b""
        whole: list[bytes] = []
        while (size := _SIZE(buffer, at)) is not None:
            begin, length = size.end(), int(size[1], 16)
            end = begin + length
            if not length or end + 2 > len(buffer) or buffer[end : end + 2] != b"\r\n":
                break
            whole.append(buffer[begin:end])
            at = end + 2
        return shown + _merged(whole, buffer[:at]) + self._begun(buffer[at:])

    def _begun(self, rest: bytes) -> bytes:
        """What follows the whole chunks: a chunk's beginning, the last chunk, or what is none."""
        size = _SIZE(rest)
        if size is None:
            if len(rest) < _LONGEST_SIZE and b"\n" not in rest:
                self._held = rest
                return b""
        elif (length := int(size[1], 16)) and size.end() + length + 2 > len(rest):
            self._owed = size.end() + length + 2 - len(rest)
            return rest
        self._passes = True
        return rest


def _merged(whole: list[bytes], raw: bytes) -> bytes:
    if len(whole) < 2:
        return raw
    body = b"".join(whole)
    return b"%x\r\n%b\r\n" % (len(body), body)
