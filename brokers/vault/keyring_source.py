"""Master keys in the operating system's keyring: called in a thread with a deadline, and only where it encrypts."""

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar, cast

import attrs
import outcome

from brokers.vault.book import Lock, Unlocked
from brokers.vault.errors import KeyringRefused, SourceUnavailable, VaultError
from brokers.vault.sealing import KEY_BYTES, Entropy, MasterKey, Unsealable
from runtime.wire.secret import Secret

T = TypeVar("T")

KEYRING: Final = "keyring"
SERVICE: Final = "pitboss vault"
OWN_BACKEND: Final = "brokers.vault.backend.EncryptedKeyring"
DEADLINE_SECONDS: Final = 30.0  # long enough for somebody to answer the desktop's prompt
_NONE_THERE: Final = "keyring.backends.fail.Keyring"
_FORGETFUL: Final = "keyring.backends.null.Keyring"
_CHAIN: Final = "keyring.backends.chainer.ChainerBackend"
_IN_THE_CLEAR: Final = frozenset(
    {
        "keyrings.alt.file.PlaintextKeyring",
        "keyrings.alt.pyfs.PlaintextKeyring",
        "keyring.backends.file.PlaintextKeyring",
        "keyring.backends.pyfs.PlaintextKeyring",
    }
)


class Backend(Protocol):
    """What we use of a keyring."""

    def get_password(self, service: str, username: str) -> str | None:
        """The password, None when there is none."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps a password."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Drops a password; raises when there is none."""
        ...


def system_keyring() -> Backend:
    """The keyring that the library chooses; loading it may touch the desktop's bus, so it is loaded when needed."""
    import keyring  # noqa: PLC0415 - see above

    return cast("Backend", keyring.get_keyring())


@attrs.frozen
class KeyringSource:
    """Random master keys, kept under their ids in the system's keyring; `configured` is the backend asked for."""

    load: Callable[[], Backend] = system_keyring
    deadline_seconds: float = DEADLINE_SECONDS
    configured: str | None = None
    kind: str = attrs.field(default=KEYRING, init=False)

    def make(self, key: str, entropy: Entropy) -> Unlocked:
        """A random key, once the keyring has shown that it keeps it; raises KeyringRefused."""
        made = MasterKey.of(entropy(KEY_BYTES))
        self._with(lambda ring: ring.set_password(SERVICE, key, made.material.reveal()))
        if self._with(lambda ring: ring.get_password(SERVICE, key)) != made.material.reveal():
            raise SourceUnavailable(self.kind, "it does not give back what it was given")
        return Unlocked(Lock(key, self.kind), made)

    def open(self, lock: Lock) -> MasterKey:
        """The key under the lock's id; raises Unsealable when there is none, and KeyringRefused."""
        kept = self._with(lambda ring: ring.get_password(SERVICE, lock.key))
        if kept is None:
            raise Unsealable(f"expected an entry {lock.key!r} of {SERVICE!r} in the keyring")
        return MasterKey(Secret(kept))

    def renewed(self, opened: Unlocked, entropy: Entropy) -> None:
        """Never: a random key does not age."""

    def forget(self, lock: Lock) -> None:
        """Drops the entry of the lock's id."""
        self._with(lambda ring: ring.delete_password(SERVICE, lock.key))

    def _with(self, use: Callable[[Backend], T]) -> T:
        """What use makes of the keyring; whatever a backend raises means that it is unavailable."""
        refuse_insecure(self.configured)
        try:
            return _within(self.deadline_seconds, lambda: use(self._secure()))
        except VaultError:
            raise
        except Exception as error:  # noqa: BLE001 - backends raise what they like, and its text may hold anything
            raise SourceUnavailable(self.kind, f"it failed with {type(error).__name__}") from None

    def _secure(self) -> Backend:
        try:
            found = self.load()
        except Exception as error:
            name = self.configured or "one that is configured"
            raise KeyringRefused(name, f"which does not load ({type(error).__name__})") from error
        return _checked(found)


def _within(seconds: float, work: Callable[[], T]) -> T:
    """What work returns or raises, unless it takes too long: then it is left to a thread that holds up nobody."""
    answer: queue.SimpleQueue[outcome.Outcome[T]] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(outcome.capture(work)), name="keyring", daemon=True).start()
    try:
        return answer.get(timeout=seconds).unwrap()
    except queue.Empty:
        reason = f"it gave no answer within {seconds:g} s; does it wait for somebody to unlock it?"
        raise SourceUnavailable(KEYRING, reason) from None


def _checked(ring: Backend) -> Backend:
    """The keyring, or the first fit one of a chain; raises KeyringRefused, SourceUnavailable."""
    names = _names(type(ring))
    if _CHAIN in names:
        return _first_fit(getattr(ring, "backends", ()))
    for name in names:
        refuse_insecure(name)
    if _NONE_THERE in names:
        raise SourceUnavailable(KEYRING, "this machine has none (no desktop session, no secret service)")
    if OWN_BACKEND in names:
        raise SourceUnavailable(KEYRING, "it is our own file, whose passphrase or key file opens the vault directly")
    return ring


def _first_fit(rings: Iterable[Backend]) -> Backend:
    refusal: VaultError = SourceUnavailable(KEYRING, "the chain of keyrings is empty")
    for ring in rings:
        try:
            return _checked(ring)
        except (KeyringRefused, SourceUnavailable) as error:
            refusal = error
    raise refusal


def refuse_insecure(backend: str | None) -> None:
    """Raises KeyringRefused for a backend that keeps secrets in the clear or keeps none; None is fine."""
    if backend is None:
        return
    if backend == _FORGETFUL:
        raise KeyringRefused(backend, "which keeps nothing")
    if backend in _IN_THE_CLEAR or "plaintext" in backend.lower():
        raise KeyringRefused(backend, "which keeps secrets in the clear")


def _names(kind: type) -> list[str]:
    """The class and its bases by their full names: a subclass of what is refused is refused."""
    return [f"{cls.__module__}.{cls.__qualname__}" for cls in kind.__mro__]
