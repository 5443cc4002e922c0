"""`pitboss start`, `stop`, `restart`, `reload`, `move` and `shutdown`: what runs."""

from typing import Any, Final

import click

from sessions.control.commands.options import Command
from sessions.control.commands.speaking import Daemon, Refused, acts, signed

_PATIENCE: Final = 610.0  # seconds; the daemon gives a session ten minutes


@click.command(cls=Command)
@click.argument("name")
@click.option("--broker", default=None, help="The configured broker that takes the orders of a new session.")
@click.option("--account", default=None, help="The account; not needed where the broker has one.")
@click.option("--data", default="same", show_default=True, help="Another broker for the prices, or none.")
@click.option("--symbol", "symbols", multiple=True, help="What a new session trades; any number of times.")
@click.option("--strategy", default=None, help="The strategy of a new session, as module:Class.")
@click.option("--interval", default="1m", show_default=True, help="The length of a new session's bars.")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the strategy.")
@acts
def start(
    daemon: Daemon,
    name: str,
    broker: str | None,
    account: str | None,
    data: str,
    symbols: tuple[str, ...],
    strategy: str | None,
    interval: str,
    params: tuple[str, ...],
    as_json: bool,
) -> None:
    """Has the session NAME run from now on, after restarts of the daemon too.

    A session that no file knows is described by --broker, --symbol, --strategy and --param; the daemon keeps it.

    Example: pitboss start es-trend
    """
    if broker is None and not (account or symbols or strategy or params):
        _perform(daemon, "start", as_json=as_json, session=name)
        return
    new = {
        "broker": _stated("--broker", broker),
        "symbols": list(_stated("--symbol", symbols)),
        "strategy": _stated("--strategy", strategy),
        "account": account or _only_account(daemon, _stated("--broker", broker)),
        "data": data,
        "interval": interval,
        "params": list(params),
    }
    _perform(daemon, "start", as_json=as_json, session=name, new=new)


@click.command(cls=Command)
@click.argument("name")
@acts
def stop(daemon: Daemon, name: str, as_json: bool) -> None:
    """Has the session NAME stay down from now on; its orders and its position stay as they are.

    Example: pitboss stop es-trend
    """
    _perform(daemon, "stop", as_json=as_json, session=name)


@click.command(cls=Command)
@click.argument("name")
@acts
def restart(daemon: Daemon, name: str, as_json: bool) -> None:
    """Ends the session NAME and starts it again.

    Example: pitboss restart es-trend
    """
    _perform(daemon, "restart", as_json=as_json, session=name)


@click.command(cls=Command)
@click.argument("name", required=False)
@acts
def reload(daemon: Daemon, name: str | None, as_json: bool) -> None:
    """Reads the configuration again and restarts only what changed; with NAME, that session's strategy alone.

    What cannot be used is refused as a whole, and all goes on as before.

    Example: pitboss reload
    """
    from sessions.control.commands.output import emit  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.answers import reloaded_lines  # noqa: PLC0415 - as above

    emit(daemon.tell("reload", seconds=_PATIENCE, session=name), lambda done, _: reloaded_lines(done), as_json=as_json)


@click.command(cls=Command)
@click.argument("name")
@click.option("--account", required=True, help="The account that it shall trade.")
@click.option("--broker", default=None, help="The broker of that account, if it is another.")
@click.option("--flatten", is_flag=True, help="Close what it holds first; otherwise it is refused while it holds.")
@acts
def move(daemon: Daemon, name: str, account: str, broker: str | None, flatten: bool, as_json: bool) -> None:
    """Takes the session NAME to another account: it ends flat or is refused, reconciles there and resumes.

    Example: pitboss move es-trend --account paper-2 --flatten
    """
    _perform(daemon, "move", as_json=as_json, session=name, account=account, broker=broker, flatten=flatten)


@click.command(cls=Command)
@click.option("--drain", type=click.IntRange(0, 600), default=None, help="Seconds for orders on their way.")
@signed
@acts
def shutdown(daemon: Daemon, by: str, drain: int | None, as_json: bool) -> None:
    """Ends the daemon once the orders on their way are settled; positions stay as they are.

    Example: pitboss shutdown --drain 30
    """
    _say(daemon.tell("shutdown", by=by, drain_s=drain), as_json=as_json)


_DOES: Final = {
    "start": "{} starts: it connects and reconciles",
    "stop": "{} stops",
    "restart": "{} ends, and starts again",
    "move": "{} moves: it ends flat, reconciles and resumes",
}


def _perform(daemon: Daemon, what: str, *, as_json: bool, session: str, **more: Any) -> None:
    """Has the daemon do what may take a while, with a sign of life meanwhile."""
    from sessions.control.commands.output import followed, is_watched  # noqa: PLC0415 - imported late: --help must stay quick

    with followed(_DOES[what].format(session), daemon.progress):
        done = daemon.tell(what, seconds=_PATIENCE, session=session, **more)
    _say(done, as_json=as_json)
    if is_watched():
        _watch_history(daemon, session)


def _watch_history(daemon: Daemon, session: str) -> None:
    """Shows a person the history come that the strategy waits for; it comes without anybody looking, too."""
    from time import sleep  # noqa: PLC0415 - imported late: --help must stay quick

    from sessions.control.commands.output import LOOK_SECONDS, followed  # noqa: PLC0415 - as above

    def far() -> Any:
        return daemon.progress(f"history of {session}")

    try:
        if far():
            with followed(f"{session} loads its history", far):
                while far():
                    sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _stated(option: str, value: Any) -> Any:
    if not value:
        raise click.UsageError(f"a new session needs --broker, --symbol and --strategy; {option} is missing")
    return value


def _only_account(daemon: Daemon, broker: str) -> str:
    rows = daemon.ask("brokers")
    accounts = next((row["accounts"] for row in rows if row["broker"] == broker), None)
    if accounts is None:
        known = ", ".join(row["broker"] for row in rows)
        raise Refused(f"expected one of the configured brokers ({known}), got {broker!r}; nothing was started")
    if len(accounts) != 1:
        raise click.UsageError(f"broker {broker} has the accounts {', '.join(accounts)}; say one with --account")
    return str(accounts[0])


def _say(done: Any, *, as_json: bool) -> None:
    from sessions.control.commands.output import said  # noqa: PLC0415 - imported late: --help must stay quick

    said(done, as_json=as_json)
