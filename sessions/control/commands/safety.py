"""`pitboss halt`, `resume`, `arm` and `disarm`: who may trade, and whether anybody may."""

from typing import Any

import click

from sessions.control.commands.options import Command
from sessions.control.commands.speaking import Daemon, acts, signed


@click.command(cls=Command)
@click.option("--reason", default="", help="Why; the journal keeps it.")
@click.option("--cancel", "cancel_only", is_flag=True, help="Cancel what is open, too.")
@signed
@acts
def halt(daemon: Daemon, reason: str, cancel_only: bool, by: str, as_json: bool) -> None:
    """Pulls the kill switch: from now on nothing new is risked, after a restart neither.

    Positions stay as they are; `pitboss flatten --all` closes them.

    Example: pitboss halt --cancel
    """
    _say(daemon.tell("halt", by=by, reason=reason, cancel_only=cancel_only), as_json=as_json)


@click.command(cls=Command)
@click.argument("session", required=False)
@click.option("--portfolio", is_flag=True, help="Lift the daily loss of all sessions together.")
@click.option("--reason", default="", help="Why; the journal keeps it.")
@signed
@acts
def resume(daemon: Daemon, session: str | None, portfolio: bool, reason: str, by: str, as_json: bool) -> None:
    """Lifts the kill switch in your name; with SESSION that session's daily loss instead, if it struck.

    A loss that was lifted counts from nought again; otherwise the next trading day lifts it.

    Example: pitboss resume
    """
    if portfolio and session is not None:
        raise click.UsageError("say either a session or --portfolio")
    told = daemon.tell("resume", by=by, session=session, portfolio=portfolio or None, reason=reason or None)
    _say(told, as_json=as_json)


@click.command(cls=Command)
@click.argument("broker")
@click.option("--minutes", type=click.IntRange(min=1), default=None, help="For how long, at most as configured.")
@click.option("--yes", is_flag=True, help="Do not ask for the name again.")
@signed
@acts
def arm(daemon: Daemon, broker: str, minutes: int | None, yes: bool, by: str, as_json: bool) -> None:
    """Lets BROKER trade real money for a time; the configuration has to name it as live.

    It asks for the broker's name once more. The arming ends by itself, or with `pitboss disarm`.

    Example: pitboss arm tradestation --minutes 60
    """
    from sessions.control.commands.output import emit  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.view.answers import armed_lines  # noqa: PLC0415 - as above

    if not yes:
        _confirm(broker)
    told = daemon.tell("arm", by=by, broker=broker, minutes=minutes)
    emit(told, lambda arming, _: armed_lines(arming), as_json=as_json)


@click.command(cls=Command)
@click.argument("broker")
@signed
@acts
def disarm(daemon: Daemon, broker: str, by: str, as_json: bool) -> None:
    """Takes BROKER's leave to trade away: its sessions take no new risk, what is held can still be closed.

    Example: pitboss disarm tradestation
    """
    _say(daemon.tell("disarm", by=by, broker=broker), as_json=as_json)


def _confirm(broker: str) -> None:
    typed = click.prompt(f"Orders of {broker} will move real money. Type its name to arm it", err=True)
    if typed.strip() != broker:
        raise click.UsageError(f"expected {broker!r}, got {typed!r}; nothing was armed")


def _say(done: Any, *, as_json: bool) -> None:
    from sessions.control.commands.output import said  # noqa: PLC0415 - imported late: --help must stay quick

    said(done, as_json=as_json)
