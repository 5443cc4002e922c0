"""The page of all commands, written by the commands themselves: python -m sessions.control.commands.reference."""

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

import click

from sessions.control.cli import main
from sessions.control.commands.all import FAMILIES

SHARED: Final = 5  # an option that so many commands have is told once
_HEAD: Final = """\
# Commands

This page is written by `python -m sessions.control.commands.reference`; every help tells the same.

## Exit codes

| code | means |
|---|---|
| 0 | fine; of a command that checks something: all is well |
| 1 | something is not well, such as a status that is not, a journal that was changed, a bar that is missed |
| 2 | the command was not understood; nothing was done |
| 3 | it was refused as things are; the sentence on standard error says why and what to do |
| 4 | no daemon answers; of `up`: another one runs |

Results go to standard output, everything else to standard error. With `--json` standard output has JSON and nothing
else: one object or array, or with `--follow` and `--live` one a line.

## On a terminal and in a pipe

Colours, charts, cut columns and progress bars are for terminals alone; in a pipe lines are whole and plain. `NO_COLOR`
switches colours off, `COLUMNS` sets the width.

## Where the daemon is

A command looks for the control socket where the configuration of its user puts it: in `$XDG_RUNTIME_DIR/pitboss`, else
in `run` of the state folder. `--socket` or `PITBOSS_SOCKET` names another one.

## Completion

Completion of commands and options in the shell, once in its start file:

| shell | line |
|---|---|
| bash, `~/.bashrc` | `eval "$(_PITBOSS_COMPLETE=bash_source pitboss)"` |
| zsh, `~/.zshrc` | `eval "$(_PITBOSS_COMPLETE=zsh_source pitboss)"` |
| fish, `~/.config/fish/completions/pitboss.fish` | `_PITBOSS_COMPLETE=fish_source pitboss \\| source` |
"""


class Told(NamedTuple):
    """One command as it is told: its words, itself, and the context of its help."""

    words: tuple[str, ...]
    command: click.Command
    context: click.Context

    def options(self) -> list[tuple[str, str]]:
        """Every option with its meaning, but for --help."""
        params = (one for one in self.command.get_params(self.context) if isinstance(one, click.Option))
        records = (one.get_help_record(self.context) for one in params if "--help" not in one.opts)
        return [record for record in records if record is not None]


def page() -> str:
    """The whole page."""
    top = click.Context(main, info_name="pitboss")
    told = {name: list(_walk((), name, main, top)) for family in FAMILIES.values() for name in family}
    counts = Counter(record for one in told.values() for command in one for record in command.options())
    shared = [record for record, count in counts.items() if count >= SHARED]
    parts = [_HEAD, "## Options that many commands have\n", _options(shared)]
    for title, family in FAMILIES.items():
        parts.append(f"## {title}\n")
        parts += [_section(command, shared) for name in family for command in told[name]]
    return "\n".join(parts)


def _walk(before: tuple[str, ...], name: str, group: click.Group, above: click.Context) -> Iterator[Told]:
    """A command, and those below it."""
    found = group.get_command(above, name)
    if found is None:
        raise LookupError(f"expected a command, got {name!r}")
    context = click.Context(found, info_name=name, parent=above)
    yield Told((*before, name), found, context)
    if isinstance(found, click.Group):
        for inner in found.list_commands(context):
            yield from _walk((*before, name), inner, found, context)


def _section(told: Told, shared: list[tuple[str, str]]) -> str:
    own = [record for record in told.options() if record not in shared]
    also = [record[0].split()[0].rstrip(",") for record in told.options() if record in shared]
    usage = " ".join(("pitboss", *told.words, *told.command.collect_usage_pieces(told.context)))
    parts = [f"### `pitboss {' '.join(told.words)}`\n", f"    {usage}\n", _text(told.command)]
    if own:
        parts.append(_options(own))
    if also:
        parts.append(f"Also: {', '.join(f'`{one}`' for one in also)}.\n")
    parts.append(f"    {_example(told.command)}\n")
    return "\n".join(parts)


def _text(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs) + "\n"


def _example(command: click.Command) -> str:
    return (command.epilog or "").removeprefix("Example: ")


def _options(records: list[tuple[str, str]]) -> str:
    rows = (f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in records)
    return "\n".join(("| option | meaning |", "|---|---|", *rows, ""))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
