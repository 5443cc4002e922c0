"""The whole journal from its first entry to its last: every file, every hash, and the head that lies outside."""

from collections.abc import Iterator
from pathlib import Path

from runtime.world import Disk
from sessions.journal.chain import BrokenChain, Chain, read_head
from sessions.journal.errors import JournalCorrupt
from sessions.journal.index import ARCHIVE, Segment, database_path, read_index
from sessions.journal.reader import Reader
from sessions.journal.rows import Head, Row
from sessions.journal.segments import read_archive


def verify(disk: Disk, folder: Path, chain: Chain, outer: Path | None = None) -> Head:
    """Checks every row that is kept and returns the head; raises JournalCorrupt with the first bad entry.

    With `outer`, the file that holds the head, rows that were cut off at the end are found too. Of what was pruned
    only the hashes are left, and the chain is followed through them. Blocking: for a thread beside the writer.
    """
    known = None if outer is None else _outer_head(disk, outer)
    index = read_index(disk, folder)
    head = index.segments[0].after if index.segments else index.start
    for segment in index.segments:
        if not segment.pruned:
            _verify_file(_name(folder, segment), sealed_rows(disk, folder, segment), chain, segment.after, segment.last)
        head = _passed(segment.last, known, str(folder))
    path = database_path(folder, index.start)
    with Reader(disk.database(path)) as reader:
        if reader.start != head:
            raise JournalCorrupt(str(path), f"it follows entry {reader.start.seq}, not {head.seq}", head.seq + 1)
        head = _verify_file(str(path), _watched(reader.since(), known, str(path)), chain, head, None)
    if known is not None and known.seq > head.seq:
        raise JournalCorrupt(str(path), f"it ends with entry {head.seq}, {outer} knows of {known.seq}", head.seq + 1)
    return head


def last_entry(disk: Disk, folder: Path) -> int:
    """The number of the newest entry; raises JournalCorrupt, JournalFailed."""
    with Reader(disk.database(database_path(folder, read_index(disk, folder).start))) as reader:
        return reader.head().seq


def history(disk: Disk, folder: Path, after: int = 0) -> Iterator[Row]:
    """Every row that is kept with a number above `after`, from the archives too; raises JournalCorrupt, JournalFailed.

    Not verified: `verify` does that. Blocking.
    """
    index = read_index(disk, folder)
    for segment in index.segments:
        if segment.last.seq > after and not segment.pruned:
            yield from (row for row in sealed_rows(disk, folder, segment) if row.seq > after)
    with Reader(disk.database(database_path(folder, index.start))) as reader:
        yield from reader.since(after)


def sealed_rows(disk: Disk, folder: Path, segment: Segment) -> Iterator[Row]:
    """The rows of a sealed segment, from its archive or, as long as there is none, from its database."""
    if segment.archive is not None:
        yield from read_archive(disk, folder, segment)
        return
    with Reader(disk.database(database_path(folder, segment.after))) as reader:
        yield from reader.since()


def _verify_file(path: str, rows: Iterator[Row], chain: Chain, after: Head, last: Head | None) -> Head:
    try:
        head = chain.verify(rows, after)
    except BrokenChain as broken:
        raise JournalCorrupt(path, broken.found, broken.seq) from broken
    if last is not None and head != last:
        raise JournalCorrupt(path, f"it ends with entry {head.seq}, it was sealed with {last.seq}", head.seq + 1)
    return head


def _watched(rows: Iterator[Row], known: Head | None, path: str) -> Iterator[Row]:
    for row in rows:
        yield row
        _passed(Head(row.seq, row.hash), known, path)


def _passed(head: Head, known: Head | None, path: str) -> Head:
    if known is not None and known.seq == head.seq and known.hash != head.hash:
        raise JournalCorrupt(path, "its hash is not that of the head outside the journal", head.seq)
    return head


def _outer_head(disk: Disk, outer: Path) -> Head | None:
    try:
        return read_head(disk.read(outer))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise JournalCorrupt(str(outer), str(error)) from error


def _name(folder: Path, segment: Segment) -> str:
    path = folder / ARCHIVE.format(segment.after.seq + 1)
    return str(path if segment.archive is not None else database_path(folder, segment.after))
