"""The blocking store on a real disk: what it insists on when it opens, and what it refuses."""

import contextlib
import errno
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from runtime.real import DurableDisk
from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.faults import SimulatedFaults
from sessions.journal import schema
from sessions.journal.audit import verify
from sessions.journal.chain import Chain
from sessions.journal.connection import open_reader, open_writer, version_warning
from sessions.journal.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalError,
    JournalExposed,
    JournalFailed,
    JournalFenced,
    NewerSchema,
    NotDurable,
)
from sessions.journal.reader import Reader
from sessions.journal.schema import migrate
from sessions.journal.store import CHECKPOINT_PAGES, Store
from tests.sessions.journal.desk import (
    CHAIN,
    NIGHTLY,
    STRACE,
    child,
    entries,
    entry,
    memory_store,
    real_store,
    run,
    traced,
)

ROOT = Path(__file__).parents[3]
FIRST_SYNCS = [("fdatasync", 1), ("fsync", 3)] + [("fdatasync", 3), ("fdatasync", 4), ("fsync", 1), ("fsync", 2)] * (
    NIGHTLY > 1
)


def opened(folder: Path) -> Store:
    store = real_store(folder)
    store.open()
    return store


def kinds(store: Store) -> list[str]:
    with Reader(store.database) as reader:
        return [row.entry.kind for row in reader.since()]


def test_d01_the_settings_of_durability_are_read_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    connection = store._connection()
    found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert found == {"journal_mode": "wal", "synchronous": 2}
    store.close()


