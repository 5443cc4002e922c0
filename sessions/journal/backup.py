"""Backup and restore of a whole journal: the file in use, the sealed segments and the index, verified as copies.

Files only: a journal that a rehearsal keeps in memory has no backup.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from runtime.world import Disk
from sessions.journal.audit import verify
from sessions.journal.chain import Chain
from sessions.journal.connection import file_of
from sessions.journal.errors import BackupRefused, JournalCorrupt
from sessions.journal.files import publish, sync_file, sync_folder
from sessions.journal.index import Index, database_path, read_index, write_index
from sessions.journal.reader import Reader
from sessions.journal.rows import Head
from sessions.journal.snapshot import snapshot

_PART: Final = ".part"


def backup(disk: Disk, folder: Path, target: Path, chain: Chain) -> Head:
    """Copies a journal, in use or not, into a new folder and verifies the copy; returns the head of the copy.

    Raises BackupRefused if there is anything at target, JournalCorrupt if the copy is not sound; then nothing stands at
    target. Blocking: for a thread beside the writer. Do not roll the journal meanwhile.
    """
    index = read_index(disk, folder)
    if file_of(disk.database(database_path(folder, index.start))) is None:
        raise BackupRefused(target, "the journal is kept in memory")
    part = _new_folder(target)
    try:
        _copy_sealed(disk, folder, part, index)
        _snapshot(disk, folder, part, index.start)
        head = _verify_copy(disk, part, index, chain)
        publish_folder(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return head


def restore(disk: Disk, source: Path, folder: Path, chain: Chain) -> Head:
    """Brings a backup back as a journal, verified before and after; returns its head.

    Raises BackupRefused if there is anything at folder, JournalCorrupt if the backup is not sound. The head outside
    the journal may know of later entries: it must be moved away by hand, which is the moment to ask what is lost.
    """
    verify(disk, source, chain)
    return backup(disk, source, folder, chain)


def publish_folder(part: Path, target: Path) -> None:
    """Syncs a finished folder and gives it its name, durably."""
    for file in part.iterdir():
        sync_file(file)
    sync_folder(part)
    publish(part, target)


def _new_folder(target: Path) -> Path:
    if target.exists():
        raise BackupRefused(target, "expected nothing there; choose another name")
    part = target.with_name(f".{target.name}{_PART}")
    if part.exists():
        shutil.rmtree(part)  # left over from a crash
    part.mkdir(mode=0o700, parents=True)
    return part


def _copy_sealed(disk: Disk, folder: Path, part: Path, index: Index) -> None:
    for segment in index.segments:
        if segment.archive is not None:
            data = disk.read(folder / segment.archive.name)
            if hashlib.sha256(data).hexdigest() != segment.archive.sha256:
                raise JournalCorrupt(str(folder / segment.archive.name), "its bytes are not those that the index knows")
            disk.write(part / segment.archive.name, data)
        elif not segment.pruned:
            _snapshot(disk, folder, part, segment.after)
    if index.segments:
        write_index(disk, part, index)


def _snapshot(disk: Disk, folder: Path, part: Path, after: Head) -> None:
    with Reader(disk.database(database_path(folder, after))) as reader:
        reader.guarded(lambda: snapshot(reader.db.conn, database_path(part, after)))


def _verify_copy(disk: Disk, part: Path, index: Index, chain: Chain) -> Head:
    path = database_path(part, index.start)
    with Reader(disk.database(path)) as copy:
        _check_integrity(copy, path)
    return verify(disk, part, chain)


def _check_integrity(copy: Reader, path: Path) -> None:
    (found,) = copy.guarded(lambda: copy.db.execute("PRAGMA integrity_check(1)").fetchone())
    if found != "ok":
        raise JournalCorrupt(str(path), f"integrity_check: {found}")
