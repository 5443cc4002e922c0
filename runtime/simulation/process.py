"""What a simulated run borrows from its process and gives back as it was: module-level chance, the collector."""

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded_module(seed: str) -> Iterator[None]:
    """Seeds the generator of the module `random`, for libraries that draw from it; restores it afterwards."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def collector_held() -> Iterator[None]:
    """Keeps the garbage collector from starting by itself.

    It would start after so many allocations of the whole process, and a finaliser that it calls can wake a
    task: the same seed would give another run. The run collects its own garbage at fixed steps instead.
    """
    enabled = gc.isenabled()
    frozen_before = gc.get_freeze_count() > 0
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen_before:
            gc.unfreeze()
        if enabled:
            gc.enable()