def test_d01_a_database_that_cannot_keep_a_write_ahead_log_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.close()
    connection = sqlite3.connect(store.database, isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    connection.execute("BEGIN IMMEDIATE")  # whoever holds the file keeps it from changing its mode
    with pytest.raises((NotDurable, JournalBusy)):
        real_store(tmp_path).open()
    connection.close()


@pytest.mark.skipif(STRACE is None, reason="strace is not installed: no fault can be put into a system call")
@pytest.mark.parametrize("sync", FIRST_SYNCS)
def test_d01_a_sync_that_fails_at_the_first_start_ends_it(tmp_path: Path, sync: tuple[str, int]) -> None:
    """The second fdatasync is that of the folder, which SQLite ignores and the store therefore repeats: the last fsync."""
    call, when = sync
    ended = run(traced(f"{call}:error=EIO:when={when}", child("one_by_one", tmp_path, 3)))
    assert ended.code == 3
    assert "refused JournalFailed" in ended.lines[-1]
    assert ended.acknowledged == ()


def test_d02_one_module_opens_databases() -> None:
    sources = [*ROOT.glob("runtime/**/*.py"), *ROOT.glob("brokers/**/*.py"), *ROOT.glob("sessions/**/*.py")]
    opening = {path.relative_to(ROOT).as_posix() for path in sources if "sqlite3.connect(" in path.read_text()}
    assert {name for name in opening if "bench" not in name} == {
        "runtime/simulation/disk.py",  # keeps databases in memory alive
        "sessions/journal/connection.py",
    }


def test_d02_a_reader_can_neither_write_nor_checkpoint(tmp_path: Path) -> None:
    store = opened(tmp_path)
    reader = open_reader(store.database, 0)
    assert reader.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO owners VALUES (9, 9)")
    reader.close()
    store.close()


def test_a_reader_of_a_journal_that_is_just_being_made_learns_that_in_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir(mode=0o700)
    database = str(tmp_path / "journal" / "entries.db")
    with contextlib.closing(open_writer(database, 0.0)) as db:
        migrate(db, database, lambda _: None)
        with pytest.raises(JournalFailed, match="being made"):
            Reader(database)


def test_d03_an_old_sqlite_is_told_of_once_and_a_repaired_one_is_not() -> None:
    assert version_warning((3, 51, 3)) is None
    assert "3.51.2" in (version_warning((3, 51, 2)) or "")


def test_d04_a_lock_of_another_process_is_a_typed_error_and_nothing_is_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    other = sqlite3.connect(store.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusy):
        store.append(entries(1))
    other.rollback()
    other.close()
    assert store.append(entries(2)).seq == 2
    store.close()
    assert kinds(store) == ["journal.opened", "order.intent", "journal.closed"]


@pytest.mark.parametrize("point", ["journal.full", "journal.sync"])
def test_d07_after_an_error_the_end_of_the_file_is_compared_with_memory(point: str) -> None:
    with SimulatedDisk() as disk:
        faults = SimulatedFaults()
        store = memory_store(disk, faults)
        store.open()
        store.append(entries(1))
        faults.arm(point)
        with pytest.raises(JournalFailed) as failure:
            store.append(entries(2, 3))
        assert failure.value.cause.startswith("SQLITE_")
        assert store.reopen() is (point == "journal.sync")
        assert store.append(entries(4)).seq == (6 if point == "journal.sync" else 4)
        store.close()


def test_d07_a_file_that_lost_its_end_meanwhile_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(entries(1, 2))
    other = sqlite3.connect(store.database, isolation_level=None)
    other.execute("DROP TRIGGER entries_no_delete")
    other.execute("DELETE FROM entries WHERE seq = 3")
    other.close()
    with pytest.raises(JournalCorrupt, match="ends with entry 2") as refused:
        store.reopen()
    assert refused.value.seq == 3
    store.abandon()


def test_d07_what_was_in_doubt_is_still_known_after_a_second_failure() -> None:
    with SimulatedDisk() as disk:
        faults = SimulatedFaults()
        store = memory_store(disk, faults)
        store.open()
        faults.arm("journal.sync")
        with pytest.raises(JournalFailed):
            store.append(entries(1))
        faults.arm("journal.full")
        with pytest.raises(JournalFailed):
            store.reopen()
        assert store.reopen() is True
        store.close()


def test_d08_a_crash_is_noticed_and_a_good_close_too(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.abandon()
    store = opened(tmp_path)
    store.close()
    store = opened(tmp_path)
    store.close()
    with Reader(store.database) as reader:
        clean = [row.entry.body for row in reader.since() if row.entry.kind == "journal.opened"]
    assert [body.split('"clean": ')[1] for body in clean] == ["true}", "false}", "true}"]


@pytest.mark.parametrize("damage", ["page", "no database", "index"])
def test_d08_f30_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, damage: str) -> None:
    store = opened(tmp_path)
    store.append([entry(number, key="damaged-key") for number in range(300)])
    store.close()
    path = Path(store.database)
    data = bytearray(path.read_bytes())
    if damage == "page":
        data[8192:12288] = bytes(4096)
    elif damage == "no database":
        data[:100] = b"x" * 100
    else:
        at = data.rindex(b"damaged-key")
        data[at : at + 3] = b"???"
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt, match="restore a backup"):
        real_store(tmp_path).open()


def test_f30_a_truncated_log_that_held_acknowledged_rows_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path / "life")
    store.append(entries(1))
    store.checkpoint()
    store.append(entries(2, 3))
    store.save_head()
    shutil.copytree(tmp_path / "life", tmp_path / "crashed")
    store.close()
    log = next((tmp_path / "crashed" / "journal").glob("*-wal"))
    log.write_bytes(log.read_bytes()[:40])
    with pytest.raises(JournalCorrupt, match="knows of 4"):
        real_store(tmp_path / "crashed").open()


