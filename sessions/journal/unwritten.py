"""What was noted and is not on disk: it outlives the actor of the journal, whose next instance begins with it."""

from collections.abc import Sequence
from typing import Final

import attrs

from sessions.journal.rows import Entry

MOST_KEPT: Final = 100_000  # entries; what comes beyond them is counted


@attrs.define(eq=False)
class Unwritten:
    """Notes in their order, and how many entries beside them are lost, or may be."""

    lost: int = 0
    _notes: list[Sequence[Entry]] = attrs.field(factory=list)
    _size: int = 0

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keeps a note for the next writer, or counts it where there are too many."""
        if self._size + len(entries) > MOST_KEPT:
            self.lose(entries)
            return
        self._size += len(entries)
        self._notes.append(entries)

    def lose(self, entries: Sequence[Entry]) -> None:
        """Counts entries that are not on disk, or of which nobody knows."""
        self.lost += len(entries)

    def take(self) -> tuple[list[Sequence[Entry]], int]:
        """What is to be written now, and how much is missing; from now on nothing is kept."""
        notes, lost = self._notes, self.lost
        self._notes, self._size, self.lost = [], 0, 0
        return notes, lost
