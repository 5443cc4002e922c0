"""A world in memory: the same seams as the real one, with handles to steer each of them."""

import random

import attrs

from runtime.simulation.clock import SimulatedClock
from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.faults import SimulatedFaults
from runtime.simulation.network import SimulatedNetwork
from runtime.simulation.threads import InlineThreads
from runtime.simulation.trace import Trace
from runtime.world import World


@attrs.frozen
class SimulatedWorld(World):
    """The world that `simulate` hands to the code under rehearsal."""

    clock: SimulatedClock
    chance: random.Random
    network: SimulatedNetwork
    disk: SimulatedDisk
    threads: InlineThreads
    faults: SimulatedFaults
    trace: Trace
    seed: int
