"""What `pitboss rehearse` does: it plays, tells, shrinks what failed and keeps it; imported late."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import attrs
import click

from brokers.replay import MissingExtraError, ReplayError
from brokers.symbols import SymbolError
from sessions.control.commands.output import progress, show, width
from sessions.control.commands.sources import loaded, places
from sessions.control.commands.speaking import NOT_WELL, NotWell, Refused
from sessions.control.rehearsal.chronicle import Watch
from sessions.control.rehearsal.company import played
from sessions.control.rehearsal.failures import distilled
from sessions.control.rehearsal.page import Shown, report
from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.refusal import NotRehearsable
from sessions.control.rehearsal.run import SETTLE, Outcome, rehearse
from sessions.control.rehearsal.selection import Wish, programme
from sessions.control.rehearsal.storm import KINDS, Schedule, UnknownFault
from sessions.control.rehearsal.tape import BadTape, Tape
from sessions.control.view.lines import Column, line, table
from sessions.control.view.rehearsal import run_lines, run_record, summary_line

FILE: Final = "rehearsal-{seed}.json"


@attrs.frozen
class Kept:
    """A failed run in its file, with the fewest faults that were found to do."""

    path: Path
    tape: Tape


def chosen(wish: Wish, files: tuple[Path, ...]) -> Programme:
    """What is to be played; raises Refused."""
    settings = loaded(files, os.environ)
    folder = places(files, os.environ).config
    try:
        return programme(wish, settings, folder)
    except (NotRehearsable, UnknownFault, ReplayError, MissingExtraError, SymbolError, OSError) as refusal:
        raise Refused(str(refusal)) from refusal


def list_faults(*, as_json: bool) -> None:
    """Prints every class of faults: its name, its row, and what it does."""
    if as_json:
        click.echo(json.dumps([{"name": one.name, "row": one.row, "does": one.does} for one in KINDS.values()]))
        return
    kinds = sorted(KINDS.values(), key=lambda one: one.row)
    columns = (Column("fault"), Column("row"), Column("what happens"))
    show(table(columns, [(one.name, one.row, one.does) for one in kinds], width()))


def rehearsed(
    programme: Programme,
    seeds: range,
    jobs: int | None,
    keep: Path,
    tries: int,
    page: Path | None,
    *,
    as_json: bool,
) -> int:
    """Plays every seed and returns the exit code."""
    began, outcomes = perf_counter(), []
    for outcome in _played(programme, seeds, _jobs(jobs, len(seeds))):
        _tell(outcome, as_json=as_json)
        outcomes.append(outcome)
    if len(outcomes) > 1 and not as_json:
        show([summary_line(outcomes, perf_counter() - began)])
    broken = [one for one in outcomes if not one.sound]
    kept: dict[int, Kept] = {}
    for outcome in broken:
        first = next(one for one in broken if one.failure == outcome.failure)
        kept[outcome.seed] = _keep(programme, outcome, keep, tries if outcome is first else 0, as_json=as_json)
    if page is not None:
        seconds = programme.seconds
        shown = [_shown(programme.schedule(one.seed), seconds, one, kept.get(one.seed)) for one in outcomes]
        _write_page(page, shown, f"{len(outcomes)} runs" if len(outcomes) > 1 else f"Seed {outcomes[0].seed}")
    return NOT_WELL if broken else 0


def replayed(path: Path, page: Path | None, *, as_json: bool) -> int:
    """Plays a kept run again and returns the exit code; raises Refused."""
    try:
        tape = Tape.read(path)
    except (BadTape, OSError) as refusal:
        raise Refused(str(refusal)) from refusal
    with _simulated(tape.seed, tape.programme) as watch:
        outcome = tape.play(watch)
    same = outcome.trace_hash == tape.trace_hash
    _tell(outcome, as_json=as_json, same_trace=same)
    if not as_json:
        words = "the same run, event for event" if same else "not the same run: the code or what it reads has changed"
        show([line((words, "good" if same else "warn"))])
    if page is not None:
        shown = _shown(tape.schedule, tape.programme.seconds, outcome, Kept(path, tape))
        _write_page(page, [shown], f"Seed {tape.seed}, {path.name}")
    return 0 if outcome.sound else NOT_WELL


def _played(programme: Programme, seeds: range, jobs: int) -> Iterator[Outcome]:
    """The outcomes, with a bar for the runs, or for the time of the only one."""
    if len(seeds) == 1:
        with _simulated(seeds[0], programme) as watch:
            outcome = rehearse(programme.plan(seeds[0]), watch)
        yield outcome
        return
    with progress(f"{len(seeds)} runs", len(seeds)) as advance:
        try:
            for outcome in played(programme, seeds, jobs):
                yield outcome
                advance(1)
        except BrokenProcessPool as broken:
            raise NotWell(
                "a process that played was ended from outside, most likely for want of memory; the runs that are not "
                "told were not finished; say --jobs 1"
            ) from broken


@contextmanager
def _simulated(seed: int, programme: Programme) -> Iterator[Watch]:
    """A bar of simulated time."""
    reached = 0.0
    with progress(f"seed {seed}", int(SETTLE + programme.seconds)) as advance:

        def watch(now: float) -> None:
            nonlocal reached
            advance(int(now) - int(reached))
            reached = now

        yield watch


def _jobs(jobs: int | None, runs: int) -> int:
    return min(runs, jobs or len(os.sched_getaffinity(0)))


def _tell(outcome: Outcome, *, as_json: bool, **more: object) -> None:
    if as_json:
        click.echo(json.dumps({**run_record(outcome), **more}))
    else:
        show(run_lines(outcome))


def _keep(programme: Programme, outcome: Outcome, folder: Path, tries: int, *, as_json: bool) -> Kept:
    """Writes a failed run to a file, with the fewest faults that were found to do."""
    path = folder / FILE.format(seed=outcome.seed)
    tape = Tape.of(programme, programme.schedule(outcome.seed), outcome)
    _write(tape, path)
    if tries:
        with progress(f"seed {outcome.seed}: looking for the faults that are needed", tries) as advance:
            found = distilled(tape, outcome, tries, lambda *_: advance(1))
        tape = found.tape
        _write(tape, path)
    if as_json:
        click.echo(json.dumps({"seed": outcome.seed, "replay": str(path), "strikes": len(tape.schedule.strikes)}))
    else:
        show(
            [
                line(f"seed {outcome.seed} with {len(tape.schedule.strikes)} faults is in {path}, play it again: "),
                line(f"  pitboss rehearse --replay {path}"),
            ]
        )
    return Kept(path, tape)


def _shown(schedule: Schedule, seconds: float, outcome: Outcome, kept: Kept | None) -> Shown:
    if kept is None:
        return Shown(outcome, schedule, seconds)
    fewer = len(kept.tape.schedule.strikes) < len(schedule.strikes)
    return Shown(outcome, schedule, seconds, str(kept.path), kept.tape.schedule if fewer else None)


def _write_page(path: Path, runs: Sequence[Shown], title: str) -> None:
    try:
        path.write_text(report(runs, title))
    except OSError as error:
        raise Refused(f"{path}: expected a place for the report, got {error}") from error


def _write(tape: Tape, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tape.write(path)
    except OSError as error:
        raise Refused(f"{path}: expected a place for the failed run of seed {tape.seed}, got {error}") from error
