"""A whole session on the paper broker: from the tick to the fill, quotes into bars, a cancel past a crowd of ticks.

Strategy, risk, ledger, account manager and data source are those of life; only the market stands still but for what is
shown here. Floors of the same run: the order path alone, and a commit of this disk.
"""

import io
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import trio
import trio.lowlevel

from brokers.account_books import account_topic
from brokers.account_desk import AccountDesk
from brokers.account_manager import AccountManager
from brokers.catalogue import Catalogue
from brokers.ledger import AccountTerms
from brokers.market import Interval, Quote
from brokers.market_data import MarketDataSource
from brokers.model import Fill, Order, OrderReport, OrderState, OrderType
from brokers.order_events import Acknowledged, Filled, Working
from brokers.order_log import Attempted, Intended, MemoryLog, OrderFact
from brokers.reconciliation import OrderEvent, Policy
from brokers.sides import Side
from runtime.real import real_world
from sessions.control.bench import paper
from sessions.control.bench.footprint import IDLE, ORDERS, measure_idle_sessions, measure_many_orders
from sessions.control.bench.journal import measure_journal, measure_replay
from sessions.control.bench.reconciling import measure_reconciliation
from sessions.control.bench.report import Measurements
from sessions.control.bench.stage import ACCOUNT, BID, OPEN_NS, SESSION, SYMBOL, open_session
from sessions.journal.chain import Chain
from sessions.journal.store import JournalSettings, Store
from sessions.order_journal import order_stream, read_facts, to_entry
from sessions.strategy import Decisions, Denied, Event, Series, View, Wants, buy, sell
from sessions.strategy import Filled as ToldFill
from sessions.trader.trader import Trader

WARM_UP: Final = 100
BURST: Final = 16  # ticks that a feed brings at once
ENTRIES: Final = 100_000  # of a journal that is read again


def run(rounds: int, tell: Callable[[str], None]) -> Measurements:
    """Measures what is quick in each round, and once what fills memory."""
    results = Measurements("session")
    for number in range(1, rounds + 1):
        for what, measure in _QUICK.items():
            tell(f"round {number} of {rounds}: {what}")
            measure(results)
    for what, measure in _ONCE.items():
        tell(what)
        measure(results)
    results.at_most("tick_to_fill_p50", 200)
    results.at_most("journalled_tick_to_fill_p50", 400)
    results.at_most("journalled_p99_over_disk_p99", 1_000)
    results.at_least("orders_open_loop", 5_000)
    results.at_most("orders_open_loop_denied", 0)
    results.at_least("quotes_with_bars", 100_000)
    results.at_most("cancel_behind_ticks", 2)
    results.at_least("journal_rows_over_one_by_one", 25)
    results.at_most(f"replay_{ENTRIES + 1}", 1)  # with the entry that the journal begins with
    results.at_most(f"orders_folded_{ENTRIES}", 1)
    results.at_most("reconcile_large_account", 1)
    results.at_most(f"process_with_{IDLE}_idle_sessions", 80)
    results.at_most(f"growth_within_{ORDERS}_orders", 4)
    return results


# From the tick to the fill.


def measure_order_path(results: Measurements) -> None:
    """Adds the floor of an order: account manager and paper broker without any session around them."""
    results.add("order_path_p50", paper.run(1, lambda _: None).median("order_to_fill_p50"), "us")


def measure_tick_to_fill(results: Measurements, orders: int = 1_000) -> None:
    """Adds how long it takes from a tick to the strategy that hears of the fill, one order after the other."""
    _add_latencies(results, "tick_to_fill", trio.run(_closed_loop, orders))


def measure_journalled(results: Measurements, orders: int = 300) -> None:
    """Adds the same over a journal, each order beside a bare commit of the disk that the journal lies on."""
    commits: list[float] = []
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "floor").open("wb", buffering=0) as floor:

        async def commit() -> None:
            commits.append(await trio.to_thread.run_sync(_commit, floor))

        samples = trio.run(_closed_loop, orders, Path(folder), commit)
    p50, p99 = _add_latencies(results, "journalled_tick_to_fill", samples)
    disk50, disk99 = _add_latencies(results, "disk_commit", commits)
    results.add("journalled_p50_over_disk_p50", p50 - disk50, "us")
    results.add("journalled_p99_over_disk_p99", p99 - disk99, "us")


