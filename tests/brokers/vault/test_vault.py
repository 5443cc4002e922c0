"""The vault as an actor: durable answers, changes that do not overtake each other, rotation under traffic."""

from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from brokers.capability import Environment
from brokers.vault import Credential, CredentialId, Keyholder, Vault
from brokers.vault.book import Lock, Unlocked
from brokers.vault.errors import NoCredential, SourceUnavailable, StaleVersion, VaultLocked, VaultNotSaved
from brokers.vault.private import anybody
from brokers.vault.sealing import SYSTEM_ENTROPY, Entropy, MasterKey
from brokers.vault.unlock import KeyFileSource
from runtime import Child, Failed, Ref, Restart, Runtime, Shutdown, Supervisor, open_runtime
from runtime.errors import ActorGone, StartFailed
from runtime.inspection import inspect
from runtime.real import real_world
from runtime.simulation import FaultPlan, PowerCut, SimulatedDisk, SimulatedWorld, fixed, on_hits, simulate
from runtime.wire.disguises import disguises
from runtime.wire.secret import Secret
from tests.brokers.vault.kit import (
    CANARY,
    FILE,
    LOGIN,
    NIGHTLY,
    credential,
    filled,
    key_file,
    passphrase,
    with_vault,
)


def played(play: Any, *, seed: int = 0, disk: SimulatedDisk | None = None, keys: Keyholder | None = None) -> Any:
    async def scenario(world: SimulatedWorld) -> None:
        await with_vault(world, play, keys)

    return simulate(scenario, seed=seed, disk=disk).unwrap()


def test_a_credential_comes_back_with_its_version_and_survives_the_process() -> None:
    disk = SimulatedDisk()

    async def first(vault: Ref[Vault]) -> None:
        with pytest.raises(NoCredential):
            await vault.call(Vault.get, LOGIN)
        version = await vault.call(Vault.put, credential())
        held = await vault.call(Vault.get, LOGIN)
        assert held == credential(version=version)

    async def second(vault: Ref[Vault]) -> None:
        assert (await vault.call(Vault.get, LOGIN)).fields == credential().fields
        await vault.call(Vault.remove, LOGIN)
        with pytest.raises(NoCredential):
            await vault.call(Vault.get, LOGIN)

    played(first, disk=disk)
    played(second, disk=disk)


def test_two_accounts_and_two_environments_of_one_login_are_apart() -> None:
    owners = [
        CredentialId("schwab", "me", account, environment)
        for account in (None, "A1", "A2")
        for environment in Environment
    ]

    async def play(vault: Ref[Vault]) -> None:
        for number, owner in enumerate(owners):
            await vault.call(Vault.put, credential(f"secret {number}", login=owner))
        for number, owner in enumerate(owners):
            assert (await vault.call(Vault.get, owner)).fields == {"refresh_token": Secret(f"secret {number}")}
        listed = await vault.call(Vault.ids)
        assert set(listed) == set(owners)
        assert len(listed) == len(owners)
        statistics = await vault.call(Vault.statistics)
        assert (statistics.credentials, statistics.puts, statistics.gets) == (6, 6, 6)
        assert (statistics.source, statistics.key_version, statistics.wraps) == ("key file", 1, 6)

    played(play)


@pytest.mark.parametrize("seed", range(5 * NIGHTLY))
def test_s58_of_puts_that_race_from_one_version_exactly_one_wins(seed: int) -> None:
    async def scenario(world: SimulatedWorld) -> None:
        world.threads.latency = fixed(0.01)
        won: list[int] = []
        lost: list[int] = []

        async def refresh(vault: Ref[Vault], basis: Credential, number: int) -> None:
            try:
                await vault.call(Vault.put, attrs.evolve(basis, fields={"refresh_token": Secret(f"token {number}")}))
            except StaleVersion:
                lost.append(number)
            else:
                won.append(number)

        async def play(vault: Ref[Vault]) -> None:
            await vault.call(Vault.put, credential())
            basis = await vault.call(Vault.get, LOGIN)
            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(refresh, vault, basis, number)
            assert (len(won), len(lost)) == (1, 4)
            held = await vault.call(Vault.get, LOGIN)
            assert held.fields == {"refresh_token": Secret(f"token {won[0]}")}

        await with_vault(world, play)

    simulate(scenario, seed=seed).unwrap()


