"""`pitboss orders`, `positions`, `results`, `fills`, `equity` and `bars`: what was asked for, held and earned."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from sessions.control.commands.options import Command
from sessions.control.commands.speaking import Daemon, asks
from sessions.control.commands.watching import live_view

F = TypeVar("F", bound=Callable[..., Any])

_CHART_LINES: Final = 10
_SCREEN: Final = 80


def counted(default: int) -> Callable[[F], F]:
    """Adds --count."""
    return click.option(
        "--count", type=click.IntRange(1, 10_000), default=default, show_default=True, help="How many, the last ones."
    )


def followed(command: F) -> F:
    """Adds --follow."""
    return click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until you interrupt it.")(command)


@click.command(cls=Command)
@click.option("--open", "only_open", is_flag=True, help="Leave the finished ones out.")
@counted(50)
@asks
def orders(daemon: Daemon, only_open: bool, count: int, as_json: bool) -> None:
    """Lists the orders of all accounts, oldest first; orders in doubt stand out.

    Example: pitboss orders --open
    """
    from sessions.control.view.tables import order_rows  # noqa: PLC0415 - imported late: --help must stay quick

    query = {"open": 1} if only_open else {}
    _table(daemon.ask("orders", count=count, **query), order_rows, "no orders", as_json=as_json)


@click.command(cls=Command)
@asks
def positions(daemon: Daemon, as_json: bool) -> None:
    """Lists what all accounts hold.

    Example: pitboss positions --json
    """
    from sessions.control.view.tables import position_rows  # noqa: PLC0415 - imported late: --help must stay quick

    _table(daemon.ask("positions"), position_rows, "nothing is held", as_json=as_json)


@click.command(cls=Command)
@asks
def results(daemon: Daemon, as_json: bool) -> None:
    """Shows what every session's trades came to, by symbol: from flat to flat, fees taken off.

    What is still held is no finished trade; `pitboss positions` tells what it is worth.

    Example: pitboss results --json
    """
    from sessions.control.view.tables import result_rows  # noqa: PLC0415 - imported late: --help must stay quick

    _table(daemon.ask("results"), result_rows, "nothing was traded", as_json=as_json)


@click.command(cls=Command)
@counted(50)
@asks
def fills(daemon: Daemon, count: int, as_json: bool) -> None:
    """Lists the executions of all accounts by the journal, oldest first.

    Example: pitboss fills --count 200 --json
    """
    from sessions.control.view.tables import fill_rows  # noqa: PLC0415 - imported late: --help must stay quick

    _table(daemon.ask("fills", count=count), fill_rows, "no fills", as_json=as_json)


@click.command(cls=Command)
@live_view
@click.option("--history", is_flag=True, help="The equity of each minute, at most a day back.")
@asks
def equity(daemon: Daemon, live: bool, history: bool, as_json: bool) -> None:
    """Shows the money of all accounts as their brokers tell it now.

    On a terminal each account's equity, a day back, is a chart; with --live it grows.

    Example: pitboss equity --live
    """
    from sessions.control.commands.output import emit, is_terminal, watch  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.equity import EquityWatch, curve_rows  # noqa: PLC0415 - as above

    if history:
        _table(daemon.ask("curve"), curve_rows, "nothing was seen yet", as_json=as_json)
        return
    seen = EquityWatch()
    if is_terminal() and not as_json:
        seen.remember(daemon.ask("curve"))
    if live:
        watch(lambda: daemon.ask("equity"), seen.draw, as_json=as_json)
    else:
        emit(daemon.ask("equity"), seen.draw, as_json=as_json)


@click.command(cls=Command)
@click.argument("symbol")
@click.option("--broker", default="paper", show_default=True, help="Which configured broker is asked.")
@click.option("--interval", default="1m", show_default=True, help="Their length, such as 1m, 15m, 4h, 1d.")
@click.option("--chart/--no-chart", default=None, help="A chart of the closes; by default on a terminal.")
@counted(50)
@followed
@asks
def bars(
    daemon: Daemon, symbol: str, broker: str, interval: str, chart: bool | None, count: int, follow: bool, as_json: bool
) -> None:
    """Shows the last bars of SYMBOL, as a chart and as a table.

    With --follow each bar is one line, and further ones come when they are over: from the broker's own stream of bars
    where it has one, else by asking for them.

    Example: pitboss bars BTC-USD --interval 5m --count 100
    """
    from sessions.control.commands.output import go_on, is_terminal  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.past import bar_line  # noqa: PLC0415 - as above
    from sessions.control.view.tables import bar_rows  # noqa: PLC0415 - as above

    query = {"symbol": symbol, "broker": broker, "interval": interval, "count": count}
    if follow:
        go_on(daemon.follow("bars", **query), bar_line, as_json=as_json)
        return
    drawn = is_terminal() if chart is None else chart
    found = daemon.ask("bars", seconds=90.0, **query)
    draw = _with_chart(bar_rows) if drawn else bar_rows
    _table(found, draw, f"no bars of {symbol}", as_json=as_json)


def _with_chart(draw: Callable[..., Any]) -> Callable[..., Any]:
    from decimal import Decimal  # noqa: PLC0415 - imported late: --help must stay quick

    from sessions.control.view.chart import chart  # noqa: PLC0415 - as above

    def both(rows: list[Any], width: int | None) -> list[Any]:
        closes = [Decimal(row["close"]) for row in rows]
        return [*chart(closes, width or _SCREEN, _CHART_LINES), *draw(rows, width)]

    return both


def _table(rows: list[Any], draw: Callable[..., Iterable[Any]], nothing: str, *, as_json: bool) -> None:
    """The rows, or on a screen one sentence where there are none."""
    from sessions.control.commands.output import emit, said  # noqa: PLC0415 - imported late: --help must stay quick

    if rows or as_json:
        emit(rows, draw, as_json=as_json)
    else:
        said({"text": nothing}, as_json=False)
