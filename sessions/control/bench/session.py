"""A whole session on the paper broker: from the tick to the fill, quotes into bars, a cancel past a crowd of ticks.

Strategy, risk, ledger and account manager are those of life; only the market stands still but for what is shown here.
"""

import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import attrs
import trio
import trio.lowlevel

from brokers.account_desk import AccountDesk
from brokers.account_manager import AccountManager
from brokers.calendar import Calendars
from brokers.catalogue import Catalogue
from brokers.guards.ladder import Rung
from brokers.ledger import AccountTerms
from brokers.market import Interval, Quote, Trade
from brokers.market_data import market_topic
from brokers.matching import VenueRules
from brokers.model import Fill, Order, OrderState, OrderType
from brokers.order_events import Acknowledged, Filled, Working
from brokers.order_log import Attempted, Intended, MemoryLog, OrderFact
from brokers.paper import PaperFaults, PaperSettings, open_paper
from brokers.reconciliation import OrderEvent, Policy
from brokers.sides import Side
from runtime import Child, DynamicSupervisor, Name, Runtime, open_runtime
from runtime.real import real_world
from sessions.control.bench.report import Measurements
from sessions.journal.chain import Chain
from sessions.journal.store import JournalSettings, Store
from sessions.order_journal import order_stream, read_facts, to_entry
from sessions.risk.gate import RiskGate
from sessions.risk.limits import Limits, PortfolioLimits
from sessions.session import SessionPlan, account_name, session_tree, trader_name
from sessions.strategy import Decisions, Event, NoState, Series, Strategy, View, Wants, buy, sell
from sessions.strategy import Filled as ToldFill
from sessions.trader.plan import TraderPlan
from sessions.trader.trader import Trader

SYMBOL: Final = "ESZ26"
ACCOUNT: Final = "paper-1"
_OPEN_NS: Final = 1_794_405_600_000_000_000  # a Wednesday morning in New York, when every market is open
_WIDE: Final[dict[str, Any]] = {
    "order_quantity": Decimal(1000), "order_notional": Decimal(10**12), "exposure": Decimal(10**14),
    "position": Decimal(10**6), "orders_per_minute": 1_000_000, "orders_per_second": 1_000_000,
    "daily_loss": Decimal(10**12), "open_orders": 100_000, "stale_ms": 3_600_000,
}  # fmt: skip


_TOPIC: Final = market_topic("paper", SYMBOL)
_MINUTE: Final = Interval.parse("1m")
_BID, _TICK, _SIZE = Decimal("6800.00"), Decimal("0.25"), Decimal(10**6)
WARM_UP: Final = 100
BURST: Final = 16  # ticks that a feed brings at once

Decide = Callable[[Event, View[Any]], Decisions]


@attrs.frozen
class _Parameters:
    decide: Decide
    wants: Wants


class _Scripted(Strategy[_Parameters, NoState]):
    """A strategy that decides as the measurement says."""

    def wants(self) -> Wants:
        """As told."""
        return self.parameters.wants

    def decide(self, event: Event, view: View[NoState]) -> Decisions:
        """As told."""
        return self.parameters.decide(event, view)


class _OpenSwitch:
    """A kill switch that nobody pulls."""

    def rung(self) -> Rung:
        """Everything is allowed."""
        return Rung.FULL


@attrs.define(eq=False)
class _Floor:
    """A running session, and the ticks that it is shown."""

    runtime: Runtime

    def quote(self, number: int) -> Quote:
        """A quote of this moment, a little elsewhere than the one before."""
        bid = _BID + _TICK * (number % 4)
        return Quote(SYMBOL, bid, bid + _TICK, _SIZE, _SIZE, self.runtime.world.clock.wall_ns())

    def print(self, number: int) -> Trade:
        """A print of this moment, of which the bars are made."""
        return Trade(SYMBOL, _BID + _TICK * (number % 4), Decimal(1), self.runtime.world.clock.wall_ns())

    def show(self, event: Quote | Trade) -> None:
        """Publishes a tick, as the data source does."""
        self.runtime.topics.publish(_TOPIC, event)

    async def rest(self) -> None:
        """Returns when no order is open any more."""
        while (await self.trader.call(Trader.statistics)).open_orders:
            await trio.lowlevel.checkpoint()

    @property
    def trader(self) -> Name[Trader]:
        """The session's trader."""
        return self.runtime.name(trader_name("bench"), Trader)


@asynccontextmanager
async def _session(decide: Decide, wants: Wants) -> AsyncIterator[_Floor]:
    """A running session whose strategy has started."""
    paper = PaperSettings(symbols=(SYMBOL,), faults=PaperFaults.none(), rules=VenueRules(standing_ns=None))
    first = Quote(SYMBOL, _BID, _BID + _TICK, _SIZE, _SIZE, _OPEN_NS)
    async with open_runtime(real_world(random.Random(1))) as runtime:
        broker = await open_paper(runtime, paper, recording=[first])
        calendars = Calendars.shipped()
        gate = RiskGate(PortfolioLimits(**_WIDE), _OpenSwitch(), {"always": calendars["always"]})
        pool = await runtime.start(DynamicSupervisor(), "sessions")
        terms = TraderPlan("bench", ACCOUNT, _Scripted, _Parameters(decide, wants), Limits(**_WIDE))
        await pool.start_child(Child("bench", session_tree(SessionPlan(terms, broker, broker), gate, runtime)))
        floor = _Floor(runtime)
        while not (await floor.trader.call(Trader.statistics)).started:  # noqa: ASYNC110 - a trader tells no such event
            await trio.sleep(0.01)
        yield floor


