"""Seven years: sealed months, archives, pruning, backups and restores."""

import datetime as dt
import json
import random
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from runtime.real import DurableDisk
from runtime.simulation.clock import SimulatedClock
from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.faults import SimulatedFaults
from runtime.wire.capture import KEPT_BYTES, Direction, Exchange, Kind, Recorder
from runtime.wire.redaction import Redactor
from sessions.journal.audit import history, verify
from sessions.journal.backup import backup, restore
from sessions.journal.capture import JournalCapture
from sessions.journal.errors import (
    BackupRefused,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalFull,
    RetentionRefused,
)
from sessions.journal.index import Segment, month_of, read_index
from sessions.journal.rows import Entry
from sessions.journal.segments import adopt, archive, last_prunable, prune
from sessions.journal.store import Store
from tests.sessions.journal.desk import CHAIN, FOLDER, HEAD, entries, memory_store, numbered, real_store

DISK = DurableDisk()
YEAR_NS = 365 * 86_400 * 10**9


def opened(store: Store) -> Store:
    store.open()
    return store


def aged(store: Store, years: float) -> None:
    """Lets the store's clock run ahead."""
    clock = store.world.clock
    assert isinstance(clock, SimulatedClock)
    clock.step(int(years * YEAR_NS))


def archived(store: Store) -> Segment:
    """Seals and archives what the store has."""
    segment = archive(store.world.disk, store.settings.folder, store.roll([]), CHAIN)
    adopt(store, segment)
    return segment


def test_d11_a_sealed_month_is_compressed_indexed_and_read_like_the_rest(tmp_path: Path) -> None:
    store = opened(real_store(tmp_path))
    store.append(entries(*range(1, 500)))
    database = Path(store.database)
    segment = store.roll(entries(1_000))
    assert segment.last.seq == 500
    store.append(entries(1_001))
    folder = tmp_path / "journal"
    assert verify(DISK, folder, CHAIN).seq == 503
    done = archive(DISK, folder, segment, CHAIN)
    adopt(store, done)
    assert not database.exists()
    assert done.archive is not None
    assert (folder / done.archive.name).stat().st_size < 500 * 60
    store.close()
    assert verify(DISK, folder, CHAIN, tmp_path / "head").seq == 504
    everything = list(history(DISK, folder))
    assert [row.seq for row in everything] == list(range(1, 505))
    assert numbered(row.entry for row in everything) == [*range(1, 500), 1_000, 1_001]
    assert [row.seq for row in history(DISK, folder, after=498)][:3] == [499, 500, 501]
    again = opened(real_store(tmp_path))
    assert again.epoch == 2
    again.close()


def test_d11_a_changed_archive_is_found(tmp_path: Path) -> None:
    store = opened(real_store(tmp_path))
    store.append(entries(1))
    segment = archived(store)
    store.close()
    assert segment.archive is not None
    path = tmp_path / "journal" / segment.archive.name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt) as found:
        verify(DISK, tmp_path / "journal", CHAIN)
    assert found.value.seq == 1


def test_d11_after_eight_years_nothing_was_deleted_and_younger_rows_cannot_be() -> None:
    with SimulatedDisk() as disk:
        store = opened(memory_store(disk))
        store.append(entries(1))
        archived(store)
        aged(store, 3)
        store.append(entries(2))
        archived(store)
        aged(store, 5)
        store.close()
        store.open()
        assert numbered(row.entry for row in history(disk, FOLDER)) == [1, 2]
        today = dt.date(2034, 1, 3)
        for before in (today, last_prunable(today) + dt.timedelta(days=2)):
            with pytest.raises(RetentionRefused, match="nothing was deleted"):
                prune(store, before, "space")
        with pytest.raises(RetentionRefused, match="reason"):
            prune(store, dt.date(2026, 6, 1), " ")
        assert len(prune(store, dt.date(2026, 6, 1), "the years are over")) == 1
        assert numbered(row.entry for row in history(disk, FOLDER)) == [2]
        assert '"reason": "the years are over"' in [row.entry.body for row in history(disk, FOLDER)][-1]
        assert prune(store, dt.date(2026, 6, 1), "again") == []
        store.close()
        assert verify(disk, FOLDER, CHAIN, HEAD).seq == store.head.seq


@pytest.mark.parametrize(
    ("today", "last"),
    [
        (dt.date(2034, 1, 2), dt.date(2027, 1, 1)),
        (dt.date(2032, 2, 29), dt.date(2025, 2, 27)),
        (dt.date(2035, 3, 1), dt.date(2028, 2, 29)),
    ],
)
def test_d11_seven_years_and_a_day_are_counted_by_the_calendar(today: dt.date, last: dt.date) -> None:
    assert last_prunable(today) == last


def test_d11_the_month_is_that_of_utc() -> None:
    end = int(dt.datetime(2026, 11, 30, 23, 59, 59, tzinfo=dt.UTC).timestamp()) * 10**9
    assert (month_of(end), month_of(end + 10**9)) == ("2026-11", "2026-12")


