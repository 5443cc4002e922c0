"""What many commands have: a help that ends in an example, and --json."""

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_EXAMPLE: Final = "\n\nExample:"


class Command(click.Command):
    """A command whose example, the last paragraph of its docstring, stands at the end of its help."""

    def __init__(self, name: str | None, help: str = "", **more: Any) -> None:  # noqa: A002 - as click names it
        text, mark, example = cleandoc(help).rpartition(_EXAMPLE)
        super().__init__(name, help=text, epilog=(mark + example).strip(), **more)


class Group(Command, click.Group):
    """The same for a command that holds others."""

    command_class = Command


def machine_readable(command: F) -> F:
    """Adds --json: one JSON object on stdout and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else on stdout.")(command)
