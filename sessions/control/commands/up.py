"""`pitboss up`: the daemon, in the foreground."""

import gc
import sys
from pathlib import Path

import click

from sessions.control.commands.options import Command, machine_readable


@click.command(cls=Command)
@click.option(
    "--config",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A configuration file; of several, later ones win. None named: the one of your configuration folder, if any.",
)
@click.option("--allow-root", is_flag=True, help="Run as root all the same.")
@machine_readable
def up(files: tuple[Path, ...], allow_root: bool, as_json: bool) -> None:
    """Runs the daemon until it is told to end.

    Without any configuration it has a paper broker with a synthetic market and no session. TERM and INT end it once
    the orders on their way are settled, INT again at once; HUP reads the configuration again; USR1 halts trading.

    Exit codes: 0 it was told to end, 1 its tree gave up, 2 the command was not understood, 3 it may not start as things
    are, 4 another daemon runs.

    Example: pitboss up --config pitboss.toml
    """
    gc.disable()  # nothing dies while the modules are loaded, so looking for it is a waste of the start
    from sessions.control.daemon.kept_code import code_kept  # noqa: PLC0415 - imported late: --help must stay quick

    with code_kept():
        from brokers.collector import collector_for_life  # noqa: PLC0415 - as above
        from sessions.control.daemon.process import run_process  # noqa: PLC0415 - as above

    collector_for_life()
    gc.enable()
    sys.exit(run_process(files, allow_root=allow_root, as_json=as_json))
