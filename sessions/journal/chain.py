"""The hash chain: each row's HMAC covers the row and the hash before it, so no row changes, moves or goes unseen."""

import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sessions.journal.rows import Entry, Head, Row

_SHORTEST_KEY: Final = 16
_NO_KEY: Final = 0xFFFFFFFF
_BLOCK: Final = 64  # bytes that SHA-256 takes at a time
_LENGTHS: Final = struct.Struct(">QQQIIII")


class BrokenChain(Exception):
    """The first row that is not what was written; `seq` is the number that should stand there."""

    def __init__(self, seq: int, found: str) -> None:
        super().__init__(f"entry {seq}: {found}")
        self.seq = seq
        self.found = found


class Chain:
    """Computes and checks hashes under one secret key; nothing shows the key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) < _SHORTEST_KEY:
            raise ValueError(f"expected an audit key of at least {_SHORTEST_KEY} bytes, got {len(key)}")
        # HMAC as it is defined, with the key worked in once: the module hmac takes four times as long for a row.
        block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(hmac.trans_36))
        self._outer = hashlib.sha256(block.translate(hmac.trans_5C))

    def hash(self, previous: bytes, seq: int, entry: Entry) -> bytes:
        """The hash of an entry that follows `previous` as number `seq`: HMAC-SHA256 of both."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(previous + _canonical(seq, entry))
        outer.update(inner.digest())
        return outer.digest()

    def link(self, head: Head, entry: Entry) -> Row:
        """The entry as the row after the head."""
        seq = head.seq + 1
        return Row(seq, head.hash, self.hash(head.hash, seq, entry), entry)

    def verify(self, rows: Iterable[Row], after: Head) -> Head:
        """The head after all rows; raises BrokenChain at the first row that does not follow from those before."""
        seq, previous = after.seq, after.hash
        for row in rows:
            seq += 1
            if row.seq != seq:
                raise BrokenChain(seq, f"the next entry has number {row.seq}")
            if row.previous != previous or not hmac.compare_digest(row.hash, self.hash(previous, seq, row.entry)):
                raise BrokenChain(seq, "its hash does not fit its content and the entry before it")
            previous = row.hash
        return Head(seq, previous)

    def counting(self, advance: Callable[[int], None]) -> "Chain":
        """The same chain, which tells of each row that it checks."""
        return _Counting(self, advance)

    def __repr__(self) -> str:
        return "<Chain>"


class _Counting(Chain):
    __slots__ = ("_advance",)

    def __init__(self, chain: Chain, advance: Callable[[int], None]) -> None:
        self._inner, self._outer, self._advance = chain._inner, chain._outer, advance  # noqa: SLF001 - of its own kind

    def verify(self, rows: Iterable[Row], after: Head) -> Head:
        return super().verify(self._counted(rows), after)

    def _counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield row
            self._advance(1)


def write_head(head: Head, wall_ns: int) -> bytes:
    """The content of the file that holds the head outside the journal."""
    return json.dumps({"seq": head.seq, "hash": head.hash.hex(), "wall_ns": wall_ns}).encode()


def read_head(data: bytes) -> Head:
    """The head in such a file; raises ValueError."""
    try:
        fields = json.loads(data)
        seq, digest = fields["seq"], bytes.fromhex(fields["hash"])
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"expected a journal's head, got {data[:80]!r}") from error
    if type(seq) is not int or seq < 0 or len(digest) != hashlib.sha256().digest_size:
        raise ValueError(f"expected a number of at least 0 and a SHA-256 hash, got {data[:80]!r}")
    return Head(seq, digest)


def _canonical(seq: int, entry: Entry) -> bytes:
    """All fields with their lengths in front: two different rows never have the same bytes."""
    kind, stream, body = entry.kind.encode(), entry.stream.encode(), entry.body.encode()
    key = b"" if entry.key is None else entry.key.encode()
    size = _NO_KEY if entry.key is None else len(key)
    lengths = _LENGTHS.pack(seq, entry.wall_ns, entry.monotonic_ns, len(kind), len(stream), size, len(body))
    return b"".join((lengths, kind, stream, key, body))
