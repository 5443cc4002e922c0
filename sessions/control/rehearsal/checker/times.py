"""I20: nothing is stamped earlier than what caused it, by the clock that never steps."""

from collections.abc import Callable

from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import fields
from sessions.control.rehearsal.lives import Ended
from sessions.journal import Row


class CausesFirst(Invariant):
    """In a stream stamps never fall; a request follows the attempt that it is for, and an answer its request."""

    name = "I20"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._latest: dict[str, int] = {}
        self._attempted: dict[str, int] = {}
        self._asked: dict[tuple[str, int], int] = {}

    def row(self, row: Row) -> None:
        """Looks at the row's stamp."""
        entry, stamp = row.entry, row.entry.monotonic_ns
        if stamp < self._latest.get(entry.stream, 0):
            self.broken(f"row {row.seq} of {entry.stream} is stamped before the one before it")
        self._latest[entry.stream] = stamp
        if stamp > self.scene.world.clock.monotonic_ns():
            self.broken(f"row {row.seq} is stamped later than now")
        if entry.kind == "books.attempted":
            self._attempted.update(dict.fromkeys(fields(entry.body)["keys"], stamp))
        elif entry.kind == "raw":
            self._raw(row)

    def _raw(self, row: Row) -> None:
        entry, said = row.entry, fields(row.entry.body)
        exchange = (entry.stream, said["number"])
        if said["kind"] == "request":
            self._asked[exchange] = entry.monotonic_ns
            if entry.monotonic_ns < self._attempted.get(entry.key or "", 0):
                self.broken(f"row {row.seq}: a request for {entry.key} is stamped before its attempt")
        elif said["kind"] in ("answer", "failure") and entry.monotonic_ns < self._asked.get(exchange, 0):
            self.broken(f"row {row.seq}: an answer is stamped before its request")

    def life_ended(self, ended: Ended) -> None:
        """The next life counts its requests anew."""
        self._asked.clear()