@pytest.mark.parametrize("hit", range(1, 9))
@pytest.mark.parametrize("seed", range(3 * NIGHTLY))
def test_s58_killed_at_any_disk_step_the_next_life_holds_the_last_acknowledged_token_or_a_newer(
    hit: int, seed: int
) -> None:
    disk = SimulatedDisk()
    acknowledged: list[int] = []

    async def rotating(world: SimulatedWorld) -> None:
        async def play(vault: Ref[Vault]) -> None:
            version = 0
            for number in range(4):
                version = await vault.call(Vault.put, credential(f"token {number}", version))
                acknowledged.append(number)

        await with_vault(world, play)

    first = simulate(rotating, seed=seed, disk=disk, faults=FaultPlan({"disk.power_cut": on_hits(hit)}))
    assert isinstance(first.error, PowerCut | BaseExceptionGroup)
    disk.power_on()

    async def after(vault: Ref[Vault]) -> None:
        last = acknowledged[-1] if acknowledged else -1
        try:
            held = await vault.call(Vault.get, LOGIN)
        except NoCredential:
            assert last == -1
        else:
            assert held.fields["refresh_token"].reveal() in (f"token {last}", f"token {last + 1}")
            await vault.call(Vault.put, attrs.evolve(held, fields={"refresh_token": Secret("next")}))

    played(after, disk=disk)


def test_a_disk_that_refuses_does_not_end_the_vault_and_the_put_is_sent_again() -> None:
    disk = SimulatedDisk()

    async def play(vault: Ref[Vault]) -> None:
        version = await vault.call(Vault.put, credential("one"))
        disk.faults.arm("disk.full")
        with pytest.raises(VaultNotSaved):
            await vault.call(Vault.put, credential("two", version))
        assert (await vault.call(Vault.get, LOGIN)).fields == credential("one").fields
        assert await vault.call(Vault.put, credential("two", version)) > version

    played(play, disk=disk)


# S08: rotation.


@attrs.frozen
class SlowSource:
    """Another source, which takes its time to make a key."""

    inner: KeyFileSource
    disk: SimulatedDisk
    seconds: float
    kind: str = "key file"

    def make(self, key: str, entropy: Entropy) -> Unlocked:
        self.disk._pass_time(self.seconds)
        return self.inner.make(key, entropy)

    def open(self, lock: Lock) -> MasterKey:
        return self.inner.open(lock)

    def renewed(self, opened: Unlocked, entropy: Entropy) -> None:
        pass

    def forget(self, lock: Lock) -> None:
        pass


@pytest.mark.parametrize("seed", range(4 * NIGHTLY))
def test_s08_rotation_goes_on_under_traffic_and_the_old_key_is_useless_afterwards(seed: int) -> None:
    disk = SimulatedDisk()
    slowest = 0.0
    versions: list[int] = []

    async def traffic(world: SimulatedWorld, vault: Ref[Vault], number: int) -> None:
        nonlocal slowest
        owner = CredentialId("tradestation", f"login {number}", None, Environment.PAPER)
        version = 0
        for turn in range(20):
            asked = world.clock.monotonic_ns()
            version = await vault.call(Vault.put, credential(f"{number}/{turn}", version, owner))
            held = await vault.call(Vault.get, owner)
            assert held == credential(f"{number}/{turn}", version, owner)
            slowest = max(slowest, (world.clock.monotonic_ns() - asked) / 1e9)
            await trio.sleep(0.1)

    async def scenario(world: SimulatedWorld) -> None:
        async def play(vault: Ref[Vault]) -> None:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(traffic, world, vault, number)
                for key in (2, 3):
                    await trio.sleep(0.3)
                    versions.append(await vault.call(Vault.rotate, SlowSource(key_file(key), disk, 0.6)))

        await with_vault(world, play)

    simulate(scenario, seed=seed, disk=disk).unwrap()
    assert versions == [2, 3]
    assert slowest < 0.5, "nobody waits for the making of a key"

    async def after(vault: Ref[Vault]) -> None:
        for number in range(3):
            owner = CredentialId("tradestation", f"login {number}", None, Environment.PAPER)
            assert (await vault.call(Vault.get, owner)).fields == credential(f"{number}/19").fields

    played(after, disk=disk, keys=Keyholder([key_file(3)]))
    for old in (1, 2):
        with pytest.raises(StartFailed, match="did not open"):
            played(after, disk=disk, keys=Keyholder([key_file(old)]))


