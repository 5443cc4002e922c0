"""The garbage collector, put off while much is made that nobody lets go of."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Makes many objects at half the price: each pass over them would find nothing to free. For a second at most."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
