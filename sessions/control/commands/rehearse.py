"""`pitboss rehearse`: sessions at the emulated brokers, under faults from a seed, as fast as this machine can."""

import sys
from pathlib import Path

import click

from sessions.control.commands.configuring import with_files
from sessions.control.commands.options import Command, machine_readable

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(cls=Command)
@click.argument("sessions", nargs=-1)
@with_files
@click.option("--broker", default=None, help="Trade there: a configured broker, or a new one of that kind.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Decides everything.")
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True, help="So many seeds, from --seed on.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Under faults.")
@click.option("--faults", default="all", show_default=True, help="all, none, or names or rows with commas between.")
@click.option("--data", type=_FILE, default=None, help="A recorded market, CSV or Parquet, in place of the synthetic.")
@click.option("--invariant", "invariants", multiple=True, help="An assertion of yours: module:name, or all of module.")
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Processes; as many as processors, if not said.")
@click.option("--report", "page", type=_FILE, default=None, help="Write an HTML page that shows the runs.")
@click.option("--keep", type=_FOLDER, default=".", show_default=True, help="The folder for runs that failed.")
@click.option("--tries", type=click.IntRange(min=0), default=40, show_default=True, help="To shrink a failed run.")
@click.option("--replay", type=_FILE, default=None, help="Play such a run again, and nothing else.")
@click.option("--list", "listed", is_flag=True, help="List the faults instead.")
@machine_readable
def rehearse(
    sessions: tuple[str, ...],
    files: tuple[Path, ...],
    broker: str | None,
    seed: int,
    runs: int,
    hours: float,
    faults: str,
    data: Path | None,
    invariants: tuple[str, ...],
    jobs: int | None,
    page: Path | None,
    keep: Path,
    tries: int,
    replay: Path | None,
    listed: bool,
    as_json: bool,
) -> None:
    """Runs SESSIONS, or all that are configured, at emulated brokers in simulated time while things go wrong.

    The daemon, its strategies and its adapters are those that trade; the brokers, the network, the disk and the clock
    are not, and nothing leaves this machine. Without any configured session one is played at each broker. After the
    faults everything has to agree with the brokers again. The same seed gives the same run. A run that fails is written
    to a file with the faults that it needs to fail, and --replay plays such a file.

    Exit codes: 0 all runs were sound, 1 something broke, 2 the command was not understood, 3 it was refused.

    Example: pitboss rehearse --seed 7 --hours 0.1 --report rehearsal.html
    """
    from sessions.control.commands import rehearsing  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.rehearsal.selection import Wish  # noqa: PLC0415 - as above

    if listed:
        rehearsing.list_faults(as_json=as_json)
        return
    if replay is not None:
        sys.exit(rehearsing.replayed(replay, page, as_json=as_json))
    wish = Wish(sessions=sessions, broker=broker, seconds=hours * 3600, faults=faults, data=data, invariants=invariants)
    programme = rehearsing.chosen(wish, files)
    sys.exit(rehearsing.rehearsed(programme, range(seed, seed + runs), jobs, keep, tries, page, as_json=as_json))
