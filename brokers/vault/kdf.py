"""From a passphrase to a master key: Argon2id, with its cost stored beside the vault and held to a least and a most."""

import unicodedata
from typing import Final

import attrs
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from brokers.vault.sealing import KEY_BYTES, Entropy, MasterKey, Unsealable, to_bytes, to_text
from runtime.wire.secret import Secret

SALT_BYTES: Final = 16
_METHOD: Final = "argon2id"
_MIB: Final = 1024


@attrs.frozen
class Cost:
    """What one derivation costs: memory, passes over it, and lanes that may run at once."""

    memory_kib: int
    passes: int
    lanes: int

    def covers(self, other: "Cost") -> bool:
        """Whether this costs a guesser at least as much; lanes make it no cheaper."""
        return self.memory_kib >= other.memory_kib and self.passes >= other.passes


@attrs.frozen
class KdfPolicy:
    """The cost of new derivations, the least of which a stored one must cover one, and the most that it may ask."""

    target: Cost
    least: tuple[Cost, ...]
    most: Cost

    def allows(self, cost: Cost) -> bool:
        """Whether a stored cost is neither too cheap nor so high that it would keep the machine from starting."""
        strong = any(cost.covers(least) for least in self.least)
        return strong and self.most.covers(cost) and 1 <= cost.lanes <= self.most.lanes


# The least are OWASP's minima; we derive once a start, so the target is far above them.
STANDARD: Final = KdfPolicy(
    target=Cost(256 * _MIB, passes=3, lanes=2),
    least=(Cost(19 * _MIB, passes=2, lanes=1), Cost(46 * _MIB, passes=1, lanes=1)),
    most=Cost(1024 * _MIB, passes=16, lanes=16),
)


@attrs.frozen
class Derivation:
    """How a master key follows from a passphrase: stored in the clear, worth nothing without the passphrase."""

    method: str
    salt: str
    cost: Cost


def new_derivation(policy: KdfPolicy, entropy: Entropy) -> Derivation:
    """A derivation at the policy's target with a fresh salt."""
    return Derivation(_METHOD, to_text(entropy(SALT_BYTES)), policy.target)


def derive(passphrase: Secret, derivation: Derivation, policy: KdfPolicy) -> MasterKey:
    """The master key; raises Unsealable, before any work, for a derivation weaker or dearer than the policy allows."""
    salt = to_bytes(derivation.salt)
    if derivation.method != _METHOD or len(salt) < SALT_BYTES or not policy.allows(derivation.cost):
        raise Unsealable(f"expected {_METHOD} with a salt and cost within the policy, got {derivation}; not used")
    cost = derivation.cost
    kdf = Argon2id(salt=salt, length=KEY_BYTES, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib)
    return MasterKey.of(kdf.derive(_octets(passphrase)))


def is_outdated(derivation: Derivation, policy: KdfPolicy) -> bool:
    """Whether new derivations cost more than this one."""
    return not derivation.cost.covers(policy.target)


def _octets(passphrase: Secret) -> bytes:
    """The same bytes however the keyboard composed an accent."""
    return unicodedata.normalize("NFC", passphrase.reveal()).encode("utf-8", "surrogatepass")
