"""What an invariant is: something that hears what happens and says when it must not have."""

from collections.abc import Callable, Mapping

import attrs

from brokers.capability import Capability
from brokers.emulation.emulator import Emulator
from brokers.emulation.log import Entry
from config.settings import Settings
from sessions.control.rehearsal.lives import Ended
from sessions.journal import Row


@attrs.frozen
class Violation:
    """An invariant that did not hold, when, and what shows it."""

    invariant: str
    at_s: float
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at_s:.3f} s: {self.sentence}"


@attrs.frozen(eq=False)
class Scene:
    """What is known before anything happens: the settings, what each broker can do, and the secrets that exist."""

    settings: Settings
    capabilities: Mapping[str, Capability]  # by the broker's configured name
    secrets: tuple[str, ...] = ()


class Invariant:
    """One rule. Each method hears one kind of thing as it happens, in order, and calls `broken` for what must not be.

    name  its row, such as I01, or whatever its author calls it
    """

    name = ""

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        self.scene = scene
        self._report = report

    def attend(self, emulators: Mapping[str, Emulator]) -> None:
        """The emulators are up; rules of pitboss itself read nothing of them but their logs."""

    def entry(self, broker: str, entry: Entry) -> None:
        """The emulator in a broker's place saw or did something; `broker` is the configured name."""

    def row(self, row: Row) -> None:
        """The journal has a new row on disk."""

    def line(self, line: str) -> None:
        """The daemon has logged a line."""

    def life_ended(self, ended: Ended) -> None:
        """A life of the daemon is over; the next one begins with what is on disk."""

    def at_rest(self) -> None:
        """The faults are over and everything had its time to settle."""

    def broken(self, sentence: str) -> None:
        """Says that the rule did not hold now."""
        self._report(self.name, sentence)
