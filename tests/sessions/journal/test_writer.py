"""Group commit and the actor: in a simulated world where time matters, on a real disk where threads do."""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import attrs
import pytest
import trio
import trio.lowlevel
import trio.testing

from runtime import Child, Runtime, Supervisor, open_runtime
from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.run import simulate
from runtime.simulation.world import SimulatedWorld
from runtime.wire.capture import Direction, Exchange, Kind
from sessions.journal.capture import JournalCapture
from sessions.journal.errors import (
    JournalBusy,
    JournalClosed,
    JournalFailed,
    JournalFenced,
    JournalFull,
    RetentionRefused,
)
from sessions.journal.journal import JOURNAL, Journal
from sessions.journal.reader import Reader, replay
from sessions.journal.store import CHECKPOINT_PAGES, JournalSettings, Store
from sessions.journal.unwritten import MOST_KEPT, Unwritten
from sessions.journal.writer import (
    GROUP_ROWS,
    NOTE_SECONDS,
    JournalDown,
    JournalNews,
    JournalNotice,
    JournalUp,
    State,
    Writer,
)
from tests.sessions.journal.desk import CHAIN, FOLDER, HEAD, entries, entry, memory_store, numbered, real_store

Story = Callable[[SimulatedWorld, Writer, list[JournalNews]], Awaitable[None]]


@asynccontextmanager
async def writing(store: Store, news: list[JournalNews]) -> AsyncIterator[Writer]:
    store.open()
    async with trio.open_nursery() as nursery:
        writer = Writer(store, news.append)
        nursery.start_soon(writer.run)
        yield writer
        await writer.close()


def rehearse(story: Story) -> list[int]:
    """Runs a story in a simulated world; returns the numbers of its entries that are on disk afterwards."""

    async def main(world: SimulatedWorld) -> None:
        news: list[JournalNews] = []
        async with writing(Store(JournalSettings(FOLDER, HEAD, 0.0), CHAIN, world), news) as writer:
            await story(world, writer, news)

    with SimulatedDisk() as disk:
        simulate(main, seed=1, disk=disk).unwrap()
        return written(disk)


async def until_ready(writer: Writer) -> None:
    while writer.state is not State.READY:  # noqa: ASYNC110 - virtual time, and no event tells of it but the one tested
        await trio.sleep(0.001)


def written(disk: SimulatedDisk) -> list[int]:
    store = memory_store(disk)
    store.open()
    with Reader(store.database) as reader:
        CHAIN.verify(reader.since(), reader.start)
        found = numbered(row.entry for row in reader.since())
    store.abandon()
    return found


def kinds(disk: SimulatedDisk) -> list[str]:
    store = memory_store(disk)
    store.open()
    with Reader(store.database) as reader:
        found = [row.entry.kind for row in reader.since()]
    store.abandon()
    return found


def test_commits_and_notes_are_on_disk_in_the_order_of_the_calls() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        writer.note(entries(1))
        assert await writer.commit(entries(2, 3)) == 4
        writer.note(entries(4))
        assert await writer.commit([]) == 5
        assert await writer.commit(entries(5)) == 6

    assert rehearse(story) == [1, 2, 3, 4, 5]


def test_a_note_is_on_disk_after_50_ms_without_any_commit() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        writer.note(entries(1))
        await trio.sleep(0.049)
        writer.note(entries(2))
        assert writer.statistics().seq == 1
        await trio.sleep(0.002)
        assert writer.statistics().seq == 3

    assert rehearse(story) == [1, 2]


def test_many_callers_share_a_commit_and_each_learns_its_own_number() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        world.threads.latency = lambda _: 0.01
        numbers: dict[int, int] = {}

        async def caller(number: int) -> None:
            numbers[number] = await writer.commit(entries(number))

        async with trio.open_nursery() as nursery:
            for number in range(1, 51):
                nursery.start_soon(caller, number)
        assert sorted(numbers.values()) == list(range(2, 52))
        assert writer.statistics().groups <= 2
        found = {row.entry.monotonic_ns: row.seq for row in Reader(str(_database(world))).since()}
        assert {number: found[number] for number in numbers} == numbers

    assert sorted(rehearse(story)) == list(range(1, 51))


def _database(world: SimulatedWorld) -> str:
    return world.disk.database(FOLDER / "entries-00000000000000000001.db")


def test_a_group_is_bounded_and_a_flood_is_refused_whole() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        writer.note(entries(*range(1, 700)))
        writer.note(entries(*range(700, 1_400)))
        await writer.commit([])
        assert writer.statistics().largest_group <= GROUP_ROWS
        one = entry(1)
        with pytest.raises(JournalFull) as full:
            writer.note([one] * 100_001)
        assert (full.value.waiting, full.value.refused) == (0, 100_001)

    assert rehearse(story) == list(range(1, 1_400))


