"""What an invariant is: something that hears what happens and says when it must not have."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs
import trio

from brokers.capability import Capability
from brokers.emulation.emulator import Emulator
from brokers.emulation.log import Entry
from config.settings import Settings
from runtime.simulation import SimulatedWorld
from sessions.control.rehearsal.checker.journalled import Journalled
from sessions.control.rehearsal.checker.traded import Traded
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.storm.schedule import Strike
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
    """What every invariant may ask.

    capabilities  what each broker can do, by its configured name
    streams       the journal's stream of each account, by configured broker and the exchange's name of the account
    secrets       what must never be seen: credentials, and the tokens handed out so far
    reached       the hosts that the daemons tried to reach
    journal       the folder of the journal on the world's disk; `state` is that of the daemon
    told          the rows of the journal so far, folded
    traded        the brokers' logs so far, folded
    """

    world: SimulatedWorld
    settings: Settings
    capabilities: Mapping[str, Capability]
    streams: Mapping[tuple[str, str], str]
    secrets: Callable[[], Iterable[str]]
    reached: Iterable[str]
    state: Path
    journal: Path
    told: Journalled = attrs.field(factory=Journalled)
    traded: Traded = attrs.field(factory=Traded)

    def stream(self, broker: str, account: str) -> str:
        """Where the journal keeps the facts of an exchange's account."""
        return self.streams[broker, account]


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
        """The daemon has logged a line just now."""

    def struck(self, strike: Strike) -> None:
        """Something goes wrong from now on."""

    def over(self, strike: Strike) -> None:
        """It does no longer."""

    def calm(self) -> None:
        """Nothing goes wrong from now on."""

    def life_ended(self, ended: Ended) -> None:
        """A life of the daemon is over; the next one begins with what is on disk."""

    def apart(self) -> Iterable[str]:
        """What both sides do not agree on now; asked at rest, again and again until nothing is left or time is up."""
        return ()

    def at_rest(self) -> None:
        """The faults are over and everything had its time to settle."""

    def broken(self, sentence: str) -> None:
        """Says that the rule did not hold now."""
        self._report(self.name, sentence)

    @property
    def now(self) -> float:
        """Seconds of simulated time."""
        return trio.current_time()
