"""The journal's files, read by a command itself: beside a daemon or without one; imported late."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.settings import UnsafePlace, prepare
from config.settings.folders import expanded
from runtime.real import DurableDisk
from runtime.world import Disk
from sessions.control.commands.output import progress
from sessions.control.commands.sources import first, places
from sessions.control.commands.speaking import NotWell, Refused
from sessions.control.daemon.daemon import AUDIT_KEY_FILE
from sessions.control.daemon.house import HEAD_FILE
from sessions.control.daemon.lock import AlreadyRunning, sole_owner
from sessions.journal import Chain, Head, JournalError, Row
from sessions.journal import audit as auditing
from sessions.journal import backup as copying
from sessions.journal.chain import read_head
from sessions.journal.errors import JournalCorrupt

Files = tuple[Path, ...]
Environ = Mapping[str, str]


def verified(files: Files, environ: Environ) -> dict[str, Any]:
    """The last entry of the journal after every row was checked; raises NotWell, Refused."""
    folder, outer = journal_place(files, environ)
    disk = DurableDisk()
    with _told(), progress("entries are checked", _known(disk, outer)) as advance:
        _need_journal(folder)
        head = auditing.verify(disk, folder, _chain(files, environ, advance), outer)
    return {"entries": head.seq, "hash": head.hash.hex()}


def newest(files: Files, environ: Environ) -> int:
    """The number of the newest entry; raises NotWell, Refused."""
    folder, _ = journal_place(files, environ)
    with _told():
        _need_journal(folder)
        return auditing.last_entry(DurableDisk(), folder)


def entries(files: Files, environ: Environ, after: int = 0) -> Iterator[dict[str, Any]]:
    """Every entry with a number above `after`, as plain values; raises NotWell, Refused."""
    folder, _ = journal_place(files, environ)
    with _told():
        _need_journal(folder)
        for row in auditing.history(DurableDisk(), folder, after):
            yield _plain(row)


def copied(files: Files, environ: Environ, target: Path) -> dict[str, str]:
    """Copies the journal of a daemon that does not run; raises NotWell, Refused."""
    folder, _ = journal_place(files, environ)
    disk = DurableDisk()
    with _alone(files, environ):
        _need_journal(folder)
        with progress("entries are copied and checked", auditing.last_entry(disk, folder)) as advance:
            head = copying.backup(disk, folder, target, _chain(files, environ, advance))
    return {"text": f"{head.seq} entries are in {target}, verified"}


def restored(files: Files, environ: Environ, source: Path) -> dict[str, str]:
    """Brings a backup back and says what it does not know; raises NotWell, Refused."""
    folder, outer = journal_place(files, environ)
    disk = DurableDisk()
    with _alone(files, environ):
        _need_journal(source)
        twice = 2 * auditing.last_entry(disk, source)
        with progress("entries are checked and copied", twice) as advance:
            head = copying.restore(disk, source, folder, _chain(files, environ, advance))
    return {"text": f"{head.seq} entries are back in {folder}, verified{_loss(_known(disk, outer), head, outer)}"}


def journal_place(files: Files, environ: Environ) -> tuple[Path, Path]:
    """The folder of the journal and the file that holds its head outside; raises Refused."""
    settings, place = first(files, environ)
    state, stated = place.state, settings.journal.folder
    folder = state / "journal" if stated is None else expanded(environ, stated)
    return folder, state / HEAD_FILE


def _loss(known: int | None, head: Head, outer: Path) -> str:
    if known is None or known <= head.seq:
        return ""
    return (
        f"; entries {head.seq + 1} to {known} are lost, {outer} knows of them, and the daemon does not start "
        "before you have looked at the brokers what happened since and moved that file away"
    )


def _known(disk: Disk, outer: Path) -> int | None:
    try:
        return read_head(disk.read(outer)).seq
    except (FileNotFoundError, ValueError):
        return None


def _chain(files: Files, environ: Environ, advance: Callable[[int], None]) -> Chain:
    path = places(files, environ).state / AUDIT_KEY_FILE
    try:
        return Chain(DurableDisk().read(path)).counting(advance)
    except FileNotFoundError:
        raise Refused(
            f"{path}: expected the key of the journal, got no file; nothing was done; "
            "bring it back from where you keep it"
        ) from None


def _need_journal(folder: Path) -> None:
    if not any(folder.glob("*.db")):
        raise Refused(
            f"{folder}: expected a journal, got none; nothing was done; the first start of a daemon makes one"
        )


def _plain(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "seq": row.seq,
        "kind": entry.kind,
        "stream": entry.stream,
        "key": entry.key,
        "body": entry.body,
        "wall_ns": entry.wall_ns,
        "monotonic_ns": entry.monotonic_ns,
        "previous": row.previous.hex(),
        "hash": row.hash.hex(),
    }


@contextmanager
def _alone(files: Files, environ: Environ) -> Iterator[None]:
    """Keeps daemons away for the length of the block."""
    place = places(files, environ)
    with _told():
        prepare(place)
        with sole_owner(place.state, place.runtime):
            yield


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except JournalCorrupt as corrupt:
        raise NotWell(str(corrupt)) from corrupt
    except (JournalError, AlreadyRunning, UnsafePlace, OSError) as refusal:
        raise Refused(str(refusal)) from refusal