# From the tick to the fill.


def measure_tick_to_fill(results: Measurements, orders: int = 1_000) -> None:
    """Adds how long it takes from a tick to the strategy that hears of the fill, one order after the other."""
    samples = sorted(trio.run(_closed_loop, orders))
    results.add("tick_to_fill_p50", 1e6 * samples[len(samples) // 2], "us")
    results.add("tick_to_fill_p99", 1e6 * samples[len(samples) * 99 // 100], "us")


async def _closed_loop(orders: int) -> list[float]:
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
    async with _session(decide, Wants(quotes=(SYMBOL,))) as floor:
        for number in range(orders + WARM_UP):
            filled = trio.Event()
            tick = floor.quote(number)
            began = perf_counter()
            floor.show(tick)
            await filled.wait()
            if number >= WARM_UP:
                samples.append(filled_at[0] - began)
            await floor.rest()
    return samples


def measure_open_loop(results: Measurements, quotes: int = 20_000) -> None:
    """Adds how many quotes a second get an order each that fills, while nobody waits for the one before."""
    results.add("orders_open_loop", trio.run(_open_loop, quotes), "per s")


async def _open_loop(quotes: int) -> float:
    decided, fills = [0], [0]

    def decide(event: Event, _: View[Any]) -> Decisions:
        if type(event) is Quote:
            decided[0] += 1
            return (buy if decided[0] % 2 else sell)(SYMBOL, 1, tag=f"t{decided[0]}")
        fills[0] += type(event) is ToldFill
        return None

    async with _session(decide, Wants(quotes=(SYMBOL,))) as floor:
        began = perf_counter()
        for number in range(quotes):
            while decided[0] < number:  # a quote that is conflated gets no order
                await trio.lowlevel.checkpoint()
            floor.show(floor.quote(number))
        while fills[0] < quotes:
            await trio.lowlevel.checkpoint()
        return quotes / (perf_counter() - began)


# Quotes into bars.


def measure_quotes(results: Measurements, ticks: int = 100_000) -> None:
    """Adds how many quotes a second one strategy with bars takes, prints among them."""
    results.add("quotes_with_bars", trio.run(_quotes, ticks), "per s")


async def _quotes(ticks: int) -> float:
    told = [0]

    def decide(event: Event, _: View[Any]) -> None:
        told[0] += type(event) is Quote

    async with _session(decide, Wants(quotes=(SYMBOL,), bars=(Series(SYMBOL, _MINUTE, 10),))) as floor:
        events = [floor.print(number) if number % 10 == 0 else floor.quote(number) for number in range(ticks)]
        began = perf_counter()
        for at in range(0, ticks, BURST):
            for event in events[at : at + BURST]:
                floor.show(event)
            await trio.lowlevel.checkpoint()
        return ticks / (perf_counter() - began)


# A cancel past a crowd.


def measure_cancel(results: Measurements, ticks: int = 10_000) -> None:
    """Adds how long an operator's cancel takes to the broker's request when so many ticks wait for the strategy."""
    results.add("cancel_behind_ticks", 1e3 * trio.run(_cancel, ticks), "ms")


async def _cancel(ticks: int) -> float:
    def decide(event: Event, view: View[Any]) -> Decisions:
        wanted = isinstance(event, Quote) and not view.orders
        return buy(SYMBOL, 1, limit=_BID - 100) if wanted else None

    async with _session(decide, Wants(quotes=(SYMBOL,), trades=(SYMBOL,))) as floor:
        floor.show(floor.quote(0))
        account = floor.runtime.name(account_name("bench"), AccountManager)
        while (await _state(account)) is not OrderState.WORKING:  # noqa: ASYNC110 - the account is asked
            await trio.sleep(0.001)
        for number in range(ticks):
            floor.show(floor.print(number))
        began = perf_counter()
        floor.trader.cast(Trader.cancel, "entry")
        while (await _state(account)) is OrderState.WORKING:
            pass
        return perf_counter() - began


async def _state(account: Name[AccountManager]) -> OrderState | None:
    """The state of the one order of the session."""
    orders = await account.call(AccountManager.orders)
    return orders[0].state if orders else None


# What a start reads.


def measure_order_journal(results: Measurements, facts: int = 100_000) -> None:
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
        for fact in read:
            desk.apply(fact, 0)
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
        order = Order(key, SYMBOL, side, OrderType.LIMIT, Decimal(1), limit_price=_BID)
        fill = Fill(told, "paper", ACCOUNT, SYMBOL, side, Decimal(1), _BID, _OPEN_NS + number, key, told)
        for what in (
            Intended(order, "bench"),
            Attempted((key,), 1),
            OrderEvent(key, Acknowledged(broker_order_id=told)),
            OrderEvent(key, Working(broker_order_id=told)),
            OrderEvent(key, Filled(fill)),
        ):
            yield OrderFact(_OPEN_NS + number, what)


# All of it.


def measure_session(results: Measurements, rounds: int) -> None:
    """Adds every figure of a session, so many times."""
    for _ in range(rounds):
        measure_tick_to_fill(results)
        measure_open_loop(results)
        measure_quotes(results)
        measure_cancel(results)
        measure_order_journal(results)


def session_bars(results: Measurements) -> None:
    """What a session promises, without its journal."""
    results.at_most("tick_to_fill_p50", 200)
    results.at_least("orders_open_loop", 5_000)
    results.at_least("quotes_with_bars", 100_000)
    results.at_most("cancel_behind_ticks", 2)
