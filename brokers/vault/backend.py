"""A backend for the keyring library that needs no desktop: passwords in a vault file of their own.

The library finds it through the entry point group `keyring.backends`. Its key comes from where a vault's comes from
besides keyrings: a passphrase file (PITBOSS_PASSPHRASE_FILE) or the service manager's key file; without one of
them the backend declares itself unfit. This module is for the library alone: nothing of ours imports it.
"""

import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.errors import KeyringError, PasswordDeleteError
from keyring.util.platform_ import data_root

from brokers.vault.book import Name
from brokers.vault.errors import NoCredential, VaultError
from brokers.vault.sealing import SYSTEM_ENTROPY
from brokers.vault.store import Store
from brokers.vault.unlock import Keyholder, KeySource, file_sources
from runtime.real import DurableDisk

_KIND = "password"
_FILE_NAME = "pitboss.vault"
_NO_DESKTOP_NEEDED = 0.5  # above the library's own last resort, below every keyring of a desktop


def _sources() -> tuple[KeySource, ...]:
    return tuple(file_sources(os.environ, DurableDisk()))


class EncryptedKeyring(KeyringBackend):
    """Passwords sealed as a vault seals credentials; KEYRING_PROPERTY_FILE_PATH names another file.

    The file is read anew for each use, because several programs may share a keyring.
    """

    file_path: str | Path = Path(data_root()) / _FILE_NAME

    @properties.classproperty
    def priority(cls) -> float:  # noqa: N805 - a property of the class, as the library wants it
        """Where the backend ranks; raises RuntimeError when this environment has no key for it."""
        if not _sources():
            raise RuntimeError("expected a passphrase file in PITBOSS_PASSPHRASE_FILE or a key of the service manager")
        return _NO_DESKTOP_NEEDED

    def get_password(self, service: str, username: str) -> str | None:
        """The password, None when there is none; raises KeyringError when the file does not open."""
        try:
            return self._store().plain(_name(service, username)).decode()
        except NoCredential:
            return None
        except VaultError as error:
            raise KeyringError(str(error)) from error

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps a password over the one that may be there, durably; raises KeyringError."""
        name = _name(service, username)
        try:
            store = self._store()
            store.put(name, password.encode(), store.book.version(name) if store.book else 0)
        except VaultError as error:
            raise KeyringError(str(error)) from error

    def delete_password(self, service: str, username: str) -> None:
        """Drops a password; raises PasswordDeleteError when there is none."""
        try:
            self._store().remove(_name(service, username))
        except NoCredential as error:
            raise PasswordDeleteError(f"no password is kept for {username!r} of {service!r}") from error
        except VaultError as error:
            raise KeyringError(str(error)) from error

    def _store(self) -> Store:
        store = Store(Path(self.file_path), DurableDisk(), Keyholder(_sources()), SYSTEM_ENTROPY)
        store.open()
        return store


def _name(service: str, username: str) -> Name:
    return (_KIND, service, username)
