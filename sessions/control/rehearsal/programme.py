"""What somebody wants rehearsed, as plain values: it can be kept in a file and handed to another process."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final, Self

import attrs

from brokers.market import MarketEvent
from config.settings import Settings, Source, load
from sessions.control.rehearsal.cast import HOSTS, usual_source
from sessions.control.rehearsal.checker.catalogue import RULES
from sessions.control.rehearsal.checker.checker import Rule
from sessions.control.rehearsal.hooks import load_rules
from sessions.control.rehearsal.recorded import check, recorded
from sessions.control.rehearsal.run import HOUR, PATIENCE, SETTLE, Plan
from sessions.control.rehearsal.storm import Schedule, draw

USUAL_SYMBOL: Final = "ES"
EVERY_BROKER: Final = tuple(HOSTS)
ALL: Final = "all"
_loaded = lru_cache(load_rules)  # once a process: what a module keeps for itself would grow with each run


@attrs.frozen(kw_only=True)
class Programme:
    """A rehearsal that any seed can be played of.

    settings    a configuration file's text; empty for one session at each of `brokers`
    folder      the folder of the configuration, beside which strategies are found
    faults      the names of the classes of faults to choose from, or all
    data        a file with a recorded market; empty for a synthetic one
    symbol      what the sessions trade when no settings say it
    invariants  where assertions of the user's own are, as `module:Name` or `module`
    """

    settings: str = ""
    brokers: tuple[str, ...] = EVERY_BROKER
    folder: str = "/"
    seconds: float = HOUR
    faults: tuple[str, ...] = (ALL,)
    data: str = ""
    symbol: str = USUAL_SYMBOL
    invariants: tuple[str, ...] = ()

    def plan(self, seed: int, schedule: Schedule | None = None) -> Plan:
        """What one seed plays; a schedule given takes the place of the one that the seed draws."""
        return Plan(
            seed=seed,
            sources=(self._source(seed),),
            seconds=self.seconds,
            config=Path(self.folder),
            schedule=self.schedule(seed) if schedule is None else schedule,
            recording=self.recording(),
            rules=self.rules(),
        )

    def rules(self) -> tuple[Rule, ...]:
        """What must hold: the rules of pitboss, and the user's own; raises NotRehearsable."""
        stated = self._settings(1).strategies.folder
        folder = Path(self.folder) / "strategies" if stated is None else Path(stated).expanduser()
        own = (_loaded(reference, folder, Path.cwd()) for reference in self.invariants)
        return (*RULES, *chain.from_iterable(own))

    def recording(self) -> Sequence[MarketEvent]:
        """The recorded market, as far as it is played; raises what reading the file does."""
        return recorded(Path(self.data), SETTLE + self.seconds + PATIENCE) if self.data else ()

    def check(self) -> None:
        """Raises what would keep it from being played: UnknownFault, NotRehearsable, or what reading a file does."""
        self.schedule(1)
        self.rules()
        if self.data:
            check(self.data, self.recording(), self._settings(1))

    def schedule(self, seed: int) -> Schedule:
        """The faults that a seed draws; raises UnknownFault."""
        allowed = None if self.faults == (ALL,) else self.faults
        return draw(seed, self.seconds, self._settings(seed), allowed)

    def lasting(self, seconds: float) -> Self:
        """The same, for another length of time."""
        return attrs.evolve(self, seconds=seconds)

    def _settings(self, seed: int) -> Settings:
        return load((self._source(seed),), {}).settings

    def _source(self, seed: int) -> Source:
        if self.settings:
            return Source("the rehearsed settings", self.settings)
        return usual_source(self.brokers, self.symbol, seed)
