"""A simulated world that is moved step by step from plain code, so that a state machine can drive it."""

import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import outcome

from runtime.simulation import SimulatedWorld, simulate

Step = Callable[[], Awaitable[Any]]


class Puppet:
    """Runs a simulation in a thread of its own; between two steps its time stands still."""

    def __init__(self, play: Callable[[SimulatedWorld, "Puppet"], Awaitable[None]], seed: int) -> None:
        """`play` sets the scene, awaits `steps()`, and leaves the scene when that returns."""
        self._steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[outcome.Outcome[Any]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(play, seed), daemon=True)
        self._thread.start()
        self._results.get().unwrap()  # the scene is set

    def do(self, step: Step) -> Any:
        """Carries out one step in the simulated world, and returns or raises what came of it."""
        self._steps.put(step)
        return self._results.get().unwrap()

    def end(self) -> None:
        """Leaves the scene; raises what went wrong on the way out."""
        self._steps.put(None)
        self._results.get().unwrap()
        self._thread.join()

    async def steps(self) -> None:
        """Within the simulation: carries out steps until the end."""
        self._results.put(outcome.Value(None))
        while (step := self._steps.get()) is not None:
            self._results.put(await outcome.acapture(step))

    def _run(self, play: Callable[[SimulatedWorld, "Puppet"], Awaitable[None]], seed: int) -> None:
        self._results.put(outcome.capture(simulate(play, self, seed=seed).unwrap))
