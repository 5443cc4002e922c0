"""Runs a night's jobs side by side, shows how far they are, and says what came of them."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from sessions.control.rehearsal.storm import KINDS
from tests.nightly.jobs import HOURS, ROOT, Job, jobs
from tests.nightly.state import TAIL, Done, Night, OtherNight, State

COUNTED = ("orders", "fills", "events", "restarts", "violations", "simulated_s")
ROW, CELL = re.compile(r"F\d\d"), re.compile(r"F\d\d \w+")
RAREST = 20  # cells that are named


@click.command()
@click.option("--scale", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Of all sizes.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=HOURS, show_default=True, help="A rehearsal.")
@click.option("--state", "path", type=click.Path(path_type=Path), default="nightly.json", show_default=True)
@click.option("--keep", default="nightly-failures", show_default=True, help="The folder of failed rehearsals.")
@click.option("--only", default="", help="Only the jobs whose name contains this.")
@click.option("--side-by-side", "workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--fresh", is_flag=True, help="Forget what the state file says is done.")
@click.option("--list", "listed", is_flag=True, help="List the jobs instead.")
def main(scale: float, hours: float, path: Path, keep: str, only: str, workers: int, fresh: bool, listed: bool) -> None:
    """Runs the big sizes; started again it goes on where it was.

    Exit codes: 0 all is well, 1 something failed, 2 not understood, or the state file is of another night.

    Example: python -m tests.nightly --scale 0.001 --hours 0.02 --only rehears
    """
    chosen = [job for job in jobs(scale, hours, keep) if only in job.name]
    if listed:
        click.echo("\n".join(job.name + (f"  (not here: {job.skipped})" if job.skipped else "") for job in chosen))
        return
    try:
        state = State(path, Night(commit=commit(), scale=scale, hours=hours), fresh=fresh)
    except OtherNight as other:
        raise click.UsageError(str(other)) from other
    for reason, count in Counter(job.skipped for job in chosen if job.skipped).items():
        click.echo(f"{count} jobs are left out: {reason}")
    run([job for job in chosen if not job.skipped], state, workers)
    sys.exit(told(chosen, state))


def commit() -> str:
    """What is tested: a commit, and whether files differ from it."""
    words = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - git, as it is found
    return done.stdout.strip() or "no commit"


def run(wanted: Sequence[Job], state: State, workers: int) -> None:
    """Runs what is not done yet."""
    with ThreadPoolExecutor(workers) as pool, shown(wanted, state) as advance:
        futures: dict[Future[Done], Job] = {pool.submit(ended, job): job for job in wanted if state.open(job.name)}
        try:
            for future in as_completed(futures):
                job = futures[future]
                state.note(job.name, future.result())
                advance(job)
        finally:
            pool.shutdown(cancel_futures=True)


def ended(job: Job) -> Done:
    """Runs one job to its end."""
    began = perf_counter()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **job.environ}
    done = subprocess.run(  # noqa: S603 - our own commands
        job.words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    lines = done.stdout.splitlines()
    ok = done.returncode == 0
    tail = () if ok else tuple(lines[-TAIL:])
    return Done(ok=ok, seconds=round(perf_counter() - began, 1), tail=tail, figures=figures(lines))


def figures(lines: Iterable[str]) -> Mapping[str, float]:
    """The sums of what rehearsals told as JSON; nothing of any other command."""
    total: Counter[str] = Counter()
    for record in _records(lines):
        total["runs"] += 1
        total.update({name: record[name] for name in COUNTED})
        total.update(record["faults"])
        total.update(record["cells"])
    return dict(total)


def _records(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            record = json.loads(line)
            if "trace_hash" in record:
                yield record


@contextmanager
def shown(wanted: Sequence[Job], state: State) -> Iterator[Callable[[Job], object]]:
    """A bar where a terminal is, a line a job where none is."""
    console = Console(stderr=True)
    finished = sum(not state.open(job.name) for job in wanted)
    if not console.is_terminal:
        yield lambda job: click.echo(line(job, state.done[job.name]))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("tonight", total=len(wanted), completed=finished)

        def advance(job: Job) -> None:
            if not state.done[job.name].ok:
                bar.console.print(line(job, state.done[job.name]), style="red")
            bar.update(task, advance=1, description=job.name[:48])

        yield advance


def line(job: Job, done: Done) -> str:
    """How a job ended."""
    return f"{'ok    ' if done.ok else 'FAILED'} {done.seconds:8.1f} s  {job.name}"


def told(wanted: Sequence[Job], state: State) -> int:
    """Prints what came of the night and returns the exit code."""
    console = Console()
    table = Table("kind", "jobs", "done", "failed", "left out", "hours of work")
    for kind in dict.fromkeys(job.kind for job in wanted):
        own = [job for job in wanted if job.kind == kind]
        done = [state.done[job.name] for job in own if job.name in state.done]
        failed = sum(not one.ok for one in done)
        seconds = sum(one.seconds for one in done)
        cells = (len(own), len(done) - failed, failed, sum(bool(job.skipped) for job in own), f"{seconds / 3600:.2f}")
        table.add_row(kind, *map(str, cells))
    console.print(table)
    if any(job.kind == "rehearse" and job.name in state.done for job in wanted):
        console.print("\n".join(rehearsed(state.figures())), soft_wrap=True)
    failed_jobs = [job for job in wanted if job.name in state.done and not state.done[job.name].ok]
    for job in failed_jobs:
        console.print(f"\n{job.name}", style="red")
        console.print("\n".join(state.done[job.name].tail), markup=False, soft_wrap=True)
    return 1 if failed_jobs else 0


def rehearsed(total: Mapping[str, float]) -> Iterator[str]:
    """What all rehearsals came to, which faults struck how often, and which hardly or never."""
    yield (
        f"rehearsed: {total['runs']:,.0f} runs, {total['simulated_s'] / 3600:,.1f} h, "
        + ", ".join(f"{total[name]:,.0f} {name}" for name in COUNTED[:-1])
    )
    rows, cells = ({name: count for name, count in total.items() if form.fullmatch(name)} for form in (ROW, CELL))
    yield "faults: " + ", ".join(f"{row} {count:,.0f}" for row, count in sorted(rows.items()))
    never = sorted({kind.row for kind in KINDS.values()} - set(rows))
    yield f"faults that never struck: {', '.join(never) or 'none'}"
    rarest = sorted(cells, key=lambda cell: (cells[cell], cell))[:RAREST]
    yield f"{len(cells)} cells of fault and state of orders, the rarest: " + ", ".join(
        f"{cell} {cells[cell]:,.0f}" for cell in rarest
    )


if __name__ == "__main__":
    main()