def _commit(file: io.FileIO) -> float:
    """Seconds that this disk takes for a page, forced out as the journal's commits are."""
    began = perf_counter()
    file.write(bytes(4096))
    os.fdatasync(file.fileno())
    return perf_counter() - began


def _add_latencies(results: Measurements, name: str, seconds: list[float]) -> tuple[float, float]:
    """Adds median and slowest hundredth, and returns both in microseconds."""
    samples = sorted(seconds)
    p50 = results.add(f"{name}_p50", 1e6 * samples[len(samples) // 2], "us")
    return p50, results.add(f"{name}_p99", 1e6 * samples[len(samples) * 99 // 100], "us")


async def _nothing() -> None:
    """Between two orders without a journal there is nothing to do."""


async def _closed_loop(
    orders: int, folder: Path | None = None, between: Callable[[], Awaitable[None]] = _nothing
) -> list[float]:
    decided, filled_at = [0], [0.0]
    filled = trio.Event()

    def decide(event: Event, _: View[Any]) -> Decisions:
        if type(event) is Quote:
            decided[0] += 1
            return (buy if decided[0] % 2 else sell)(SYMBOL, 1)
        if type(event) is ToldFill:
            filled_at[0] = perf_counter()
            filled.set()
        return None

    samples = []
    async with open_session(decide, Wants(quotes=(SYMBOL,)), folder) as stage:
        for number in range(orders + WARM_UP):
            filled = trio.Event()
            tick = stage.quote(number)
            began = perf_counter()
            stage.show(tick)
            await filled.wait()
            if number >= WARM_UP:
                samples.append(filled_at[0] - began)
            await stage.rest()
            await between()
    return samples


def measure_open_loop(results: Measurements, quotes: int = 20_000) -> None:
    """Adds how many quotes a second get an order each that fills, while nobody waits for the one before."""
    seconds, denied = trio.run(_open_loop, quotes)
    results.add("orders_open_loop", (quotes - denied) / seconds, "per s")
    results.add("orders_open_loop_denied", denied, "orders")


async def _open_loop(quotes: int) -> tuple[float, int]:
    """Seconds until every order is filled or denied, and how many were denied."""
    decided, fills, denied = [0], [0], [0]

    def decide(event: Event, _: View[Any]) -> Decisions:
        if type(event) is Quote:
            decided[0] += 1
            return (buy if decided[0] % 2 else sell)(SYMBOL, 1, tag=f"t{decided[0]}")
        fills[0] += type(event) is ToldFill
        denied[0] += type(event) is Denied
        return None

    async with open_session(decide, Wants(quotes=(SYMBOL,))) as stage:
        began = perf_counter()
        for number in range(quotes):
            while decided[0] < number:  # a quote that is conflated gets no order
                await trio.lowlevel.checkpoint()
            stage.show(stage.quote(number))
        while fills[0] + denied[0] < quotes:
            await trio.lowlevel.checkpoint()
        return perf_counter() - began, denied[0]


# Quotes into bars.


def measure_quotes(results: Measurements, ticks: int = 100_000) -> None:
    """Adds how many ticks a second a session with bars takes from its feed, by way of the data source.

    Of quotes in bursts the data source keeps the newest; how many it publishes is told too. Every print is kept.
    """
    for name, prints in (("quotes", False), ("prints", True)):
        seconds, published = trio.run(_ticks, ticks, prints)
        results.add(f"{name}_with_bars", ticks / seconds, "per s")
        results.add(f"{name}_published", published / seconds, "per s")


async def _ticks(ticks: int, prints: bool) -> tuple[float, int]:
    """Seconds until a strategy has the last tick, and how many the data source has published."""
    newest: list[Event | None] = [None]

    def decide(event: Event, _: View[Any]) -> None:
        newest[0] = event

    wants = Wants(quotes=(SYMBOL,), trades=(SYMBOL,), bars=(Series(SYMBOL, Interval.parse("1m"), 10),))
    async with open_session(decide, wants) as stage:
        make = stage.print if prints else stage.quote
        events = [make(number) for number in range(ticks)]
        began = perf_counter()
        for at in range(0, ticks, BURST):
            for event in events[at : at + BURST]:
                stage.show(event)
            await trio.lowlevel.checkpoint()
        while newest[0] is not events[-1]:
            await trio.lowlevel.checkpoint()
        seconds = perf_counter() - began
        (stream,) = (await stage.source.call(MarketDataSource.statistics)).symbols
        return seconds, stream.events


# A cancel past a crowd.


def measure_cancel(results: Measurements, ticks: int = 10_000) -> None:
    """Adds how long an operator's cancel takes to the broker's request when so many ticks wait for the strategy."""
    results.add("cancel_behind_ticks", 1e3 * trio.run(_cancel, ticks), "ms")


async def _cancel(ticks: int) -> float:
    working, left, left_at = trio.Event(), trio.Event(), [0.0]

    def decide(event: Event, view: View[Any]) -> Decisions:
        wanted = isinstance(event, Quote) and not view.orders
        return buy(SYMBOL, 1, limit=BID - 100) if wanted else None

    def hear(news: object) -> None:
        if isinstance(news, OrderReport) and news.state is OrderState.WORKING:
            working.set()
        elif isinstance(news, OrderReport) and working.is_set() and not left.is_set():
            left_at[0] = perf_counter()
            left.set()

    async with open_session(decide, Wants(quotes=(SYMBOL,), trades=(SYMBOL,))) as stage:
        leave = stage.runtime.topics.attach(account_topic("paper", ACCOUNT, SESSION), hear)
        stage.show(stage.quote(0))
        await working.wait()
        while not (await stage.account.call(AccountManager.orders))[0].broker_order_ids:
            await trio.lowlevel.checkpoint()
        for number in range(ticks):
            stage.show(stage.print(number))
        began = perf_counter()
        stage.trader.cast(Trader.cancel, "entry")
        await left.wait()
        leave()
        return left_at[0] - began


# What a start reads.


def measure_order_journal(results: Measurements, facts: int = ENTRIES) -> None:
    """Adds what it takes to read so many facts of an account's orders and fold them into its books."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(JournalSettings(Path(folder) / "j", Path(folder) / "head"), Chain(b"benchmark" * 4), real_world())
        store.open()
        stream = order_stream("paper", ACCOUNT)
        entries = [to_entry(fact, stream, fact.wall_ns) for fact in _facts(facts)]
        for at in range(0, len(entries), 1_000):
            store.append(entries[at : at + 1_000])
        began = perf_counter()
        read = read_facts(store.database, stream)
        results.add(f"orders_read_{len(read)}", perf_counter() - began, "s")
        desk = _desk()
        began = perf_counter()
        desk.fold(read, 0)
        results.add(f"orders_folded_{len(read)}", perf_counter() - began, "s")
        store.close()


def _desk() -> AccountDesk:
    catalogue, clock = Catalogue.shipped(), real_world().clock
    terms = AccountTerms("paper", ACCOUNT, "USD")
    return AccountDesk(terms, catalogue.instrument, lambda _, __: None, MemoryLog(), clock, Policy())


def _facts(count: int) -> Iterator[OrderFact]:
    """Five facts an order, from the intent to the fill."""
    for number in range(count // 5):
        key, told, side = f"{number:022d}", str(number), Side.BUY if number % 2 else Side.SELL
        order = Order(key, SYMBOL, side, OrderType.LIMIT, Decimal(1), limit_price=BID)
        fill = Fill(told, "paper", ACCOUNT, SYMBOL, side, Decimal(1), BID, OPEN_NS + number, key, told)
        for what in (
            Intended(order, "bench"),
            Attempted((key,), 1),
            OrderEvent(key, Acknowledged(broker_order_id=told)),
            OrderEvent(key, Working(broker_order_id=told)),
            OrderEvent(key, Filled(fill)),
        ):
            yield OrderFact(OPEN_NS + number, what)


# All of it.


def _measure_replay(results: Measurements) -> None:
    measure_replay(results, ENTRIES)


def _measure_journal(results: Measurements) -> None:
    measure_journal(results, 1)


_Measure = Callable[[Measurements], None]

_QUICK: Final[dict[str, _Measure]] = {
    "the order path alone": measure_order_path,
    "tick to fill": measure_tick_to_fill,
    "tick to fill over the journal": measure_journalled,
    "the journal": _measure_journal,
    "orders in an open loop": measure_open_loop,
    "quotes": measure_quotes,
    "cancel": measure_cancel,
    "reconciliation": measure_reconciliation,
}
_ONCE: Final[dict[str, _Measure]] = {
    "reading a journal": _measure_replay,
    "reading the orders of a journal": measure_order_journal,
    "idle sessions": measure_idle_sessions,
    "memory after very many orders": measure_many_orders,
}
