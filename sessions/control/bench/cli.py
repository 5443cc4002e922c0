"""What a command costs: the help and the status of a running daemon, beside an interpreter that does nothing."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final

from sessions.control.bench.living import Place, place
from sessions.control.bench.report import Measurements

SHOTS: Final = 15  # of each a round, in turn; the quickest of each counts, for others use the machine too
_MOST: Final = 8


def run(rounds: int, tell: Callable[[str], None]) -> Measurements:
    """Measures the commands in each round beside the interpreter."""
    results = Measurements("cli")
    with place() as here, here.daemon(here.configure(1)) as living:
        tell("a daemon starts")
        living.sessions_ready_s()
        commands = _commands(here)
        for command in commands.values():
            command()  # leaves its byte code behind
        for number in range(1, rounds + 1):
            tell(f"round {number} of {rounds}")
            measure_commands(results, commands)
    results.at_most("help_over_python", _MOST)
    results.at_most("status_over_python", _MOST)
    return results


def _commands(here: Place) -> dict[str, Callable[[], int]]:
    return {
        "python": partial(here.run, "-c", "pass"),
        "click": partial(here.run, "-c", "import click"),
        "help": partial(here.command, "--help"),
        "status": partial(here.command, "status"),
    }


def measure_commands(results: Measurements, commands: dict[str, Callable[[], int]]) -> None:
    """Adds the wall time of each and, for those of pitboss, how many times that of the interpreter it is."""
    quickest = dict.fromkeys(commands, float("inf"))
    for _ in range(SHOTS):
        for name, command in commands.items():
            quickest[name] = min(quickest[name], _timed(name, command))
    for name, seconds in quickest.items():
        results.add(name, 1e3 * seconds, "ms")
    for name in ("help", "status"):
        results.add(f"{name}_over_python", quickest[name] / quickest["python"], "times")


def _timed(name: str, command: Callable[[], int]) -> float:
    began = perf_counter()
    code = command()
    seconds = perf_counter() - began
    if code != 0:
        raise RuntimeError(f"expected {name} to end with 0, got {code}; the figure is void")
    return seconds