class Watched:
    """Threads that note which works run at the same time."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.together: set[frozenset[str]] = set()

    async def run(self, work: Any) -> Any:
        self.running.append(work.func.__name__ if isinstance(work, partial) else work.__name__)
        self.together.add(frozenset(self.running))
        await trio.sleep(1)
        result = work()
        self.running.pop(0)
        return result


def test_s08_a_key_is_made_beside_a_put_and_taken_up_after_it() -> None:
    async def scenario(world: SimulatedWorld) -> set[frozenset[str]]:
        threads = Watched()

        async def play(vault: Ref[Vault]) -> None:
            version = await vault.call(Vault.put, credential("one"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(vault.call, Vault.rotate, key_file(2))
                await trio.sleep(0.5)
                await vault.call(Vault.put, credential("two", version))
            assert (await vault.call(Vault.statistics)).key_version == 2
            assert (await vault.call(Vault.get, LOGIN)).fields == credential("two").fields

        await with_vault(attrs.evolve(world, threads=threads), play)  # type: ignore[arg-type]  # watched, not inline
        return threads.together

    together = simulate(scenario, seed=0).unwrap()
    assert frozenset({"new_key", "put"}) in together
    assert frozenset({"adopt", "put"}) not in together


def test_s08_the_next_life_of_a_rotated_vault_knows_its_new_key() -> None:
    keys = Keyholder([key_file(1)])

    async def scenario(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            child = Child(
                "vault", lambda: Vault(FILE, keys, world.chance.randbytes, anybody), restart=Restart.PERMANENT
            )
            top = await runtime.start(Supervisor([child]))
            first: Ref[Vault] = top.child("vault")  # type: ignore[assignment]  # the one child is an actor
            await first.call(Vault.put, credential())
            await first.call(Vault.rotate, passphrase())
            first.kill()
            await first.ended()
            await trio.sleep(1)
            second: Ref[Vault] = top.child("vault")  # type: ignore[assignment]  # the same
            assert (await second.call(Vault.get, LOGIN)).fields == credential().fields

    simulate(scenario, seed=0).unwrap()


def test_s08_a_rotation_to_a_source_without_a_key_leaves_the_old_key_in_force() -> None:
    async def play(vault: Ref[Vault]) -> None:
        await vault.call(Vault.put, credential())
        with pytest.raises(SourceUnavailable):
            await vault.call(Vault.rotate, passphrase(""))
        assert (await vault.call(Vault.statistics)).key_version == 1
        assert (await vault.call(Vault.get, LOGIN)).fields == credential().fields

    played(play)


def test_an_empty_vault_rotates_to_the_key_of_its_first_record() -> None:
    disk = SimulatedDisk()

    async def first(vault: Ref[Vault]) -> None:
        assert await vault.call(Vault.rotate, key_file(2)) == 1
        await vault.call(Vault.put, credential())

    async def second(vault: Ref[Vault]) -> None:
        assert (await vault.call(Vault.get, LOGIN)).fields == credential().fields

    played(first, disk=disk)
    played(second, disk=disk, keys=Keyholder([key_file(2)]))


# What it shows.


def test_s03_a_vault_that_does_not_open_refuses_to_start_with_the_one_sentence() -> None:
    disk = SimulatedDisk()
    filled(disk)

    async def never(vault: Ref[Vault]) -> None:
        raise AssertionError("it started")

    with pytest.raises(StartFailed) as caught:
        played(never, disk=disk, keys=Keyholder([key_file(2)]))
    assert str(VaultLocked(FILE)) in str(caught.value)
    assert isinstance(caught.value.reason, Failed)
    below = caught.value.reason.error
    assert isinstance(below, StartFailed)
    assert isinstance(below.reason, Shutdown), "refused, not crashed"


def test_i13_no_state_of_a_vault_at_work_shows_a_secret() -> None:
    async def play(vault: Ref[Vault]) -> None:
        await vault.call(Vault.put, credential())
        held = await vault.call(Vault.get, LOGIN)
        seen = inspect(vault)
        shown = f"{seen} {held} {await vault.call(Vault.statistics)} {await vault.call(Vault.ids)}"
        assert seen.state["file"] == repr(FILE)
        for needle in disguises(CANARY.encode()) | disguises(bytes([1]) * 32):
            assert needle not in shown

    played(play)


async def test_in_life_it_works_on_a_real_disk_in_real_threads(tmp_path: Path) -> None:
    path = tmp_path / "state" / "vault"
    keys = Keyholder([key_file()])

    async def life(runtime: Runtime) -> Ref[Vault]:
        top = await runtime.start(Supervisor([Child("vault", lambda: Vault(path, keys, SYSTEM_ENTROPY))]))
        vault: Ref[Vault] = top.child("vault")  # type: ignore[assignment]  # the one child is an actor
        return vault

    async with open_runtime(real_world()) as runtime:
        vault = await life(runtime)
        version = await vault.call(Vault.put, credential())
    assert path.stat().st_mode & 0o777 == 0o600
    async with open_runtime(real_world()) as runtime:
        vault = await life(runtime)
        assert await vault.call(Vault.get, LOGIN) == credential(version=version)
    with pytest.raises(ActorGone):
        await vault.call(Vault.get, LOGIN)
