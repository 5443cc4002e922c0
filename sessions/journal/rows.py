"""What the journal keeps: an entry is what a caller says, a row is an entry in its place in the chain."""

from typing import Final

import attrs

from sessions.journal.errors import InvalidEntry

MAX_BODY: Final = 1 << 20
MAX_NAME: Final = 512
_MOST: Final = 2**63 - 1

OWN_STREAM: Final = "journal"  # where the journal writes about itself


@attrs.frozen
class Entry:
    """One fact; raises InvalidEntry for what no journal can hold.

    kind          what happened, such as "order.intent"
    stream        whose history it belongs to, such as "order/paper/A1"
    key           what else it is looked up by, such as an order's key
    body          JSON, kept to the last character
    wall_ns       when, in UTC
    monotonic_ns  when, by a clock that never steps
    """

    kind: str
    stream: str
    key: str | None
    body: str
    wall_ns: int
    monotonic_ns: int

    def __attrs_post_init__(self) -> None:
        _check_name("kind", self.kind)
        _check_name("stream", self.stream)
        if self.key is not None:
            _check_name("key", self.key)
        if type(self.body) is not str or len(self.body) > MAX_BODY or not (self.body.isascii() or _encodes(self.body)):
            raise InvalidEntry("body", self.body, f"JSON text of at most {MAX_BODY} characters, no lone surrogates")
        _check_time("wall_ns", self.wall_ns)
        _check_time("monotonic_ns", self.monotonic_ns)


@attrs.frozen
class Row:
    """An entry with its number, its hash and the hash of the row before it."""

    seq: int
    previous: bytes
    hash: bytes
    entry: Entry


@attrs.frozen
class Head:
    """The end of a chain: how many rows there are and the hash of the last one."""

    seq: int
    hash: bytes


GENESIS: Final = Head(0, bytes(32))


def _check_name(field: str, value: object) -> None:
    if type(value) is not str or not 0 < len(value) <= MAX_NAME or not (value.isascii() or _encodes(value)):
        raise InvalidEntry(field, value, f"a text of 1 to {MAX_NAME} characters without lone surrogates")


def _check_time(field: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise InvalidEntry(field, value, "nanoseconds as a whole number from 0 to 2**63 - 1")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
