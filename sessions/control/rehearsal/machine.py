"""The machine of a rehearsed daemon: the seams of the world as one of its lives holds them, cut off all at once."""

import random
import ssl
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from brokers.market import MarketEvent
from brokers.vault.private import anybody, no_other
from runtime.simulation import PowerCut, SimulatedWorld
from runtime.wire.redaction import Redactor
from runtime.world import World
from sessions.control.daemon.log_file import DaemonLog
from sessions.control.daemon.machine import Machine

T = TypeVar("T")

_ROOM = 1 << 40  # bytes free on a disk that has no end


class Wall:
    """The wall clock of one machine, which may lie; monotonic time never does."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.off_ns = 0
        self.monotonic_ns = world.clock.monotonic_ns
        self._true_ns = world.clock.wall_ns

    def wall_ns(self) -> int:
        """What this machine believes."""
        return self._true_ns() + self.off_ns


class Life:
    """What one life of a daemon touches: everything works until it is cut off, and nothing at all afterwards.

    After the cut every use of disk and threads raises PowerCut, connects fail, and connections are reset: whatever the
    dying code still tries has no effect, as with a process that was killed.
    """

    def __init__(self, world: SimulatedWorld, wall: Wall, number: int, reached: dict[str, None]) -> None:
        self.world = World(
            clock=wall,
            chance=random.Random(f"{world.seed}/life/{number}"),
            network=_Wires(self, world),
            disk=_Disk(self, world),
            threads=_Hands(self, world),
            faults=world.faults,
        )
        self.over = False
        self.reached = reached
        self._network = world.network

    def cut(self) -> None:
        """Ends all effects of this life."""
        self.over = True
        for link in self._network.links:
            link.reset()

    def alive(self) -> None:
        """Raises PowerCut when the life is over."""
        if self.over:
            raise PowerCut("this life of the daemon is over")


class _Disk:
    """The world's disk, while the life lasts."""

    def __init__(self, life: Life, world: SimulatedWorld) -> None:
        self._life, self._disk = life, world.disk

    def read(self, path: Path) -> bytes:
        self._life.alive()
        return self._disk.read(path)

    def write(self, path: Path, data: bytes) -> None:
        self._life.alive()
        self._disk.write(path, data)

    def append(self, path: Path, data: bytes) -> None:
        self._life.alive()
        self._disk.append(path, data)

    def remove(self, path: Path) -> None:
        self._life.alive()
        self._disk.remove(path)

    def names(self, folder: Path) -> list[str]:
        self._life.alive()
        return self._disk.names(folder)

    def database(self, path: Path) -> str:
        self._life.alive()
        return self._disk.database(path)


class _Hands:
    """The world's threads, while the life lasts."""

    def __init__(self, life: Life, world: SimulatedWorld) -> None:
        self._life, self._threads = life, world.threads

    async def run(self, work: Callable[[], T], heard: Callable[[T], object] | None = None) -> T:
        self._life.alive()
        return await self._threads.run(self._guarded(work), heard)

    def _guarded(self, work: Callable[[], T]) -> Callable[[], T]:
        def guarded() -> T:
            self._life.alive()
            return work()

        return guarded


class _Wires:
    """The world's network, while the life lasts."""

    def __init__(self, life: Life, world: SimulatedWorld) -> None:
        self._life, self._network = life, world.network

    async def connect(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> trio.abc.Stream:
        self._refuse()
        self._life.reached[host] = None
        return await self._network.connect(host, port, tls=tls)

    async def connect_unix(self, path: Path) -> trio.abc.Stream:
        self._refuse()
        return await self._network.connect_unix(path)

    async def listen(self, host: str, port: int) -> Sequence[trio.abc.Listener[trio.abc.Stream]]:
        self._refuse()
        return await self._network.listen(host, port)

    async def listen_unix(self, path: Path) -> trio.abc.Listener[trio.abc.Stream]:
        self._refuse()
        return await self._network.listen_unix(path)

    def _refuse(self) -> None:
        if self._life.over:
            raise OSError("this life of the daemon is over")


class MemoryLog(DaemonLog):
    """The log of a rehearsed daemon, in a list that outlives it."""

    def __init__(self, redactor: Redactor, lines: list[str], hear: Callable[[str], None]) -> None:
        super().__init__(redactor)
        self._lines, self._hear = lines, hear

    def _store(self, line: str) -> None:
        self._lines.append(line)
        self._hear(line)


@attrs.define(eq=False)
class Ground:
    """What outlives a life: the machine's disk, its wall clock, and all that its daemons ever logged."""

    world: SimulatedWorld
    wall: Wall
    lines: list[str] = attrs.field(factory=list)
    reached: dict[str, None] = attrs.field(factory=dict)  # the hosts that its daemons tried to reach
    hear: Callable[[str], None] = lambda _: None  # each of them, at once
    lives: int = 0
    recording: Sequence[MarketEvent] = ()

    @classmethod
    def of(cls, world: SimulatedWorld, recording: Sequence[MarketEvent] = ()) -> "Ground":
        """A machine in a world, whose embedded brokers trade on the recorded market if there is one."""
        return cls(world, Wall(world), recording=recording)

    def life(self) -> Life:
        """The next life."""
        self.lives += 1
        return Life(self.world, self.wall, self.lives, self.reached)

    def machine(self) -> Machine:
        """The machine as a daemon takes it."""
        entropy = random.Random(f"{self.world.seed}/entropy/{self.lives}")
        return Machine(
            open_log=self._open_log,
            free=self._free,
            entropy=entropy.randbytes,
            guard=anybody,
            alone=no_other,
            market=self._market if self.recording else None,
        )

    def _market(self, time_ns: int) -> Sequence[MarketEvent]:
        """The recording from a time on; at its end what it said last."""
        begin = bisect_left(self.recording, time_ns, key=lambda event: event.time_ns)
        return self.recording[min(begin, len(self.recording) - 1) :]

    def _open_log(self, _: Path, redactor: Redactor, *, size: int, files: int) -> MemoryLog:
        del size, files  # memory has no files to turn over
        return MemoryLog(redactor, self.lines, self._heard)

    def _heard(self, line: str) -> None:
        self.hear(line)  # whoever hears it may come later than the log

    def _free(self, _: Path) -> int:
        disk = self.world.disk
        return _ROOM if disk.capacity is None else max(disk.capacity - disk.used(), 0)
