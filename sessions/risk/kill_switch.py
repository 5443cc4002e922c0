"""The kill switch: in memory it stops every submit at once, on disk it holds through a restart.

Two files tell what holds. `halt` stands for a stop: the switch writes it, and a person may drop one, even empty.
`permit` stands for an operator's leave to trade. Pulling the switch takes the permit away, which needs no space and
so works on a full disk, and then writes `halt` with the details; without a permit a start is halted. Only `resume`, in
somebody's name, brings the permit back.
"""

import enum
from pathlib import Path

import attrs

from brokers import codec
from brokers.guards.ladder import Rung
from brokers.strict_json import InvalidJson
from runtime.world import Clock, Disk

HALT_FILE = "halt"
PERMIT_FILE = "permit"
LOOK_NS = 100_000_000  # no judgement relies on a look at the disk that is older


class Mode(enum.Enum):
    """How much a pulled switch stops."""

    CANCEL_ONLY = "cancel_only"
    HALT = "halt"

    @property
    def rung(self) -> Rung:
        """What strategies may still do."""
        return Rung.HALTED if self is Mode.HALT else Rung.CANCEL_ONLY


@attrs.frozen
class Mark:
    """A pulled switch: since when, by whom, why; with `flatten` all positions are to be closed."""

    mode: Mode
    by: str
    reason: str
    time_ns: int
    flatten: bool = False


@attrs.frozen
class Permit:
    """Somebody's leave to trade."""

    by: str
    time_ns: int


class ResumeRefused(Exception):
    """Trading stays stopped: the resume had no name, or the disk did not keep it."""

    def __init__(self, by: str, why: str) -> None:
        self.by = by
        self.why = why
        super().__init__(f"cannot resume for {by!r}: {why}; trading stays stopped")


class KillSwitch:
    """The stop of the whole daemon; `pull`, `rung` and `on_signal` neither wait nor fail."""

    def __init__(self, disk: Disk, clock: Clock, folder: Path) -> None:
        """Stopped until `open` has read the disk."""
        self.mark: Mark | None = None
        self.survives = True  # whether a restart would stop, or go on, as now
        self.kept = True  # whether the disk tells all that memory does
        self.problem = ""  # why not
        self._disk = disk
        self._clock = clock
        self._halt = folder / HALT_FILE
        self._permit = folder / PERMIT_FILE
        self._opened = False
        self._looked_ns = 0

    def open(self) -> Mark | None:
        """Takes up what the disk tells, once; later calls change nothing."""
        if not self._opened:
            self._opened = True
            if (found := self._read()) is not None:
                self._tighten(found)
            elif not self._is_permitted():
                self.pull(Mode.HALT, "start", "no permit on disk; resume in your name")
        return self.mark

    # The hot path.

    def rung(self) -> Rung:
        """What strategies may do at most; looks at the disk itself when nobody has for a while."""
        mark = self.mark
        if mark is None:
            if not self._opened:
                return Rung.HALTED
            if self._clock.monotonic_ns() - self._looked_ns < LOOK_NS:
                return Rung.FULL
            mark = self.look()
        return Rung.FULL if mark is None else mark.mode.rung

    def look(self) -> Mark | None:
        """Notices a halt file that somebody dropped; one that cannot be read is one too."""
        self._looked_ns = self._clock.monotonic_ns()
        if self.mark is None and (found := self._read()) is not None:
            self._tighten(found)
        return self.mark

    # Stopping.

    def pull(self, mode: Mode, by: str, reason: str = "", *, flatten: bool = False) -> Mark:
        """Stops at once; a stricter stop that holds already is not loosened."""
        return self._tighten(Mark(mode, by, reason, self._clock.wall_ns(), flatten))

    def on_signal(self, number: int, frame: object = None) -> None:
        """A handler for `signal.signal`: halts; the disk follows with the next poll."""
        self.pull(Mode.HALT, f"signal {number}")

    def _tighten(self, mark: Mark) -> Mark:
        before = self.mark
        if before is not None and before.mode.rung >= mark.mode.rung:
            mark = attrs.evolve(before, flatten=before.flatten or mark.flatten)
        elif before is not None:
            mark = attrs.evolve(mark, flatten=before.flatten or mark.flatten)
        if mark != before:
            self.mark = mark
            self.kept = self.survives = False
        return mark

    def keep(self) -> None:
        """Brings the mark to the disk as far as that goes; `problem` tells what failed. Blocks: run it in a thread."""
        mark = self.mark
        if mark is None:
            return
        failures = [*self._try_to_remove_permit(), *self._try_to_write(mark)]
        self.problem = "; ".join(failures)
        if self.mark is mark:
            self.survives = len(failures) < 2  # no permit, or a halt file: either stops the next start
            self.kept = not failures

    def _try_to_remove_permit(self) -> list[str]:
        try:
            self._disk.remove(self._permit)
        except OSError as error:
            return [f"the permit could not be removed: {error}"]
        return []

    def _try_to_write(self, mark: Mark) -> list[str]:
        try:
            self._disk.write(self._halt, codec.encode(mark).encode())
        except OSError as error:
            return [f"the halt file could not be written: {error}"]
        return []

    # Resuming.

    def permit(self, by: str) -> Mark | None:
        """Puts an operator's leave on disk and returns the mark that it lifts; raises ResumeRefused. Blocks."""
        if not by.strip():
            raise ResumeRefused(by, "expected the operator's name, got none; say who resumes")
        mark = self.mark
        try:
            self._disk.write(self._permit, codec.encode(Permit(by, self._clock.wall_ns())).encode())
            self._disk.remove(self._halt)
        except OSError as error:
            raise ResumeRefused(by, f"the disk did not keep it ({error}); free the disk and try again") from error
        return mark

    def release(self, mark: Mark | None) -> bool:
        """Lifts a mark in memory, after `permit`; False when the switch was pulled again meanwhile."""
        if self.mark is not mark:
            self.kept = self.survives = False
            return False
        self.mark, self.kept, self.survives, self.problem = None, True, True, ""
        self._looked_ns = self._clock.monotonic_ns() - LOOK_NS
        return True

    def _is_permitted(self) -> bool:
        try:
            self._disk.read(self._permit)
        except OSError:
            return False
        return True

    def _read(self) -> Mark | None:
        now_ns = self._clock.wall_ns()
        try:
            content = self._disk.read(self._halt)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Mark(Mode.HALT, "halt file", f"it could not be read: {error}", now_ns)
        try:
            return codec.decode(content, Mark)
        except InvalidJson:
            return Mark(Mode.HALT, "halt file", "somebody dropped one", now_ns)
