"""What a daemon takes from the machine it runs on, beside its world: a log, room on disk, entropy, a lock."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import attrs

from brokers.market import MarketEvent
from brokers.vault import SYSTEM_ENTROPY, by_file_lock
from brokers.vault.private import Alone, Guard, refuse_exposed
from brokers.vault.sealing import Entropy
from runtime.wire.redaction import Redactor
from sessions.control.daemon.log_file import DaemonLog, LogFile


class OpenLog(Protocol):
    """Opens the log of a daemon."""

    def __call__(self, folder: Path, redactor: Redactor, /, *, size: int, files: int) -> DaemonLog:
        """`size` is in bytes; `files` old ones are kept beside the present one. Raises OSError."""
        ...


def free_bytes(folder: Path) -> int:
    """How much the disk of a folder still takes; raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@attrs.frozen
class Machine:
    """One machine; a rehearsal has one in memory.

    guard   refuses a file of secrets that others may use
    alone   keeps other processes of the same user from changing the vault meanwhile
    market  what embedded brokers trade on from a time on, instead of a synthetic market of their own
    """

    open_log: OpenLog = LogFile
    free: Callable[[Path], int] = free_bytes
    entropy: Entropy = SYSTEM_ENTROPY
    guard: Guard = refuse_exposed
    alone: Alone = by_file_lock
    market: Callable[[int], Sequence[MarketEvent]] | None = None


THIS_MACHINE: Final = Machine()
