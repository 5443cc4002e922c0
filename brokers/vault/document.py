"""A book as the bytes of a file: a line of JSON, and a line with the master key's mark over all of the first.

The mark makes every change of the file show, also those that no envelope would notice: an entry that was left
out, an older one put back, a count turned down.
"""

import hmac
from typing import Final

import attrs

from brokers.codec import decode, encode
from brokers.strict_json import InvalidJson
from brokers.vault.book import SCHEMA, Book, Lock, opened
from brokers.vault.sealing import MasterKey, Unsealable, to_text

MOST_BYTES: Final = 16 << 20
_END: Final = b"\n"


@attrs.frozen
class Document:
    """A file that has the right form; only `lock` may be looked at before a key has proved the rest."""

    lock: Lock
    _book: Book
    _body: bytes
    _mark: bytes

    def proved(self, key: MasterKey) -> Book:
        """The book, when this key marked it and opens every entry of it; raises Unsealable."""
        if not hmac.compare_digest(_mark_of(self._body, key), self._mark):
            raise Unsealable("expected the mark of this key")
        for entry in self._book.entries:
            opened(self._book, key, entry.name)
        return self._book


def read(data: bytes) -> Document:
    """The document in the bytes of a file; raises Unsealable for anything that was not written by `write`."""
    body, end, mark = data[:-1].rpartition(_END)
    if not end or data[-1:] != _END:
        raise Unsealable("expected two whole lines")
    try:
        book = decode(body, Book, max_bytes=MOST_BYTES)
    except InvalidJson as error:
        raise Unsealable("expected a book as JSON") from error
    if book.schema != SCHEMA:
        raise Unsealable(f"expected the schema {SCHEMA}")
    return Document(book.lock, book, body, mark)


def write(book: Book, key: MasterKey) -> bytes:
    """The bytes of a file that holds the book, marked with its master key."""
    body = encode(book).encode()
    return body + _END + _mark_of(body, key) + _END


def _mark_of(body: bytes, key: MasterKey) -> bytes:
    return to_text(key.mark(body)).encode()
