"""A disk in memory that knows what has been synced, fills up, fails, turns slow, and loses power."""

import errno
import itertools
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import quote

import attrs

from runtime.simulation.conditions import INSTANTLY, Latency, uniform
from runtime.simulation.faults import SimulatedFaults
from runtime.simulation.trace import Trace

_SLOW = uniform(0.2, 2.0)
_serial = itertools.count(1)


class PowerCut(BaseException):
    """The simulated machine lost power; every use of the disk raises this until `power_on`.

    Not an Exception: no program handles that its machine is off.
    """


@attrs.frozen
class _Platter:
    """What a power cut leaves of a file that is not synced; when `torn`, also any part of the rest."""

    content: bytes | None
    torn: bool


class SimulatedDisk:
    """Files in memory, databases in memory or in a real folder; outlives the runs that it is passed to.

    Fault points, by the plan's name or by `faults.arm`: `disk.full` (ENOSPC), `disk.sync` (EIO), `disk.slow`, and
    `disk.power_cut`, which strikes just before a sync takes effect. An atomic write syncs twice, file then
    folder; an append and a removal once. Databases are whole after a power cut: each commit is durable.

    Steer it also by its attributes: `capacity` in bytes (None: endless), `read_only`, and the `latency` of a sync.
    """

    def __init__(
        self,
        chance: random.Random | None = None,
        *,
        faults: SimulatedFaults | None = None,
        trace: Trace | None = None,
        folder: Path | None = None,
    ) -> None:
        self.capacity: int | None = None
        self.read_only = False
        self.latency: Latency = INSTANTLY
        self._files: dict[Path, bytearray] = {}
        self._unsynced: dict[Path, _Platter] = {}
        self._databases: dict[Path, sqlite3.Connection | None] = {}
        self._folder = folder
        self._name = f"pitboss-{os.getpid()}-{next(_serial)}"
        self._off = False
        self.attach(chance or random.Random(0), faults or SimulatedFaults(), trace, _cannot_wait)

    def attach(
        self,
        chance: random.Random,
        faults: SimulatedFaults,
        trace: Trace | None,
        pass_time: Callable[[float], None],
    ) -> None:
        """Puts the disk into a run; `pass_time` is called with the seconds that a slow sync takes."""
        self.faults = faults
        self._chance = chance
        self._trace = trace
        self._pass_time = pass_time

    # The Disk seam.

    def read(self, path: Path) -> bytes:
        """The bytes of a file; raises FileNotFoundError."""
        self._need_power()
        if path not in self._files:
            raise _error(errno.ENOENT, path)
        return bytes(self._files[path])

    def write(self, path: Path, data: bytes) -> None:
        """Replaces a file atomically and durably; raises OSError and leaves a whole file."""
        self._begin("write", path, len(data))
        self._sync(path)
        before = _Platter(self._durable(path), torn=False)
        self._files[path] = bytearray(data)
        self._unsynced[path] = before
        self._sync(path)
        del self._unsynced[path]

    def append(self, path: Path, data: bytes) -> None:
        """Appends to a file durably; raises OSError."""
        self._begin("append", path, len(data))
        before = self._durable(path)
        already_failed = path in self._unsynced
        size = len(self._files.setdefault(path, bytearray()))
        self._files[path] += data
        self._unsynced[path] = _Platter(before, torn=True)
        self._sync(path)
        if already_failed:
            # The next sync does not make good the one that failed: those pages count as written and stay lost.
            self._unsynced[path] = _Platter((before or b"").ljust(size, b"\0") + data, torn=False)
        else:
            del self._unsynced[path]

    def remove(self, path: Path) -> None:
        """Removes a file durably; a missing one is fine."""
        self._need_power()
        if path not in self._files:
            return
        self._begin("remove", path, 0)
        before = _Platter(self._durable(path), torn=False)
        del self._files[path]
        self._unsynced[path] = before
        self._sync(path)
        del self._unsynced[path]

    def names(self, folder: Path) -> list[str]:
        """The sorted names in a folder, databases and folders included; a missing folder is empty."""
        self._need_power()
        inside = (p for p in (*self._files, *self._databases) if folder in p.parents)
        return sorted({p.relative_to(folder).parts[0] for p in inside})

    def database(self, path: Path) -> str:
        """What sqlite3 opens, with uri=True, for a database kept at path; it lives until the disk is closed."""
        self._need_power()
        if self._folder is not None:
            return self._real_database(path, self._folder)
        uri = f"file:/{self._name}{quote(str(path))}?vfs=memdb"
        if path not in self._databases:
            self._databases[path] = sqlite3.connect(uri, uri=True, check_same_thread=False)
        return uri

    def _real_database(self, path: Path, folder: Path) -> str:
        file = folder.joinpath(*path.parts[1:] if path.is_absolute() else path.parts)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._databases[path] = None
        return str(file)

    # Steering.

    def peek(self, path: Path) -> bytes | None:
        """The bytes of a file as they are, whether or not the disk has power; None for a missing one."""
        content = self._files.get(path)
        return None if content is None else bytes(content)

    def used(self) -> int:
        """The bytes of all files."""
        return sum(map(len, self._files.values()))

    def power_cut(self) -> None:
        """Loses power: what was not synced is gone or half there, and all use raises PowerCut."""
        for path, platter in sorted(self._unsynced.items()):
            self._restore(path, platter)
        self._unsynced.clear()
        self._off = True
        self._record("power_cut")

    def power_on(self) -> None:
        """Brings the disk back after a power cut."""
        self._off = False

    def close(self) -> None:
        """Lets go of the databases; those in memory are gone."""
        for keeper in self._databases.values():
            if keeper is not None:
                keeper.close()
        self._databases.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Inside.

    def _begin(self, what: str, path: Path, size: int) -> None:
        self._need_power()
        self._record(what, path=path, size=size)
        if self.read_only:
            raise _error(errno.EROFS, path)
        full = self.capacity is not None and size > 0 and self.used() + size > self.capacity
        if full or (size > 0 and self.faults.fires("disk.full")):
            raise _error(errno.ENOSPC, path)

    def _sync(self, path: Path) -> None:
        if self.faults.fires("disk.power_cut"):
            self.power_cut()
            self._need_power()
        seconds = self.latency(self._chance)
        if self.faults.fires("disk.slow"):
            seconds += _SLOW(self._chance)
        if seconds > 0:
            self._pass_time(seconds)
        if self.faults.fires("disk.sync"):
            raise _error(errno.EIO, path)

    def _durable(self, path: Path) -> bytes | None:
        if path in self._unsynced:
            return self._unsynced[path].content
        return bytes(self._files[path]) if path in self._files else None

    def _restore(self, path: Path, platter: _Platter) -> None:
        """Puts a file into a state in which a power cut may leave it: not synced is not the same as not there."""
        content = platter.content
        if platter.torn:
            before = content or b""
            lost = self._files[path][len(before) :]
            content = before + bytes(lost[: self._chance.randint(0, len(lost))])
        elif self._chance.random() < 0.5:
            content = bytes(self._files[path]) if path in self._files else None
        if content is None:
            self._files.pop(path, None)
        else:
            self._files[path] = bytearray(content)

    def _need_power(self) -> None:
        if self._off:
            raise PowerCut("the simulated machine has no power; end this process, then call power_on()")

    def _record(self, what: str, **fields: object) -> None:
        if self._trace is not None:
            self._trace.record(f"disk.{what}", **fields)


def _error(code: int, path: Path) -> OSError:
    return OSError(code, os.strerror(code), str(path))  # the constructor picks the fitting subclass


def _cannot_wait(seconds: float) -> NoReturn:
    raise RuntimeError(f"a slow disk ({seconds:g} s) needs a simulated world: run under simulate()")
