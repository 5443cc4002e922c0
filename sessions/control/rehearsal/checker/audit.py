"""I21: whatever a broker was asked is in the journal, and what the journal says was answered had been asked."""

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from brokers.emulation import log
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import fields
from sessions.control.rehearsal.lives import CUT_OFF, Ended
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.journal import Row

METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})  # what goes over sockets is recorded by frames
HOLD_UP: Final = frozenset({"F24", "F25", "F26", "F27", "F30", "F38"})
ENDS: Final = frozenset({"F28", "F29"})  # a kill, a power cut
SOON: Final = 5.0  # seconds in which a record is on disk, if its daemon lives on

_What = tuple[str, str, str]  # broker, method, path


class EverythingRecorded(Invariant):
    """Each request that arrives has its record within seconds, unless its daemon was cut off; no answer has none."""

    name = "I21"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._missing: deque[tuple[float, _What]] = deque()
        self._recorded: Counter[_What] = Counter()  # records that came before their requests
        self._arrived: Counter[_What] = Counter()
        self._open: dict[tuple[str, int], _What] = {}
        self._held_up = False
        self._lasting = 0  # strikes that go on
        self._lost = 0  # records that the journal says it did not take
        # When a life was cut off last; its tasks may take their time to end, on a frozen machine too.
        self._cut = math.inf

    def struck(self, strike: Strike) -> None:
        """What is in memory waits while the process stands still, or the disk takes nothing, and dies with it."""
        if strike.row in ENDS:
            self._cut = self.now
        if strike.row in HOLD_UP:
            self._held_up = True
            self._lasting += bool(strike.lasts_ms)

    def over(self, strike: Strike) -> None:
        """From now on it is written."""
        if strike.row in HOLD_UP:
            self._lasting = max(self._lasting - 1, 0)
            self._go_on()

    def _go_on(self) -> None:
        self._held_up = self._lasting > 0
        self._missing = deque((self.now, what) for _, what in self._missing)

    def entry(self, broker: str, entry: Entry) -> None:
        """Looks for the record of each request."""
        if self._held_up:
            self._go_on()
        if entry.kind != log.ARRIVED or entry.facts.get("where") is None or entry.facts["method"] not in METHODS:
            return
        what = (broker, entry.facts["method"], entry.facts["path"])
        self._arrived[what] += 1
        if self._recorded[what]:
            self._recorded[what] -= 1
        else:
            self._missing.append((self.now, what))
        self._look(self.now - SOON)

    def row(self, row: Row) -> None:
        """Takes a record."""
        if row.entry.kind == "raw.lost":
            self._lost += int(fields(row.entry.body)["lost"])
        if row.entry.kind != "raw":
            return
        said = fields(row.entry.body)
        broker, exchange = row.entry.stream.removeprefix("connection/"), (row.entry.stream, said["number"])
        if said["kind"] == "request" and said["url"].startswith("http"):
            self._open[exchange] = what = (broker, said["method"], unquote(urlsplit(said["url"]).path))
            waiting = next((one for one in self._missing if one[1] == what), None)
            if waiting is None:
                self._recorded[what] += 1
            else:
                self._missing.remove(waiting)
        elif said["kind"] == "answer" and exchange in self._open:
            self._answered(row, self._open.pop(exchange))

    def _answered(self, row: Row, what: _What) -> None:
        if what[2].endswith(("/ws", "/websocket")):
            return  # a handshake is no request of the interface
        if not self._arrived[what]:
            self.broken(f"row {row.seq} holds an answer to {' '.join(what)}, which never arrived there")

    def life_ended(self, ended: Ended) -> None:
        """What a life had in memory is gone with it: from the moment of a cut on, and what no disk would take."""
        if self._held_up:
            self._missing.clear()
        end = min(self._cut, self.now) if ended.why == CUT_OFF else self.now
        self._look(end - SOON)
        self._missing.clear()
        self._open.clear()

    def at_rest(self) -> None:
        """All is on disk."""
        self._look(self.now - SOON)

    def _look(self, before: float) -> None:
        while self._missing and self._missing[0][0] < before:
            _, what = self._missing.popleft()
            if self._lost:
                self._lost -= 1
            else:
                self.broken(f"{' '.join(what)} arrived, and the journal has no record of it")
