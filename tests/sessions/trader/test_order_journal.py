"""Facts of orders in the journal: every kind comes back as it was, also after the process is gone."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers import order_events, reconciliation
from brokers.errors import NotRecorded
from brokers.executions import Execution, Executions
from brokers.lifecycle import OrderLife
from brokers.model import Change, Order, OrderGroup, OrderState
from brokers.order_log import Abandoned, Attempted, CashMoved, Intended, OrderFact, Snapshot
from brokers.reconciliation import Adopted, LateAcceptance, OrderEvent, Remedy
from runtime import Child, Runtime, Supervisor, open_runtime
from runtime.simulation import SimulatedDisk, SimulatedWorld, simulate
from sessions.journal import Entry, Journal, JournalCorrupt, JournalSettings
from sessions.journal.chain import Chain
from sessions.order_journal import JournalOrderLog, UnknownFact, from_entry, read_facts, to_entries, to_entry
from sessions.order_snapshot import PART, BadParts, from_parts
from tests.brokers.model_strategies import NIGHTLY, anything
from tests.brokers.test_desk_state import STEPS, History, traded

STREAM = "order/paper/a"
DECIMALS, TEXTS = anything(Decimal), anything(str)
EXECUTIONS = st.builds(
    Executions,
    st.dictionaries(TEXTS, st.none() | anything(Execution), max_size=3),
    DECIMALS,
    DECIMALS,
    DECIMALS,
    st.none() | DECIMALS,
)
LIVES = st.builds(
    OrderLife,
    anything(Order),
    st.sampled_from(OrderState),
    st.booleans(),
    st.none() | anything(Change),
    st.booleans(),
    EXECUTIONS,
    st.lists(TEXTS, max_size=2).map(tuple),
    TEXTS,
)
TIMES = st.integers(0, 2**63 - 1)
PLAIN = [kind for kind in get_args(reconciliation.Event) if kind not in (OrderEvent, Adopted, LateAcceptance)]
KINDS: dict[str, st.SearchStrategy[Any]] = {
    **{f"event {kind.__name__}": st.builds(OrderEvent, TEXTS, anything(kind)) for kind in get_args(order_events.Event)},
    **{kind.__name__: anything(kind) for kind in (*PLAIN, Attempted, Abandoned, CashMoved)},
    "Intended": st.builds(
        Intended, anything(Order) | anything(OrderGroup).filter(lambda one: one.orders), anything(str)
    ),
    "Adopted": st.builds(Adopted, TEXTS, LIVES, st.none() | TEXTS, TIMES, st.booleans()),
    "LateAcceptance": st.builds(LateAcceptance, TEXTS, LIVES, st.none() | TEXTS, TIMES, st.sampled_from(Remedy)),
}


@pytest.mark.parametrize("name", KINDS)
def test_o01_every_kind_of_fact_reads_back_equal(name: str) -> None:
    @settings(max_examples=20 * NIGHTLY)
    @given(KINDS[name], TIMES)
    def reads_back(what: Any, wall_ns: int) -> None:
        fact = OrderFact(wall_ns, what)
        entry = to_entry(fact, STREAM, 1)
        assert from_entry(entry.kind, entry.body, entry.wall_ns) == fact

    reads_back()


@given(st.text(max_size=20))
def test_f36_half_a_character_in_a_brokers_words_loses_the_character_and_no_fact(words: str) -> None:
    fact = OrderFact(1, OrderEvent("k", order_events.LostTouch(words + "\ud800")))
    entry = to_entry(fact, STREAM, 1)
    kept = from_entry(entry.kind, entry.body, entry.wall_ns)
    assert kept.what == OrderEvent("k", order_events.LostTouch((words + "\ud800").encode(errors="replace").decode()))


@pytest.mark.parametrize(("kind", "body"), [("books.nonsense", "{}"), ("books.attempted", "{}"), ("order.sent", "[1]")])
def test_an_entry_that_is_no_fact_is_refused_by_name(kind: str, body: str) -> None:
    with pytest.raises(UnknownFact) as refused:
        from_entry(kind, body, 1)
    assert refused.value.kind == kind


# The log over a journal that runs.

SETTINGS = JournalSettings(Path("/journal"), Path("/elsewhere/head"))
FACTS = [OrderFact(number, Attempted((f"k{number}",), 1)) for number in range(5)]


def with_journal(disk: SimulatedDisk, play: Callable[[Runtime, JournalOrderLog], Any], **more: Any) -> Any:
    """Plays with the log of one account over a journal on that disk."""

    async def main(world: SimulatedWorld) -> Any:
        async with open_runtime(world) as runtime:
            journal = Child("journal", lambda: Journal(SETTINGS, Chain(b"k" * 32)), name="journal")
            await runtime.start(Supervisor([journal]))
            return await play(runtime, JournalOrderLog(runtime.name("journal", Journal), "paper", "a", world))

    return simulate(main, seed=1, disk=disk, **more).unwrap()


def test_o01_what_was_synced_is_loaded_in_order_by_the_next_life() -> None:
    async def first(_: Runtime, log: JournalOrderLog) -> None:
        assert list(await log.load()) == []
        for fact in FACTS:
            log.note(fact)
        await log.sync()

    async def second(_: Runtime, log: JournalOrderLog) -> list[OrderFact]:
        return list(await log.load())

    with SimulatedDisk() as disk:
        with_journal(disk, first)
        assert with_journal(disk, second) == FACTS


def test_facts_of_another_account_are_not_loaded() -> None:
    async def play(runtime: Runtime, log: JournalOrderLog) -> list[OrderFact]:
        other = JournalOrderLog(runtime.name("journal", Journal), "paper", "b", runtime.world)
        for one in (log, other):
            await one.load()
        log.note(FACTS[0])
        other.note(FACTS[1])
        await other.sync()
        return list(await log.load())

    with SimulatedDisk() as disk:
        assert with_journal(disk, play) == FACTS[:1]


def test_f19_d06_a_journal_that_fails_lets_nothing_be_sent_and_loses_no_fact_when_it_is_well_again() -> None:
    async def play(runtime: Runtime, log: JournalOrderLog) -> list[OrderFact]:
        await log.load()
        runtime.world.faults.arm("journal.full")  # type: ignore[attr-defined]  # a simulated world's
        log.note(FACTS[0])
        with pytest.raises(NotRecorded):
            await log.sync()
        log.note(FACTS[1])
        await trio.sleep(5)
        await log.sync()
        return list(await log.load())

    with SimulatedDisk() as disk:
        assert with_journal(disk, play) == FACTS[:2]


def test_a_log_that_was_not_loaded_lets_nothing_be_sent() -> None:
    async def play(_: Runtime, log: JournalOrderLog) -> None:
        log.note(FACTS[0])
        with pytest.raises(NotRecorded):
            await log.sync()

    with SimulatedDisk() as disk:
        with_journal(disk, play)


def test_a_stream_with_an_entry_that_is_no_fact_is_not_loaded() -> None:
    async def play(runtime: Runtime, log: JournalOrderLog) -> None:
        entry = attrs.evolve(to_entry(FACTS[0], STREAM, 1), kind="books.nonsense")
        await runtime.name("journal", Journal).call(Journal.commit, (entry,))
        with pytest.raises(NotRecorded) as refused:
            await log.load()
        assert isinstance(refused.value.__cause__, JournalCorrupt)

    with SimulatedDisk() as disk:
        with_journal(disk, play)


# Snapshots.

MANY = attrs.evolve(traded().state(), closed=tuple(f"{number:022d}" for number in range(40_000)))
SNAPSHOT = OrderFact(9, Snapshot(MANY))


def bodies(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.body for entry in entries]


@settings(max_examples=20 * NIGHTLY)
@given(STEPS, TEXTS, TIMES)
def test_a_snapshot_of_any_books_reads_back_equal(steps: list[tuple[str, int, int]], words: str, wall_ns: int) -> None:
    history = History()
    for step in steps:
        history.step(*step)
    state = attrs.evolve(history.desk.state(), moved=(words,))
    fact = OrderFact(wall_ns, Snapshot(state))
    assert from_parts(bodies(to_entries(fact, STREAM, 1)), wall_ns) == fact


def test_a_snapshot_too_large_for_one_entry_is_kept_in_parts_of_which_the_first_is_found_by_its_stream() -> None:
    entries = to_entries(SNAPSHOT, STREAM, 1)
    assert len(entries) > 2
    assert [entry.key for entry in entries] == [STREAM, *[None] * (len(entries) - 1)]
    assert max(map(len, bodies(entries))) < 2 * PART + 200
    assert from_parts(bodies(entries), 9) == SNAPSHOT


def test_a_snapshot_of_which_a_part_is_missing_strange_or_changed_is_no_snapshot() -> None:
    whole = bodies(to_entries(SNAPSHOT, STREAM, 1))
    other = bodies(to_entries(attrs.evolve(SNAPSHOT, what=Snapshot(attrs.evolve(MANY, fill_count=77))), STREAM, 1))
    for damaged in (
        whole[:-1],
        whole[1:],
        [whole[1], whole[0], *whole[2:]],
        [*other[:1], *whole[1:]],
        [whole[0].replace("00001", "00009"), *whole[1:]],
        [],
    ):
        with pytest.raises(BadParts):
            from_parts(damaged, 9)


def test_a_load_begins_at_the_newest_snapshot_and_goes_on_with_what_follows() -> None:
    newest = attrs.evolve(SNAPSHOT, what=Snapshot(traded().state()))

    async def play(_: Runtime, log: JournalOrderLog) -> list[OrderFact]:
        await log.load()
        for fact in (FACTS[0], SNAPSHOT, FACTS[1], newest, FACTS[2], FACTS[3]):
            log.note(fact)
        await log.sync()
        return list(await log.load())

    with SimulatedDisk() as disk:
        assert with_journal(disk, play) == [newest, FACTS[2], FACTS[3]]


def test_a_history_of_facts_reaches_behind_the_newest_snapshot() -> None:
    async def play(runtime: Runtime, log: JournalOrderLog) -> list[OrderFact]:
        await log.load()
        for fact in (FACTS[0], SNAPSHOT, FACTS[1]):
            log.note(fact)
        await log.sync()
        writer = await runtime.name("journal", Journal).call(Journal.handle)
        return await writer.perform(lambda store: read_facts(store.database, STREAM))

    with SimulatedDisk() as disk:
        assert with_journal(disk, play) == FACTS[:2]


@pytest.mark.parametrize("left_out", [0, 1, -1])
def test_a_snapshot_that_is_not_whole_is_not_loaded_and_neither_is_what_came_before(left_out: int) -> None:
    async def play(runtime: Runtime, log: JournalOrderLog) -> None:
        kept = list(to_entries(SNAPSHOT, STREAM, 1))
        lost = kept.pop(left_out)
        kept[0] = attrs.evolve(kept[0], key=lost.key or kept[0].key)
        entries = [to_entry(FACTS[0], STREAM, 1), *kept, to_entry(FACTS[1], STREAM, 1)]
        await runtime.name("journal", Journal).call(Journal.commit, entries)
        with pytest.raises(NotRecorded, match="parts of one snapshot") as refused:
            await log.load()
        assert isinstance(refused.value.__cause__, JournalCorrupt)

    with SimulatedDisk() as disk:
        with_journal(disk, play)
