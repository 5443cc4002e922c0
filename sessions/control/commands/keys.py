"""`pitboss keys` and `pitboss login`: credentials in the vault, and the logins that need a person."""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from sessions.control.commands.options import Command, Group, machine_readable

F = TypeVar("F", bound=Callable[..., Any])

ENVIRONMENTS = ("paper", "live")
KINDS = ("keyring", "passphrase", "key file")


def whose(command: F) -> F:
    """Adds which login is meant."""
    login = click.option("--login", "login", default="main", show_default=True, help="Which of several logins.")
    environment = click.option(
        "--environment", type=click.Choice(ENVIRONMENTS), default="paper", show_default=True, help="Paper or live."
    )
    return login(environment(command))


@click.group(cls=Group)
def keys() -> None:
    """Keeps the credentials of brokers in the vault, encrypted.

    The vault opens with a key from the system's keyring, from a passphrase (typed, or in the file that
    PITBOSS_PASSPHRASE_FILE names), or from a key file that the service manager hands over.

    Exit codes: 0 fine, 2 the command was not understood, 3 the vault or the login said no; the sentence on standard
    error says why and what to do next, and nothing was changed.

    Example: pitboss keys list --json
    """


@keys.command("list")
@machine_readable
def list_(as_json: bool) -> None:
    """Lists what is stored: whose it is and which fields it has, never a value.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss keys list
    """
    from sessions.control import credentials as work  # noqa: PLC0415 - imported late: --help must stay quick

    rows = _done(work.run(work.listed, _say))
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("The vault is empty; store a field with `pitboss keys set BROKER --field NAME`.")
    for row in rows:
        missing = f", missing {', '.join(row['missing'])}" if row["missing"] else ""
        state = "logged in" if row["logged_in"] else "not logged in"
        name = f"{row['broker']} {row['login']} ({row['environment']})"
        click.echo(f"{name}: {', '.join(row['fields'])}{missing}; {state}")


@keys.command("set")
@click.argument("broker")
@click.option("--field", required=True, help="Which field; a wrong name is answered with the right ones.")
@whose
@machine_readable
def set_(broker: str, field: str, login: str, environment: str, as_json: bool) -> None:
    """Stores one field of a broker's credential.

    The value is typed at a hidden prompt or read from the first line of standard input, never from the command line.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss keys set tradestation --field client_id
    """
    from sessions.control import credentials as work  # noqa: PLC0415 - imported late: --help must stay quick

    def store() -> Any:
        value = work.value_from_person(broker, field)
        return work.run(lambda keys: work.kept(keys, work.login_id(broker, login, environment), field, value), _say)

    _told(_done(_guarded(store)), f"{field} of {broker} {login} ({environment}) is stored.", as_json)


@keys.command()
@click.argument("broker")
@click.option("--field", default=None, help="Remove this field alone.")
@whose
@machine_readable
def remove(broker: str, field: str | None, login: str, environment: str, as_json: bool) -> None:
    """Removes a broker's credential, or one field of it.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss keys remove tradestation --login old
    """
    from sessions.control import credentials as work  # noqa: PLC0415 - imported late: --help must stay quick

    which = work.login_id(broker, login, environment)
    _done(work.run(lambda keys: work.dropped(keys, which, field), _say))
    _told({"ok": True}, f"{field or 'the credential'} of {broker} {login} ({environment}) is gone.", as_json)


@keys.command()
@click.option("--to", "kind", type=click.Choice(KINDS), default=None, help="Where the new key comes from.")
@machine_readable
def rotate(kind: str | None, as_json: bool) -> None:
    """Puts the vault under a new master key; the old key opens nothing any more.

    Without --to the new key comes from where the old one came from. Put a new passphrase into its file first.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss keys rotate
    """
    from sessions.control import credentials as work  # noqa: PLC0415 - imported late: --help must stay quick

    version = _done(work.run(partial(work.rotate, kind=kind), _say))
    _told({"ok": True, "key_version": version}, f"The vault is under key {version} now.", as_json)


@keys.command()
@machine_readable
def status(as_json: bool) -> None:
    """Shows how each login stands: expiry, last refresh, next, and why not.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss keys status
    """
    from sessions.control import credentials as work  # noqa: PLC0415 - imported late: --help must stay quick

    now_ns, rows = _done(work.run(work.status, _say))
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("The vault is empty; store a field with `pitboss keys set BROKER --field NAME`.")
    for row in rows:
        click.echo(f"{row['broker']} {row['login']} ({row['environment']})")
        for title, name in _TIMES:
            click.echo(f"  {title:<14}{work.moment(row[name], now_ns)}")
        if row["why_not"]:
            click.echo(f"  {'why not':<14}{row['why_not']}")


_TIMES = (
    ("token ends", "expires_ns"),
    ("last refresh", "last_refresh_ns"),
    ("next refresh", "next_ns"),
    ("login ends", "login_ends_ns"),
)


def _on_this_machine(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"http://(127\.0\.0\.1|localhost)(:\d{1,5})?/?", value):
        raise click.BadParameter(f"expected an address like http://127.0.0.1:8080, got {value!r}")
    return value


@click.command(cls=Command)
@click.argument("broker")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the broker's page, or print it.")
@click.option("--renew", is_flag=True, help="Refresh the stored tokens now, without a person.")
@click.option("--at", default=None, callback=_on_this_machine, help="An emulator on this machine, for rehearsals.")
@whose
@machine_readable
def login(broker: str, browser: bool, renew: bool, at: str | None, login: str, environment: str, as_json: bool) -> None:
    """Logs in to a broker with what `pitboss keys set` stored, and keeps the tokens in the vault.

    Where the broker has a page for it, the page opens in the browser, and its address is printed; the answer arrives
    at this machine alone. Where the broker sends the browser to an https address, the browser ends with an error, and
    you paste that address here, or on standard input. A password login goes by itself.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss login tradestation --no-browser
    """
    from sessions.control import credentials as work  # noqa: PLC0415 - imported late: --help must stay quick

    which = work.login_id(broker, login, environment)
    now_ns, ends_ns = _done(
        work.run(partial(work.log_in, login=which, show=_say, browser=browser, at=at, renew=renew), _say)
    )
    said = f"Logged in to {broker} {login} ({environment}); the access token ends {work.moment(ends_ns, now_ns)}."
    _told({"ok": True, "expires_ns": ends_ns}, said, as_json)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _guarded(work: Callable[[], Any]) -> Any:
    """Work outside the vault that may be refused in one sentence, too."""
    from sessions.control import credentials  # noqa: PLC0415 - imported late: --help must stay quick

    try:
        return work()
    except credentials.REFUSALS as refusal:
        _say(str(refusal))
        return None


def _done(result: Any) -> Any:
    """The result, or the end of the command after a refusal."""
    if result is None:
        from sessions.control.credentials import REFUSED  # noqa: PLC0415 - imported late: --help must stay quick

        sys.exit(REFUSED)
    return result


def _told(result: Any, sentence: str, as_json: bool) -> None:
    click.echo(json.dumps(result) if as_json else sentence)
