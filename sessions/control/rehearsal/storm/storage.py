"""The faults of storage: a full, failing, busy or slow disk, for the journal and for the small files beside it."""

from functools import partial
from typing import Final

from runtime.simulation import fixed
from runtime.simulation.conditions import INSTANTLY
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, Value, lasting, one_of, whole
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage

FULL: Final = "journal.full"
SYNC: Final = "journal.sync"
BUSY: Final = "journal.busy"
FILE_SYNC: Final = "disk.sync"
_HITS: Final = range(1, 1_000)  # of a point that fires for a while


def _disk_full(stage: Stage, _: Strike) -> Undo:
    """No byte fits any more, neither in the journal nor in a file."""
    disk, faults = stage.world.disk, stage.world.faults
    disk.capacity = disk.used()
    for hit in _HITS:
        faults.arm(FULL, hit)

    def space_again() -> None:
        disk.capacity = None
        faults.disarm(FULL)

    return space_again


def _one_write_fails(stage: Stage, strike: Strike) -> None:
    point, _, hit = strike.value.partition(" ")
    stage.world.faults.arm(point, int(hit))


def _busy(stage: Stage, _: Strike) -> Undo:
    """Another process holds the journal's lock."""
    faults = stage.world.faults
    for hit in _HITS:
        faults.arm(BUSY, hit)
    return partial(faults.disarm, BUSY)


def _slow(stage: Stage, strike: Strike) -> Undo:
    """Everything that goes to the disk by a thread takes its time."""
    threads = stage.world.threads
    threads.latency = fixed(float(strike.value))

    def fast_again() -> None:
        threads.latency = INSTANTLY

    return fast_again


def _at_a_hit(*points: str) -> Value:
    which, hit = one_of(*points), whole(1, 20)
    return lambda chance: f"{which(chance)} {hit(chance)}"


STORAGE: Final = (
    Kind(
        name="disk-full",
        row="F24",
        does="no space is left, for the journal and for files",
        place=Place.MACHINE,
        act=_disk_full,
        lasts=lasting(0.5, 60),
        hourly=8,
    ),
    Kind(
        name="no-space",
        row="F24",
        does="one write of the journal finds no space",
        place=Place.MACHINE,
        act=_one_write_fails,
        value=_at_a_hit(FULL),
        hourly=20,
    ),
    Kind(
        name="sync-fails",
        row="F25",
        does="one sync of the journal, or of a file, fails with EIO",
        place=Place.MACHINE,
        act=_one_write_fails,
        value=_at_a_hit(SYNC, SYNC, FILE_SYNC),
        hourly=20,
    ),
    Kind(
        name="journal-busy",
        row="F26",
        does="another process holds the lock of the journal",
        place=Place.MACHINE,
        act=_busy,
        lasts=lambda chance: chance.choice((1.0, 5.0, 30.0)),
        hourly=8,
    ),
    Kind(
        name="slow-disk",
        row="F27",
        does="each write takes so many seconds",
        place=Place.MACHINE,
        act=_slow,
        value=one_of(0.2, 0.2, 2),
        lasts=lasting(2, 60),
        hourly=8,
    ),
)
