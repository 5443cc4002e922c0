"""Tells the invariants everything as it happens: each entry of a broker, before it the rows that the journal has."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import trio

from brokers.emulation.emulator import Emulator
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene, Violation
from sessions.control.rehearsal.checker.rows import NewRows
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.storm.schedule import Strike

MOST: Final = 50  # violations kept; the first ones tell
REST_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5

Rule = Callable[[Scene, Callable[[str, str], None]], Invariant]


class Checker:
    """Hears what happens and keeps the violations."""

    def __init__(self, scene: Scene, rules: Iterable[Rule]) -> None:
        self.violations: list[Violation] = []
        self.scene = scene
        self._rows = NewRows(scene.world.disk, scene.journal)
        invariants = [rule(scene, self._broken) for rule in rules]
        self._entries = _who_hears(invariants, "entry")
        self._all_rows = _who_hears(invariants, "row")
        self._lines = _who_hears(invariants, "line")
        self._invariants = invariants

    def attend(self, emulators: Mapping[str, Emulator]) -> None:
        """Listens to the brokers from now on."""
        for invariant in self._invariants:
            invariant.attend(emulators)
        for name, emulator in emulators.items():
            emulator.log.listen(lambda entry, name=name: self.entry(name, entry))  # type: ignore[misc]

    def entry(self, broker: str, entry: Entry) -> None:
        """A broker's entry; what the journal held before it is told first."""
        self.catch_up()
        self.scene.traded.take(broker, entry)
        for hear in self._entries:
            hear(broker, entry)

    def line(self, line: str) -> None:
        """The daemon has logged a line."""
        for hear in self._lines:
            hear(line)

    def struck(self, strike: Strike) -> None:
        """A strike begins."""
        for invariant in self._invariants:
            invariant.struck(strike)

    def over(self, strike: Strike) -> None:
        """A strike that went on is over."""
        for invariant in self._invariants:
            invariant.over(strike)

    def calm(self) -> None:
        """The storm is over."""
        for invariant in self._invariants:
            invariant.calm()

    def life_ended(self, ended: Ended) -> None:
        """A life of the daemon is over."""
        self.catch_up()
        for invariant in self._invariants:
            invariant.life_ended(ended)

    async def at_rest(self) -> None:
        """Gives both sides a while to agree at one moment, for trading goes on; what never does is broken."""
        with trio.move_on_after(REST_SECONDS):
            while self._apart():  # noqa: ASYNC110 - what is compared lies on two sides and has no event
                await trio.sleep(LOOK_SECONDS)
        for name, sentence in self._apart():
            self._broken(name, sentence)
        for invariant in self._invariants:
            invariant.at_rest()

    def _apart(self) -> list[tuple[str, str]]:
        self.catch_up()
        return [(invariant.name, sentence) for invariant in self._invariants for sentence in invariant.apart()]

    def catch_up(self) -> None:
        """Tells the rows that are new."""
        for row in self._rows.new():
            self.scene.told.take(row)
            for hear in self._all_rows:
                hear(row)

    def close(self) -> None:
        """Lets go of the journal."""
        self._rows.close()

    def _broken(self, name: str, sentence: str) -> None:
        if len(self.violations) < MOST:
            self.violations.append(Violation(name, trio.current_time(), sentence))


def _who_hears(invariants: Iterable[Invariant], what: str) -> list[Callable[..., Any]]:
    """The methods of that name of those that have one of their own: most invariants hear little."""
    return [getattr(one, what) for one in invariants if getattr(type(one), what) is not getattr(Invariant, what)]
