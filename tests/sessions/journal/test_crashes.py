"""Real processes: killed at random and at chosen system calls, with faults in their disk; nothing acknowledged is lost."""

import random
import re
import shutil
from pathlib import Path

import pytest

from runtime.real import DurableDisk
from sessions.journal.audit import history, verify
from sessions.journal.errors import NewerSchema
from sessions.journal.rows import Row
from tests.sessions.journal.desk import (
    CHAIN,
    NIGHTLY,
    STRACE,
    Ended,
    child,
    entries,
    numbered,
    real_store,
    run,
    told,
    traced,
)

without_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed: crash points cannot be enumerated")


def survivors(folder: Path) -> list[Row]:
    """All rows, after the chain, the head outside and SQLite's own checks held."""
    store = real_store(folder)
    store.open()
    store.close()
    verify(DurableDisk(), folder / "journal", CHAIN, folder / "head")
    return list(history(DurableDisk(), folder / "journal"))


def check(folder: Path, ended: Ended) -> list[int]:
    numbers = numbered(row.entry for row in survivors(folder))
    assert set(ended.acknowledged) <= set(numbers), "an acknowledged entry is lost"
    assert len(set(numbers)) == len(numbers), "an entry was written twice"
    return numbers


def test_i08_f28_20_kills_at_random_moments_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    ended = run(child("kills", tmp_path, 20 * NIGHTLY))
    assert ended.code == 0
    assert len(ended.lines) == 20 * NIGHTLY
    for line in ended.lines:
        name, _, said = line.partition(" ")
        check(tmp_path / name, told(-9, said.replace("ack", "\nack")))
    assert sum(line.count("ack") for line in ended.lines) >= 100


@without_strace
def test_r12_o05_a_kill_at_any_system_call_leaves_a_journal_that_recovers(tmp_path: Path) -> None:
    """Nightly at every call that changes a file; by default at some, early and late."""
    trace = traces(tmp_path, "pwrite64,fdatasync,ftruncate,unlink", child("one_by_one", tmp_path / "whole", 4))
    points = [
        (call, when)
        for call in ("pwrite64", "fdatasync", "ftruncate", "unlink")
        for when in range(1, trace.count(f" {call}(") + 1)
    ]
    assert len(points) > 40
    for call, when in points if NIGHTLY > 1 else random.Random(1).sample(points, 3):
        folder = tmp_path / f"{call}-{when}"
        ended = run(traced(f"{call}:signal=SIGKILL:when={when}", child("one_by_one", folder, 4)))
        assert ended.code != 0
        numbers = check(folder, ended)
        assert len(numbers) <= len(ended.acknowledged) + 1


@without_strace
def test_f25_d07_a_sync_that_fails_is_never_taken_for_one_that_did_not(tmp_path: Path) -> None:
    for when in range(10, 10 + min(NIGHTLY, 6)):
        folder = tmp_path / str(when)
        ended = run(traced(f"fdatasync:error=EIO:when={when}", child("through_failures", folder, 6)))
        assert ended.lines[-1] == "closed", ended
        failed = [line for line in ended.lines if line.startswith("failed")]
        assert len(failed) == 1
        assert "SQLITE_IOERR" in failed[0]
        assert len(ended.acknowledged) == 5
        check(folder, ended)


@without_strace
def test_f24_a_disk_that_is_full_once_refuses_one_entry_and_goes_on(tmp_path: Path) -> None:
    ended = run(traced("pwrite64:error=ENOSPC:when=40", child("through_failures", tmp_path, 8)))
    assert ended.lines[-1] == "closed", ended
    assert len([line for line in ended.lines if line.startswith("failed")]) == 1
    check(tmp_path, ended)


@without_strace
def test_d15_a_kill_in_a_migration_leaves_the_old_schema_or_the_new_one(tmp_path: Path) -> None:
    before = tmp_path / "before"
    store = real_store(before)
    store.open()
    store.append(entries(1, 2))
    store.close()
    shutil.copytree(before, tmp_path / "counted")
    total = traces(tmp_path, "pwrite64", child("migrate", tmp_path / "counted")).count(" pwrite64(")
    for when in range(1, total + 1) if NIGHTLY > 1 else (total // 2,):
        folder = tmp_path / str(when)
        shutil.copytree(before, folder)
        assert run(traced(f"pwrite64:signal=SIGKILL:when={when}", child("migrate", folder))).code != 0
        for backup in (folder / "journal").glob("*.before-*"):
            backup.unlink()
        again = run(child("migrate", folder))
        assert again.lines == ("open",), again
        with pytest.raises(NewerSchema):
            real_store(folder).open()


@without_strace
def test_o01_every_acknowledgement_is_said_after_its_sync_returned(tmp_path: Path) -> None:
    trace = traces(tmp_path, "fdatasync,write", child("one_by_one", tmp_path / "life", 50))
    order = re.findall(r"(fdatasync)\(\d+\) += 0|write\(1, \"(ack) ", trace)
    said = [index for index, (_, ack) in enumerate(order) if ack]
    assert len(said) == 50
    assert all(order[index - 1][0] for index in said)


def traces(folder: Path, which: str, command: list[str]) -> str:
    """The system calls that a command makes."""
    trace = folder / "trace"
    options = ["-f", "-qq", "-o", str(trace), "-e", f"trace={which}"]
    ended = run([str(STRACE), *options, *command])
    assert ended.code == 0
    return trace.read_text()
