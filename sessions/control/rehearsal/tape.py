"""A run in a file: what was played, with which faults and how it ended, so that it can be played again."""

from pathlib import Path
from typing import Self

import attrs
import msgspec

from sessions.control.rehearsal.chronicle import Watch
from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.run import Outcome, rehearse
from sessions.control.rehearsal.storm import Schedule


class BadTape(ValueError):
    """A file that holds no run."""


@attrs.frozen(kw_only=True)
class Tape:
    """One run: the same programme, seed and schedule give the same trace hash, as long as the code is the same."""

    programme: Programme
    seed: int
    schedule: Schedule
    trace_hash: str
    violations: tuple[str, ...] = ()

    @classmethod
    def of(cls, programme: Programme, schedule: Schedule, outcome: Outcome) -> Self:
        """A run that was played."""
        return cls(
            programme=programme,
            seed=outcome.seed,
            schedule=schedule,
            trace_hash=outcome.trace_hash,
            violations=outcome.complaints,
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """What a file holds; raises BadTape or OSError."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.MsgspecError as error:
            raise BadTape(
                f"{path}: expected a run as `pitboss rehearse` writes it when something broke, got what is none: "
                f"{error}; nothing was rehearsed"
            ) from error

    def write(self, path: Path) -> None:
        """Puts it into a file; raises OSError."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    def play(self, watch: Watch = lambda _: None) -> Outcome:
        """Plays it again."""
        return rehearse(self.programme.plan(self.seed, self.schedule), watch)
