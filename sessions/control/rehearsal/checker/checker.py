"""Tells the invariants everything as it happens: each entry of a broker, before it the rows that the journal has."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import trio

from brokers.emulation.emulator import Emulator
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene, Violation
from sessions.control.rehearsal.checker.rows import NewRows
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.machine import Ground

MOST: Final = 50  # violations kept; the first ones tell

Rule = Callable[[Scene, Callable[[str, str], None]], Invariant]


class Checker:
    """Hears what happens and keeps the violations."""

    def __init__(self, ground: Ground, journal: Path, scene: Scene, rules: Iterable[Rule]) -> None:
        self.violations: list[Violation] = []
        self._rows = NewRows(ground.world.disk, journal)
        self._ground = ground
        self._lines = 0
        self._invariants = [rule(scene, self._broken) for rule in rules]

    def attend(self, emulators: Mapping[str, Emulator]) -> None:
        """Listens to the brokers from now on."""
        for invariant in self._invariants:
            invariant.attend(emulators)
        for name, emulator in emulators.items():
            emulator.log.listen(lambda entry, name=name: self.entry(name, entry))  # type: ignore[misc]

    def entry(self, broker: str, entry: Entry) -> None:
        """A broker's entry; what the journal held before it is told first."""
        self.catch_up()
        for invariant in self._invariants:
            invariant.entry(broker, entry)

    def life_ended(self, ended: Ended) -> None:
        """A life of the daemon is over."""
        self.catch_up()
        for invariant in self._invariants:
            invariant.life_ended(ended)

    def at_rest(self) -> None:
        """The end of a rehearsal."""
        self.catch_up()
        for invariant in self._invariants:
            invariant.at_rest()

    def catch_up(self) -> None:
        """Tells the rows and lines that are new."""
        for row in self._rows.new():
            for invariant in self._invariants:
                invariant.row(row)
        lines = self._ground.lines
        while self._lines < len(lines):
            line = lines[self._lines]
            self._lines += 1
            for invariant in self._invariants:
                invariant.line(line)

    def _broken(self, name: str, sentence: str) -> None:
        if len(self.violations) < MOST:
            self.violations.append(Violation(name, trio.current_time(), sentence))
