"""`pitboss events`, `crashes` and `logs`: what happened, and what goes on happening."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import click

from sessions.control.commands.books import counted, followed
from sessions.control.commands.options import Command
from sessions.control.commands.speaking import Daemon, asks


@click.command(cls=Command)
@counted(50)
@followed
@asks
def events(daemon: Daemon, count: int, follow: bool, as_json: bool) -> None:
    """Lists what happened in the tree, oldest first: starts, failures, restarts.

    With --follow and --json each event is one line.

    Example: pitboss events --follow
    """
    from sessions.control.view.past import event_line  # noqa: PLC0415 - imported late: --help must stay quick

    _told(daemon, "events", daemon.ask("events", count=count), event_line, follow=follow, as_json=as_json)


@click.command(cls=Command)
@counted(50)
@followed
@asks
def logs(daemon: Daemon, count: int, follow: bool, as_json: bool) -> None:
    """Prints the last lines of the log.

    With --follow and --json each line is an object of its own.

    Example: pitboss logs --follow
    """
    from sessions.control.view.past import log_line  # noqa: PLC0415 - imported late: --help must stay quick

    rows = [{"line": line} for line in daemon.ask("logs", count=count)]
    _told(daemon, "logs", rows, log_line, follow=follow, as_json=as_json)


@click.command(cls=Command)
@counted(10)
@click.option("--trace", is_flag=True, help="With the stack of each.")
@asks
def crashes(daemon: Daemon, count: int, trace: bool, as_json: bool) -> None:
    """Lists the last crashes of actors, oldest first; secrets and state are left out.

    Example: pitboss crashes --count 1 --trace
    """
    from sessions.control.commands.output import emit  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.lines import line  # noqa: PLC0415 - as above
    from sessions.control.view.past import crash_lines  # noqa: PLC0415 - as above

    def draw(rows: Any, _: int | None) -> list[Any]:
        return [one for row in rows for one in crash_lines(row, trace=trace)] or [line("nothing crashed")]

    emit(daemon.ask("crashes", count=count), draw, as_json=as_json)


def _told(daemon: Daemon, what: str, rows: Any, draw: Callable[..., Any], *, follow: bool, as_json: bool) -> None:
    from sessions.control.commands.output import emit, go_on  # noqa: PLC0415 - imported late: --help must stay quick

    if follow:
        go_on(chain(rows, daemon.follow(what)), draw, as_json=as_json)
    else:
        emit(rows, lambda all_rows, _: map(draw, all_rows), as_json=as_json)
