"""The configuration as the commands read it that need no daemon; imported late, for it brings the settings along."""

from collections.abc import Mapping
from pathlib import Path

from config.reading import ConfigError
from config.settings import Folders, FoldersUnknown, Loaded, Settings, Source, UnsafePlace, folders, read_sources
from runtime.real import DurableDisk
from sessions.control.commands.speaking import Refused
from sessions.control.daemon.configuration import Configuration

REFUSALS = (ConfigError, FoldersUnknown, UnsafePlace, OSError)


def configuration(files: tuple[Path, ...], environ: Mapping[str, str]) -> Configuration:
    """The sources that a daemon with these files would have; raises FoldersUnknown."""
    usual = folders(environ).file
    return Configuration(files or ((usual,) if usual.exists() else ()), environ)


def first(files: tuple[Path, ...], environ: Mapping[str, str]) -> tuple[Settings, Folders]:
    """The settings without the sessions that were started by hand, and the folders; raises ClickException."""
    try:
        found, place = configuration(files, environ).first()
    except REFUSALS as refusal:
        raise Refused(str(refusal)) from refusal
    return found.settings, place


def places(files: tuple[Path, ...], environ: Mapping[str, str]) -> Folders:
    """The folders of such a daemon; raises ClickException."""
    return first(files, environ)[1]


def loaded(files: tuple[Path, ...], environ: Mapping[str, str]) -> Loaded:
    """All settings, those of sessions that were started by hand too; raises ClickException."""
    try:
        sources = configuration(files, environ)
        return sources.whole(sources.first()[1], DurableDisk())
    except REFUSALS as refusal:
        raise Refused(str(refusal)) from refusal


def sources_of(files: tuple[Path, ...], environ: Mapping[str, str]) -> tuple[Source, ...]:
    """The texts of the files; raises ConfigError, FoldersUnknown."""
    return read_sources(configuration(files, environ).files)
