"""Which files a journal consists of: the sealed months, and the one that is written to.

The index is one small file that is replaced atomically. Sealing is nothing but a new index: the file that begins where
the last sealed one ends is the one in use.
"""

import datetime as dt
from pathlib import Path
from typing import Final

import attrs
from cattrs.preconf.json import JsonConverter, make_converter

from runtime.world import Disk
from sessions.journal.errors import JournalCorrupt
from sessions.journal.rows import GENESIS, Head

NAME: Final = "segments.json"
DATABASE_PREFIX: Final = "entries-"
DATABASE: Final = DATABASE_PREFIX + "{:020}.db"
ARCHIVE: Final = "sealed-{:020}.jsonl.xz"
_NS: Final = 1_000_000_000


@attrs.frozen
class Archive:
    """The compressed form of a sealed segment."""

    name: str
    size: int
    sha256: str


@attrs.frozen
class Segment:
    """One sealed file: the chain between two heads; once pruned only its hashes are left."""

    after: Head
    last: Head
    month: str
    sealed_ns: int
    epoch: int
    archive: Archive | None = None
    pruned: bool = False


@attrs.frozen
class Index:
    """All sealed segments, oldest first."""

    segments: tuple[Segment, ...] = ()

    @property
    def start(self) -> Head:
        """Where the file in use begins."""
        return self.segments[-1].last if self.segments else GENESIS

    @property
    def epoch(self) -> int:
        """The owner that sealed the last segment, or 0."""
        return self.segments[-1].epoch if self.segments else 0

    def with_sealed(self, segment: Segment) -> "Index":
        """The index after one more segment was sealed."""
        return Index((*self.segments, segment))

    def with_changed(self, segment: Segment) -> "Index":
        """The index with new facts about a segment that it holds."""
        return Index(tuple(segment if old.after == segment.after else old for old in self.segments))


def database_path(folder: Path, after: Head) -> Path:
    """Where the database lies that begins after that head."""
    return folder / DATABASE.format(after.seq + 1)


def read_index(disk: Disk, folder: Path) -> Index:
    """The index of a journal, empty for a new one; raises JournalCorrupt, OSError."""
    path = folder / NAME
    try:
        data = disk.read(path)
    except FileNotFoundError:
        return Index()
    try:
        index = _CONVERTER.loads(data, Index)
    except Exception as error:  # anything that is wrong with it means the same
        raise JournalCorrupt(str(path), f"no index of segments: {error}") from error
    for earlier, later in zip((None, *index.segments), index.segments, strict=False):
        if later.after != (GENESIS if earlier is None else earlier.last):
            raise JournalCorrupt(str(path), "a segment does not follow the one before", later.after.seq + 1)
    return index


def write_index(disk: Disk, folder: Path, index: Index) -> None:
    """Replaces the index; raises OSError, and then either one is in place."""
    disk.write(folder / NAME, _CONVERTER.dumps(index).encode())


def month_of(wall_ns: int) -> str:
    """The month of a moment in UTC, such as 2026-11."""
    return f"{dt.datetime.fromtimestamp(wall_ns // _NS, dt.UTC):%Y-%m}"


def _converter() -> JsonConverter:
    converter = make_converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(bytes, bytes.hex)
    converter.register_structure_hook(bytes, lambda raw, _: bytes.fromhex(raw))
    return converter


_CONVERTER: Final = _converter()
