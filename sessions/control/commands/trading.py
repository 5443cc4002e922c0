"""`pitboss submit`, `cancel`, `modify`, `flatten` and `resolve`: an operator's orders."""

from typing import Any, Final

import click

from sessions.control.commands.options import Command
from sessions.control.commands.speaking import Daemon, acts, signed

_PATIENCE: Final = 90.0  # seconds; the daemon gives a broker one minute
_STATES: Final = ("working", "partially_filled", "filled", "canceled", "expired", "rejected")


@click.command(cls=Command)
@click.argument("session")
@click.argument("side", type=click.Choice(("buy", "sell")))
@click.argument("quantity")
@click.argument("symbol")
@click.option("--limit", "limit_price", default=None, help="The limit price; without a price it is a market order.")
@click.option("--stop", "stop_price", default=None, help="The stop price.")
@click.option(
    "--tif", type=click.Choice(("day", "gtc", "ioc", "fok")), default="day", show_default=True, help="Time in force."
)
@click.option("--reduce-only", is_flag=True, help="Only to make the position smaller.")
@acts
def submit(
    daemon: Daemon,
    session: str,
    side: str,
    quantity: str,
    symbol: str,
    limit_price: str | None,
    stop_price: str | None,
    tif: str,
    reduce_only: bool,
    as_json: bool,
) -> None:
    """Places one order for SESSION, if its risk limits let it.

    Example: pitboss submit es-trend buy 1 ES --limit 6750.25
    """
    kind = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop_limit"}
    reports = daemon.tell(
        "submit",
        seconds=_PATIENCE,
        session=session,
        symbol=symbol,
        side=side,
        type=kind[limit_price is not None, stop_price is not None],
        quantity=quantity,
        limit_price=limit_price,
        stop_price=stop_price,
        time_in_force=tif,
        reduce_only=reduce_only,
    )
    _reports(reports, as_json=as_json)


@click.command(cls=Command)
@click.argument("session")
@click.argument("key")
@acts
def cancel(daemon: Daemon, session: str, key: str, as_json: bool) -> None:
    """Asks for the end of SESSION's order KEY.

    Example: pitboss cancel es-trend 00009GmM1U4PKT4zAKWPh6
    """
    _reports(daemon.tell("cancel", seconds=_PATIENCE, session=session, key=key), as_json=as_json)


@click.command(cls=Command)
@click.argument("session")
@click.argument("key")
@click.option("--quantity", default=None, help="The new quantity, what is filled already included.")
@click.option("--limit", "limit_price", default=None, help="The new limit price.")
@click.option("--stop", "stop_price", default=None, help="The new stop price.")
@acts
def modify(
    daemon: Daemon,
    session: str,
    key: str,
    quantity: str | None,
    limit_price: str | None,
    stop_price: str | None,
    as_json: bool,
) -> None:
    """Asks for new terms of SESSION's order KEY, if its risk limits let them.

    Example: pitboss modify es-trend 00009GmM1U4PKT4zAKWPh6 --limit 5001
    """
    if quantity is None and limit_price is None and stop_price is None:
        raise click.UsageError("say at least one of --quantity, --limit and --stop")
    told = daemon.tell(
        "modify",
        seconds=_PATIENCE,
        session=session,
        key=key,
        quantity=quantity,
        limit_price=limit_price,
        stop_price=stop_price,
    )
    _reports(told, as_json=as_json)


@click.command(cls=Command)
@click.argument("session", required=False)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Pull the kill switch and close what every session holds, again until nothing is left.",
)
@click.option("--reason", default="", help="Why; the journal keeps it.")
@signed
@acts
def flatten(daemon: Daemon, session: str | None, everything: bool, reason: str, by: str, as_json: bool) -> None:
    """Cancels what is open and closes what is held: of SESSION, or of all with --all.

    Example: pitboss flatten es-trend
    """
    if everything == (session is not None):
        raise click.UsageError("say either a session or --all")
    told = daemon.tell("flatten", seconds=_PATIENCE, session=session, by=by, reason=reason)
    if everything:
        _said(told, as_json=as_json)
    else:
        _reports(told, as_json=as_json)


@click.command(cls=Command)
@click.argument("key")
@click.option("--broker", required=True, help="The configured broker that was asked.")
@click.option("--account", required=True, help="The account of the order.")
@click.option("--absent", is_flag=True, help="The broker never got it.")
@click.option("--state", type=click.Choice(_STATES), default=None, help="Its state at the broker.")
@click.option("--order-id", "broker_order_id", default=None, help="The broker's own id of it.")
@click.option("--filled", default=None, help="How much of it is filled.")
@click.option("--average-price", default=None, help="At which price on average.")
@signed
@acts
def resolve(
    daemon: Daemon,
    key: str,
    broker: str,
    account: str,
    absent: bool,
    state: str | None,
    broker_order_id: str | None,
    filled: str | None,
    average_price: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Takes your word for the order KEY that is in doubt: look it up at the broker first.

    Example: pitboss resolve KEY --broker paper --account paper-1 --absent
    """
    if absent == (state is not None):
        raise click.UsageError("say either --absent or --state, as the broker has it")
    told = daemon.tell(
        "resolve",
        seconds=_PATIENCE,
        by=by,
        broker=broker,
        account=account,
        key=key,
        state=state,
        broker_order_id=broker_order_id,
        filled=filled,
        average_price=average_price,
    )
    _reports(told, as_json=as_json)


def _reports(told: Any, *, as_json: bool) -> None:
    from sessions.control.commands.output import emit  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.answers import answered_lines  # noqa: PLC0415 - as above

    emit(told, answered_lines, as_json=as_json)


def _said(told: Any, *, as_json: bool) -> None:
    from sessions.control.commands.output import said  # noqa: PLC0415 - imported late: --help must stay quick

    said(told, as_json=as_json)
