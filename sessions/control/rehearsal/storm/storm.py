"""Carries a schedule out, and ends all that it began."""

from collections import Counter

import attrs
import trio

from runtime.simulation import SimulatedWorld
from sessions.control.rehearsal.cast import Cast
from sessions.control.rehearsal.lives import Lives
from sessions.control.rehearsal.machine import Ground
from sessions.control.rehearsal.storm.schedule import Schedule, Strike


@attrs.define(eq=False)
class Storm:
    """What goes wrong in one run."""

    world: SimulatedWorld
    ground: Ground
    cast: Cast
    lives: Lives
    schedule: Schedule
    struck: Counter[str] = attrs.field(factory=Counter)  # how often, by row of the fault table

    async def rage(self) -> None:
        """Carries out one strike after another; returns after the last one."""
        began = trio.current_time()
        for strike in self.schedule.strikes:
            await trio.sleep_until(began + strike.at_ms / 1000)
            self._strike(strike)

    def calm(self) -> None:
        """Ends every fault that is still going on."""

    def _strike(self, strike: Strike) -> None:
        self.struck[strike.row] += 1
