"""`pitboss demo` and `bench`: what pitboss can do, shown and measured without any configuration."""

import sys

import click

from sessions.control.commands.options import Command, machine_readable

BENCHES = ("runtime", "paper", "session", "wire", "cli", "daemon")


@click.command(cls=Command)
@click.option("--duration", type=click.FloatRange(min=1), default=10.0, show_default=True, help="Seconds of trading.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides the market.")
@machine_readable
def demo(duration: float, seed: int, as_json: bool) -> None:
    """Shows three sessions trade through three crashes, and audits every order and fill.

    Needs no configuration, no network and no account, and touches nothing of yours: a daemon of its own trades at a
    broker that is emulated here. The broker's stream is cut, a strategy raises, the daemon is killed; you see how soon
    all is whole again. Ctrl-C ends it early, with the audit.

    Exit codes: 0 every promise was kept, 1 one was broken, 2 the command was not understood, 130 interrupted twice.

    Example: pitboss demo --duration 5
    """
    from sessions.control.demo.screen import run_demo  # noqa: PLC0415 - imported late: --help must stay quick

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
