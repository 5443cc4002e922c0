"""`pitboss audit`, `backup` and `restore`: the journal checked, read, copied and brought back."""

import json
import os
from pathlib import Path
from typing import Any

import click

from sessions.control.commands.configuring import with_files
from sessions.control.commands.options import Command, Group, machine_readable
from sessions.control.commands.speaking import Daemon, NobodyAnswers, NotWell, Refused, acts, checks

_JOURNAL = "journal"  # how the daemon's refusals name it


@click.group(cls=Group)
def audit() -> None:
    """Checks and shows the journal, to which everything is written before it happens.

    Exit codes: 0 fine, 1 the journal is not what was written, 2 the command was not understood, 3 it was refused.

    Example: pitboss audit verify --json
    """


@audit.command()
@with_files
@checks
def verify(daemon: Daemon, files: tuple[Path, ...], as_json: bool) -> None:
    """Checks every entry and every hash, from the first to the last; without a daemon it reads the files itself.

    Example: pitboss audit verify
    """
    from sessions.control.commands.output import followed, said  # noqa: PLC0415 - imported late: --help must stay quick

    try:
        with followed("the daemon checks its journal", daemon.progress):
            found = daemon.ask("audit", seconds=None, id=daemon.id)
    except NobodyAnswers:
        from sessions.control.commands.journals import verified  # noqa: PLC0415 - only where nobody answers

        found = verified(files, os.environ)
    except Refused as refusal:
        raise (NotWell(refusal.message) if refusal.code == _JOURNAL else refusal) from refusal
    text = f"{found['entries']} entries are what was written; the last hash is {found['hash']}"
    said(found if as_json else {"text": text}, as_json=as_json)


@audit.command("show")
@with_files
@click.option("--count", type=click.IntRange(1), default=50, show_default=True, help="How many, the last ones.")
@click.option("--kind", default=None, help="Only of this kind, such as order.intent.")
@click.option("--stream", default=None, help="Only of this history, such as order/paper/paper-1.")
@click.option("--key", default=None, help="Only with this key, such as that of an order.")
@machine_readable
def show_(
    files: tuple[Path, ...], count: int, kind: str | None, stream: str | None, key: str | None, as_json: bool
) -> None:
    """Prints the last entries of the journal, oldest first, read beside the daemon.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss audit show --kind order.intent --count 10
    """
    from collections import deque  # noqa: PLC0415 - imported late: --help must stay quick

    from sessions.control.commands.journals import entries  # noqa: PLC0415 - as above
    from sessions.control.commands.output import emit  # noqa: PLC0415 - as above
    from sessions.control.view.past import entry_line  # noqa: PLC0415 - as above

    wanted = {name: value for name, value in (("kind", kind), ("stream", stream), ("key", key)) if value is not None}
    found = (row for row in entries(files, os.environ) if all(row[name] == value for name, value in wanted.items()))
    emit(list(deque(found, maxlen=count)), lambda rows, _: map(entry_line, rows), as_json=as_json)


@audit.command()
@with_files
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--after", type=click.IntRange(0), default=0, show_default=True, help="Only entries above this number.")
@machine_readable
def export(files: tuple[Path, ...], target: Path, after: int, as_json: bool) -> None:
    """Writes the entries of the journal to the new file TARGET, one JSON object a line, each with its hash.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss audit export journal.ndjson --after 1000
    """
    from sessions.control.commands.journals import entries, newest  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.commands.output import progress, said  # noqa: PLC0415 - as above

    total = max(newest(files, os.environ) - after, 0)
    with _new_file(target) as file, progress("entries are written", total) as advance:
        count = 0
        for row in entries(files, os.environ, after):
            file.write(json.dumps(row) + "\n")
            count += 1
            advance(1)
    done = {"path": str(target), "entries": count}
    said(done if as_json else {"text": f"{count} entries are in {target}"}, as_json=as_json)


@click.command(cls=Command)
@with_files
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@acts
def backup(daemon: Daemon, files: tuple[Path, ...], folder: Path, as_json: bool) -> None:
    """Copies the journal into the new FOLDER and verifies the copy, while the daemon trades or without one.

    A copy can be checked only with the file audit.key of the state folder: keep that too, but elsewhere.

    Example: pitboss backup /var/backups/pitboss-friday
    """
    from sessions.control.commands.output import followed, said  # noqa: PLC0415 - imported late: --help must stay quick

    target = folder.absolute()
    try:
        with followed("the daemon copies its journal", daemon.progress):
            done = daemon.tell("backup", seconds=None, folder=str(target))
    except NobodyAnswers:
        from sessions.control.commands.journals import copied  # noqa: PLC0415 - only where nobody answers

        done = copied(files, os.environ, target)
    said(done, as_json=as_json)


@click.command(cls=Command)
@with_files
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@machine_readable
def restore(files: tuple[Path, ...], folder: Path, as_json: bool) -> None:
    """Brings the backup in FOLDER back as the journal, verified before and after; no daemon may run.

    A journal that is there is never overwritten: move it away first.

    Exit codes: 0 fine, 2 the command was not understood, 3 it was refused.

    Example: pitboss restore .
    """
    from sessions.control.commands.journals import restored  # noqa: PLC0415 - imported late: --help must stay quick
    from sessions.control.commands.output import said  # noqa: PLC0415 - as above

    said(restored(files, os.environ, folder.absolute()), as_json=as_json)


def _new_file(path: Path) -> Any:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w")
    except OSError as error:
        raise Refused(f"{path}: expected a place for a new file, got: {error.strerror}; nothing was written") from error
