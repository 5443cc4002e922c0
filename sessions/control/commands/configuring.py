"""`pitboss config` and `init`: what the settings are, whether they fit, and a first file of them."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sessions.control.commands.options import Command, Group, machine_readable
from sessions.control.commands.speaking import NOT_WELL, Refused

F = TypeVar("F", bound=Callable[..., Any])


def with_files(command: F) -> F:
    """Adds --config."""
    return click.option(
        "--config",
        "files",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="A configuration file; of several, later ones win. None named: the one of your configuration folder.",
    )(command)


@click.group(cls=Group)
def config() -> None:
    """Shows and checks the settings that a daemon would start with.

    Exit codes: 0 fine, 1 the settings have problems, 2 the command was not understood, 3 it was refused.

    Example: pitboss config show --json
    """


@config.command("show")
@with_files
@machine_readable
def show_(files: tuple[Path, ...], as_json: bool) -> None:
    """Prints every setting, merged, secrets masked, each with where its value comes from.

    Exit codes: 0 fine, 2 the command was not understood, 3 the settings cannot be loaded.

    Example: pitboss config show
    """
    import tomllib  # noqa: PLC0415 - imported late: --help must stay quick

    from config.settings import show  # noqa: PLC0415 - as above
    from sessions.control.commands.sources import loaded  # noqa: PLC0415 - as above

    found = loaded(files, os.environ)
    text = show(found)
    if as_json:
        origins = {".".join(path): str(origin) for path, origin in found.origins.items()}
        click.echo(json.dumps({"settings": tomllib.loads(text), "origins": origins}))
    else:
        click.echo(text, nl=False)


@config.command()
@with_files
@machine_readable
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Prints every problem of the settings: file, line, key, what was expected and what came.

    Exit codes: 0 they fit, 1 they do not, 2 the command was not understood, 3 the folders are not known.

    Example: pitboss config check --json
    """
    problems = _problems(files)
    if as_json:
        told = [
            {"file": one.file, "line": one.line, "key": one.key, "expected": one.expected, "got": one.got}
            for one in problems
        ]
        click.echo(json.dumps({"ok": not problems, "problems": told}))
    else:
        for problem in problems:
            click.echo(str(problem))
        click.echo(f"{len(problems)} problems" if problems else "the settings fit")
    sys.exit(NOT_WELL if problems else 0)


def _problems(files: tuple[Path, ...]) -> tuple[Any, ...]:
    from config.reading import ConfigError  # noqa: PLC0415 - imported late: --help must stay quick
    from config.settings import FoldersUnknown, check  # noqa: PLC0415 - as above
    from sessions.control.commands.sources import sources_of  # noqa: PLC0415 - as above

    try:
        return check(sources_of(files, os.environ), os.environ)
    except ConfigError as refusal:
        return refusal.problems
    except FoldersUnknown as unknown:
        raise Refused(str(unknown)) from unknown


@click.command(cls=Command)
@click.option("--to", "path", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Where to write it.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="An answer, so that it is not asked for.")
@click.option("--defaults", is_flag=True, help="Ask nothing: what was not given takes its default.")
@machine_readable
def init(path: Path | None, given: tuple[str, ...], defaults: bool, as_json: bool) -> None:
    """Asks some questions and writes a first configuration file; one that is there is never overwritten.

    Exit codes: 0 fine, 2 the command was not understood, 3 nothing was written.

    Example: pitboss init --set session=trend --set symbols=ES --defaults
    """
    from brokers.listing import broker_names  # noqa: PLC0415 - imported late: --help must stay quick
    from config.reading import ConfigError  # noqa: PLC0415 - as above
    from config.settings import FoldersUnknown, folders  # noqa: PLC0415 - as above
    from config.settings.questions import questions, render_init  # noqa: PLC0415 - as above

    try:
        target = path or folders(os.environ).file
        _refuse_what_is_there(target)
        answers = _answers(questions(broker_names()), given, defaults=defaults)
        _write(target, render_init(answers))
    except (ConfigError, FoldersUnknown, OSError) as refusal:
        raise Refused(str(refusal)) from refusal
    said = {"path": str(target), "answers": answers}
    click.echo(json.dumps(said) if as_json else f"{target} is written; `pitboss up` runs it")


def _answers(asked: Any, given: tuple[str, ...], *, defaults: bool) -> dict[str, str]:
    stated = dict(_pair(word) for word in given)
    if unknown := stated.keys() - {question.key for question in asked}:
        known = ", ".join(question.key for question in asked)
        raise click.UsageError(f"expected answers to {known}, got one to {', '.join(sorted(unknown))}")
    answers: dict[str, str] = {}
    for question in asked:
        if question.asked(answers):
            answers[question.key] = _answer(question, stated.get(question.key), defaults=defaults)
    return answers


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise click.UsageError(f"--set: expected KEY=VALUE, got {word!r}")
    return key, value


def _answer(question: Any, stated: str | None, *, defaults: bool) -> str:
    """The answer that was given or is typed; a typed one is asked for until it fits."""
    while True:
        answer = question.default if defaults else None
        answer = stated if stated is not None else answer
        fixed = answer is not None
        if not fixed:
            answer = click.prompt(question.question, default=question.default, err=True)
        problem = question.problem(answer)
        if problem is None:
            return str(answer)
        if fixed:
            raise click.UsageError(f"{question.key}: {problem}")
        click.echo(problem, err=True)


def _refuse_what_is_there(path: Path) -> None:
    if os.path.lexists(path):
        raise Refused(f"{path}: expected nothing there; nothing was written; choose another place with --to")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
