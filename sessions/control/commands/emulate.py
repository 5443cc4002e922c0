"""`pitboss emulate`: the other side of a broker's protocol, on this machine."""

import sys

import click

from sessions.control.commands.options import Command, machine_readable


@click.command(cls=Command)
@click.argument("broker")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 chooses a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides the market and what chance decides.")
@click.option("--fault", "faults", multiple=True, help="NAME[=ARG], any number of times; `list` shows all.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Milliseconds each way.")
@machine_readable
def emulate(broker: str, port: int, seed: int, faults: tuple[str, ...], latency: float, as_json: bool) -> None:
    """Serves BROKER's protocol on 127.0.0.1 until it is interrupted.

    Orders trade on the paper engine against the synthetic market. When it is ready it prints its addresses, the
    credentials that it accepts and the accounts. `--fault list` prints what can go wrong, and ends.

    Exit codes: 0 it was interrupted, 1 it could not serve, 2 the command was not understood.

    Example: pitboss emulate tradestation --seed 7 --fault error-after=504 --latency 20 --json
    """
    from sessions.control.emulator import run_emulator  # noqa: PLC0415 - imported late: --help must stay quick

    sys.exit(run_emulator(broker, port, seed, faults, latency, as_json=as_json))
