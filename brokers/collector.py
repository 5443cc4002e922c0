"""The garbage collector: put off while much is made that nobody lets go of, and rare in a process that lives long."""

import contextlib
import gc
from collections.abc import Iterator

YOUNG = 20_000  # objects made since the last pass before another looks at them; the usual 700 are those of a few orders


def collector_for_life() -> None:
    """Lets what is there now stay out of every pass, and passes come rarely: those over everything cost milliseconds.

    What is made on the way of ticks and orders dies by its count of references, so a pass finds next to nothing.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)


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
