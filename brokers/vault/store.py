"""One vault file on a disk: opened whole, changed whole, and never held in the clear.

Every method may block (disk, keyring, key derivation): call them in a worker thread, one change at a time.
Reading needs neither disk nor thread. Several processes of one user may use the file: each change begins with what is
stored by then, under a lock, and versions are never given twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from brokers.vault import book as books
from brokers.vault import document
from brokers.vault.book import Book, Name, Unlocked
from brokers.vault.errors import (
    NoCredential,
    SourceUnavailable,
    VaultChanged,
    VaultError,
    VaultFull,
    VaultLocked,
    VaultNotSaved,
    VaultUnreadable,
)
from brokers.vault.private import Alone, Guard, no_other, refuse_exposed
from brokers.vault.sealing import Entropy, MasterKey, Unsealable
from brokers.vault.unlock import Keyholder, KeySource
from runtime.world import Disk


@attrs.frozen
class _Opened:
    book: Book
    key: MasterKey

    @property
    def unlocked(self) -> Unlocked:
        return Unlocked(self.book.lock, self.key)


class Store:
    """The file at `path`; a missing one is an empty vault, which gets its key and its file with the first record."""

    def __init__(
        self,
        path: Path,
        disk: Disk,
        keys: Keyholder,
        entropy: Entropy,
        guard: Guard = refuse_exposed,
        alone: Alone = no_other,
    ) -> None:
        self.path = path
        self._alone = alone
        self._disk = disk
        self._keys = keys
        self._entropy = entropy
        self._guard = guard
        self._opened: _Opened | None = None
        self._on_disk: set[bytes | None] = {None}  # what the file may hold, as far as we know

    @property
    def book(self) -> Book | None:
        """The sealed content; None while the vault is empty and has no key."""
        return self._opened.book if self._opened else None

    def open(self) -> None:
        """Reads the file; raises VaultLocked, VaultUnreadable, FileExposed, NoMasterKey, KeyringRefused."""
        data = self._file()
        if data is None:
            return
        try:
            source, self._opened = self._proved(document.read(data))
        except Unsealable:
            # Without the cause: what exactly did not fit is nobody's business.
            raise VaultLocked(self.path) from None
        self._on_disk = {data}
        self._renew(source, self._opened)

    def plain(self, name: Name) -> bytes:
        """The message stored under a name; raises NoCredential."""
        opened = self._opened  # once: a rotation in another thread changes book and key together
        if opened is None:
            raise NoCredential(name)
        return books.opened(opened.book, opened.key, name)

    def put(self, name: Name, plain: bytes, follows: int) -> int:
        """Stores a message that follows that version (0: none) and returns its own, durable by then.

        Raises StaleVersion, KeyWornOut, VaultFull, VaultChanged, VaultNotSaved, and for the first record NoMasterKey.
        """
        with self._changing():
            opened = self._opened or self._begun(self._keys.make(self._entropy))
            book = books.put(opened.book, opened.key, name, plain, follows, self._entropy)
            if book is not opened.book:
                self._save(_Opened(book, opened.key))
            return book.version(name)

    def remove(self, name: Name) -> None:
        """Drops a record; raises NoCredential, VaultChanged, VaultNotSaved."""
        with self._changing():
            if self._opened is None:
                raise NoCredential(name)
            self._save(attrs.evolve(self._opened, book=books.remove(self._opened.book, name)))

    def adopt(self, source: KeySource, new: Unlocked) -> int:
        """Puts the vault under a new master key and returns the key's version; the old key opens it no more.

        Raises VaultChanged, VaultNotSaved; the old key is let go only once the new one is durable.
        """
        with self._changing():
            old = self._opened
            rekeyed = _Opened(books.rekey(old.book, old.key, new, self._entropy), new.key) if old else self._begun(new)
            self._keys.consider(source)  # a write that fails in its last step may leave the file under the new key
            self._save(rekeyed)
        self._keys.trust(source)
        if old is not None and old.book.lock.key != new.lock.key:
            self._keys.forget(old.book.lock)
        return rekeyed.book.key_version

    def refresh(self) -> None:
        """Takes over what another process stored since; raises VaultChanged for what none of our keys opens."""
        data = self._file()
        if data in self._on_disk:
            return
        try:
            opened = self._taken_over(data)
        except (Unsealable, VaultError):
            raise VaultChanged(self.path) from None
        if self._opened is not None and opened.book.revision < self._opened.book.revision:
            raise VaultChanged(self.path)
        self._opened, self._on_disk = opened, {data}

    def _taken_over(self, data: bytes | None) -> _Opened:
        if data is None:
            raise Unsealable("expected a file")
        read = document.read(data)
        if self._opened is not None and read.lock == self._opened.book.lock:
            return _Opened(read.proved(self._opened.key), self._opened.key)
        source, opened = self._proved(read)
        self._keys.trust(source)
        return opened

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """For one change: nobody else changes the file meanwhile, and what is stored by then is known."""
        try:
            with self._alone(self.path):
                self.refresh()
                yield
        except OSError as error:
            raise VaultNotSaved(self.path, error) from error

    def _begun(self, unlocked: Unlocked) -> _Opened:
        return _Opened(books.empty(unlocked.lock), unlocked.key)

    def _proved(self, read: document.Document) -> tuple[KeySource, _Opened]:
        """The content under the first key that proves it; raises Unsealable."""
        refusal = Unsealable("expected a key")
        for source, key in self._keys.keys(read.lock):
            try:
                return source, _Opened(read.proved(key), key)
            except Unsealable as error:
                refusal = error
        raise refusal

    def _renew(self, source: KeySource, opened: _Opened) -> None:
        """Moves to a costlier derivation; where that cannot be done now, the next start will try again."""
        try:
            better = source.renewed(opened.unlocked, self._entropy)
            if better is not None:
                self.adopt(source, better)
        except (SourceUnavailable, VaultNotSaved):
            return

    def _save(self, changed: _Opened) -> None:
        """Makes a change durable, then present; raises VaultChanged, VaultFull or VaultNotSaved and changes nothing."""
        present = self._file()
        data = document.write(changed.book, changed.key)
        if len(data) > document.MOST_BYTES:
            raise VaultFull(len(data), document.MOST_BYTES)
        try:
            self._disk.write(self.path, data)
        except OSError as error:
            self._on_disk = {present, data}  # the last step may have failed after the file was replaced
            raise VaultNotSaved(self.path, error) from error
        self._on_disk = {data}
        self._opened = changed

    def _file(self) -> bytes | None:
        try:
            self._guard(self.path)
            return self._disk.read(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultUnreadable(self.path, error) from error
