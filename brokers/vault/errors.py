"""What can go wrong with the vault; each error says what was expected, what came, what was done and what to do next.

VaultError
├── VaultLocked          wrong key or passphrase, or a damaged file: one sentence for all, so that it teaches nobody
├── VaultUnreadable      the disk does not give the file
├── FileExposed          others than the owner may read or change a secret file
├── NoMasterKey          no source gave a key
├── SourceUnavailable    one source has no key to give
├── KeyringRefused       the keyring that is configured would keep secrets in the clear, or nowhere
├── VaultNotSaved        the disk refused; what is stored is what was stored before
├── VaultFull            the file would grow too big to be read again
├── VaultChanged         the file is not one that our keys open any more
├── KeyWornOut           the master key has sealed as much as it may
├── NoCredential         nothing is stored under that id
└── StaleVersion         somebody stored another version first
"""

from collections.abc import Sequence
from pathlib import Path


class VaultError(Exception):
    """The root of all that the vault refuses."""


class VaultLocked(VaultError):
    """The file at `path` does not open with the key at hand; the text is the same whatever the cause."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the vault {path} did not open: either the key or passphrase is not the one it was sealed with, or the "
            "file is damaged; nothing was read from it and nothing was changed; try again with the right key, or put "
            "back a copy of the file"
        )
        self.path = path


class VaultUnreadable(VaultError):
    """The file at `path` is there and could not be read; `cause` is the disk's own error."""

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(
            f"the vault {path} could not be read ({cause.strerror or type(cause).__name__}); nothing was changed; see "
            "that it is a file in a folder that this user may enter, then try again"
        )
        self.path = path
        self.cause = cause


class FileExposed(VaultError):
    """The file at `path` has permissions `mode` or an owner that let others in."""

    def __init__(self, path: Path, mode: int, owner: int) -> None:
        super().__init__(
            f"expected {path} to be open to its owner alone, it has mode {mode:04o} and owner {owner}; it was not "
            "read; make it yours, set its mode to 0600, and replace the secrets if others could read them"
        )
        self.path = path
        self.mode = mode
        self.owner = owner


class SourceUnavailable(VaultError):
    """The source called `source` has no key to give; `reason` says why."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class NoMasterKey(VaultError):
    """No source that could do it gave a key; `refusals` are their reasons, in the order in which they were asked."""

    def __init__(self, wanted: str, refusals: Sequence[SourceUnavailable]) -> None:
        listed = "; ".join(map(str, refusals)) or "no such source is configured"
        super().__init__(
            f"expected a master key from {wanted}, got none ({listed}); nothing was changed; unlock the system's "
            "keyring, or name a file of mode 0600 with a passphrase in PITBOSS_PASSPHRASE_FILE, or let the service "
            "manager hand over a key file"
        )
        self.wanted = wanted
        self.refusals = tuple(refusals)


class KeyringRefused(VaultError):
    """The keyring `backend` is not one to keep a key in."""

    def __init__(self, backend: str, reason: str) -> None:
        super().__init__(
            f"expected a keyring that encrypts, got {backend}, {reason}; it was not used and nothing was changed; "
            "choose another in PYTHON_KEYRING_BACKEND or keyringrc.cfg, or use a passphrase file"
        )
        self.backend = backend
        self.reason = reason


class VaultNotSaved(VaultError):
    """The file at `path` could not be written; `cause` is the disk's own error."""

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(
            f"the vault {path} could not be written ({cause.strerror or type(cause).__name__}); the change was not "
            "made and what was stored stays valid; make room or repair the disk, then try again"
        )
        self.path = path
        self.cause = cause


class VaultFull(VaultError):
    """The change would have made the file `size` bytes big, more than the `most` that are read again."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            f"expected a vault of at most {most} bytes, the change makes it {size}; it was not made; remove "
            "credentials that are no longer used, and keep nothing but credentials in the vault"
        )
        self.size = size
        self.most = most


class VaultChanged(VaultError):
    """The file at `path` was replaced by what our keys do not open, by an older one, or is gone."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the vault {path} was replaced since it was opened, and what is there now does not follow from what was "
            "read; nothing was written over it; put the newest copy of the file back, or restart to read what is there"
        )
        self.path = path


class KeyWornOut(VaultError):
    """The master key has sealed `count` messages, which is its limit."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"the master key has sealed {count} messages and may seal no more; nothing was changed; rotate the key "
            "with `pitboss keys rotate`, then try again"
        )
        self.count = count


class NoCredential(VaultError):
    """Nothing is stored under `name`."""

    def __init__(self, name: tuple[str, ...]) -> None:
        super().__init__(
            f"no credential is stored for {_said(name)}; store it with `pitboss keys set` or `pitboss login`"
        )
        self.name = name


class StaleVersion(VaultError):
    """A change was made from version `seen` of `name`, while version `current` is stored (0: none)."""

    def __init__(self, name: tuple[str, ...], seen: int, current: int) -> None:
        super().__init__(
            f"expected the change of {_said(name)} to follow version {current}, it follows {seen}; it was not stored; "
            "read the credential again and decide anew"
        )
        self.name = name
        self.seen = seen
        self.current = current


def _said(name: tuple[str, ...]) -> str:
    """A name without its first word, which tells what kind of thing it names."""
    return repr("/".join(name[1:]))
