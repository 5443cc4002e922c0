"""The simulated disk: durable when it says so, and every way in which it may not be."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runtime.simulation import (
    FaultPlan,
    PowerCut,
    SimulatedDisk,
    SimulatedWorld,
    fixed,
    on_hits,
    simulate,
)
from runtime.world import Disk
from tests.runtime.simulation.rehearsal import NIGHTLY, rehearsed

FILE = Path("/var/lib/pitboss/vault")
LOG = Path("/var/lib/pitboss/audit.log")


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def outcomes(attempt: str, plan_hit: int) -> set[bytes | None]:
    """What a power cut at the n-th sync of one change may leave of a file that held `old`, over many seeds."""
    left: set[bytes | None] = set()
    for seed in range(40):

        async def change(world: SimulatedWorld) -> None:
            world.disk.write(FILE, b"old")
            world.disk.faults.arm("disk.power_cut", plan_hit)
            match attempt:
                case "write":
                    world.disk.write(FILE, b"new")
                case "append":
                    world.disk.append(FILE, b"tail")
                case "remove":
                    world.disk.remove(FILE)

        disk = SimulatedDisk()
        assert isinstance(simulate(change, seed=seed, disk=disk).error, PowerCut)
        disk.power_on()
        left.add(disk.read(FILE) if disk.names(FILE.parent) else None)
    return left


def test_the_simulated_disk_is_a_disk(disk: SimulatedDisk) -> None:
    assert isinstance(disk, Disk)


def test_files_are_written_appended_listed_and_removed(disk: SimulatedDisk) -> None:
    disk.write(FILE, b"one")
    disk.write(FILE, b"two")
    disk.append(FILE, b"!")
    disk.append(LOG, b"line")
    assert disk.read(FILE) == b"two!"
    assert disk.names(FILE.parent) == ["audit.log", "vault"]
    assert disk.names(Path("/var")) == ["lib"]
    disk.remove(FILE)
    disk.remove(FILE)
    assert disk.names(FILE.parent) == ["audit.log"]
    assert disk.names(Path("/nowhere")) == []
    with pytest.raises(FileNotFoundError, match="vault"):
        disk.read(FILE)


def test_f24_a_full_disk_refuses_writes_leaves_files_whole_and_recovers_with_space(disk: SimulatedDisk) -> None:
    disk.write(FILE, b"12345678")
    disk.capacity = 12
    for change in (disk.write, disk.append):
        with pytest.raises(OSError, match="vault") as caught:
            change(FILE, b"abcde")
        assert caught.value.errno == errno.ENOSPC
    assert disk.read(FILE) == b"12345678"
    disk.capacity = 13
    disk.append(FILE, b"abcde")
    assert disk.read(FILE) == b"12345678abcde"


def test_f24_space_comes_back_when_a_file_is_removed(disk: SimulatedDisk) -> None:
    disk.capacity = 10
    disk.write(FILE, b"12345678")
    with pytest.raises(OSError, match="No space"):
        disk.append(LOG, b"abc")
    disk.remove(FILE)
    disk.append(LOG, b"abc")
    assert disk.used() == 3


@pytest.mark.parametrize("hit", [1, 2])
def test_f25_a_sync_that_fails_leaves_a_whole_file(disk: SimulatedDisk, hit: int) -> None:
    disk.write(FILE, b"old")
    disk.faults.arm("disk.sync", hit)
    with pytest.raises(OSError, match="vault") as caught:
        disk.write(FILE, b"new")
    assert caught.value.errno == errno.EIO
    assert disk.read(FILE) == (b"old" if hit == 1 else b"new")


def test_f25_what_a_failed_sync_did_not_reach_shows_in_reads_but_may_not_outlive_a_power_cut() -> None:
    left = set()
    for seed in range(40):
        disk = SimulatedDisk()

        async def change(world: SimulatedWorld) -> None:
            world.disk.append(LOG, b"kept")
            world.disk.faults.arm("disk.sync")
            with pytest.raises(OSError, match="audit"):
                world.disk.append(LOG, b"lost")
            assert world.disk.read(LOG) == b"keptlost"
            world.disk.power_cut()

        simulate(change, seed=seed, disk=disk).unwrap()
        disk.power_on()
        left.add(disk.read(LOG))
    assert left == {b"kept", b"keptl", b"keptlo", b"keptlos", b"keptlost"}


def test_f25_a_later_sync_does_not_make_good_the_one_that_failed() -> None:
    left = set()
    for seed in range(40):
        disk = SimulatedDisk()

        async def change(world: SimulatedWorld) -> None:
            world.disk.append(LOG, b"kept")
            world.disk.faults.arm("disk.sync")
            with pytest.raises(OSError, match="audit"):
                world.disk.append(LOG, b"lost")
            world.disk.append(LOG, b"more")
            world.disk.power_cut()

        simulate(change, seed=seed, disk=disk).unwrap()
        disk.power_on()
        left.add(disk.read(LOG))
    assert left == {b"kept\0\0\0\0more", b"keptlostmore"}


def test_f27_a_slow_sync_in_a_thread_holds_up_only_the_thread() -> None:
    async def scenario(world: SimulatedWorld) -> tuple[int, float]:
        world.disk.latency = fixed(2.0)
        heartbeats = 0

        async def beat() -> None:
            nonlocal heartbeats
            while True:
                await trio.sleep(0.1)
                heartbeats += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat)
            await world.threads.run(lambda: world.disk.append(LOG, b"x"))
            nursery.cancel_scope.cancel()
        return heartbeats, trio.current_time()

    heartbeats, seconds = simulate(scenario, seed=1).unwrap()
    assert seconds == 2.0
    assert heartbeats >= 19


@rehearsed
async def test_f27_a_slow_sync_on_the_event_loop_freezes_everybody(world: SimulatedWorld) -> None:
    beats: list[float] = []

    async def beat() -> None:
        for _ in range(3):
            await trio.sleep(0.1)
            beats.append(trio.current_time())

    await world.threads.run(lambda: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(beat)
        await trio.testing.wait_all_tasks_blocked()
        world.disk.latency = fixed(2.0)
        world.disk.append(LOG, b"x")
    assert beats == pytest.approx([2.0, 2.1, 2.2])


def test_f27_the_slow_point_takes_time() -> None:
    async def scenario(world: SimulatedWorld) -> float:
        world.disk.append(LOG, b"x")
        await trio.lowlevel.checkpoint()
        return trio.current_time()

    seconds = simulate(scenario, seed=1, faults=FaultPlan({"disk.slow": on_hits(1)})).unwrap()
    assert 0.2 <= seconds <= 2.0


def test_a_slow_disk_outside_of_a_world_says_what_it_needs(disk: SimulatedDisk) -> None:
    disk.latency = fixed(1.0)
    with pytest.raises(RuntimeError, match="simulate"):
        disk.append(LOG, b"x")


def test_f29_what_was_acknowledged_outlives_a_power_cut(disk: SimulatedDisk) -> None:
    disk.write(FILE, b"secret")
    disk.append(LOG, b"a")
    disk.append(LOG, b"b")
    disk.power_cut()
    disk.power_on()
    assert disk.read(FILE) == b"secret"
    assert disk.read(LOG) == b"ab"


def test_f29_without_power_nothing_works_until_it_is_back(disk: SimulatedDisk) -> None:
    disk.write(FILE, b"x")
    disk.power_cut()
    for use in (
        lambda: disk.read(FILE),
        lambda: disk.write(FILE, b"y"),
        lambda: disk.append(FILE, b"y"),
        lambda: disk.remove(FILE),
        lambda: disk.names(FILE.parent),
        lambda: disk.database(FILE),
    ):
        with pytest.raises(PowerCut):
            use()
    disk.power_on()
    assert disk.read(FILE) == b"x"


def test_f29_a_power_cut_during_a_write_leaves_the_old_file_or_the_new_one() -> None:
    assert outcomes("write", 1) == {b"old"}
    assert outcomes("write", 2) == {b"old", b"new"}


def test_f29_a_power_cut_during_an_append_tears_it_at_any_byte() -> None:
    assert outcomes("append", 1) == {b"old", b"oldt", b"oldta", b"oldtai", b"oldtail"}


def test_f29_a_power_cut_during_a_removal_leaves_the_file_or_nothing() -> None:
    assert outcomes("remove", 1) == {b"old", None}


def test_f30_a_read_only_disk_refuses_every_change_and_can_be_read(disk: SimulatedDisk) -> None:
    disk.write(FILE, b"x")
    disk.read_only = True
    changes: list[Callable[[], None]] = [
        lambda: disk.write(FILE, b"y"),
        lambda: disk.append(FILE, b"y"),
        lambda: disk.remove(FILE),
    ]
    for change in changes:
        with pytest.raises(OSError, match="Read-only") as caught:
            change()
        assert caught.value.errno == errno.EROFS
    assert disk.read(FILE) == b"x"


def test_a_database_in_memory_is_shared_by_its_connections_and_outlives_them() -> None:
    journal = Path("/var/lib/pitboss/journal.db")

    async def first(world: SimulatedWorld) -> None:
        writer = sqlite3.connect(world.disk.database(journal), uri=True, isolation_level=None)
        writer.execute("create table orders (id text)")
        writer.execute("insert into orders values ('A1')")
        writer.close()

    async def second(world: SimulatedWorld) -> list[tuple[str]]:
        reader = sqlite3.connect(world.disk.database(journal), uri=True)
        rows = reader.execute("select id from orders").fetchall()
        reader.close()
        return rows

    with SimulatedDisk() as disk:
        simulate(first, seed=1, disk=disk).unwrap()
        disk.power_cut()
        disk.power_on()
        assert simulate(second, seed=2, disk=disk).unwrap() == [("A1",)]
        assert disk.names(journal.parent) == ["journal.db"]
        uri = disk.database(journal)
    empty = sqlite3.connect(uri, uri=True)
    assert empty.execute("select count(*) from sqlite_master").fetchone() == (0,)
    empty.close()


def test_the_disk_of_a_run_is_gone_with_the_run() -> None:
    async def scenario(world: SimulatedWorld) -> str:
        uri = world.disk.database(FILE)
        writer = sqlite3.connect(uri, uri=True)
        writer.execute("create table orders (id text)")
        writer.close()
        return uri

    after = sqlite3.connect(simulate(scenario, seed=1).unwrap(), uri=True)
    assert after.execute("select count(*) from sqlite_master").fetchone() == (0,)
    after.close()


def test_databases_of_two_disks_and_of_two_paths_are_different() -> None:
    with SimulatedDisk() as one, SimulatedDisk() as two:
        uris = {one.database(FILE), one.database(LOG), two.database(FILE)}
        assert len(uris) == 3
        assert one.database(FILE) in uris


def test_a_database_may_live_in_a_real_folder(tmp_path: Path) -> None:
    disk = SimulatedDisk(folder=tmp_path)
    connection = sqlite3.connect(disk.database(Path("/var/lib/journal.db")), uri=True)
    assert connection.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    connection.close()
    assert (tmp_path / "var/lib/journal.db").exists()
    assert disk.names(Path("/var/lib")) == ["journal.db"]


class DiskMachine(RuleBasedStateMachine):
    """The disk against a model: what readers see, and for changes that failed what a power cut may leave."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk()
        self.seen: dict[Path, bytes | None] = {}
        self.doubtful: dict[Path, set[bytes | None]] = {}

    paths = st.sampled_from([FILE, LOG])
    data = st.binary(min_size=1, max_size=5)

    @rule(path=paths, data=data)
    def write(self, path: Path, data: bytes) -> None:
        self.disk.write(path, data)
        self.acknowledged(path, data)

    @rule(path=paths, data=data)
    def append(self, path: Path, data: bytes) -> None:
        if path not in self.doubtful:
            self.disk.append(path, data)
            self.acknowledged(path, (self.seen.get(path) or b"") + data)

    @rule(path=paths)
    def remove(self, path: Path) -> None:
        if self.seen.get(path) is not None:
            self.disk.remove(path)
            self.acknowledged(path, None)

    @rule(path=paths, data=data, point=st.sampled_from(["disk.full", "disk.sync"]))
    def fail_before_the_file_is_in_place(self, path: Path, data: bytes, point: str) -> None:
        self.disk.faults.arm(point)
        with pytest.raises(OSError, match=path.name):
            self.disk.write(path, data)

    @rule(path=paths, data=data)
    def fail_after_the_file_is_in_place(self, path: Path, data: bytes) -> None:
        self.disk.faults.arm("disk.sync", 2)
        with pytest.raises(OSError, match=path.name):
            self.disk.write(path, data)
        self.doubtful.setdefault(path, {self.seen.get(path)}).add(data)
        self.seen[path] = data

    @rule()
    def lose_power(self) -> None:
        self.disk.power_cut()
        self.disk.power_on()
        for path, possible in self.doubtful.items():
            left = self.disk.read(path) if path.name in self.disk.names(path.parent) else None
            assert left in possible
            self.seen[path] = left
        self.doubtful.clear()

    @invariant()
    def readers_see_every_change_that_was_acknowledged(self) -> None:
        files = {path: content for path, content in self.seen.items() if content is not None}
        assert self.disk.names(FILE.parent) == sorted(path.name for path in files)
        assert {path: self.disk.read(path) for path in files} == files

    def acknowledged(self, path: Path, content: bytes | None) -> None:
        self.seen[path] = content
        self.doubtful.pop(path, None)


TestDiskAgainstItsModel = DiskMachine.TestCase
TestDiskAgainstItsModel.settings = settings(max_examples=40 * NIGHTLY, stateful_step_count=20, deadline=None)
