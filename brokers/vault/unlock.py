"""Where master keys come from: the system's keyring, a passphrase, a key file; asked in the order they are given.

A vault remembers which kind of source locked it, and is opened by a source of that kind only.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import attrs

from brokers.vault.book import Lock, Unlocked
from brokers.vault.errors import NoMasterKey, SourceUnavailable, VaultError
from brokers.vault.kdf import STANDARD, KdfPolicy, derive, is_outdated, new_derivation
from brokers.vault.keyring_source import KEYRING, KeyringSource
from brokers.vault.private import Guard, refuse_exposed
from brokers.vault.sealing import Entropy, MasterKey, Unsealable, to_text
from runtime.wire.secret import Secret
from runtime.world import Disk

PASSPHRASE_FILE: Final = "PITBOSS_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable that names a file
CREDENTIALS_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"  # where systemd puts what LoadCredential= names
KEY_FILE_NAME: Final = "pitboss-vault-key"
PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a source
KEY_FILE: Final = "key file"
_KINDS: Final = frozenset({KEYRING, PASSPHRASE, KEY_FILE})
_KEY_ID_BYTES: Final = 8


class KeySource(Protocol):
    """One place that keeps or makes master keys; every method may block, and raises SourceUnavailable."""

    @property
    def kind(self) -> str:
        """How locks name this kind of source."""
        ...

    def make(self, key: str, entropy: Entropy) -> Unlocked:
        """A master key for a new lock, kept under the id `key` where this source keeps keys."""
        ...

    def open(self, lock: Lock) -> MasterKey:
        """The master key of a lock; raises Unsealable when the lock asks for what we do not do."""
        ...

    def renewed(self, opened: Unlocked, entropy: Entropy) -> Unlocked | None:
        """A better key for a vault that has just opened, or None when its lock is as good as new ones."""
        ...

    def forget(self, lock: Lock) -> None:
        """Lets go of a key that locks nothing any more."""
        ...


@attrs.frozen
class PassphraseSource:
    """A passphrase that `ask` gets, from a prompt or a file; it is asked for at each use and kept by nobody."""

    ask: Callable[[], Secret]
    policy: KdfPolicy = STANDARD
    kind: str = attrs.field(default=PASSPHRASE, init=False)

    def make(self, key: str, entropy: Entropy) -> Unlocked:
        """A key derived at the policy's target cost with a fresh salt."""
        return self._made(self._asked(), key, entropy)

    def open(self, lock: Lock) -> MasterKey:
        """The key derived as the lock says."""
        if lock.derivation is None:
            raise Unsealable("expected a derivation beside a passphrase's lock")
        return derive(self._asked(), lock.derivation, self.policy)

    def renewed(self, opened: Unlocked, entropy: Entropy) -> Unlocked | None:
        """The same passphrase at today's cost, when the lock's is lower; asks again, and a slip changes nothing."""
        derivation = opened.lock.derivation
        if derivation is None or not is_outdated(derivation, self.policy):
            return None
        passphrase = self._asked()
        if derive(passphrase, derivation, self.policy) != opened.key:
            return None
        return self._made(passphrase, opened.lock.key, entropy)

    def forget(self, lock: Lock) -> None:
        """Nothing was kept."""

    def _asked(self) -> Secret:
        passphrase = self.ask()
        if not passphrase:
            raise SourceUnavailable(self.kind, "it is empty")
        return passphrase

    def _made(self, passphrase: Secret, key: str, entropy: Entropy) -> Unlocked:
        derivation = new_derivation(self.policy, entropy)
        return Unlocked(Lock(key, self.kind, derivation), derive(passphrase, derivation, self.policy))


@attrs.frozen
class KeyFileSource:
    """A file with 32 random bytes in base64 that the service manager hands over; we never write it."""

    read: Callable[[], Secret]
    kind: str = attrs.field(default=KEY_FILE, init=False)

    def make(self, key: str, entropy: Entropy) -> Unlocked:
        """The key in the file."""
        return Unlocked(Lock(key, self.kind), self._key())

    def open(self, lock: Lock) -> MasterKey:
        """The key in the file."""
        return self._key()

    def renewed(self, opened: Unlocked, entropy: Entropy) -> None:
        """Never: the file's owner changes it."""

    def forget(self, lock: Lock) -> None:
        """The file is its owner's."""

    def _key(self) -> MasterKey:
        try:
            return MasterKey(self.read())
        except Unsealable as error:
            reason = f"{error}; make one with `head -c 32 /dev/urandom | base64`"
            raise SourceUnavailable(self.kind, reason) from None


