"""The one place that touches trio's private names: a seeded scheduler, a clock that tells when all tasks wait."""

import importlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio
import trio.testing

_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"
_SHUFFLER = "_r"
_ON_IDLE = "_autojump"
_trio_run = importlib.import_module("trio._core._run")


class UnsupportedTrioError(RuntimeError):
    """The installed trio lacks a private name that the simulation stands on; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the simulation needs {name}, which trio {trio.__version__} does not have;"
            " install the trio version that pyproject.toml asks for, or adapt runtime/simulation/scheduler.py"
        )
        self.name = name


@contextmanager
def seeded_scheduler(seed: str) -> Iterator[None]:
    """Orders the tasks of each pass by the seed; afterwards trio's scheduler is as it was."""
    shuffler = _shuffler()
    allowed = getattr(_trio_run, _SWITCH)
    state = shuffler.getstate()
    setattr(_trio_run, _SWITCH, True)
    shuffler.seed(seed)
    try:
        yield
    finally:
        shuffler.setstate(state)
        setattr(_trio_run, _SWITCH, allowed)


def virtual_clock(on_idle: Callable[[], None]) -> trio.testing.MockClock:
    """A clock that stands still until every task waits, then calls on_idle, which may make it jump."""
    if not hasattr(trio.testing.MockClock, _ON_IDLE):
        raise UnsupportedTrioError(f"trio.testing.MockClock.{_ON_IDLE}")
    clock = trio.testing.MockClock(autojump_threshold=0)
    setattr(clock, _ON_IDLE, on_idle)
    return clock


def _shuffler() -> random.Random:
    if not isinstance(getattr(_trio_run, _SWITCH, None), bool):
        raise UnsupportedTrioError(f"trio._core._run.{_SWITCH}")
    shuffler = getattr(_trio_run, _SHUFFLER, None)
    if not isinstance(shuffler, random.Random):
        raise UnsupportedTrioError(f"trio._core._run.{_SHUFFLER}")
    return shuffler
