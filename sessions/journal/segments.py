"""Sealed months: compressed, verified, kept for seven years, and deleted only when somebody says so and why."""

import datetime as dt
import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs

from runtime.world import Disk
from sessions.journal.chain import BrokenChain, Chain
from sessions.journal.errors import InvalidEntry, JournalCorrupt, RetentionRefused
from sessions.journal.index import ARCHIVE, Archive, Index, Segment, database_path
from sessions.journal.reader import Reader
from sessions.journal.rows import Entry, Head, Row
from sessions.journal.store import Store

YEARS_KEPT: Final = 7
_PRESET: Final = 3  # 32 MiB of memory; higher presets take twice the time for some per cent
_NS: Final = 1_000_000_000


def archive(disk: Disk, folder: Path, segment: Segment, chain: Chain) -> Segment:
    """Compresses a sealed segment and reads it back; the database stays. Raises JournalCorrupt, JournalFailed, OSError.

    Blocking and long: for a thread beside the writer, which then records the result with `adopt`.
    """
    path = folder / ARCHIVE.format(segment.after.seq + 1)
    with Reader(disk.database(database_path(folder, segment.after))) as reader:
        data = compress(reader.since())
    found = Archive(path.name, len(data), hashlib.sha256(data).hexdigest())
    disk.write(path, data)
    archived = attrs.evolve(segment, archive=found)
    verify_archive(disk, folder, archived, chain)
    return archived


def adopt(store: Store, segment: Segment) -> None:
    """Records an archive and removes the database that it was made from; for the writer's thread."""
    store.change(segment)
    path = database_path(store.settings.folder, segment.after)
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        store.world.disk.remove(name)


def verify_archive(disk: Disk, folder: Path, segment: Segment, chain: Chain) -> None:
    """Raises JournalCorrupt unless an archive holds exactly the chain that was sealed."""
    path = str(folder / ARCHIVE.format(segment.after.seq + 1))
    try:
        last = chain.verify(read_archive(disk, folder, segment), segment.after)
    except BrokenChain as broken:
        raise JournalCorrupt(path, broken.found, broken.seq) from broken
    if last != segment.last:
        raise JournalCorrupt(path, f"it ends with entry {last.seq}, it was sealed with {segment.last.seq}", last.seq)


def read_archive(disk: Disk, folder: Path, segment: Segment) -> Iterator[Row]:
    """The rows of an archived segment; raises JournalCorrupt, OSError."""
    path = folder / ARCHIVE.format(segment.after.seq + 1)
    data = disk.read(path)
    if segment.archive is None or hashlib.sha256(data).hexdigest() != segment.archive.sha256:
        raise JournalCorrupt(str(path), "its bytes are not those that the index knows", segment.after.seq + 1)
    return decompress(data, segment.after, str(path))


def compress(rows: Iterable[Row]) -> bytes:
    """Rows as compressed lines of JSON, which need no database to be read in years to come."""
    packer = lzma.LZMACompressor(preset=_PRESET)
    return b"".join((*(packer.compress(_line(row)) for row in rows), packer.flush()))


def decompress(data: bytes, after: Head, path: str) -> Iterator[Row]:
    """The rows in compressed lines; raises JournalCorrupt at the first that is none."""
    previous, seq = after.hash, after.seq
    try:
        for line in lzma.decompress(data).splitlines():
            seq, digest, *fields = json.loads(line)
            own = bytes.fromhex(digest)
            yield Row(seq, previous, own, Entry(*fields))
            previous = own
    except (lzma.LZMAError, ValueError, TypeError, InvalidEntry) as error:
        raise JournalCorrupt(path, f"no archive of a journal: {error}", seq + 1) from error


def prune(store: Store, before: dt.date, reason: str) -> list[Segment]:
    """Deletes the archives sealed before a date, oldest first, and returns them; for the writer's thread.

    Raises RetentionRefused for a date that is not older than 7 years and a day, and without a reason. What is deleted
    is journalled first; the hashes stay in the index, so the chain still holds.
    """
    today = _day(store.world.clock.wall_ns())
    limit = last_prunable(today)
    if before > limit:
        raise RetentionRefused(f"expected a date up to {limit}, got {before}; nothing was deleted; records are kept")
    if not reason.strip():
        raise RetentionRefused("expected a reason, got none; nothing was deleted; say why the records may go")
    pruned = [attrs.evolve(segment, archive=None, pruned=True) for segment in _sealed_before(store.index, before)]
    for segment in pruned:
        first = segment.after.seq + 1
        store.append(
            [
                store.about(
                    "segment.pruned", first=first, last=segment.last.seq, before=before.isoformat(), reason=reason
                )
            ]
        )
        store.change(segment)
        store.world.disk.remove(store.settings.folder / ARCHIVE.format(first))
    return pruned


def last_prunable(today: dt.date) -> dt.date:
    """The last date up to which records may be deleted."""
    day = min(today.day, 28) if today.month == 2 else today.day
    return today.replace(year=today.year - YEARS_KEPT, day=day) - dt.timedelta(days=1)


def _sealed_before(index: Index, before: dt.date) -> Iterator[Segment]:
    for segment in index.segments:
        if _day(segment.sealed_ns) >= before:
            return
        if segment.archive is not None:
            yield segment


def _day(wall_ns: int) -> dt.date:
    return dt.datetime.fromtimestamp(wall_ns // _NS, dt.UTC).date()


def _line(row: Row) -> bytes:
    entry = row.entry
    fields = (row.seq, row.hash.hex(), entry.kind, entry.stream, entry.key, entry.body, entry.wall_ns)
    return json.dumps([*fields, entry.monotonic_ns], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
