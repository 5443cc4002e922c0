"""I08: after any end of a life the journal is what it was, without a gap, and its chain holds."""

from collections.abc import Callable
from typing import Final

from sessions.control.daemon.daemon import AUDIT_KEY_FILE
from sessions.control.daemon.house import HEAD_FILE
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.lives import Ended
from sessions.journal import Chain, JournalError, Row
from sessions.journal.audit import verify

_GENESIS: Final = bytes(32)


class JournalKeepsItsPrefix(Invariant):
    """Rows are numbered without a gap, each follows from the one before, and none that was seen is ever lost."""

    name = "I08"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._seq, self._hash = 0, _GENESIS

    def row(self, row: Row) -> None:
        """Looks at the row's place."""
        if (row.seq, row.previous) != (self._seq + 1, self._hash):
            self.broken(f"row {row.seq} does not follow from row {self._seq}")
        if row.hash in (row.previous, _GENESIS):
            self.broken(f"row {row.seq} has a hash that says nothing")
        self._seq, self._hash = row.seq, row.hash

    def life_ended(self, ended: Ended) -> None:
        """Verifies every row that is kept, under the key of the state folder."""
        self._verify()

    def at_rest(self) -> None:
        """Once more, while the daemon writes."""
        self._verify()

    def _verify(self) -> None:
        scene, disk = self.scene, self.scene.world.disk
        if not self._seq:
            return
        try:
            head = verify(disk, scene.journal, Chain(disk.read(scene.state / AUDIT_KEY_FILE)), scene.state / HEAD_FILE)
        except (JournalError, OSError) as error:
            self.broken(str(error))
            return
        if head.seq < self._seq:
            self.broken(f"the journal ends with row {head.seq}, and row {self._seq} was there before")
