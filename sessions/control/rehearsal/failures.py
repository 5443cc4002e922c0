"""What to do with a run that failed: find the faults that it needs to fail, and keep them with the seed."""

from collections.abc import Callable

import attrs

from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.run import SETTLE, Outcome, Plan, rehearse
from sessions.control.rehearsal.shrinking import shrunk
from sessions.control.rehearsal.storm import Schedule
from sessions.control.rehearsal.tape import Tape

Play = Callable[[Plan], Outcome]
Watch = Callable[[int, int], None]  # told after each try: how many they are, and how many faults are left


@attrs.frozen
class Distilled:
    """The shortest failing run that was found, in how many tries, and whether each of its faults is needed."""

    tape: Tape
    tries: int
    minimal: bool


def distilled(
    tape: Tape, outcome: Outcome, most: int, watch: Watch = lambda *_: None, play: Play = rehearse
) -> Distilled:
    """The least schedule under which the same thing breaks as in that outcome, after at most so many runs.

    The run is first cut off where it broke: what would come later cannot be the cause, and every try takes less time.
    """
    search = _Search(outcome.failure, tape, watch, play)
    early = _cut_off(tape, outcome)
    if early is not None and most > 0:
        search.fails(early.programme, early.schedule)
    programme = search.best.programme
    result = shrunk(
        search.best.schedule.strikes,
        lambda strikes: search.fails(programme, Schedule(strikes)),
        most - search.tries,
    )
    return Distilled(search.best, search.tries, result.minimal)


def _cut_off(tape: Tape, outcome: Outcome) -> Tape | None:
    """The run up to a second after it broke; None where that is not shorter."""
    if not outcome.violations:
        return None
    seconds = max(outcome.violations[0].at_s - SETTLE, 0.0) + 1.0
    if seconds >= tape.programme.seconds:
        return None
    strikes = tuple(one for one in tape.schedule.strikes if one.at_ms < seconds * 1000)
    return attrs.evolve(tape, programme=tape.programme.lasting(seconds), schedule=Schedule(strikes))


@attrs.define(eq=False)
class _Search:
    """Plays candidates and keeps the last one that fails as the first run did: each is shorter than the one before."""

    failure: str
    best: Tape
    watch: Watch
    play: Play
    tries: int = 0

    def fails(self, programme: Programme, schedule: Schedule) -> bool:
        """Whether a candidate fails in the same way."""
        self.tries += 1
        outcome = self.play(programme.plan(self.best.seed, schedule))
        same = outcome.failure == self.failure
        if same:
            self.best = Tape.of(programme, schedule, outcome)
        self.watch(self.tries, len(self.best.schedule.strikes))
        return same
