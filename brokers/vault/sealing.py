"""Envelopes of AES-256-GCM: each message under a key of its own, that key wrapped by the master key.

Every encryption draws a fresh nonce of 96 bits, and a fresh data key seals exactly one message. Both layers are
bound to the words that they are sealed for, so an envelope opens in its own place only; the outer one is bound to
the master key's version too, so a change of the master key re-wraps the data keys and leaves the messages alone.
"""

import base64
import binascii
import hmac
import json
import os
from collections.abc import Callable, Sequence
from typing import Final

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from runtime.wire.secret import Secret

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12

# So many bytes that nobody can guess: the operating system's in life, a seeded generator's in rehearsal.
Entropy = Callable[[int], bytes]
SYSTEM_ENTROPY: Final[Entropy] = os.urandom


class Unsealable(ValueError):
    """What should be opened was sealed with another key, for another place, or was changed since."""


def to_text(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


def to_bytes(text: str) -> bytes:
    """The bytes behind base64; raises Unsealable, which does not show the text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unsealable("expected base64") from None


def _key_sized(_: object, __: object, material: Secret) -> None:
    if len(to_bytes(material.reveal())) != KEY_BYTES:
        raise Unsealable(f"expected a key of {KEY_BYTES} bytes in base64")


@attrs.frozen
class MasterKey:
    """The key above all data keys; as a Secret its material shows itself nowhere."""

    material: Secret = attrs.field(validator=_key_sized)

    @classmethod
    def of(cls, key: bytes) -> "MasterKey":
        """The master key with these 32 bytes."""
        return cls(Secret(to_text(key)))

    def for_purpose(self, purpose: str) -> bytes:
        """A key derived for one purpose, so that no two purposes share one."""
        expand = HKDFExpand(hashes.SHA256(), KEY_BYTES, b"pitboss vault: " + purpose.encode())
        return expand.derive(to_bytes(self.material.reveal()))

    def mark(self, data: bytes) -> bytes:
        """An authentication mark over data that is stored in the clear."""
        return hmac.digest(self.for_purpose("mark"), data, "sha256")


@attrs.frozen
class Sealed:
    """One encrypted message with its nonce, both in base64; the message ends with its tag of 128 bits."""

    nonce: str
    data: str


@attrs.frozen
class Envelope:
    """A message under a data key, and that key under the master key."""

    key: Sealed
    body: Sealed


def seal(plain: bytes, master: MasterKey, version: int, place: Sequence[str | int], entropy: Entropy) -> Envelope:
    """Puts plain into an envelope for this place, under a fresh data key that `version` of the master key wraps."""
    data_key = entropy(KEY_BYTES)
    return Envelope(
        key=_wrap(data_key, master, version, place, entropy),
        body=_encrypt(data_key, plain, _bound("body", place), entropy),
    )


def unseal(envelope: Envelope, master: MasterKey, version: int, place: Sequence[str | int]) -> bytes:
    """The message in an envelope; raises Unsealable."""
    return _decrypt(_unwrap(envelope.key, master, version, place), envelope.body, _bound("body", place))


def rewrap(
    envelope: Envelope,
    place: Sequence[str | int],
    old: tuple[MasterKey, int],
    new: tuple[MasterKey, int],
    entropy: Entropy,
) -> Envelope:
    """The envelope with its data key wrapped by the new (key, version) instead of the old; raises Unsealable."""
    data_key = _unwrap(envelope.key, *old, place)
    return attrs.evolve(envelope, key=_wrap(data_key, *new, place, entropy))


def _wrap(data_key: bytes, master: MasterKey, version: int, place: Sequence[str | int], entropy: Entropy) -> Sealed:
    return _encrypt(master.for_purpose("wrap"), data_key, _bound("key", (version, *place)), entropy)


def _unwrap(sealed: Sealed, master: MasterKey, version: int, place: Sequence[str | int]) -> bytes:
    return _decrypt(master.for_purpose("wrap"), sealed, _bound("key", (version, *place)))


def _encrypt(key: bytes, plain: bytes, bound: bytes, entropy: Entropy) -> Sealed:
    nonce = entropy(NONCE_BYTES)
    return Sealed(to_text(nonce), to_text(AESGCM(key).encrypt(nonce, plain, bound)))


def _decrypt(key: bytes, sealed: Sealed, bound: bytes) -> bytes:
    nonce = to_bytes(sealed.nonce)
    if len(nonce) != NONCE_BYTES:
        raise Unsealable(f"expected a nonce of {NONCE_BYTES} bytes, got {len(nonce)}")
    try:
        return AESGCM(key).decrypt(nonce, to_bytes(sealed.data), bound)
    except InvalidTag:
        raise Unsealable("expected what was sealed with this key for this place") from None


def _bound(layer: str, place: Sequence[str | int]) -> bytes:
    """The place as bytes in which no two places are alike."""
    return json.dumps([layer, *place]).encode()
