"""Options that many commands have."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def machine_readable(command: F) -> F:
    """Adds --json: one JSON object on stdout and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else on stdout.")(command)
