"""Many runs of one programme, on as many processes as are asked for, told in the order of their seeds."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.run import Outcome, rehearse

RUNS_A_PROCESS: Final = 50  # then it gives back what it holds, and a new one takes its place


def play_seed(programme: Programme, seed: int) -> Outcome:
    """One run."""
    return rehearse(programme.plan(seed))


def played(programme: Programme, seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed, in order, as soon as it and those before it are there; raises BrokenProcessPool.

    Whatever ends it early ends the processes at once.
    """
    play = partial(play_seed, programme)
    if jobs == 1:
        yield from map(play, seeds)
        return
    seeds, most = list(seeds), jobs * RUNS_A_PROCESS
    for first in range(0, len(seeds), most):
        yield from _side_by_side(play, seeds[first : first + most], jobs)


def _side_by_side(play: Callable[[int], Outcome], seeds: Sequence[int], jobs: int) -> Iterator[Outcome]:
    """A pool of its own: one whose processes are to be replaced (max_tasks_per_child) may wait for ever instead."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(seeds)), mp_context=context, initializer=_leave_interrupts) as pool:
        with _no_interrupts():
            outcomes = [pool.submit(play, seed) for seed in seeds]
        try:
            for outcome in outcomes:
                yield outcome.result()
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _leave_interrupts() -> None:
    """An interrupt is for the process that told the others what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Processes that are made here do not hear an interrupt while they are still importing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
