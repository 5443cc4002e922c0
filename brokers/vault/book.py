"""The vault's content as one frozen value, and the changes of it; nothing here reads or writes."""

from collections.abc import Sequence
from typing import Final

import attrs

from brokers.vault.errors import KeyWornOut, NoCredential, StaleVersion
from brokers.vault.kdf import Derivation
from brokers.vault.sealing import Entropy, Envelope, MasterKey, rewrap, seal, unseal

SCHEMA: Final = "pitboss-vault/1"
MOST_WRAPS: Final = 1 << 28  # a 16th of where random nonces of 96 bits begin to be in danger

Name = tuple[str, ...]


@attrs.frozen
class Lock:
    """Which master key a vault is under: its id, the kind of source that gives it, and how it is derived if it is."""

    key: str
    source: str
    derivation: Derivation | None = None


@attrs.frozen
class Unlocked:
    """A master key with the lock that it opens."""

    lock: Lock
    key: MasterKey


@attrs.frozen
class Entry:
    """One sealed record; its version comes from the book's revision, so none is ever used twice."""

    name: Name
    version: int
    envelope: Envelope

    @property
    def place(self) -> Sequence[str | int]:
        """What the envelope is bound to."""
        return (SCHEMA, self.version, *self.name)


@attrs.frozen
class Book:
    """All that is stored; `wraps` counts what the present master key has sealed, `revision` every change."""

    schema: str
    lock: Lock
    key_version: int
    wraps: int
    revision: int
    entries: tuple[Entry, ...]

    def find(self, name: Name) -> Entry | None:
        """The entry of that name."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def version(self, name: Name) -> int:
        """The stored version of a name, 0 when there is none."""
        entry = self.find(name)
        return entry.version if entry else 0


def empty(lock: Lock) -> Book:
    """A book without entries under a new master key."""
    return Book(SCHEMA, lock, key_version=1, wraps=0, revision=0, entries=())


def opened(book: Book, key: MasterKey, name: Name) -> bytes:
    """The message stored under a name; raises NoCredential, or Unsealable for another key."""
    entry = book.find(name)
    if entry is None:
        raise NoCredential(name)
    return unseal(entry.envelope, key, book.key_version, entry.place)


def put(book: Book, key: MasterKey, name: Name, plain: bytes, follows: int, entropy: Entropy) -> Book:
    """The book with plain stored under a name, once; raises StaleVersion when it follows another version.

    What is stored already, word for word, is no change, so that a put may be repeated when its answer was lost.
    """
    current = book.find(name)
    if current is not None and opened(book, key, name) == plain:
        return book
    if follows != book.version(name):
        raise StaleVersion(name, follows, book.version(name))
    if book.wraps >= MOST_WRAPS:
        raise KeyWornOut(book.wraps)
    version = book.revision + 1
    envelope = seal(plain, key, book.key_version, (SCHEMA, version, *name), entropy)
    entries = tuple(entry for entry in book.entries if entry is not current)
    return attrs.evolve(
        book, entries=(*entries, Entry(name, version, envelope)), revision=version, wraps=book.wraps + 1
    )


def remove(book: Book, name: Name) -> Book:
    """The book without a name; raises NoCredential."""
    entry = book.find(name)
    if entry is None:
        raise NoCredential(name)
    entries = tuple(other for other in book.entries if other is not entry)
    return attrs.evolve(book, entries=entries, revision=book.revision + 1)


def rekey(book: Book, old: MasterKey, new: Unlocked, entropy: Entropy) -> Book:
    """The book with every data key wrapped by a new master key; the messages stay as they are."""
    version = book.key_version + 1

    def moved(entry: Entry) -> Entry:
        keys = (old, book.key_version), (new.key, version)
        return attrs.evolve(entry, envelope=rewrap(entry.envelope, entry.place, *keys, entropy))

    return attrs.evolve(
        book,
        lock=new.lock,
        key_version=version,
        wraps=len(book.entries),
        revision=book.revision + 1,
        entries=tuple(map(moved, book.entries)),
    )
