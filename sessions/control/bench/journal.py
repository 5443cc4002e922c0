"""The journal: commits one by one and in groups beside the same commits without it, and how fast it is read again.

Two floors, both with one transaction a row and a thread each time: a bare table without chain, indexes and owner, and
a journal's store without its group commit. Floors and journal take turns in every round: a disk has moods.
"""

import math
import sqlite3
import statistics
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

import attrs
import trio

from runtime.real import real_world
from sessions.control.bench.report import Measurements
from sessions.journal.chain import Chain
from sessions.journal.reader import Reader
from sessions.journal.rows import Entry
from sessions.journal.store import JournalSettings, Store
from sessions.journal.writer import Writer

CALLERS = 50
ALONE = 100  # commits of one caller in a round
EACH = 40  # commits of each of many callers in a round
_BODY = (
    '{"type":"intent","order":{"symbol":"ESZ26","side":"buy","type":"limit","quantity":"1","limit_price":"5000.25"}}'
)

Commit = Callable[[Entry], Awaitable[object]]


@attrs.define
class JournalSamples:
    """Seconds a commit and rows a second, floor and journal, over all rounds."""

    floor_alone: list[float] = attrs.field(factory=list)
    alone: list[float] = attrs.field(factory=list)
    floor_rows: list[float] = attrs.field(factory=list)
    one_by_one_rows: list[float] = attrs.field(factory=list)
    rows: list[float] = attrs.field(factory=list)


def measure_journal(results: Measurements, rounds: int) -> None:
    """Adds what a commit costs, how many rows a second many callers get, and both against the floor."""
    samples = trio.run(_rounds, rounds)
    for name, seconds in (("floor", samples.floor_alone), ("journal", samples.alone)):
        results.add(f"{name}_commit_p50", 1e6 * statistics.median(seconds), "us")
        results.add(f"{name}_commit_p99", 1e6 * _percentile(seconds, 0.99), "us")
    floor, one_by_one, rows = map(statistics.median, (samples.floor_rows, samples.one_by_one_rows, samples.rows))
    results.add("floor_rows_50_callers", floor, "per s")
    results.add("one_by_one_rows_50_callers", one_by_one, "per s")
    results.add("journal_rows_50_callers", rows, "per s")
    results.add("journal_rows_over_floor", rows / floor, "x")
    results.add("journal_rows_over_one_by_one", rows / one_by_one, "x")
    results.add(
        "journal_commit_over_floor", statistics.median(samples.alone) / statistics.median(samples.floor_alone), "x"
    )


def measure_replay(results: Measurements, rows: int) -> None:
    """Adds the seconds that reading so many rows takes, and with every hash checked."""
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder))
        entries = _entries()
        for _ in range(rows // 1_000):
            store.append([next(entries) for _ in range(1_000)])
        with Reader(store.database) as reader:
            begin = perf_counter()
            found = sum(1 for _ in reader.since())
            results.add(f"replay_{found}", perf_counter() - begin, "s")
            begin = perf_counter()
            store.chain.verify(reader.since(), reader.start)
            results.add(f"replay_{found}_verified", perf_counter() - begin, "s")
        store.close()


async def _rounds(rounds: int) -> JournalSamples:
    samples = JournalSamples()
    entries = _entries()
    with tempfile.TemporaryDirectory() as folder:
        async with _writer(Path(folder)) as writer:

            def journal(entry: Entry) -> Awaitable[object]:
                return writer.commit((entry,))

            with closing(_Floor(Path(folder) / "floor.db")) as floor, closing(_OneByOne(Path(folder) / "one")) as one:
                for _ in range(rounds):
                    await _one_caller(floor.commit, entries, samples.floor_alone)
                    await _one_caller(journal, entries, samples.alone)
                    samples.floor_rows.append(await _many_callers(floor.commit, entries, EACH // 10))
                    await one.begin()
                    samples.one_by_one_rows.append(await _many_callers(one.commit, entries, EACH // 10))
                    await writer.perform(Store.checkpoint)  # each pays for its own pages
                    samples.rows.append(await _many_callers(journal, entries, EACH))
    return samples


@asynccontextmanager
async def _writer(folder: Path) -> AsyncIterator[Writer]:
    store = _store(folder)
    writer = Writer(store, lambda _: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run)
        yield writer
        await writer.close()


class _Floor:
    """One row, one transaction, one thread, one after the other; the same durability."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL").fetchone()
        self._connection.execute("PRAGMA synchronous=FULL").fetchone()
        self._connection.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, kind, stream, key, body, wall, mono)")
        self._turn = trio.Lock()

    async def commit(self, entry: Entry) -> None:
        """Inserts one row durably."""
        async with self._turn:
            await trio.to_thread.run_sync(partial(self._insert, entry))

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _insert(self, entry: Entry) -> None:
        fields = (entry.kind, entry.stream, entry.key, entry.body, entry.wall_ns, entry.monotonic_ns)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?)", fields)
        self._connection.execute("COMMIT")


class _OneByOne:
    """Another journal without a writer: one entry a commit."""

    def __init__(self, folder: Path) -> None:
        self._store = _store(folder)
        self._turn = trio.Lock()

    async def begin(self) -> None:
        """Gives it a log that is empty and long enough, as the writer does where it has a moment."""
        await trio.to_thread.run_sync(self._store.checkpoint)
        await trio.to_thread.run_sync(self._store.make_room)

    async def commit(self, entry: Entry) -> None:
        """Appends one row durably."""
        async with self._turn:
            await trio.to_thread.run_sync(self._store.append, (entry,))

    def close(self) -> None:
        """Closes the journal."""
        self._store.close()


async def _one_caller(commit: Commit, entries: Iterator[Entry], seconds: list[float]) -> None:
    for _ in range(ALONE):
        entry = next(entries)
        begin = perf_counter()
        await commit(entry)
        seconds.append(perf_counter() - begin)


async def _many_callers(commit: Commit, entries: Iterator[Entry], each: int) -> float:
    """Rows a second with 50 callers, each of whom waits for its row before it brings the next."""

    async def caller() -> None:
        for _ in range(each):
            await commit(next(entries))

    begin = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(CALLERS):
            nursery.start_soon(caller)
    return CALLERS * each / (perf_counter() - begin)


def _store(folder: Path) -> Store:
    store = Store(JournalSettings(folder / "journal", folder / "head"), Chain(b"benchmark" * 4), real_world())
    store.open()
    return store


def _entries() -> Iterator[Entry]:
    for number in count():
        yield Entry("order.intent", f"order/paper/A{number % 5}", f"key{number:09}", _BODY, number, number)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]
