"""What a strike can reach."""

import attrs
import trio

from brokers.emulation.emulator import Emulator
from runtime.simulation import SimulatedWorld
from sessions.control.rehearsal.cast import Cast
from sessions.control.rehearsal.lives import Lives
from sessions.control.rehearsal.machine import Ground
from sessions.control.rehearsal.storm.operator import Operator


@attrs.frozen(eq=False)
class Stage:
    """The world, the machine, the brokers, the daemon, its operator, and room for what takes its time."""

    world: SimulatedWorld
    ground: Ground
    cast: Cast
    lives: Lives
    operator: Operator
    nursery: trio.Nursery

    def emulator(self, broker: str) -> Emulator:
        """The other side of a broker."""
        return self.cast.emulators[broker]
