"""`pitboss demo` and `bench`: what pitboss can do, shown and measured without any configuration."""

import sys

import click

from sessions.control.commands.options import Command, machine_readable

BENCHES = ("runtime", "paper", "session", "wire", "cli", "daemon")


@click.command(cls=Command)
@click.option("--duration", type=click.FloatRange(min=1), default=15.0, show_default=True, help="Seconds to run.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides what crashes and when.")
@machine_readable
def demo(duration: float, seed: int, as_json: bool) -> None:
    """Shows a supervised tree of actors that crash and come back.

    Needs no configuration, no network and no account. Ends with a summary.

    Exit codes: 0 everything came back, 1 something did not, 2 the command was not understood.

    Example: pitboss demo --duration 5
    """
    from sessions.control.screen import run_demo  # noqa: PLC0415 - imported late: --help must stay quick

    sys.exit(run_demo(duration, seed, as_json=as_json))


@click.command(cls=Command)
@click.argument("name", type=click.Choice(BENCHES))
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Medians are over these.")
@machine_readable
def bench(name: str, rounds: int, as_json: bool) -> None:
    """Measures NAME against its floor in the same run and holds it to its bars.

    Exit codes: 0 every bar is kept, 1 one is missed, 2 the command was not understood.

    Example: pitboss bench runtime --rounds 3
    """
    from sessions.control.bench.command import run_bench  # noqa: PLC0415 - imported late: --help must stay quick

    sys.exit(run_bench(name, rounds, as_json=as_json))
