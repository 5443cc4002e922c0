"""A snapshot of an account's books as entries of its order stream: one JSON text in parts that the journal can hold.

The parts are noted together, so a crash leaves all of them or none. The first is looked up by the name of its stream;
each part says of how many it is one and what the whole text hashes to, so a part that is missing or of another
snapshot shows.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from brokers.order_log import OrderFact, Snapshot
from sessions.journal import Entry

KIND: Final = "books.snapshot"
PART: Final = 1 << 18  # characters of the text in one part


class BadParts(ValueError):
    """Parts that make no snapshot; `problem` says why."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"expected the parts of one snapshot in their order, got {problem}; nothing was read")


class _Part(msgspec.Struct, frozen=True):
    """A piece of the text; `part` counts from 1."""

    part: int
    parts: int
    sha256: str
    text: str


_PARTS: Final = msgspec.json.Decoder(_Part)
_SNAPSHOTS: Final = msgspec.json.Decoder(Snapshot)


def to_parts(text: str, stream: str, wall_ns: int, monotonic_ns: int) -> tuple[Entry, ...]:
    """The entries that hold a snapshot's text."""
    digest = _digest(text)
    pieces = [text[at : at + PART] for at in range(0, len(text), PART)]
    parts = [_Part(number, len(pieces), digest, piece) for number, piece in enumerate(pieces, 1)]
    keys = [stream, *[None] * (len(pieces) - 1)]
    return tuple(
        Entry(KIND, stream, key, msgspec.json.encode(part).decode(), wall_ns, monotonic_ns)
        for key, part in zip(keys, parts, strict=True)
    )


def parts_in(body: str) -> int:
    """How many parts follow from a first part on, itself included; raises BadParts."""
    first = _read(body)
    if first.part != 1 or first.parts < 1:
        raise BadParts(f"part {first.part} of {first.parts} at the beginning")
    return first.parts


def from_parts(bodies: Sequence[str], wall_ns: int) -> OrderFact:
    """The snapshot in the bodies of its entries; raises BadParts."""
    parts = [_read(body) for body in bodies]
    for problem in _problems(parts):
        raise BadParts(problem)
    try:
        return OrderFact(wall_ns, _SNAPSHOTS.decode("".join(part.text for part in parts)))
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise BadParts(f"a text that is none: {error}") from error


def _read(body: str) -> _Part:
    try:
        return _PARTS.decode(body)
    except msgspec.MsgspecError as error:
        raise BadParts(f"an entry that is no part: {error}") from error


def _problems(parts: Sequence[_Part]) -> Iterator[str]:
    numbers = [part.part for part in parts]
    if not parts or numbers != list(range(1, parts[0].parts + 1)):
        yield f"parts {numbers}"
    if len({(part.parts, part.sha256) for part in parts}) > 1:
        yield "parts of different snapshots"
    if _digest("".join(part.text for part in parts)) != parts[0].sha256:
        yield "a text with another hash than its parts tell"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
