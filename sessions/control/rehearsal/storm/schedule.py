"""What goes wrong when: a list of strikes that can be drawn from a seed, written to a file, cut down and run again."""

from collections.abc import Iterable
from typing import Self

import attrs
import msgspec


@attrs.frozen
class Strike:
    """One fault at one moment.

    at_ms     milliseconds of simulated time since the storm began
    fault     the name of a fault class
    row       the row of the fault table that it realises, such as F08
    at        the configured broker or the session it strikes; empty for the machine
    value     what the class takes
    lasts_ms  when it ends again, for a class that goes on
    """

    at_ms: int
    fault: str
    row: str
    at: str = ""
    value: str = ""
    lasts_ms: int = 0


@attrs.frozen
class Schedule:
    """All strikes of a run, oldest first."""

    strikes: tuple[Strike, ...] = ()

    def to_json(self) -> str:
        """The schedule as text."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads it back; raises msgspec.ValidationError."""
        return msgspec.json.decode(text, type=cls)

    def without(self, strikes: Iterable[Strike]) -> "Schedule":
        """The schedule with fewer strikes."""
        gone = set(strikes)
        return Schedule(tuple(one for one in self.strikes if one not in gone))
