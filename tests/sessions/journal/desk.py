"""What the journal's tests share: entries, stores on real and simulated disks, and a child process to be killed."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from runtime import World
from runtime.real import NoFaults, SocketNetwork, WorkerThreads, real_world
from runtime.simulation.clock import EPOCH_NS, SimulatedClock
from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.faults import SimulatedFaults
from runtime.world import Disk
from sessions.journal.chain import Chain
from sessions.journal.rows import Entry
from sessions.journal.store import JournalSettings, Store

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
CHAIN = Chain(b"a key for tests only")
FOLDER, HEAD = Path("/journal"), Path("/elsewhere/head")
STRACE = shutil.which("strace")


def entry(number: int, stream: str = "order/paper/A1", key: str | None = None, body: str = "") -> Entry:
    return Entry("order.intent", stream, key or f"k{number}", body or f'{{"n":{number}}}', EPOCH_NS + number, number)


def entries(*numbers: int) -> list[Entry]:
    return [entry(number) for number in numbers]


def real_store(folder: Path, chain: Chain = CHAIN, busy_seconds: float = 0.0) -> Store:
    """On a real disk."""
    return Store(settings(folder, busy_seconds), chain, real_world(random.Random(0)))


def settings(folder: Path, busy_seconds: float = 0.0) -> JournalSettings:
    return JournalSettings(folder / "journal", folder / "head", busy_seconds)


def still_world(disk: Disk, faults: SimulatedFaults | None = None) -> World:
    """A world for blocking code: a clock that stands still, a disk of the caller's choice."""
    return World(
        clock=SimulatedClock(now=lambda: 0.0),
        chance=random.Random(0),
        network=SocketNetwork(),
        disk=disk,
        threads=WorkerThreads(),
        faults=faults or NoFaults(),
    )


def memory_store(disk: SimulatedDisk, faults: SimulatedFaults | None = None) -> Store:
    """On a disk in memory."""
    return Store(JournalSettings(FOLDER, HEAD, 0.0), CHAIN, still_world(disk, faults))


@attrs.frozen
class Ended:
    """What a child process said before it ended, and how it ended."""

    code: int
    acknowledged: tuple[int, ...]
    lines: tuple[str, ...]


def child(mode: str, folder: Path, *arguments: object) -> list[str]:
    """The command of a child process."""
    return [sys.executable, "-m", "tests.sessions.journal.child", mode, str(folder), *map(str, arguments)]


def run(command: Sequence[str]) -> Ended:
    """Runs a child to its end."""
    done = subprocess.run(  # noqa: S603 - our own child, by our own interpreter
        command, capture_output=True, text=True, timeout=60, check=False, env=environment()
    )
    return told(done.returncode, done.stdout)


def told(code: int, output: str) -> Ended:
    lines = tuple(output.splitlines())
    return Ended(code, tuple(int(line.split()[1]) for line in lines if line.startswith("ack ")), lines)


def traced(injection: str, command: Sequence[str]) -> list[str]:
    """A command under strace with a fault injected into its system calls."""
    call = injection.split(":", maxsplit=1)[0]
    options = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={injection}"]
    return [str(STRACE), *options, *command]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


def numbered(rows: Iterator[Entry]) -> list[int]:
    """The numbers of our own entries."""
    return [row.monotonic_ns for row in rows if row.kind == "order.intent"]
