"""From the start of the process to sessions that are ready: one, the same one after a stop, and many."""

from collections.abc import Callable
from time import perf_counter
from typing import Final

from sessions.control.bench.living import Place, place
from sessions.control.bench.report import Measurements

MANY: Final = 50
_IMPORTS: Final = """
from sessions.control.daemon.kept_code import code_kept
with code_kept():
    import sessions.control.daemon.process
"""


def run(rounds: int, tell: Callable[[str], None]) -> Measurements:
    """Measures every start once a round, each in a process of its own."""
    results = Measurements("daemon")
    with place() as here:
        tell("byte code is written")
        with here.daemon(here.configure(1)) as living:
            living.sessions_ready_s()
        for number in range(1, rounds + 1):
            tell(f"round {number} of {rounds}")
            measure_starts(results, here)
    results.at_most("first_session_ready", 0.6)
    results.at_most(f"{MANY}_sessions_ready", 2)
    return results


def measure_starts(results: Measurements, here: Place) -> None:
    """Adds the floors (the interpreter, and what a daemon imports), a first start, the next one, and one of many."""
    python = results.add("python", _seconds(lambda: here.run("-c", "pass")), "s")
    results.add("imports", _seconds(lambda: here.run("-c", _IMPORTS)), "s")
    file = here.configure(1)
    for name in ("first_session_ready", "session_ready_again"):
        with here.daemon(file) as living:
            seconds = results.add(name, living.sessions_ready_s()[0], "s")
        results.add(f"{name}_over_python", seconds / python, "times")
    with here.daemon(here.configure(MANY)) as living:
        ready = living.sessions_ready_s()
        if len(ready) != MANY:
            raise RuntimeError(f"expected {MANY} sessions that are ready, got {len(ready)}; the figure is void")
        results.add(f"first_of_{MANY}_sessions_ready", ready[0], "s")
        results.add(f"{MANY}_sessions_ready", ready[-1], "s")
        results.add(f"{MANY}_sessions_ready_over_python", ready[-1] / python, "times")


def _seconds(work: Callable[[], int]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
