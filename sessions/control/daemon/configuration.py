"""Where the settings of a daemon come from: its files, the environment, and the sessions that were started by hand.

A session that is started without a file, or moved, is written into a file of the state folder, which is read after all
others: the next daemon knows it, and it passes the same checks.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from config.settings import Folders, Loaded, Source, folders, load, read_sources
from config.settings.writing import header, toml, toml_key
from runtime.world import Disk

BY_HAND: Final = "sessions.toml"


@attrs.frozen
class Configuration:
    """The sources of a daemon's settings; what is `given` lies in no file and is read after all of them."""

    files: tuple[Path, ...]
    environ: Mapping[str, str]
    given: tuple[Source, ...] = ()

    def first(self) -> tuple[Loaded, Folders]:
        """The settings and the folders that they name; raises ConfigError, FoldersUnknown."""
        loaded = load((*read_sources(self.files), *self.given), self.environ)
        return loaded, folders(self.environ, loaded.settings.daemon)

    def whole(self, place: Folders, disk: Disk, by_hand: str | None = None) -> Loaded:
        """The settings with what was done by hand, or would be; raises ConfigError."""
        text = _kept(place, disk) if by_hand is None else by_hand
        source = Source(str(place.state / BY_HAND), text)
        return load((*read_sources(self.files), *self.given, source), self.environ)


def by_hand(place: Folders, disk: Disk) -> dict[str, Any]:
    """The tables of the sessions that were started or moved by hand, by name."""
    sessions: dict[str, Any] = tomllib.loads(_kept(place, disk)).get("sessions", {})
    return sessions


def keep_by_hand(place: Folders, disk: Disk, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Has the next daemon know these tables; raises OSError."""
    disk.write(place.state / BY_HAND, written(tables).encode())


def written(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the file with these tables."""
    return "\n".join(_table(name, table) for name, table in tables.items())


def _table(name: str, table: Mapping[str, Any]) -> str:
    lines = (f"{toml_key(key)} = {toml(value)}" for key, value in table.items())
    return "\n".join((header(("sessions", name)), *lines, ""))


def _kept(place: Folders, disk: Disk) -> str:
    try:
        return disk.read(place.state / BY_HAND).decode()
    except FileNotFoundError:
        return ""
