"""`pitboss brokers` and `symbols`: what brokers can do and what can be traded, told without a daemon."""

import json
from typing import Any

import click

from sessions.control.commands.options import Command, machine_readable


@click.command(cls=Command)
@click.argument("name", required=False)
@machine_readable
def brokers(name: str | None, as_json: bool) -> None:
    """Shows what each broker can do, as the daemon itself asks it; with NAME that broker alone.

    How the configured ones are connected is told by `pitboss status`.

    Exit codes: 0 fine, 2 the command was not understood.

    Example: pitboss brokers paper
    """
    from brokers.capability import rows  # noqa: PLC0415 - imported late: --help must stay quick
    from brokers.listing import UnknownBroker, broker_names, broker_plan  # noqa: PLC0415 - as above
    from sessions.control.commands.output import emit  # noqa: PLC0415 - as above
    from sessions.control.view.tables import facts  # noqa: PLC0415 - as above

    try:
        found = {one: dict(rows(broker_plan(one).capability)[1:]) for one in ((name,) if name else broker_names())}
    except UnknownBroker as unknown:
        raise click.UsageError(str(unknown)) from unknown
    emit(found, facts, as_json=as_json)


@click.command(cls=Command)
@click.argument("like", default="")
@machine_readable
def symbols(like: str, as_json: bool) -> None:
    """Lists the instruments whose root contains LIKE, each future with its front contract of today.

    Exit codes: 0 fine, 2 the command was not understood.

    Example: pitboss symbols ES
    """
    from brokers.catalogue import Catalogue  # noqa: PLC0415 - imported late: --help must stay quick
    from runtime.real import SystemClock  # noqa: PLC0415 - as above
    from sessions.control.commands.output import show, width  # noqa: PLC0415 - as above
    from sessions.control.view.tables import symbol_rows  # noqa: PLC0415 - as above

    rows = _symbols(Catalogue.shipped(), like.upper(), SystemClock().wall_ns())
    if as_json:
        click.echo(json.dumps(rows))
    else:
        show(symbol_rows(rows, width()))


def _symbols(catalogue: Any, like: str, now_ns: int) -> list[dict[str, str]]:
    found = (catalogue.table[root] for root in sorted(catalogue.table.roots()) if like in root)
    return [
        {
            "root": record.root,
            "kind": record.kind,
            "currency": record.currency,
            "tick": format(record.tick, "f"),
            "multiplier": format(record.multiplier, "f"),
            "front": catalogue.front(record.root, catalogue.calendar(record.root).trading_day(now_ns)).symbol,
            "description": record.description,
        }
        for record in found
    ]