def test_f30_a_missing_file_is_not_taken_for_a_new_journal(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(entries(1))
    store.roll([])
    store.close()
    (tmp_path / "journal" / "segments.json").unlink()
    Path(store.database).unlink()
    with pytest.raises(JournalCorrupt):
        real_store(tmp_path).open()
    (tmp_path / "journal" / "entries-00000000000000000001.db").unlink()
    with pytest.raises(JournalCorrupt):
        real_store(tmp_path).open()


def test_d09_the_log_stays_short_and_is_gone_after_the_close(tmp_path: Path) -> None:
    store = opened(tmp_path)
    checkpoints = 0
    for group in range(150):
        store.append(
            [entry(number, key=f"{number * 7919 % 1_000_003:09}") for number in range(group * 50, group * 50 + 50)]
        )
        if store.pages >= CHECKPOINT_PAGES:
            store.checkpoint()
            checkpoints += 1
    assert checkpoints >= 2
    assert store.wal_bytes() < 16 << 20
    store.close()
    assert store.wal_bytes() == 0


def test_a_log_is_made_longer_ahead_of_the_commits_that_fill_it(tmp_path: Path) -> None:
    store = opened(tmp_path / "life")
    assert store.lacks_room()
    store.make_room()
    room = store.wal_bytes()
    assert room >= 512 << 10
    assert not store.lacks_room()
    while not store.lacks_room():
        store.append([entry(number) for number in range(50)])
        assert store.wal_bytes() == room, "it fits"
    store.make_room()
    assert store.wal_bytes() > room
    shutil.copytree(tmp_path / "life", tmp_path / "crashed")
    after = real_store(tmp_path / "crashed")
    after.open()
    assert after.head.seq == store.head.seq + 1, "the room behind the last row is no row"
    after.close()
    store.close()
    assert store.wal_bytes() == 0


def test_f24_a_disk_without_room_for_a_longer_log_leaves_it_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    store = opened(tmp_path)
    before = store.wal_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        store.make_room()
    assert (store.wal_bytes(), store.lacks_room()) == (before, False)
    store.append(entries(1))
    store.checkpoint()
    assert store.lacks_room(), "it is tried again"
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {0} SET {1} = {1}",
        "DELETE FROM {0}",
        "REPLACE INTO {0} SELECT * FROM {0} LIMIT 1",
        "INSERT OR REPLACE INTO {0} SELECT * FROM {0} LIMIT 1",
        "INSERT INTO {0} SELECT * FROM {0} WHERE true ON CONFLICT DO UPDATE SET {1} = {1}",
    ],
)
@pytest.mark.parametrize(("table", "column"), [("entries", "seq"), ("owners", "epoch"), ("segment", "after_seq")])
def test_d14_every_table_only_grows(tmp_path: Path, statement: str, table: str, column: str) -> None:
    store = opened(tmp_path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store._connection().execute(statement.format(table, column))
    store.close()


def more(*names: str) -> Migrations:
    """Our migrations and further ones."""
    migrations = Migrations("pitboss.journal")
    migrations(name="first_tables")(schema.first_tables)
    for name in names:
        migrations(name=name)(lambda db, name=name: db.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY) STRICT"))
    return migrations


def test_d15_an_older_version_refuses_a_newer_schema_and_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.close()
    db = open_writer(store.database, 0)
    schema.migrate(db, store.database, lambda _: None, more("from_the_future"))
    db.close()
    before = Path(store.database).read_bytes()
    with pytest.raises(NewerSchema) as refused:
        real_store(tmp_path).open()
    assert refused.value.unknown == ("from_the_future",)
    assert Path(store.database).read_bytes() == before


def test_d15_all_steps_or_none_and_a_backup_first(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.close()
    db = open_writer(store.database, 0)
    backups: list[str] = []
    failing = more("one")
    failing(name="two")(lambda db: db.execute("no statement"))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, store.database, backups.append, failing)
    assert backups == ["one"]
    assert not db.table("one").exists()
    schema.migrate(db, store.database, backups.append, more("one", "two"))
    assert db.table("one").exists()
    assert db.table("two").exists()
    db.close()


def test_d16_no_column_holds_a_float(tmp_path: Path) -> None:
    store = opened(tmp_path)
    db = Database(store._connection())
    for table in schema.TABLES:
        assert db.table(table).strict
        assert {column.type for column in db.table(table).columns} <= {"INTEGER", "TEXT", "BLOB"}
    store.close()


def test_d17_every_file_is_for_the_owner_alone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    files = [*(tmp_path / "journal").iterdir(), tmp_path / "journal"]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert len(files) == 4
    store.close()


@pytest.mark.parametrize(("name", "mode"), [("entries-00000000000000000001.db", 0o644), (".", 0o777)])
def test_d17_a_journal_that_others_can_read_or_replace_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    opened(tmp_path).close()
    (tmp_path / "journal" / name).chmod(mode)
    with pytest.raises(JournalExposed) as refused:
        real_store(tmp_path).open()
    assert refused.value.mode == mode


def test_d18_a_power_cut_on_a_simulated_disk_leaves_a_journal_that_opens(tmp_path: Path) -> None:
    """The files themselves survive there; what a real cut does to unsynced pages takes a mount, and root."""
    with SimulatedDisk(folder=tmp_path) as disk:
        faults = SimulatedFaults()
        disk.faults = faults
        store = memory_store(disk, faults)
        store.open()
        store.append(entries(1, 2))
        disk.power_cut()
        store.abandon()
        disk.power_on()
        again = memory_store(disk)
        again.open()
        assert (again.head.seq, again.epoch) == (4, 2)
        again.close()


def test_d19_an_order_life_fits_into_its_share(tmp_path: Path) -> None:
    store = opened(tmp_path)
    kinds = ("intent", "sent", "accepted", "partly", "filled", "booked")
    orders = 400
    store.append(
        [
            entry(n, key=f"{n:026}", body=f'{{"type":"{kind}","x":"{"-" * 110}"}}')
            for n in range(orders)
            for kind in kinds
        ]
    )
    store.close()
    assert Path(store.database).stat().st_size / orders <= 2 * 1024 * 1.25


def test_d20_commits_do_not_grow_dearer_with_the_journal(tmp_path: Path) -> None:
    """What a commit reads and writes is counted, not timed: its pages grow with the depth of three trees at most."""
    store = opened(tmp_path)
    sizes = []
    for rows in (2_000, 20_000 * NIGHTLY):
        for _ in range(rows // 2_000):
            store.append([entry(n, key=f"{n * 7919 % 1_000_003:09}") for n in range(2_000)])
        store.checkpoint(truncate=True)
        store.append(entries(1))
        sizes.append(store.wal_bytes())
    store.close()
    assert sizes[1] <= 1.5 * sizes[0]


def test_i08_i22_the_same_entries_give_the_same_chain_and_a_stale_owner_is_fenced_out(tmp_path: Path) -> None:
    first = opened(tmp_path)
    second = opened(tmp_path)
    with pytest.raises(JournalFenced) as fenced:
        first.append(entries(1))
    assert (fenced.value.epoch, fenced.value.owner) == (1, 2)
    second.append(entries(2))
    first.abandon()
    second.close()
    assert verify(DurableDisk(), tmp_path / "journal", CHAIN, tmp_path / "head").seq == 4
    assert Chain(b"a key for tests only").hash(bytes(32), 1, entry(1)) == CHAIN.hash(bytes(32), 1, entry(1))


@pytest.mark.parametrize("count", [1, 16, 17, 50], ids="{} rows".format)
def test_i22_a_group_of_any_size_is_fenced_out_whole(tmp_path: Path, count: int) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    with pytest.raises(JournalFenced):
        first.append(entries(*range(count)))
    with Reader(second.database) as reader:
        assert [row.entry.kind for row in reader.since()] == ["journal.opened", "journal.opened"]
    first.abandon()
    second.close()


@pytest.mark.parametrize("count", [2, 16, 17, 50], ids="{} rows".format)
def test_a_group_whose_last_row_is_refused_leaves_no_other(tmp_path: Path, count: int) -> None:
    store = opened(tmp_path)
    other = sqlite3.connect(store.database, isolation_level=None)
    other.execute("INSERT INTO entries VALUES (?, 'k', 's', NULL, '', 0, 0, x'00')", (1 + count,))
    with pytest.raises(JournalFailed, match="UNIQUE"):
        store.append(entries(*range(count)))
    assert other.execute("SELECT seq, kind FROM entries").fetchall() == [(1, "journal.opened"), (1 + count, "k")]
    other.close()
    store.abandon()


def test_a_store_that_is_closed_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=re.escape("open() or reopen() it first")):
        real_store(tmp_path).append(entries(1))