@pytest.mark.parametrize("hit", [1, 2])
def test_d11_a_roll_that_fails_leaves_one_whole_journal(hit: int) -> None:
    """The index is written with two syncs: before the first fails nothing has changed, after it everything has."""
    with SimulatedDisk() as disk:
        store = opened(memory_store(disk))
        store.append(entries(1))
        faults = SimulatedFaults()
        faults.arm("disk.sync", hit)
        disk.faults = faults
        with pytest.raises(JournalFailed):
            store.roll(entries(2))
        disk.faults = SimulatedFaults()
        store.reopen()
        assert bool(read_index(disk, FOLDER).segments) is (hit == 2)
        store.append(entries(3))
        store.close()
        assert numbered(row.entry for row in history(disk, FOLDER)) == ([1, 3] if hit == 1 else [1, 2, 3])
        verify(disk, FOLDER, CHAIN, HEAD)


def test_d10_a_backup_of_a_journal_in_use_restores_to_the_same_hash(tmp_path: Path) -> None:
    store = opened(real_store(tmp_path / "life"))
    store.append(entries(1, 2))
    archived(store)
    store.append(entries(3))
    store.roll([])
    store.append(entries(4))
    head = backup(DISK, tmp_path / "life" / "journal", tmp_path / "copy", CHAIN)
    assert head == store.head
    store.append(entries(5))
    store.close()
    restored = tmp_path / "new" / "journal"
    assert restore(DISK, tmp_path / "copy", restored, CHAIN) == head
    assert numbered(row.entry for row in history(DISK, restored)) == [1, 2, 3, 4]
    assert {path.stat().st_mode & 0o077 for path in (restored, *restored.iterdir())} == {0}
    again = opened(real_store(tmp_path / "new"))
    again.append(entries(6))
    again.close()


def test_d10_nothing_is_overwritten_and_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    store = opened(real_store(tmp_path))
    store.append(entries(1, 2, 3))
    store.close()
    folder = tmp_path / "journal"
    with pytest.raises(BackupRefused, match="nothing was overwritten"):
        backup(DISK, folder, folder, CHAIN)
    backup(DISK, folder, tmp_path / "copy", CHAIN)
    file = next((tmp_path / "copy").glob("*.db"))
    data = bytearray(file.read_bytes())
    data[data.index(b"order/paper/A1")] ^= 1
    file.write_bytes(data)
    with pytest.raises(JournalCorrupt):
        restore(DISK, tmp_path / "copy", tmp_path / "new", CHAIN)
    assert not (tmp_path / "new").exists()


def test_d10_a_journal_in_memory_has_no_backup(tmp_path: Path) -> None:
    with SimulatedDisk() as disk:
        opened(memory_store(disk)).close()
        with pytest.raises(BackupRefused, match="memory"):
            backup(disk, FOLDER, tmp_path / "copy", CHAIN)


# The raw audit.

CANARY = "canary-5f2b9c-token"


def test_d12_i21_every_exchange_is_one_entry_in_order_without_a_secret() -> None:
    kept: list[Entry] = []
    clock = SimulatedClock(now=lambda: 1.5)
    recorder = Recorder("tradovate/main", clock, Redactor(), JournalCapture(kept.extend, clock))
    chance = random.Random(1)
    count = 200
    for number in range(count):
        recorder.record(
            chance.choice(list(Kind)),
            chance.choice(list(Direction)),
            number,
            intent_key=f"key{number}",
            method="POST",
            url=f"https://broker.example/orders?token={CANARY}",
            headers=[("Authorization", f"Bearer {CANARY}"), ("accept", "*/*")],
            body=f'{{"access_token":"{CANARY}","quantity":"1"}}',
            status=200,
        )
    assert [entry.key for entry in kept] == [f"key{number}" for number in range(count)]
    assert {entry.stream for entry in kept} == {"connection/tradovate/main"}
    assert CANARY not in "".join(entry.body for entry in kept)
    body = json.loads(kept[0].body)
    assert (body["number"], body["method"], body["status"]) == (0, "POST", 200)
    assert kept[0].monotonic_ns == 1_500_000_000


def test_d12_a_large_body_is_cut_and_its_hash_and_length_are_kept() -> None:
    kept: list[Entry] = []
    clock = SimulatedClock(now=lambda: 0.0)
    recorder = Recorder("c", clock, Redactor(), JournalCapture(kept.extend, clock))
    recorder.record(Kind.ANSWER, Direction.IN, 1, body=b"\xff\x00" * KEPT_BYTES)
    body = json.loads(kept[0].body)
    assert len(body["body"]) <= KEPT_BYTES
    assert body["body_bytes"] == 2 * KEPT_BYTES
    assert len(body["body_sha256"]) == 64


def test_d12_what_the_journal_does_not_take_is_counted_and_told() -> None:
    kept: list[Entry] = []
    full: list[JournalError] = [JournalFull("j", 1, 1)] * 2

    def note(new: Sequence[Entry]) -> None:
        if full:
            raise full.pop()
        kept.extend(new)

    clock = SimulatedClock(now=lambda: 0.0)
    capture = JournalCapture(note, clock)
    exchange = Exchange(Kind.FRAME, Direction.IN, "c", 1, 0, 0)
    for number in range(1, 5):
        capture(attrs.evolve(exchange, number=number))
    assert [entry.kind for entry in kept] == ["raw.lost", "raw", "raw"]
    assert kept[0].body == '{"lost": 2}'
    assert capture.lost == 0
