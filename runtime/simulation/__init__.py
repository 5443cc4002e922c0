"""Rehearsal: the same code in a world of memory and virtual time, where one seed decides everything.

    result = simulate(daemon, settings, seed=7, faults=FaultPlan(otherwise=BUGGIFY))
    result.unwrap()

`simulate` runs an async function that takes a `SimulatedWorld`; `world.network`, `world.disk`, `world.clock`,
`world.threads` and `world.faults` are the seams of `runtime.world`, each with handles to break it. The same
seed gives the same `trace_hash`, in any process.
"""

from runtime.simulation.clock import EPOCH_NS, SimulatedClock
from runtime.simulation.conditions import (
    Conditions,
    ConnectFailure,
    Cut,
    Ending,
    Latency,
    fixed,
    uniform,
)
from runtime.simulation.disk import PowerCut, SimulatedDisk
from runtime.simulation.faults import (
    BUGGIFY,
    CALM,
    NEVER,
    FaultCount,
    FaultPlan,
    Odds,
    SimulatedFaults,
    chance,
    on_hits,
)
from runtime.simulation.network import NetworkStatistics, SimulatedListener, SimulatedNetwork
from runtime.simulation.pipe import Pipe
from runtime.simulation.run import RealNetworkError, SimulationResult, simulate
from runtime.simulation.scheduler import UnsupportedTrioError
from runtime.simulation.stream import Address, Link, SimulatedStream
from runtime.simulation.threads import InlineThreads
from runtime.simulation.trace import Trace, TraceEvent
from runtime.simulation.waiting import WaitingTask
from runtime.simulation.watchdog import DeadlockError, LivelockError, StuckError, TimeLimitError
from runtime.simulation.world import SimulatedWorld

__all__ = [
    "BUGGIFY",
    "CALM",
    "EPOCH_NS",
    "NEVER",
    "Address",
    "Conditions",
    "ConnectFailure",
    "Cut",
    "DeadlockError",
    "Ending",
    "FaultCount",
    "FaultPlan",
    "InlineThreads",
    "Latency",
    "Link",
    "LivelockError",
    "NetworkStatistics",
    "Odds",
    "Pipe",
    "PowerCut",
    "RealNetworkError",
    "SimulatedClock",
    "SimulatedDisk",
    "SimulatedFaults",
    "SimulatedListener",
    "SimulatedNetwork",
    "SimulatedStream",
    "SimulatedWorld",
    "SimulationResult",
    "StuckError",
    "TimeLimitError",
    "Trace",
    "TraceEvent",
    "UnsupportedTrioError",
    "WaitingTask",
    "chance",
    "fixed",
    "on_hits",
    "simulate",
    "uniform",
]
