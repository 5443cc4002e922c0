"""How commands speak with the daemon: options that they share, one sentence for every no, and the exit codes.

0 fine, 1 something is not well, 2 the command was not understood, 3 it was refused, 4 no daemon answers.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from sessions.control.commands.options import machine_readable

if TYPE_CHECKING:
    from sessions.control.api.client import Client

F = TypeVar("F", bound=Callable[..., Any])

NOT_WELL, REFUSED, NOBODY = 1, 3, 4  # exit codes
ANSWER_SECONDS: Final = 30.0
_CODES: Final = "Exit codes: 0 fine, 2 the command was not understood, 3 it was refused, 4 no daemon answers."
_CODES_OF_CHECKS: Final = (
    "Exit codes: 0 all is well, 1 it is not, 2 the command was not understood, 3 it was refused, 4 no daemon answers."
)


class Told(click.ClickException):
    """An end of a command that is told in a sentence, which cannot steer the terminal whoever wrote it."""

    def format_message(self) -> str:
        """The sentence, made safe to show."""
        from sessions.control.view.lines import printable  # noqa: PLC0415 - imported late: --help must stay quick

        return "\n".join(map(printable, self.message.splitlines()))


class Refused(Told):
    """What was asked for was not done; the sentence says why and what to do next."""

    exit_code = REFUSED

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class NotWell(Told):
    """What was looked at is not as it should be."""

    exit_code = NOT_WELL


class NobodyAnswers(Told):
    """There is no daemon, or it went away."""

    exit_code = NOBODY


class Daemon:
    """The daemon that a command is for; every method raises Refused or NobodyAnswers."""

    def __init__(self, path: Path | None, command_id: str | None = None) -> None:
        self._path = path
        self.command_id = command_id

    @property
    def path(self) -> Path:
        """Where it listens."""
        if self._path is None:
            from sessions.control.commands.place import socket_path  # noqa: PLC0415 - not every command needs it

            self._path = socket_path(os.environ)
        return self._path

    def ask(self, what: str, seconds: float | None = ANSWER_SECONDS, **query: object) -> Any:
        """What it tells."""
        with self._guarded():
            return self._client(seconds).get(what, **query)

    def tell(self, command: str, seconds: float | None = ANSWER_SECONDS, **fields: object) -> Any:
        """What a command came to; fields that are None are left out."""
        stated = {name: value for name, value in fields.items() if value is not None}
        with self._guarded():
            return self._client(seconds).post(command, command_id=self.id, **stated)

    def progress(self, key: str | None = None) -> Any:
        """How far something is, this command if nothing else is named; None where nobody knows."""
        return self.ask("progress", of=self.id if key is None else key)

    @property
    def id(self) -> str:
        """The id of the command: its person's, or one of its own."""
        if self.command_id is None:
            from sessions.control.api.client import new_id  # noqa: PLC0415 - imported late: --help must stay quick

            self.command_id = new_id()
        return self.command_id

    def follow(self, what: str, **query: object) -> Iterator[Any]:
        """What goes on happening, until the daemon ends."""
        with self._guarded():
            yield from self._client(None).follow(what, **query)

    def _client(self, seconds: float | None) -> "Client":
        from sessions.control.api.client import Client  # noqa: PLC0415 - imported late: --help must stay quick

        return Client(self.path, seconds)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        from sessions.control.api.client import NoAnswer, NoDaemon, Refusal  # noqa: PLC0415 - imported late: --help must stay quick

        try:
            yield
        except Refusal as refusal:
            raise Refused(_sentence(refusal), refusal.code) from refusal
        except (NoDaemon, NoAnswer) as nobody:
            raise NobodyAnswers(str(nobody)) from nobody


def _sentence(refusal: Any) -> str:
    known = " ".join(filter(None, (refusal.code, refusal.id)))
    return f"{refusal} [{known}]"


def asks(command: F) -> F:
    """Adds --socket and --json to a command that only asks; the function takes `daemon` and `as_json`."""
    return _with_daemon(_with_codes(command, _CODES), _daemon)


def checks(command: F) -> F:
    """As `asks`, for a command whose exit code says whether all is well."""
    return _with_daemon(_with_codes(command, _CODES_OF_CHECKS), _daemon)


def acts(command: F) -> F:
    """Adds --socket, --id and --json to a command that has an effect."""
    command_id = click.option(
        "--id",
        "command_id",
        default=None,
        is_eager=True,
        expose_value=False,
        callback=_remembered,
        help="An id of your choice: the same id twice has one effect, so that a script may repeat.",
    )
    return _with_daemon(command_id(_with_codes(command, _CODES)), _daemon)


def _with_daemon(command: F, callback: Callable[..., Daemon]) -> F:
    socket = click.option(
        "--socket",
        "daemon",
        type=click.Path(path_type=Path),
        envvar="PITBOSS_SOCKET",
        callback=callback,
        help="The control socket, if it is not where the usual configuration has it.",
    )
    return socket(machine_readable(command))


def _remembered(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.meta[__name__] = value


def _daemon(context: click.Context, _: click.Parameter, value: Path | None) -> Daemon:
    return Daemon(value, context.meta.get(__name__))


def _with_codes(command: F, codes: str) -> F:
    """The exit codes stand before the example, with which every help ends."""
    text, mark, example = (command.__doc__ or "").rpartition("\n\n    Example:")
    command.__doc__ = f"{text}\n\n    {codes}{mark}{example}"
    return command


def person() -> str:
    """Who gives the command, by the system's word."""
    import pwd  # noqa: PLC0415 - only commands that are signed need it

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def signed(command: F) -> F:
    """Adds --by: in whose name."""
    return click.option("--by", default=person, show_default="you", help="In whose name; the journal keeps it.")(
        command
    )
