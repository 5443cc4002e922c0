"""The world an actor may touch: clock, chance, network, disk, threads and fault points, as one argument.

A real world is made by `runtime.real.real_world()`, a simulated one by `runtime.simulation`. Nothing in the
project reads time, chance, sockets or files in any other way, so everything can be rehearsed from a seed.
"""

import random
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import attrs
import trio

T = TypeVar("T")


@runtime_checkable
class Clock(Protocol):
    """Time of one world; durations and deadlines use trio's clock, stamps use the wall."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never run backwards."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since 1970 in UTC."""
        ...


@runtime_checkable
class Network(Protocol):
    """Where streams come from: sockets in life, memory in simulation."""

    async def connect(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> trio.abc.Stream:
        """Opens a stream to host and port; raises OSError (socket.gaierror, ssl.SSLError) when that fails."""
        ...

    async def connect_unix(self, path: Path) -> trio.abc.Stream:
        """Opens a stream to the Unix socket at path; raises OSError when nobody answers there."""
        ...

    async def listen(self, host: str, port: int) -> Sequence[trio.abc.Listener[trio.abc.Stream]]:
        """Listens on host and port (0 chooses one); raises OSError when the address is taken."""
        ...

    async def listen_unix(self, path: Path) -> trio.abc.Listener[trio.abc.Stream]:
        """Listens on a new Unix socket of mode 0600 at path; raises FileExistsError when the path is taken."""
        ...


@runtime_checkable
class Threads(Protocol):
    """Where blocking work runs: a worker thread in life, inline in simulation."""

    async def run(self, work: Callable[[], T], heard: Callable[[T], object] | None = None) -> T:
        """Runs work off the event loop and returns its result; a cancellation waits for work to end.

        `heard` is given the result as soon as the event loop has it: tasks that it wakes go on before the caller does.
        """
        ...


@runtime_checkable
class Disk(Protocol):
    """Small durable files; the journal's database path comes from here too."""

    def read(self, path: Path) -> bytes:
        """The bytes of a file; raises FileNotFoundError."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Replaces a file atomically and durably, mode 0600; raises OSError and leaves the old file whole.

        Only when the last step fails, the sync of the folder, the new file may be there instead, whole too.
        """
        ...

    def append(self, path: Path, data: bytes) -> None:
        """Appends to a file durably; raises OSError, and then a sync that failed leaves the tail in doubt."""
        ...

    def remove(self, path: Path) -> None:
        """Removes a file; a missing one is fine."""
        ...

    def names(self, folder: Path) -> list[str]:
        """The sorted names in a folder; a missing folder is empty."""
        ...

    def database(self, path: Path) -> str:
        """What sqlite3 opens, with uri=True, for a database kept at path (an URI when it lives in memory)."""
        ...


@runtime_checkable
class Faults(Protocol):
    """Named fault points; in life they never fire and cost one attribute look-up and a call.

    idle  whether no point can ever fire, as in life: what is called all the time is then made without points
    """

    idle: bool

    def fires(self, point: str) -> bool:
        """Whether the named fault point goes wrong this time."""
        ...


@attrs.frozen
class World:
    """All seams of one run."""

    clock: Clock
    chance: random.Random
    network: Network
    disk: Disk
    threads: Threads
    faults: Faults
