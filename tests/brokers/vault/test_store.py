"""The vault's file: opened whole or not at all, changed whole or not at all, and no secret of it in the clear."""

import base64
import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.vault import book as books
from brokers.vault import document
from brokers.vault.errors import (
    FileExposed,
    KeyWornOut,
    NoCredential,
    NoMasterKey,
    StaleVersion,
    VaultChanged,
    VaultFull,
    VaultLocked,
    VaultNotSaved,
    VaultUnreadable,
)
from brokers.vault.kdf import STANDARD, Cost
from brokers.vault.sealing import SYSTEM_ENTROPY, Unsealable, to_bytes
from brokers.vault.store import Store
from brokers.vault.unlock import Keyholder, KeySource, new_key
from runtime.real import DurableDisk
from runtime.simulation import FaultPlan, PowerCut, SimulatedDisk, SimulatedFaults, on_hits
from runtime.wire.disguises import disguises
from runtime.wire.secret import Secret
from tests.brokers.vault.kit import CANARY, FILE, NIGHTLY, QUICK, filled, key_file, name, opened, passphrase, seeded

ONE, TWO = name("one"), name("two")
SOURCES: list[KeySource] = [key_file(), passphrase()]


def body_of(data: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(data.splitlines()[0])
    return body


def with_body(data: bytes, body: dict[str, Any]) -> bytes:
    """The file with another first line, as somebody without the key can write it."""
    return json.dumps(body, separators=(",", ":")).encode() + b"\n" + data.splitlines()[1] + b"\n"


def refuses(data: bytes, *sources: KeySource) -> str:
    """The text with which the file is refused, after nothing was read and nothing was changed."""
    disk = SimulatedDisk()
    disk.write(FILE, data)
    vault = Store(FILE, disk, Keyholder(sources or (key_file(),)), seeded(), lambda _: None)
    with pytest.raises(VaultLocked) as caught:
        vault.open()
    assert vault.book is None
    with pytest.raises(NoCredential):
        vault.plain(ONE)
    assert disk.read(FILE) == data
    assert caught.value.__suppress_context__
    return str(caught.value)


EXPECTED = str(VaultLocked(FILE))


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_stored_is_there_for_the_next_process(source: KeySource) -> None:
    disk = SimulatedDisk()
    filled(disk, source)
    after = opened(disk, source)
    assert (after.plain(ONE), after.plain(TWO)) == (CANARY.encode(), b"another")


def test_an_empty_vault_needs_no_key_and_makes_no_file() -> None:
    disk = SimulatedDisk()
    vault = Store(FILE, disk, Keyholder(()), seeded(), lambda _: None)
    vault.open()
    assert vault.book is None
    assert disk.names(FILE.parent) == []
    with pytest.raises(NoMasterKey, match="nothing was changed"):
        vault.put(ONE, b"x", 0)
    assert disk.names(FILE.parent) == []


# S01: what is in the file.


def test_s01_ten_thousand_saves_leave_as_many_nonces_of_12_bytes() -> None:
    disk = SimulatedDisk()
    vault = opened(disk, entropy=SYSTEM_ENTROPY)
    nonces: set[bytes] = set()
    version = 0
    for number in range(10_000):
        version = vault.put(ONE, str(number).encode(), version)
        (entry,) = body_of(disk.read(FILE))["entries"]
        nonces |= {to_bytes(entry["envelope"][layer]["nonce"]) for layer in ("key", "body")}
    assert len(nonces) == 20_000
    assert {len(nonce) for nonce in nonces} == {12}
    assert body_of(disk.read(FILE))["wraps"] == 10_000


@pytest.mark.parametrize("part", [("envelope",), ("envelope", "body"), ("envelope", "key"), ("version",), ("name",)])
def test_s01_swapped_parts_of_two_rows_are_refused(part: tuple[str, ...]) -> None:
    data = filled(SimulatedDisk())
    body = body_of(data)
    one, two = body["entries"]
    for step in part[:-1]:
        one, two = one[step], two[step]
    one[part[-1]], two[part[-1]] = two[part[-1]], one[part[-1]]
    assert refuses(with_body(data, body)) == EXPECTED


def test_s01_swapped_rows_are_refused_even_under_a_right_mark() -> None:
    """The envelopes hold by themselves, not by the mark over the file alone."""
    key = key_file().open(books.Lock("", ""))
    book = document.read(filled(SimulatedDisk())).proved(key)
    one, two = book.entries
    swapped = (attrs.evolve(one, envelope=two.envelope), attrs.evolve(two, envelope=one.envelope))
    assert refuses(document.write(attrs.evolve(book, entries=swapped), key)) == EXPECTED


@pytest.mark.parametrize("change", [{"wraps": 0}, {"revision": 1}, {"key_version": 2}, {"entries": []}])
def test_a_count_turned_down_and_an_entry_left_out_are_refused(change: dict[str, Any]) -> None:
    data = filled(SimulatedDisk())
    assert refuses(with_body(data, body_of(data) | change)) == EXPECTED


# S02: the derivation.


def test_s02_the_parameters_stand_in_the_file() -> None:
    lock = body_of(filled(SimulatedDisk(), passphrase()))["lock"]
    assert (lock["source"], lock["derivation"]["method"]) == ("passphrase", "argon2id")
    assert lock["derivation"]["cost"] == {"memory_kib": 64, "passes": 1, "lanes": 1}
    assert len(to_bytes(lock["derivation"]["salt"])) == 16


@pytest.mark.parametrize("weaker", [{"memory_kib": 1024}, {"passes": 1}, {"memory_kib": 8, "passes": 1}, {"lanes": 0}])
def test_s02_parameters_edited_to_weaker_ones_are_refused(weaker: dict[str, int]) -> None:
    least = attrs.evolve(STANDARD, target=Cost(19 * 1024, 2, 1))
    data = filled(SimulatedDisk(), passphrase(policy=least))
    body = body_of(data)
    body["lock"]["derivation"]["cost"] |= weaker
    assert refuses(with_body(data, body), passphrase(policy=least)) == EXPECTED


def test_s02_a_vault_written_with_weak_parameters_is_refused_though_everything_fits() -> None:
    assert refuses(filled(SimulatedDisk(), passphrase()), passphrase(policy=STANDARD)) == EXPECTED


def test_s02_a_derivation_below_the_target_is_raised_on_unlock() -> None:
    disk = SimulatedDisk()
    before = body_of(filled(disk, passphrase()))
    dearer = attrs.evolve(QUICK, target=Cost(128, 2, 1))
    assert opened(disk, passphrase(policy=dearer), entropy=seeded(1)).plain(ONE) == CANARY.encode()
    after = body_of(disk.read(FILE))
    assert after["lock"]["derivation"]["cost"] == {"memory_kib": 128, "passes": 2, "lanes": 1}
    assert after["lock"]["derivation"]["salt"] != before["lock"]["derivation"]["salt"]
    assert after["key_version"] == 2
    assert opened(disk, passphrase(policy=dearer)).plain(TWO) == b"another"
    assert body_of(disk.read(FILE)) == after


def test_s02_a_slip_of_the_finger_at_the_second_prompt_changes_nothing() -> None:
    disk = SimulatedDisk()
    data = filled(disk, passphrase())
    answers = iter(["correct horse", "correct hoarse"])
    slipping = passphrase(policy=attrs.evolve(QUICK, target=Cost(128, 2, 1)))
    typed = attrs.evolve(slipping, ask=lambda: Secret(next(answers)))
    assert opened(disk, typed).plain(ONE) == CANARY.encode()
    assert disk.read(FILE) == data


def test_s02_a_disk_that_cannot_be_written_now_does_not_keep_the_vault_shut() -> None:
    disk = SimulatedDisk()
    data = filled(disk, passphrase())
    disk.read_only = True
    dearer = passphrase(policy=attrs.evolve(QUICK, target=Cost(128, 2, 1)))
    assert opened(disk, dearer).plain(ONE) == CANARY.encode()
    assert disk.read(FILE) == data


# S03: one answer to everything that does not fit.

INTACT = {source.kind: filled(SimulatedDisk(), source) for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES)
def test_s03_a_wrong_key_and_every_kind_of_damage_have_one_text(source: KeySource) -> None:
    data = INTACT[source.kind]
    wrongs: dict[str, KeySource] = {"key file": key_file(2), "passphrase": passphrase("incorrect horse")}
    wrong = wrongs[source.kind]
    damaged = [b"", b"\n", b"\n\n", b"{}\n\n", b"\0" * len(data), data[:-1], data[:-2], data + b"\n", data + data]
    texts = {refuses(data, wrong), *(refuses(bad, source) for bad in damaged)}
    assert texts == {EXPECTED}
    assert "nothing was changed" in EXPECTED
    assert "try again with the right key" in EXPECTED


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file with a bit flipped, cut off, a piece lost, doubled, or bytes put over or between others."""
    at, size = chance.randrange(len(data)), chance.randint(1, 40)
    noise = chance.randbytes(size)
    return chance.choice(
        [
            data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :],
            data[:at],
            data[at + 1 :],
            data[:at] + data[at + size :],
            data[: at + size] + data[at:],
            data[:at] + noise + data[at:],
            data[:at] + noise + data[at + size :],
            data[:at] + bytes([chance.choice(b'0123456789{}[]",: \n')]) + data[at + 1 :],
        ]
    )


@pytest.mark.parametrize("source", SOURCES)
def test_s03_a_thousand_random_mutations_are_refused_with_one_text(source: KeySource) -> None:
    data = INTACT[source.kind]
    chance = random.Random(3)
    mutations = [other for other in (mutated(data, chance) for _ in range(1100 * NIGHTLY)) if other != data]
    assert len(mutations) > 1000 * NIGHTLY
    assert {refuses(other, source) for other in mutations} == {EXPECTED}


@pytest.mark.parametrize("source", SOURCES)
def test_s03_a_file_cut_off_at_any_byte_is_refused(source: KeySource) -> None:
    data = INTACT[source.kind]
    assert {refuses(data[:size], source) for size in range(0, len(data), 7)} == {EXPECTED}


@settings(max_examples=200 * NIGHTLY)
@given(st.binary())
def test_s03_any_other_bytes_are_no_document(data: bytes) -> None:
    with pytest.raises(Unsealable):
        document.read(data)


@pytest.mark.parametrize("number", ["1e999999999", "9" * 5000, "-1", "1.5", "NaN", "true", '"1"'])
def test_s03_hostile_numbers_are_refused_at_once(number: str) -> None:
    data = INTACT["passphrase"].replace(b'"memory_kib":64', b'"memory_kib":' + number.encode())
    assert refuses(data, passphrase()) == EXPECTED


# S04: nothing in the clear.


@pytest.mark.parametrize("source", SOURCES)
def test_s04_no_disguise_of_a_secret_is_in_the_file(source: KeySource) -> None:
    text = INTACT[source.kind].decode()
    raw = CANARY.encode()
    for needle in {CANARY, base64.b64encode(raw).decode(), raw.hex(), quote(CANARY, safe=""), *disguises(raw)}:
        assert needle not in text
    for word in disguises(b"correct horse") | disguises(b"\1" * 32):
        assert word not in text


def test_s04_the_real_file_is_of_mode_0600_and_one_that_others_can_read_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "state" / "vault"
    vault = Store(path, DurableDisk(), Keyholder([key_file()]), SYSTEM_ENTROPY)
    vault.put(ONE, CANARY.encode(), 0)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    fresh = Store(path, DurableDisk(), Keyholder([key_file()]), SYSTEM_ENTROPY)
    for mode in (0o640, 0o604, 0o620, 0o660, 0o644):
        path.chmod(mode)
        with pytest.raises(FileExposed, match="set its mode to 0600") as caught:
            fresh.open()
        assert (caught.value.mode, fresh.book) == (mode, None)
    path.chmod(0o600)
    fresh.open()
    assert fresh.plain(ONE) == CANARY.encode()


def test_a_path_that_is_no_readable_file_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, said in ((tmp_path / "file" / "vault", "Not a directory"), (tmp_path / "folder", "Is a directory")):
        (tmp_path / "folder").mkdir(mode=0o700, exist_ok=True)
        with pytest.raises(VaultUnreadable, match=said):
            Store(path, DurableDisk(), Keyholder([key_file()]), SYSTEM_ENTROPY).open()


# Changes.


def test_a_put_must_follow_the_stored_version() -> None:
    vault = opened(SimulatedDisk())
    first = vault.put(ONE, b"1", 0)
    second = vault.put(ONE, b"2", first)
    assert second > first
    for stale in (0, first, second + 1):
        with pytest.raises(StaleVersion) as caught:
            vault.put(ONE, b"3", stale)
        assert (caught.value.seen, caught.value.current) == (stale, second)
    assert vault.plain(ONE) == b"2"


def test_a_put_of_what_is_stored_is_no_change_whatever_it_follows() -> None:
    disk = SimulatedDisk()
    vault = opened(disk)
    version = vault.put(ONE, b"1", 0)
    data = disk.read(FILE)
    assert vault.put(ONE, b"1", 0) == version
    assert disk.read(FILE) == data


def test_no_version_is_used_twice_even_after_a_removal() -> None:
    vault = opened(SimulatedDisk())
    first = vault.put(ONE, b"1", 0)
    vault.remove(ONE)
    assert vault.put(ONE, b"2", 0) > first
    with pytest.raises(StaleVersion):
        vault.put(ONE, b"3", first)


def test_a_removed_record_is_gone_for_good() -> None:
    disk = SimulatedDisk()
    filled(disk)
    vault = opened(disk)
    vault.remove(ONE)
    for one in (vault, opened(disk)):
        with pytest.raises(NoCredential, match="keys set"):
            one.plain(ONE)
        assert one.plain(TWO) == b"another"
    with pytest.raises(NoCredential):
        vault.remove(ONE)


def test_what_another_process_stored_is_taken_over_before_a_change() -> None:
    disk = SimulatedDisk()
    filled(disk)
    mine, other = opened(disk), opened(disk)
    version = other.put(name("three"), b"theirs", 0)
    with pytest.raises(StaleVersion):
        mine.put(name("three"), b"mine", 0)
    assert mine.plain(name("three")) == b"theirs"
    mine.put(name("three"), b"mine", version)
    assert opened(disk).plain(name("three")) == b"mine"


def test_s08_a_rotation_by_another_process_is_followed_where_the_new_key_can_be_had() -> None:
    disk = SimulatedDisk()
    filled(disk)
    new = key_file(2)
    mine, other = opened(disk, key_file(1), new), opened(disk)
    other.adopt(new, new_key(new, seeded(9)))
    mine.put(name("three"), b"mine", 0)
    assert opened(disk, new).plain(name("three")) == b"mine"


@pytest.mark.parametrize("how", ["an older copy", "another key", "gone", "damaged"])
def test_what_does_not_follow_from_what_was_read_is_not_written_over(how: str) -> None:
    disk = SimulatedDisk()
    before = filled(disk)
    mine = opened(disk)
    mine.put(name("three"), b"mine", 0)
    present: bytes | None = {
        "an older copy": before,
        "another key": filled(SimulatedDisk(), key_file(7)),
        "gone": None,
    }.get(how, disk.read(FILE)[:-20])
    disk.remove(FILE)
    if present is not None:
        disk.write(FILE, present)
    with pytest.raises(VaultChanged, match="nothing was written over it"):
        mine.put(name("four"), b"more", 0)
    assert mine.plain(name("three")) == b"mine", "what is known stays good to read"
    assert (disk.read(FILE) if present is not None else None) == present


@pytest.mark.parametrize("point", ["disk.full", "disk.sync"])
@pytest.mark.parametrize("hit", [1, 2])
def test_a_put_that_the_disk_refuses_changes_nothing_and_can_be_sent_again(point: str, hit: int) -> None:
    disk = SimulatedDisk()
    filled(disk)
    vault = opened(disk)
    before = vault.book
    disk.faults.arm(point, hit if point == "disk.sync" else 1)
    with pytest.raises(VaultNotSaved, match="what was stored stays valid"):
        vault.put(name("three"), b"3", 0)
    assert vault.book is before
    assert vault.put(name("three"), b"3", 0) == opened(disk).book.version(name("three"))  # type: ignore[union-attr]
    assert opened(disk).plain(name("three")) == b"3"


def test_a_worn_out_key_seals_no_more_until_it_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MOST_WRAPS", 3)
    vault = opened(SimulatedDisk())
    for number in range(3):
        vault.put(ONE, str(number).encode(), number)
    with pytest.raises(KeyWornOut, match="keys rotate"):
        vault.put(ONE, b"3", 3)
    assert vault.plain(ONE) == b"2"
    vault.adopt(key_file(2), new_key(key_file(2), seeded(2)))
    assert vault.put(ONE, b"3", 3)


def test_a_vault_never_grows_beyond_what_it_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_BYTES", 5000)
    disk = SimulatedDisk()
    filled(disk)
    vault = opened(disk)
    with pytest.raises(VaultFull):
        vault.put(name("three"), bytes(5000), 0)
    assert opened(disk).plain(ONE) == CANARY.encode()


# S08: another master key.


def test_s08_after_a_rotation_the_old_key_is_useless_and_the_messages_are_as_they_were() -> None:
    disk = SimulatedDisk()
    before = body_of(filled(disk))
    vault = opened(disk)
    assert vault.adopt(passphrase(), new_key(passphrase(), seeded(2))) == 2
    after = body_of(disk.read(FILE))
    assert [entry["envelope"]["body"] for entry in after["entries"]] == [
        entry["envelope"]["body"] for entry in before["entries"]
    ]
    assert not {entry["envelope"]["key"]["data"] for entry in after["entries"]} & {
        entry["envelope"]["key"]["data"] for entry in before["entries"]
    }
    assert after["wraps"] == 2
    assert opened(disk, passphrase()).plain(ONE) == vault.plain(ONE) == CANARY.encode()
    with pytest.raises(NoMasterKey):
        opened(disk, key_file())
    old = key_file().open(books.Lock("", ""))
    with pytest.raises(Unsealable):
        document.read(disk.read(FILE)).proved(old)


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_s08_a_power_cut_in_a_rotation_leaves_a_vault_that_the_old_or_the_new_key_opens(hit: int, seed: int) -> None:
    disk = SimulatedDisk(random.Random(seed))
    filled(disk)
    vault = opened(disk)
    disk.faults.arm("disk.power_cut", hit)
    with pytest.raises(PowerCut):
        vault.adopt(key_file(2), new_key(key_file(2), seeded(2)))
    disk.power_on()
    assert opened(disk, key_file(2), key_file(1)).plain(ONE) == CANARY.encode()


def test_s08_after_a_rotation_in_doubt_the_same_keyholder_opens_the_file_whichever_key_it_is_under() -> None:
    for hit in (1, 2):
        disk, keys = SimulatedDisk(), Keyholder([key_file()])
        vault = Store(FILE, disk, keys, seeded(), lambda _: None)
        vault.put(ONE, CANARY.encode(), 0)
        disk.faults.arm("disk.sync", hit)
        with pytest.raises(VaultNotSaved):
            vault.adopt(key_file(2), new_key(key_file(2), seeded(2)))
        assert body_of(disk.read(FILE))["key_version"] == hit, "the second sync fails after the file was replaced"
        assert keys.make(seeded()).key == key_file().open(books.Lock("", "")), "the old source is still asked first"
        after = Store(FILE, disk, keys, seeded(), lambda _: None)
        after.open()
        assert after.plain(ONE) == vault.plain(ONE) == CANARY.encode()


# S58: the new secret is durable before the old one is dropped.


@pytest.mark.parametrize("hit", range(1, 7))
@pytest.mark.parametrize("seed", range(8 * NIGHTLY))
def test_s58_a_power_cut_at_any_disk_step_loses_no_acknowledged_secret(hit: int, seed: int) -> None:
    """Three rotations of a token, two syncs each; the last acknowledged one, or the one on its way, is there."""
    disk = SimulatedDisk(random.Random(seed))
    filled(disk)
    vault = opened(disk)
    disk.attach(random.Random(seed), SimulatedFaults(FaultPlan({"disk.power_cut": on_hits(hit)})), None, lambda _: None)
    acknowledged = -1

    def rotate_three_times() -> None:
        nonlocal acknowledged
        version = vault.book.version(ONE) if vault.book else 0
        for number in range(3):
            version = vault.put(ONE, f"token {number}".encode(), version)
            acknowledged = number

    with pytest.raises(PowerCut):
        rotate_three_times()
    assert acknowledged == (hit - 1) // 2 - 1
    disk.power_on()
    after = opened(disk)
    held = [
        f"token {number}".encode() if number >= 0 else CANARY.encode() for number in (acknowledged, acknowledged + 1)
    ]
    assert after.plain(ONE) in held
    assert after.plain(TWO) == b"another"
    assert after.put(ONE, b"next", after.book.version(ONE) if after.book else 0)
