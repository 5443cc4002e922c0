"""Carries a schedule out, and ends all that it began."""

from collections import Counter
from collections.abc import Callable

import attrs
import trio

from runtime.simulation import SimulatedWorld
from sessions.control.rehearsal.cast import Cast
from sessions.control.rehearsal.lives import Lives
from sessions.control.rehearsal.machine import Ground
from sessions.control.rehearsal.storm.catalogue import KINDS
from sessions.control.rehearsal.storm.coverage import order_states
from sessions.control.rehearsal.storm.kinds import Undo
from sessions.control.rehearsal.storm.operator import Operator
from sessions.control.rehearsal.storm.schedule import Schedule, Strike
from sessions.control.rehearsal.storm.stage import Stage

CALM_LOOKS = 2.0  # seconds between two looks of the operator when nothing goes wrong any more


@attrs.frozen
class Struck:
    """A strike that was carried out, and when."""

    at_s: float
    strike: Strike


@attrs.define(eq=False)
class Storm:
    """What goes wrong in one run.

    history  what struck, oldest first
    struck   how often, by row of the fault table
    cells    how often each row struck while orders were in a state, by both
    """

    world: SimulatedWorld
    ground: Ground
    cast: Cast
    lives: Lives
    schedule: Schedule
    history: list[Struck] = attrs.field(factory=list)
    struck: Counter[str] = attrs.field(factory=Counter)
    cells: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    on_strike: Callable[[Strike], None] = lambda _: None
    on_over: Callable[[Strike], None] = lambda _: None
    operator: Operator = attrs.field(init=False)
    _open: dict[Strike, Undo] = attrs.field(factory=dict)  # what goes on, oldest first

    def __attrs_post_init__(self) -> None:
        """The operator is there from the beginning."""
        self.operator = Operator(self.lives, self.cast)

    async def rage(self) -> None:
        """Carries out one strike after another; returns when the last one is over."""
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            stage = Stage(self.world, self.ground, self.cast, self.lives, self.operator, nursery)
            for strike in self.schedule.strikes:
                await trio.sleep_until(began + strike.at_ms / 1000)
                self._strike(stage, strike)

    def calm(self) -> None:
        """Ends every fault that is still going on; from now on the operator looks often."""
        for strike in tuple(self._open)[::-1]:
            self._end(strike)
        for emulator in self.cast.emulators.values():
            for name in KINDS:
                emulator.faults.off(name)
        self.world.faults.silence()
        self.operator.looks = CALM_LOOKS

    def _strike(self, stage: Stage, strike: Strike) -> None:
        self.cells.update((strike.row, state) for state in order_states(self.lives.house))
        self.on_strike(strike)
        undo = KINDS[strike.fault].act(stage, strike)
        self.history.append(Struck(trio.current_time(), strike))
        self.struck[strike.row] += 1
        if undo is not None:
            self._end(strike)  # the same one, drawn twice
            self._open[strike] = undo
            stage.nursery.start_soon(self._later, strike)

    async def _later(self, strike: Strike) -> None:
        await trio.sleep(strike.lasts_ms / 1000)
        self._end(strike)

    def _end(self, strike: Strike) -> None:
        undo = self._open.pop(strike, None)
        if undo is not None:
            undo()
            self.on_over(strike)
