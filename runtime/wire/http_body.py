"""Bodies in bounded pieces: inflating that cannot explode, and lines that cannot grow without end."""

import zlib
from collections.abc import Iterator
from typing import Final

ACCEPTED_ENCODINGS: Final = "gzip, deflate"
_PIECE: Final = 64 * 1024
_GZIP: Final = zlib.MAX_WBITS | 16
_RAW: Final = -zlib.MAX_WBITS


class BrokenEncoding(Exception):
    """The body is not what its Content-Encoding says."""


class TooLarge(Exception):
    """The body, or one line of it, exceeds its limit."""


class Inflater:
    """Undoes gzip, deflate or nothing, in pieces of at most 64 KiB however much the input expands."""

    def __init__(self, encoding: str | None) -> None:
        self._encoding = (encoding or "identity").strip().lower()
        if self._encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise BrokenEncoding(f"expected {ACCEPTED_ENCODINGS} or no encoding, got {self._encoding!r}")
        self._stream: zlib._Decompress | None = None
        self._begun = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The next pieces of the body, none empty; raises BrokenEncoding."""
        if self._encoding != "identity":
            return self._inflate(data)
        return iter((data,) if data else ())

    def finish(self) -> None:
        """Raises BrokenEncoding when the body ended too early."""
        if self._begun or (self._stream is not None and not self._stream.eof):
            raise BrokenEncoding(f"the {self._encoding} body ended in the middle")

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream is None or self._stream.eof:  # gzip allows one member after the other
                self._begun += data
                if len(self._begun) < 2:
                    return
                data, self._begun = self._begun, b""
                self._stream = zlib.decompressobj(self._window(data))
            yield from self._pieces(self._stream, data)
            data = self._stream.unused_data

    def _pieces(self, stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
        more = True
        while more:
            try:
                piece = stream.decompress(data, _PIECE)
            except zlib.error as error:
                raise BrokenEncoding(f"the body is not {self._encoding}: {error}") from None
            if piece:
                yield piece
            data = stream.unconsumed_tail
            more = not stream.eof and (bool(data) or len(piece) == _PIECE)

    def _window(self, start: bytes) -> int:
        if self._encoding != "deflate":
            return _GZIP
        has_zlib_header = start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
        return zlib.MAX_WBITS if has_zlib_header else _RAW  # some servers leave the header out


class LineSplitter:
    """Cuts a stream of bytes into lines, without their LF or CRLF; no line longer than the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._too_long = f"a line of more than {limit} bytes"
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now; raises TooLarge, with the lines before the long one lost."""
        if b"\n" not in data:
            self._rest += data
            if len(self._rest) > self._limit:
                raise TooLarge(self._too_long)
            return []
        *lines, rest = (bytes(self._rest) + data if self._rest else data).split(b"\n")
        self._rest = bytearray(rest)
        if len(data) + len(lines[0]) > self._limit and max(map(len, (*lines, rest))) > self._limit:
            raise TooLarge(self._too_long)
        return [line.removesuffix(b"\r") for line in lines] if b"\r" in data or lines[0].endswith(b"\r") else lines

    def finish(self) -> bytes | None:
        """The last line when nothing ended it, None when there is none, or none any more."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest or None
