"""The turn of a month: what the new file begins with is all that accounts, sessions and the daemon need of the old."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from brokers import account_books
from brokers.account_books import AccountBooks, books_name
from brokers.account_desk import AccountDesk
from brokers.catalogue import Catalogue
from brokers.ledger import AccountTerms
from brokers.market import Quote
from brokers.order_log import Intended, MemoryLog, OrderFact, Snapshot
from brokers.paper import open_paper
from brokers.reconciliation import Policy
from runtime import Child, DynamicSupervisor, Name, Runtime, Supervisor, open_runtime
from runtime.simulation import SimulatedDisk, SimulatedWorld, simulate
from sessions.carry import carrying
from sessions.journal import Entry, Journal, JournalSettings
from sessions.journal.carry import NotCarried, newest
from sessions.journal.chain import Chain
from sessions.order_journal import JournalOrderLog, order_stream, read_books, to_entries
from sessions.order_snapshot import KIND
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import KillSwitch
from sessions.sessions import JournalDesired
from sessions.strategy import Event, View, buy
from sessions.trader.log import TAG, JournalSessionLog, Kept
from tests.brokers.reconciliation.play import order
from tests.sessions.risk.kit import calendars, wide_portfolio
from tests.sessions.trader.kit import CALM_PAPER, ES, OPEN_NS, A, Stage, quote

SETTINGS = JournalSettings(Path("/journal"), Path("/elsewhere/head"))
STREAM = order_stream("paper", A)
BELOW = Decimal("6790.00")


def with_journal(play: Callable[[SimulatedWorld, Runtime, Name[Journal]], Awaitable[Any]], disk: SimulatedDisk) -> Any:
    """Plays in a runtime with a journal on that disk."""

    async def main(world: SimulatedWorld) -> Any:
        async with open_runtime(world) as runtime:
            child = Child("journal", lambda: Journal(SETTINGS, Chain(b"k" * 32)), name="journal")
            await runtime.start(Supervisor([child]))
            return await play(world, runtime, runtime.name("journal", Journal))

    return simulate(main, seed=1, epoch_ns=OPEN_NS, disk=disk).unwrap()


async def database(journal: Name[Journal]) -> str:
    """The file in use."""
    writer = await journal.call(Journal.handle)
    return await writer.perform(lambda store: store.database)


def one_and_a_rest(event: Event, view: View[Any]) -> Any:
    """On every quote buys one at the market; on the first also asks for another below it."""
    if not isinstance(event, Quote):
        return None
    rest = [] if view.orders else [buy(ES, 1, limit=BELOW, tag="rest")]
    return [buy(ES, 1, tag=f"t{view.now_ns}"), *rest]


async def on_the_floor(world: SimulatedWorld, runtime: Runtime, journal: Name[Journal]) -> Stage:
    """A session that trades, with everything it keeps in the journal."""
    logs = partial(JournalOrderLog, journal, "paper", world=world)
    broker = await open_paper(runtime, CALM_PAPER, recording=[quote()], logs=logs)
    switch = KillSwitch(world.disk, world.clock, Path("/risk"))
    switch.permit("the test")
    switch.open()
    gate = RiskGate(wide_portfolio(), switch, calendars())
    stage = Stage(runtime, world, broker, gate, switch, await runtime.start(DynamicSupervisor(), "sessions"))
    log = JournalSessionLog(journal, "s1", world)
    await stage.begin(stage.script(one_and_a_rest, whole={"log": log}))
    return stage


async def trade(stage: Stage, times: int) -> None:
    for _ in range(times):
        stage.shows()
        await trio.sleep(0.5)


def folded(world: SimulatedWorld, facts: list[OrderFact]) -> AccountDesk:
    terms = AccountTerms("paper", A, "USD")
    desk = AccountDesk(terms, Catalogue.shipped().instrument, lambda *_: None, MemoryLog(), world.clock, Policy())
    desk.fold(facts, world.clock.monotonic_ns())
    return desk


@pytest.mark.parametrize("saved_first", [False, True])
def test_d11_what_was_traded_before_the_turn_of_the_month_is_there_after_a_kill_and_a_start(
    *, saved_first: bool
) -> None:
    async def play(world: SimulatedWorld, runtime: Runtime, journal: Name[Journal]) -> None:
        stage = await on_the_floor(world, runtime, journal)
        books = runtime.name(books_name("paper", A), AccountBooks)
        await trade(stage, 1)
        if saved_first:
            await books.call(AccountBooks.save)
            await trade(stage, 1)
        old = await database(journal)
        await journal.call(Journal.roll, carrying())
        await trade(stage, 1)

        live = stage.desk().state()
        tags = await JournalSessionLog(journal, "s1", world).tags(live.open)
        assert list(tags.values()) == ["rest"]
        assert list(tags) == list(live.open)
        assert await database(journal) != old
        start = folded(world, read_books(await database(journal), STREAM))
        assert (start.problems, start.state()) == (0, live)

        books.resolve().kill("test")  # type: ignore[union-attr]  # it runs
        await trio.sleep(5)
        await stage.settled()
        assert stage.desk().quantity(ES, "s1") == stage.held() == 2 + saved_first
        assert set(stage.desk().open) == set(live.open)
        assert {entry.session for entry in stage.desk().entries.values()} == {"s1"}
        await journal.call(Journal.verify)

    with SimulatedDisk() as disk:
        with_journal(play, disk)


def test_d11_an_orderly_stop_leaves_a_snapshot_with_which_the_next_process_begins() -> None:
    async def first(world: SimulatedWorld, runtime: Runtime, journal: Name[Journal]) -> Any:
        stage = await on_the_floor(world, runtime, journal)
        await trade(stage, 3)
        return stage.desk().state()

    async def second(world: SimulatedWorld, _: Runtime, journal: Name[Journal]) -> Any:
        await journal.call(Journal.roll, carrying())
        facts = read_books(await database(journal), STREAM)
        return len(facts), isinstance(facts[0].what, Snapshot), folded(world, facts).state()

    with SimulatedDisk() as disk:
        live = with_journal(first, disk)
        assert with_journal(second, disk) == (1, True, live)


def test_books_note_a_snapshot_when_so_much_has_happened_that_a_start_would_be_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(account_books, "SNAPSHOT_FACTS", 5)

    async def play(world: SimulatedWorld, runtime: Runtime, journal: Name[Journal]) -> None:
        stage = await on_the_floor(world, runtime, journal)
        await trade(stage, 1)
        facts = stage.desk().unsaved
        assert facts > 5
        assert len(read_books(await database(journal), STREAM)) == facts
        await trio.sleep(10)
        assert stage.desk().unsaved == 0
        (snapshot,) = read_books(await database(journal), STREAM)
        assert isinstance(snapshot.what, Snapshot)
        assert snapshot.what.state == stage.desk().state()

    with SimulatedDisk() as disk:
        with_journal(play, disk)


def test_of_a_session_the_last_state_and_book_are_carried_and_the_tags_that_orders_may_still_need() -> None:
    async def play(world: SimulatedWorld, _: Runtime, journal: Name[Journal]) -> None:
        log = JournalSessionLog(journal, "s1", world)
        await log.load()
        for number in range(3):
            log.keep_state(str(number))
            log.keep_book(str(number * 10))
        log.keep_tags({f"k{number}": f"tag {number}" for number in range(1_500)})
        in_the_books = OrderFact(1, Intended(order("k0"), "s1"))
        await journal.call(Journal.commit, to_entries(in_the_books, STREAM, 1))
        before = await database(journal)
        await journal.call(Journal.roll, carrying())
        assert await log.load() == Kept("2", "20")
        kept = await log.tags(["k0", "k499", "k500", "k1499"])
        assert kept == {"k0": "tag 0", "k500": "tag 500", "k1499": "tag 1499"}
        assert await database(journal) != before

    with SimulatedDisk() as disk:
        with_journal(play, disk)


def test_what_should_run_is_carried_and_so_is_what_others_pick() -> None:
    async def play(world: SimulatedWorld, _: Runtime, journal: Name[Journal]) -> None:
        desired = JournalDesired(journal, world)
        await desired.keep("s1", wanted=True)
        await desired.keep("s2", wanted=True)
        await desired.keep("s1", wanted=False)
        await journal.call(Journal.commit, [Entry("own", "others", None, f"{number}", 1, 1) for number in range(5)])
        await journal.call(Journal.roll, carrying(lambda reader: newest(reader, "others", 2)))
        await journal.call(Journal.roll, carrying(lambda reader: newest(reader, "others", 2)))
        assert await desired.load() == {"s1": False, "s2": True}
        writer = await journal.call(Journal.handle)
        head = await writer.perform(lambda store: store.head.seq - store.index.start.seq)
        assert head == 5  # the opening of the file, two sessions and the two of others

    with SimulatedDisk() as disk:
        with_journal(play, disk)


def test_a_file_with_a_damaged_snapshot_is_not_rolled_and_stays_in_use() -> None:
    async def play(_: SimulatedWorld, __: Runtime, journal: Name[Journal]) -> None:
        await journal.call(Journal.commit, [Entry(KIND, STREAM, STREAM, "{}", 1, 1)])
        before = await database(journal)
        with pytest.raises(NotCarried, match="goes on in this one"):
            await journal.call(Journal.roll, carrying())
        assert await database(journal) == before
        await journal.call(Journal.commit, [Entry(TAG, "session/s1/session.tag", "k", '"t"', 1, 1)])

    with SimulatedDisk() as disk:
        with_journal(play, disk)