def test_a_checkpoint_waits_for_a_quiet_moment_unless_the_log_has_grown_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []  # after how many rows
    checkpoint = Store.checkpoint

    def noted(store: Store, **how: bool) -> None:
        made.append(store.head.seq)
        checkpoint(store, **how)

    monkeypatch.setattr(Store, "checkpoint", noted)

    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        number, pages = 1, []
        while not made:
            await writer.commit(entries(*range(number, number + 100)))
            number += 100
            pages.append(writer._store.pages)
            await trio.sleep(NOTE_SECONDS / 2)
        assert max(pages) > CHECKPOINT_PAGES * 2
        while writer._store.pages < CHECKPOINT_PAGES:
            await writer.commit(entries(*range(number, number + 100)))
            number += 100
        assert len(made) == 1
        await trio.sleep(NOTE_SECONDS * 2)
        assert len(made) == 2
        await trio.sleep(NOTE_SECONDS * 100)
        assert len(made) == 2

    rehearse(story)


def test_d05_a_commit_that_is_queued_outlives_the_cancellation_of_its_caller() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        world.threads.latency = lambda _: 1.0
        with trio.move_on_after(0.5) as scope:
            assert await writer.commit(entries(1)) == 2
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            scope.cancel()
            await writer.commit(entries(2))
        assert scope.cancelled_caught

    assert rehearse(story) == [1]


@pytest.mark.parametrize("point", ["journal.full", "journal.sync"])
def test_d06_f24_f25_a_failure_refuses_every_caller_at_once_and_is_told_first(point: str) -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        heard: list[tuple[float, int]] = []
        await writer.commit(entries(1))
        world.threads.latency = lambda _: 0.01
        world.faults.arm(point)

        async def caller(number: int) -> None:
            with pytest.raises(JournalFailed):
                await writer.commit(entries(number))
            assert isinstance(news[0], JournalDown)
            heard.append((trio.current_time(), number))

        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller, 2)
            await trio.sleep(0.001)
            nursery.start_soon(caller, 3)  # it waits for the next group, which never comes
        assert [number for _, number in sorted(heard)] in ([2, 3], [3, 2])
        assert max(at for at, _ in heard) - begun <= 0.1
        with pytest.raises(JournalFailed):
            await writer.commit(entries(4))
        writer.note(entries(5))
        await until_ready(writer)
        assert trio.current_time() - begun <= 5, "R26"
        assert news[1:] == [JournalUp(seq=writer.statistics().seq, survived=point == "journal.sync")]
        await writer.commit(entries(6))

    assert rehearse(story) == ([1, 5, 6] if point == "journal.full" else [1, 2, 5, 6])


@pytest.mark.parametrize("point", ["journal.full", "journal.sync"])
def test_d07_notes_in_a_failed_group_are_neither_lost_nor_written_twice(point: str) -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        world.faults.arm(point)
        writer.note(entries(1, 2))
        writer.note(entries(3))
        await trio.sleep(10)
        await writer.commit(entries(4))

    assert rehearse(story) == [1, 2, 3, 4]


def test_r26_f24_a_disk_that_is_full_for_a_minute_takes_orders_again_within_5_seconds() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        for hit in range(1, 60):
            world.faults.arm("journal.full", hit)
        with pytest.raises(JournalFailed):
            await writer.commit(entries(1))
        await trio.sleep(50)
        assert writer.statistics().state is State.FAILED
        world.faults.silence()
        with trio.fail_after(5):
            await until_ready(writer)
        await writer.commit(entries(2))

    assert rehearse(story) == [2]


def test_f27_a_slow_disk_slows_commits_and_nothing_else() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        world.threads.latency = lambda _: 2.0
        beats = 0

        async def heart() -> None:
            nonlocal beats
            while True:
                await trio.sleep(0.1)
                beats += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(heart)
            await writer.commit(entries(1))
            nursery.cancel_scope.cancel()
        assert beats >= 18
        world.threads.latency = lambda _: 0.0

    assert rehearse(story) == [1]


def test_d13_the_head_goes_to_its_second_place_every_minute_and_a_failure_there_is_told() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        await writer.commit(entries(1))
        await trio.sleep(61)
        assert b'"seq": 2' in world.disk.read(HEAD)
        await writer.commit(entries(2))
        world.disk.read_only = True
        await trio.sleep(60)
        assert isinstance(news[0], JournalNotice)
        assert writer.state is State.READY
        world.disk.read_only = False
        await trio.sleep(60)
        assert b'"seq": 3' in world.disk.read(HEAD)

    assert rehearse(story) == [1, 2]


