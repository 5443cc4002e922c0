"""Turns an async test that takes a simulated world into a plain one: virtual time, and no test that hangs."""

import functools
import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Any

from runtime.simulation import SimulatedWorld, simulate

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))


def rehearsed(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs the test under simulate(); further parameters come from pytest."""

    @functools.wraps(test)
    def run(**parameters: Any) -> None:
        def scenario(world: SimulatedWorld) -> Awaitable[None]:
            return test(world, **parameters)

        simulate(scenario, seed=0).unwrap()

    del run.__dict__["__wrapped__"]
    rest = list(inspect.signature(test).parameters.values())[1:]
    run.__signature__ = inspect.Signature(rest)  # type: ignore[attr-defined]  # what pytest asks for
    return run
