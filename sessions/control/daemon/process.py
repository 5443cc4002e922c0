"""The daemon as a process: hardened before anything is read, alone in its folders, its end told by an exit code."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from brokers.vault import Keyholder, standard_sources
from config.reading import ConfigError
from config.settings import Folders, FoldersUnknown, Settings, UnsafePlace, folders, prepare
from config.settings.folders import expanded
from runtime.errors import StartFailed
from runtime.real import real_world
from runtime.world import World
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.daemon import Daemon, run_daemon
from sessions.control.daemon.hardening import RootRefused, harden, refuse_exposed_files
from sessions.control.daemon.lock import AlreadyRunning, sole_owner
from sessions.control.daemon.notify import ServiceManager
from sessions.risk.kill_switch import HALT_FILE

FAILED, REFUSED, TAKEN = 1, 3, 4  # exit codes
_REFUSALS: Final = (RootRefused, FoldersUnknown, ConfigError, UnsafePlace, OSError)


def run_process(files: tuple[Path, ...], *, allow_root: bool, as_json: bool = False) -> int:
    """Runs the daemon of this process and returns its exit code; what it says is a sentence or an object a line."""
    try:
        harden(allow_root=allow_root)
        configuration = Configuration(files or _usual_file(), os.environ)
        _, place = configuration.first()
        with _held(place):
            return _run(configuration, place, _say_json if as_json else _say)
    except AlreadyRunning as taken:
        return _refuse(str(taken), TAKEN)
    except _REFUSALS as refusal:
        return _refuse(str(refusal), REFUSED)
    except StartFailed as failure:
        return _refuse(_root_of(failure), FAILED)


def _usual_file() -> tuple[Path, ...]:
    usual = folders(os.environ).file
    return (usual,) if usual.exists() else ()


@contextmanager
def _held(place: Folders) -> Iterator[None]:
    prepare(place)
    with sole_owner(place.state, place.runtime):
        refuse_exposed_files((place.state, place.runtime), spared=frozenset({HALT_FILE}))
        yield


def _run(configuration: Configuration, place: Folders, say: Callable[[str], None]) -> int:
    world = real_world()
    settings = configuration.whole(place, world.disk).settings
    if settings.journal.folder is not None:
        refuse_exposed_files((expanded(os.environ, settings.journal.folder),))
    daemon = Daemon(
        world,
        configuration,
        settings,
        place,
        _keys(world, settings),
        ServiceManager.of(os.environ, os.getpid()),
        say,
        signals=True,
    )
    return trio.run(run_daemon, daemon)


def _keys(world: World, settings: Settings) -> Keyholder:
    said = settings.vault
    key_file = None if said.key_file is None else expanded(os.environ, said.key_file)
    sources = standard_sources(os.environ, world.disk, key_file=key_file)
    kind = said.unlock.replace("_", " ")
    return Keyholder([source for source in sources if kind in ("auto", source.kind)])


def _say(sentence: str) -> None:
    _put(f"pitboss: {sentence}\n")


def _say_json(sentence: str) -> None:
    _put(json.dumps({"pitboss": sentence}) + "\n")


def _put(line: str) -> None:
    """Writes a line for whoever started us; that nobody reads any more must not end the trading, nor its drain."""
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _root_of(failure: StartFailed) -> str:
    """The first reason of a failed start."""
    error: BaseException = failure
    while isinstance(error, StartFailed) and isinstance(inner := getattr(error.reason, "error", None), BaseException):
        error = inner
    return str(error)


def _refuse(sentence: str, code: int) -> int:
    sys.stderr.write(f"pitboss: {sentence}\n")
    return code
