"""A vault on a table: sources, entropy and disks in memory, and a vault actor to run a play with."""

import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from brokers.capability import Environment
from brokers.vault import Credential, CredentialId, Keyholder, KeySource, Vault
from brokers.vault.kdf import STANDARD, Cost, KdfPolicy
from brokers.vault.private import anybody
from brokers.vault.sealing import Entropy, to_text
from brokers.vault.store import Store
from brokers.vault.unlock import KeyFileSource, PassphraseSource
from runtime import Child, Ref, Supervisor, open_runtime
from runtime.simulation import SimulatedDisk, SimulatedWorld
from runtime.wire.secret import Secret
from runtime.world import Disk

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
FILE = Path("/state/vault.pitboss")
CANARY = "k9-Canary/+=:7f3a%secret"
LOGIN = CredentialId("tradovate", "me@example.org", None, Environment.LIVE)

# Far below what STANDARD allows: for tests that are not about the cost itself.
QUICK = KdfPolicy(target=Cost(64, 1, 1), least=(Cost(8, 1, 1),), most=STANDARD.most)


def seeded(seed: int = 0) -> Entropy:
    return random.Random(seed).randbytes


def key_file(number: int = 1) -> KeyFileSource:
    key = Secret(to_text(bytes([number]) * 32))
    return KeyFileSource(lambda: key)


def passphrase(text: str = "correct horse", policy: KdfPolicy = QUICK) -> PassphraseSource:
    return PassphraseSource(lambda: Secret(text), policy)


def store(disk: Disk, *sources: KeySource, entropy: Entropy | None = None) -> Store:
    return Store(FILE, disk, Keyholder(sources or (key_file(),)), entropy or seeded(), anybody)


def opened(disk: Disk, *sources: KeySource, entropy: Entropy | None = None) -> Store:
    fresh = store(disk, *sources, entropy=entropy)
    fresh.open()
    return fresh


def name(login: str) -> tuple[str, ...]:
    return ("credential", "live", "tradovate", login)


def filled(disk: SimulatedDisk, *sources: KeySource) -> bytes:
    """Stores two records and returns the file."""
    vault = opened(disk, *sources)
    vault.put(name("one"), CANARY.encode(), 0)
    vault.put(name("two"), b"another", 0)
    return disk.read(FILE)


def credential(value: str = CANARY, version: int = 0, login: CredentialId = LOGIN) -> Credential:
    return Credential(login, {"refresh_token": Secret(value)}, version)


async def with_vault(
    world: SimulatedWorld, play: Callable[[Ref[Vault]], Awaitable[None]], keys: Keyholder | None = None
) -> None:
    """Runs a play with a vault actor in the world."""
    holder = keys or Keyholder([key_file()])

    def start() -> Vault:
        return Vault(FILE, holder, world.chance.randbytes, anybody)

    async with open_runtime(world) as runtime:
        top = await runtime.start(Supervisor([Child("vault", start, name="vault")]))
        vault: Ref[Vault] = top.child("vault")  # type: ignore[assignment]  # the one child is an actor
        await play(vault)
