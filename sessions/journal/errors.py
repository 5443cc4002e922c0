"""Every error of the journal, each with the offending value and what to do next.

JournalError
├── InvalidEntry          an entry that no journal can hold (also a ValueError)
├── JournalRefused        the journal does not open: nothing was written, nothing may trade
│   ├── NotDurable        the database does not promise what a journal must
│   ├── JournalExposed    others than the owner can read or change a file
│   ├── NewerSchema       a newer version has written this journal
│   └── JournalCorrupt    what is on disk is not what was written
├── JournalFailed         the disk failed: what was being committed is in doubt until the journal is ready again
├── JournalBusy           another process holds the database: nothing was written
├── JournalFenced         a newer owner has opened the journal: this one must stop
├── JournalClosed         this instance has ended
├── JournalFull           too many entries wait for the disk
├── RetentionRefused      records may not be deleted that early, or without a reason
└── BackupRefused         a backup or restore would overwrite something, or is not what it should be
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path


class JournalError(Exception):
    """The root of all errors of the journal."""


class InvalidEntry(JournalError, ValueError):
    """An entry's `field` got `value`; `expected` says what is allowed."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"Entry.{field}: expected {expected}, got {_shown(value)}; nothing was written")
        self.field = field
        self.value = value
        self.expected = expected


class JournalRefused(JournalError):
    """The journal at `path` does not open."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path


class NotDurable(JournalRefused):
    """A setting of the database is not what durability needs."""

    def __init__(self, path: str, setting: str, expected: object, value: object) -> None:
        text = f"expected {setting} to be {expected!r}, it is {value!r}; the journal stays closed; check the disk"
        super().__init__(path, text)
        self.setting = setting
        self.expected = expected
        self.value = value


class JournalExposed(JournalRefused):
    """A file or folder of the journal can be read or changed by others."""

    def __init__(self, path: str, mode: int, allowed: int) -> None:
        text = f"expected a mode within {allowed:04o}, it is {mode:04o}; the journal stays closed; chmod it, then retry"
        super().__init__(path, text)
        self.mode = mode
        self.allowed = allowed


class NewerSchema(JournalRefused):
    """The database knows migrations that this version does not."""

    def __init__(self, path: str, unknown: Sequence[str]) -> None:
        text = f"written by a newer version (unknown migrations {', '.join(unknown)}); nothing was changed; upgrade"
        super().__init__(path, text)
        self.unknown = tuple(unknown)


class JournalCorrupt(JournalRefused):
    """The content is damaged or was changed; `seq` is the first bad entry where that is known."""

    def __init__(self, path: str, found: str, seq: int | None = None) -> None:
        where = "" if seq is None else f" at entry {seq}"
        text = f"the content is not what was written{where}: {found}; nothing may trade; restore a backup"
        super().__init__(path, text)
        self.found = found
        self.seq = seq


class JournalFailed(JournalError):
    """The disk or the database failed; `cause` is its own name for what happened.

    What was being committed may be on disk or not: treat it as unknown, send nothing, and look it up when ready.
    """

    def __init__(self, path: str, cause: str, text: str) -> None:
        super().__init__(
            f"{path}: {cause}: {text}; expected a durable commit, this one is in doubt; nothing may be sent to a "
            "broker; free or repair the disk: the journal re-opens by itself"
        )
        self.path = path
        self.cause = cause
        self.text = text


class JournalBusy(JournalError):
    """Another process held the database for longer than the journal waits; nothing was written."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(
            f"{path}: locked by another process for {seconds:g} s; nothing was written; end it, then retry"
        )
        self.path = path
        self.seconds = seconds


class JournalFenced(JournalError):
    """A newer owner has taken the journal; nothing was written."""

    def __init__(self, path: str, epoch: int, owner: int) -> None:
        super().__init__(
            f"{path}: expected to own the journal under epoch {epoch}, its owner has epoch {owner}; nothing was "
            "written; stop this process, the other one trades"
        )
        self.path = path
        self.epoch = epoch
        self.owner = owner


class JournalClosed(JournalError):
    """The instance of the journal has ended, or ends."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: this instance of the journal has ended; ask the journal's name for a new handle")
        self.path = path


class JournalFull(JournalError):
    """More entries wait for the disk than the journal keeps in memory; these were not taken."""

    def __init__(self, path: str, waiting: int, refused: int) -> None:
        super().__init__(f"{path}: {waiting} entries wait for the disk, {refused} more were not taken; slow down")
        self.path = path
        self.waiting = waiting
        self.refused = refused


class RetentionRefused(JournalError):
    """Deleting was refused; nothing was deleted."""


class BackupRefused(JournalError):
    """A backup or a restore was not made; nothing was overwritten."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{path}: {text}; nothing was overwritten")
        self.path = path


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection's lock is all that is wrong."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def failed(path: str, error: sqlite3.Error | OSError) -> JournalFailed:
    """What a failure of database or disk means to the callers of the journal."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return JournalFailed(path, name, str(error))


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}... ({len(text)} characters)"
