"""What somebody wants rehearsed, as plain values: it can be kept in a file and handed to another process."""

from pathlib import Path
from typing import Final, Self

import attrs

from config.settings import Source, load
from sessions.control.rehearsal.cast import HOSTS, usual_source
from sessions.control.rehearsal.run import HOUR, Plan
from sessions.control.rehearsal.storm import Schedule, draw

USUAL_SYMBOL: Final = "ES"
EVERY_BROKER: Final = tuple(HOSTS)
ALL: Final = "all"


@attrs.frozen(kw_only=True)
class Programme:
    """A rehearsal that any seed can be played of.

    settings    a configuration file's text; empty for one session at each of `brokers`
    folder      the folder of the configuration, beside which strategies are found
    faults      the names of the classes of faults to choose from, or all
    """

    settings: str = ""
    brokers: tuple[str, ...] = EVERY_BROKER
    folder: str = "/"
    seconds: float = HOUR
    faults: tuple[str, ...] = (ALL,)

    def plan(self, seed: int, schedule: Schedule | None = None) -> Plan:
        """What one seed plays; a schedule given takes the place of the one that the seed draws."""
        return Plan(
            seed=seed,
            sources=(self._source(seed),),
            seconds=self.seconds,
            config=Path(self.folder),
            schedule=self.schedule(seed) if schedule is None else schedule,
        )

    def schedule(self, seed: int) -> Schedule:
        """The faults that a seed draws; raises UnknownFault."""
        allowed = None if self.faults == (ALL,) else self.faults
        return draw(seed, self.seconds, load((self._source(seed),), {}).settings, allowed)

    def lasting(self, seconds: float) -> Self:
        """The same, for another length of time."""
        return attrs.evolve(self, seconds=seconds)

    def _source(self, seed: int) -> Source:
        if self.settings:
            return Source("the rehearsed settings", self.settings)
        return usual_source(self.brokers, USUAL_SYMBOL, seed)
