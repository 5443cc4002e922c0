"""`pitboss status`, `tree`, `top`, `sessions`, `metrics` and `doctor`: how the daemon does."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from sessions.control.commands.options import Command
from sessions.control.commands.speaking import NOT_WELL, Daemon, asks, checks

F = TypeVar("F", bound=Callable[..., Any])


def live_view(command: F) -> F:
    """Adds --live."""
    return click.option("--live", is_flag=True, help="Show it again every second until you interrupt it.")(command)


@click.command(cls=Command)
@live_view
@checks
def status(daemon: Daemon, live: bool, as_json: bool) -> None:
    """Answers on one screen whether all is right and, if not, why.

    Example: pitboss status --json
    """
    from sessions.control.commands.output import emit, watch  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.status import status_lines  # noqa: PLC0415 - as above

    if live:
        watch(lambda: daemon.ask("status"), status_lines, as_json=as_json)
        return
    found = daemon.ask("status")
    emit(found, status_lines, as_json=as_json)
    sys.exit(0 if found["well"] else NOT_WELL)


@click.command(cls=Command)
@live_view
@asks
def tree(daemon: Daemon, live: bool, as_json: bool) -> None:
    """Draws the supervision tree: who supervises whom, what each does, how often it was started.

    Example: pitboss tree --live
    """
    from sessions.control.view.tree import tree_lines  # noqa: PLC0415 - imported late: --help must stay quick

    _shown(daemon, "tree", lambda rows, _: tree_lines(rows), live=live, as_json=as_json)


@click.command(cls=Command)
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True, help="How many children.")
@live_view
@asks
def top(daemon: Daemon, count: int, live: bool, as_json: bool) -> None:
    """Lists the children of the tree that are behind, or were restarted, first.

    Example: pitboss top --count 10
    """
    from sessions.control.view.tree import top_lines  # noqa: PLC0415 - imported late: --help must stay quick

    _shown(daemon, "tree", lambda rows, width: top_lines(rows, count, width), live=live, as_json=as_json)


@click.command(cls=Command)
@live_view
@asks
def sessions(daemon: Daemon, live: bool, as_json: bool) -> None:
    """Lists the sessions: what each does, where it trades, and what keeps it from more.

    Example: pitboss sessions --json
    """
    from sessions.control.view.tables import session_rows  # noqa: PLC0415 - imported late: --help must stay quick

    _shown(daemon, "sessions", session_rows, live=live, as_json=as_json)


@click.command(cls=Command)
@asks
def metrics(daemon: Daemon, as_json: bool) -> None:
    """Prints every figure of the daemon in the text format of Prometheus.

    Example: pitboss metrics --json
    """
    from sessions.control.view.metrics import metrics_page  # noqa: PLC0415 - imported late: --help must stay quick

    found = daemon.ask("metrics")
    click.echo(json.dumps(found) if as_json else metrics_page(found), nl=as_json)


@click.command(cls=Command)
@checks
def doctor(daemon: Daemon, as_json: bool) -> None:
    """Checks everything from the process to the brokers, a line each.

    Example: pitboss doctor
    """
    from sessions.control.commands.output import emit  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.tables import check_lines  # noqa: PLC0415 - as above

    found = daemon.ask("doctor", seconds=120.0)
    emit(found, lambda rows, _: check_lines(rows), as_json=as_json)
    sys.exit(0 if all(row["fine"] for row in found) else NOT_WELL)


def _shown(daemon: Daemon, what: str, draw: Callable[..., Any], *, live: bool, as_json: bool) -> None:
    from sessions.control.commands.output import emit, watch  # noqa: PLC0415 - imported late: --help must stay quick

    if live:
        watch(lambda: daemon.ask(what), draw, as_json=as_json)
    else:
        emit(daemon.ask(what), draw, as_json=as_json)
