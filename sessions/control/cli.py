"""The command line. Everything but click is imported by the command that needs it, so that --help is quick."""

import sys

import click

from sessions.control.commands.all import COMMANDS
from sessions.control.commands.emulate import emulate
from sessions.control.commands.keys import keys, login
from sessions.control.commands.options import machine_readable
from sessions.control.commands.up import up

BENCHES = ("runtime", "paper", "session", "wire")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pitboss", prog_name="pitboss")
def main() -> None:
    """Runs supervised automated-trading sessions over several brokers.

    Exit codes: 0 fine, 1 something is not well, 2 the command was not understood, 3 refused as things are (the
    sentence says what to do), 4 no daemon answers, or another one runs.
    """


@main.command()
@click.option("--duration", type=click.FloatRange(min=1), default=15.0, show_default=True, help="Seconds to run.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides what crashes and when.")
@machine_readable
def demo(duration: float, seed: int, as_json: bool) -> None:
    """Shows a supervised tree of actors that crash and come back.

    Needs no configuration, no network and no account. Ends with a summary; the exit code is 1 if
    anything did not come back.

    Example: pitboss demo --duration 5
    """
    from sessions.control.screen import run_demo  # noqa: PLC0415 - imported late: --help must stay quick

    sys.exit(run_demo(duration, seed, as_json=as_json))


@main.command()
@click.argument("name", type=click.Choice(BENCHES))
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Medians are over these.")
@machine_readable
def bench(name: str, rounds: int, as_json: bool) -> None:
    """Measures NAME against its floor in the same run and holds it to its bars.

    The exit code is 1 if a bar is missed.

    Example: pitboss bench runtime --rounds 3
    """
    from sessions.control.bench.command import run_bench  # noqa: PLC0415 - imported late: --help must stay quick

    sys.exit(run_bench(name, rounds, as_json=as_json))


for _command in (up, *COMMANDS, emulate, keys, login):
    main.add_command(_command)


if __name__ == "__main__":
    main()
