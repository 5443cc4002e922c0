"""Many runs of one programme, on as many processes as are asked for, told in the order of their seeds."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.run import Outcome, rehearse

_RUNS_A_PROCESS = 50  # then a new one takes its place, and gives back what it holds


def play_seed(programme: Programme, seed: int) -> Outcome:
    """One run."""
    return rehearse(programme.plan(seed))


def played(programme: Programme, seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed, in order, as soon as it and those before it are there; raises BrokenProcessPool."""
    play = partial(play_seed, programme)
    if jobs == 1:
        yield from map(play, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=_RUNS_A_PROCESS) as pool:
        try:
            yield from pool.map(play, seeds)
        finally:
            pool.shutdown(cancel_futures=True)