def test_a_fenced_writer_stays_down_and_says_who_owns_the_journal() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        usurper = memory_store(world.disk)
        usurper.open()
        with pytest.raises(JournalFenced) as fenced:
            await writer.commit(entries(1))
        assert (fenced.value.epoch, fenced.value.owner) == (1, 2)
        await trio.sleep(100)
        assert writer.state is State.REFUSED
        with pytest.raises(JournalFenced):
            await writer.commit(entries(2))
        with pytest.raises(JournalFenced):
            writer.note(entries(3))
        usurper.append(entries(4))
        usurper.close()

    assert rehearse(story) == [4]


def test_what_waits_is_written_at_the_close_and_later_callers_are_refused() -> None:
    async def story(world: SimulatedWorld, writer: Writer, news: list[JournalNews]) -> None:
        writer.note(entries(1))
        await writer.close()
        with pytest.raises(JournalClosed):
            await writer.commit(entries(2))
        with pytest.raises(JournalClosed):
            writer.note(entries(3))

    assert rehearse(story) == [1]


def test_a_killed_writer_tells_all_who_wait() -> None:
    async def main(world: SimulatedWorld) -> None:
        store = Store(JournalSettings(FOLDER, HEAD, 0.0), CHAIN, world)
        store.open()
        writer = Writer(store, lambda _: None)
        world.threads.latency = lambda _: 1.0

        async def caller(number: int, expected: type[Exception] | None) -> None:
            if expected is None:
                await writer.commit(entries(number))
            else:
                with pytest.raises(expected):
                    await writer.commit(entries(number))

        async with trio.open_nursery() as callers, trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            callers.start_soon(caller, 1, None)
            await trio.sleep(0.1)
            callers.start_soon(caller, 2, JournalClosed)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()

    with SimulatedDisk() as disk:
        simulate(main, seed=1, disk=disk).unwrap()
        assert written(disk) == [1]


# On a real disk with real threads.


