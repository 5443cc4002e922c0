"""The store against a dictionary, through any order of changes, refusals of the disk, power cuts, rotations and lives."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from brokers.vault.errors import NoCredential, StaleVersion, VaultLocked, VaultNotSaved
from brokers.vault.store import Store
from brokers.vault.unlock import KeySource, new_key
from runtime.simulation import PowerCut, SimulatedDisk
from tests.brokers.vault.kit import NIGHTLY, key_file, name, opened, passphrase, seeded

logins = st.sampled_from(["one", "two", "three"])
messages = st.binary(max_size=20)
mishaps = st.sampled_from([None, None, None, ("disk.full", 1), ("disk.sync", 1), ("disk.sync", 2)])
cuts = st.sampled_from([1, 2])
SOURCES: list[KeySource] = [key_file(1), key_file(2), key_file(3), passphrase("a"), passphrase("b")]
keys = st.sampled_from(SOURCES)

Mishap = tuple[str, int] | None


class StoreMachine(RuleBasedStateMachine):
    """`held` is what was acknowledged; `source` is who locked the vault."""

    def __init__(self) -> None:
        super().__init__()
        self.entropy = seeded(5)
        self.disk = SimulatedDisk(random.Random(5))
        self.held: dict[str, bytes] = {}
        self.source = SOURCES[0]
        self.count = 0
        self.store: Store

    @initialize()
    def first_life(self) -> None:
        self.live()

    def live(self) -> None:
        self.store = opened(self.disk, self.source, entropy=self.entropy)

    def arm(self, mishap: Mishap) -> None:
        self.disk.faults.silence()
        if mishap is not None:
            self.disk.faults.arm(*mishap)

    def settle(self) -> None:
        """After a refusal the file may hold the change or not; one that succeeds leaves no doubt."""
        self.arm(None)
        self.count += 1
        self.held["settled"] = str(self.count).encode()
        self.store.put(name("settled"), self.held["settled"], self.version("settled"))

    def version(self, login: str) -> int:
        return self.store.book.version(name(login)) if self.store.book else 0

    @rule(login=logins, message=messages, mishap=mishaps)
    def put(self, login: str, message: bytes, mishap: Mishap) -> None:
        self.arm(mishap)
        try:
            version = self.store.put(name(login), message, self.version(login))
        except VaultNotSaved:
            assert mishap
        else:
            self.held[login] = message
            assert version == self.version(login)

    @rule(login=logins, message=messages)
    def put_from_a_version_that_never_was(self, login: str, message: bytes) -> None:
        if self.held.get(login) != message:
            with pytest.raises(StaleVersion):
                self.store.put(name(login), message, 10_000)

    @rule(login=logins, mishap=mishaps)
    def remove(self, login: str, mishap: Mishap) -> None:
        self.arm(mishap)
        try:
            self.store.remove(name(login))
        except VaultNotSaved:
            assert mishap
        except NoCredential:
            assert login not in self.held
        else:
            del self.held[login]

    @rule(source=keys, mishap=mishaps)
    def rotate(self, source: KeySource, mishap: Mishap) -> None:
        self.arm(mishap)
        try:
            self.store.adopt(source, new_key(source, self.entropy))
        except VaultNotSaved:
            assert mishap
        else:
            self.source = source

    @rule()
    def next_life(self) -> None:
        self.settle()
        self.live()

    @rule(login=logins, message=messages, hit=cuts)
    def power_cut(self, login: str, message: bytes, hit: int) -> None:
        if self.held.get(login) == message:
            return
        self.settle()
        self.arm(("disk.power_cut", hit))
        with pytest.raises(PowerCut):
            self.store.put(name(login), message, self.version(login))
        self.disk.power_on()
        self.arm(None)
        self.live()
        if self.store.book and self.store.book.find(name(login)) and self.store.plain(name(login)) == message:
            self.held[login] = message

    @rule(source=keys)
    def another_key_opens_nothing(self, source: KeySource) -> None:
        if self.store.book and source.kind == self.source.kind and source is not self.source:
            self.next_life()
            with pytest.raises(VaultLocked):
                opened(self.disk, source)

    @invariant()
    def what_was_acknowledged_is_held(self) -> None:
        book = self.store.book
        assert {entry.name for entry in book.entries} == set(map(name, self.held)) if book else not self.held
        assert all(self.store.plain(name(login)) == message for login, message in self.held.items())
        versions = [entry.version for entry in book.entries] if book else []
        assert len(set(versions)) == len(versions)


TestStoreAgainstADictionary = StoreMachine.TestCase
TestStoreAgainstADictionary.settings = settings(max_examples=40 * NIGHTLY, stateful_step_count=30, deadline=None)
