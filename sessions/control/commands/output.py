"""What commands print: JSON, or lines; colours, width and pictures only where a terminal is."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import click

from sessions.control.view.lines import Line, coloured, line, plain, printable

if TYPE_CHECKING:
    from rich.progress import Progress, Task

Draw = Callable[[int | None], list[Line]]
Advance = Callable[[int], None]

REFRESH_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.2


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def width() -> int | None:
    """How wide the terminal is; None where there is none, and nothing is cut."""
    return _size().columns if is_terminal() else None


def _size() -> os.terminal_size:
    from shutil import get_terminal_size  # noqa: PLC0415 - it is slow to import, and pipes do not need it

    return get_terminal_size()


def show(lines: Iterable[Line]) -> None:
    """Prints lines."""
    written = coloured if is_terminal() and "NO_COLOR" not in os.environ else plain
    for one in lines:
        click.echo(written(one), color=True)


def emit(record: Any, draw: Callable[[Any, int | None], Iterable[Line]], *, as_json: bool) -> None:
    """Prints a record as JSON, or as the lines that are drawn of it."""
    if as_json:
        click.echo(json.dumps(record))
    else:
        show(draw(record, width()))


def go_on(rows: Iterable[Any], draw: Callable[[Any], Line], *, as_json: bool) -> None:
    """Prints each record as it comes, as one object of JSON or one line, until it is interrupted."""
    try:
        for row in rows:
            if as_json:
                click.echo(json.dumps(row))
            else:
                show([draw(row)])
    except KeyboardInterrupt:
        return


def said(record: Any, *, as_json: bool) -> None:
    """Prints what a command came to."""
    emit(record, lambda done, _: [line(done["text"])], as_json=as_json)


def watch(ask: Callable[[], Any], draw: Callable[[Any, int | None], list[Line]], *, as_json: bool) -> None:
    """Asks and shows again and again until it is interrupted; a daemon that is away is waited for.

    Without a terminal, or as JSON, it prints one screen or one line each time, and ends with the daemon.
    """
    from time import sleep  # noqa: PLC0415 - the pace of a screen is this machine's own

    try:
        if as_json or not is_terminal():
            while True:
                emit(ask(), draw, as_json=as_json)
                sleep(REFRESH_SECONDS)
        _watch_screen(ask, draw, sleep)
    except KeyboardInterrupt:
        return


def _watch_screen(
    ask: Callable[[], Any], draw: Callable[[Any, int | None], list[Line]], sleep: Callable[[float], None]
) -> None:
    from rich.live import Live  # noqa: PLC0415 - only a screen needs it
    from rich.text import Text  # noqa: PLC0415 - as above

    with Live(screen=True, auto_refresh=False) as screen:
        while True:
            try:
                lines = draw(ask(), width())
            except click.ClickException as error:
                lines = [line((error.message, "bad"))]
            height = _size().lines
            screen.update(Text.from_ansi("\n".join(map(coloured, lines[:height]))), refresh=True)
            sleep(REFRESH_SECONDS)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Advance]:
    """A bar on standard error for the length of the block, told how much more is done; none without a terminal."""
    if not is_watched():
        yield lambda _: None
        return
    with _bar() as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def followed(label: str, ask: Callable[[], Any]) -> Iterator[None]:
    """A bar for the length of the block, for what the daemon does: `ask` tells how far that is, if it is known."""
    if not is_watched():
        yield
        return
    from threading import Event, Thread  # noqa: PLC0415 - only a bar needs it

    over = Event()
    with _bar() as bar:
        task = bar.add_task(label, total=None)

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                with suppress(click.ClickException):  # who waits for the answer will hear it
                    if found := ask():
                        what, done, total = found["what"], found["done"], found["total"]
                        bar.update(task, description=printable(what), completed=done, total=total)

        looking = Thread(target=look, daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def is_watched() -> bool:
    """Whether a person looks at standard error, where bars are."""
    return sys.stderr.isatty()


def _bar() -> "Progress":
    from rich.console import Console  # noqa: PLC0415 - only a bar needs it
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415 - as above

    class Count(MofNCompleteColumn):
        """So many of so many; nothing while nobody knows how many."""

        def render(self, task: "Task") -> Text:
            return Text() if task.total is None else super().render(task)

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        Count(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
