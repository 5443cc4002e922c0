"""Making files and their names durable."""

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Waits until what was written to a file is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def publish(fresh: Path, target: Path) -> None:
    """Gives a finished and synced file or folder its name, durably."""
    fresh.rename(target)
    sync_folder(target.parent)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