def secret_file(source: str, path: Path, disk: Disk, guard: Guard = refuse_exposed) -> Callable[[], Secret]:
    """What reads a secret file anew each time, without its last line end; raises SourceUnavailable, FileExposed."""

    def read() -> Secret:
        guard(path)
        try:
            return Secret(disk.read(path).decode().removesuffix("\n").removesuffix("\r"))
        except OSError as error:
            raise SourceUnavailable(source, f"{path} cannot be read ({error.strerror})") from error
        except UnicodeDecodeError:
            raise SourceUnavailable(source, f"{path} is not UTF-8 text") from None

    return read


def standard_sources(
    environ: Mapping[str, str],
    disk: Disk,
    *,
    ask: Callable[[], Secret] | None = None,
    key_file: Path | None = None,
    guard: Guard = refuse_exposed,
) -> tuple[KeySource, ...]:
    """The sources of this environment in their order: keyring, passphrase (file, else prompt), key file."""
    return tuple(_configured(environ, disk, ask, key_file, guard))


def _configured(
    environ: Mapping[str, str],
    disk: Disk,
    ask: Callable[[], Secret] | None,
    key_file: Path | None,
    guard: Guard,
) -> Iterator[KeySource]:
    yield KeyringSource(configured=environ.get("PYTHON_KEYRING_BACKEND"))
    yield from file_sources(environ, disk, ask=ask, key_file=key_file, guard=guard)


def file_sources(
    environ: Mapping[str, str],
    disk: Disk,
    *,
    ask: Callable[[], Secret] | None = None,
    key_file: Path | None = None,
    guard: Guard = refuse_exposed,
) -> Iterator[KeySource]:
    """The sources besides the keyring; a file that the environment names goes before a prompt."""
    if named := environ.get(PASSPHRASE_FILE):
        ask = secret_file(PASSPHRASE, Path(named), disk, guard)
    if ask is not None:
        yield PassphraseSource(ask)
    if folder := environ.get(CREDENTIALS_DIRECTORY):
        key_file = key_file or Path(folder) / KEY_FILE_NAME
    if key_file is not None:
        yield KeyFileSource(secret_file(KEY_FILE, key_file, disk, guard))


class Keyholder:
    """Who asks the sources; it outlives the vault's restarts, so that a rotated key is known to the next instance."""

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self.sources = tuple(sources)

    def consider(self, source: KeySource) -> None:
        """Asks this source too from now on, after the others."""
        if source not in self.sources:
            self.sources = (*self.sources, source)

    def trust(self, source: KeySource) -> None:
        """Asks this source before the others from now on."""
        self.sources = (source, *(other for other in self.sources if other != source))

    def make(self, entropy: Entropy) -> Unlocked:
        """A new master key from the first source that has one to give; raises NoMasterKey with all their reasons."""
        refusals = []
        for source in self.sources:
            try:
                return new_key(source, entropy)
            except SourceUnavailable as refusal:
                refusals.append(refusal)
        raise NoMasterKey("any source", refusals)

    def keys(self, lock: Lock) -> Iterator[tuple[KeySource, MasterKey]]:
        """The keys that sources of the lock's kind give for it; raises NoMasterKey, Unsealable for an unknown kind."""
        if lock.source not in _KINDS:
            raise Unsealable(f"expected one of {sorted(_KINDS)}")
        refusals: list[SourceUnavailable] = []
        gave = False
        for source in self.sources:
            if source.kind == lock.source:
                try:
                    key = source.open(lock)
                except SourceUnavailable as refusal:
                    refusals.append(refusal)
                else:
                    gave = True
                    yield source, key
        if not gave:
            raise NoMasterKey(f"the {lock.source!r} that locked the vault", refusals)

    def forget(self, lock: Lock) -> None:
        """Has the sources let go of a key that locks nothing any more; one that cannot be reached keeps it."""
        for source in self.sources:
            if source.kind == lock.source:
                with contextlib.suppress(VaultError):  # the key is useless already
                    source.forget(lock)


def new_key(source: KeySource, entropy: Entropy) -> Unlocked:
    """A master key of this source under a fresh id; raises SourceUnavailable."""
    return source.make(to_text(entropy(_KEY_ID_BYTES)), entropy)