async def test_a_callback_that_fails_ends_the_writer_and_everybody_else_is_told_once(tmp_path: Path) -> None:
    store, told = real_store(tmp_path), list[str]()
    store.open()
    writer = Writer(store, lambda _: None)

    def fail(_: object) -> None:
        told.append("before")
        raise ZeroDivisionError

    async def caller(expected: type[Exception] | None) -> None:
        with pytest.raises(expected) if expected else contextlib.nullcontext():
            await writer.commit(entries(1))
        told.append("task")

    async with trio.open_nursery() as callers:
        callers.start_soon(caller, None)
        await trio.testing.wait_all_tasks_blocked()
        writer.submit(entries(2), fail)
        callers.start_soon(caller, JournalFailed)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.RaisesGroup(ZeroDivisionError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(writer.run)
    assert sorted(told) == ["before", "task", "task"]


async def test_f26_d04_a_lock_held_by_another_process_leaves_the_event_loop_free(tmp_path: Path) -> None:
    store = real_store(tmp_path, busy_seconds=0.3)
    async with writing(store, []) as writer:
        other = sqlite3.connect(store.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                begun = perf_counter()
                await trio.lowlevel.checkpoint()
                longest = max(longest, perf_counter() - begun)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            with pytest.raises(JournalBusy):
                await writer.commit(entries(1))
            nursery.cancel_scope.cancel()
        assert longest < 0.25, "the wait for the lock is longer than any pause of the loop"
        other.rollback()
        other.close()
        assert await writer.commit(entries(2)) == 2


async def test_rows_are_read_beside_the_writer_by_stream_by_key_and_from_any_number(tmp_path: Path) -> None:
    store = real_store(tmp_path)
    async with writing(store, []) as writer:
        await writer.commit([entry(n, stream=f"order/paper/A{n % 2}", key=f"k{n % 5}") for n in range(1, 2_501)])
        with Reader(store.database) as reader:
            assert numbered(row.entry for row in reader.by_stream("order/paper/A1")) == list(range(1, 2_501, 2))
            assert numbered(row.entry for row in reader.by_key("k0")) == list(range(5, 2_501, 5))
            assert numbered(row.entry for row in reader.since(2_499)) == [2_499, 2_500]
            assert numbered(row.entry for row in reader.tail(3)) == [2_498, 2_499, 2_500]
            assert list(reader.by_key("nobody's")) == []
            sizes = [len(batch) async for batch in replay(store.world.threads, reader.since())]
        assert sizes == [1_000, 1_000, 501]


@pytest.mark.parametrize("count", [0, 1, 3, 10, 11, 100])
def test_the_newest_rows_of_a_stream_are_read_without_the_others(count: int) -> None:
    with SimulatedDisk() as disk:
        store = memory_store(disk)
        store.open()
        store.append([attrs.evolve(entry(number), stream="odd" if number % 2 else "even") for number in range(20)])
        with Reader(store.database) as reader:
            assert numbered(row.entry for row in reader.newest("odd", count)) == list(range(1, 20, 2))[-max(count, 1) :]
            assert list(reader.newest("nobody's", count)) == []
        store.abandon()


def journal_child(folder: Path, news: list[JournalNews]) -> Child[Journal]:
    settings = JournalSettings(folder / "journal", folder / "head")
    return Child("journal", lambda: Journal(settings, CHAIN, news.append), name="journal")


async def test_the_actor_opens_serves_and_closes_in_good_order(tmp_path: Path) -> None:
    news: list[JournalNews] = []
    async with open_runtime(real_store(tmp_path).world) as runtime:
        await runtime.start(Supervisor([journal_child(tmp_path, news)]))
        journal = runtime.name("journal", Journal)
        journal.cast(Journal.note, entries(1))
        assert await journal.call(Journal.commit, entries(2)) == 3
        handle = await journal.call(Journal.handle)
        assert await handle.commit(entries(3)) == 4
        assert (await journal.call(Journal.statistics)).seq == 4
        assert (await journal.call(Journal.verify)).seq == 4
        assert not await journal.call(Journal.month_is_over)
        assert (await journal.call(Journal.roll, lambda _: entries(4))).last.seq == 4
        assert [segment.last.seq for segment in await journal.call(Journal.archive)] == [4]
        assert (await journal.call(Journal.backup, tmp_path / "copy")).seq == 6
        assert (await journal.call(Journal.verify)).seq == 6
        with pytest.raises(RetentionRefused):
            await journal.call(Journal.prune, dt.date(2100, 1, 1), "too early")
        assert await journal.call(Journal.commit, entries(5)) == 7
    assert all(isinstance(each, JournalNotice) for each in news)
    with pytest.raises(JournalClosed):
        await handle.commit(entries(5))


def test_the_actor_publishes_its_failures_and_survives_them() -> None:
    async def main(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            await _fail_once(world, runtime)

    with SimulatedDisk() as disk:
        simulate(main, seed=1, disk=disk).unwrap()
        assert written(disk) == [2]


async def _fail_once(world: SimulatedWorld, runtime: Runtime) -> None:
    told: list[JournalNews] = []
    await runtime.start(
        Supervisor([Child("journal", lambda: Journal(JournalSettings(FOLDER, HEAD), CHAIN, told.append), name="j")])
    )
    journal = runtime.name("j", Journal)
    with runtime.topics.subscribe(JOURNAL) as subscription:
        world.faults.arm("journal.full")
        with pytest.raises(JournalFailed):
            await journal.call(Journal.commit, entries(1))
        await trio.sleep(2)
        assert [type(news) for news in subscription.take()] == [JournalDown, JournalUp]
    assert [type(news) for news in told][-2:] == [JournalDown, JournalUp]
    await journal.call(Journal.commit, entries(2))


@pytest.mark.parametrize("failed", [False, True], ids=["while it writes", "while its disk fails"])
def test_i21_notes_that_a_journal_did_not_get_to_are_written_first_by_its_next_instance(failed: bool) -> None:
    unwritten = Unwritten()

    async def main(world: SimulatedWorld) -> None:
        settings = JournalSettings(FOLDER, HEAD)
        child = Child("journal", lambda: Journal(settings, CHAIN, unwritten=unwritten), name="j")
        async with open_runtime(world) as runtime:
            await runtime.start(Supervisor([child]))
            journal = runtime.name("j", Journal)
            handle = await journal.call(Journal.handle)
            capture = JournalCapture(handle.note, world.clock, unwritten)
            if failed:
                world.faults.arm("journal.full")
                with pytest.raises(JournalFailed):
                    await handle.commit(entries(1))
            handle.note(entries(2))
            handle.note(entries(3))
            ref = journal.resolve()
            assert ref is not None
            ref.kill("test")
            await ref.ended()
            capture(Exchange(Kind.FRAME, Direction.IN, "c", 1, 0, 0))
            await trio.sleep(1)
            await journal.call(Journal.commit, entries(4))

    with SimulatedDisk() as disk:
        simulate(main, seed=1, disk=disk).unwrap()
        assert written(disk) == [2, 3, 4]
        assert kinds(disk).count("raw") == 1


def test_i21_more_notes_than_can_be_kept_for_the_next_instance_are_counted() -> None:
    unwritten = Unwritten()
    for number in range(MOST_KEPT + 2):
        unwritten.keep(entries(number))
    notes, lost = unwritten.take()
    assert (len(notes), lost) == (MOST_KEPT, 2)
    assert unwritten.take() == ([], 0)
