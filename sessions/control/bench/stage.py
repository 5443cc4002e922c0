"""A whole session that trades on the paper broker, for benchmarks: the ticks it is shown are the only ones there are.

Strategy, risk, ledger, account manager and data source are those of life; on request so is the journal.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import trio
import trio.lowlevel

from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.calendar import Calendars
from brokers.gateway import Leave, LinkNews
from brokers.guards.ladder import Rung
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketEvent, Quote, Trade
from brokers.market_data import MarketDataSource
from brokers.matching import VenueRules
from brokers.order_log import MemoryLog
from brokers.paper import PaperAccount, PaperFaults, PaperSettings, open_paper
from runtime import Child, DynamicSupervisor, Name, Runtime, Supervisor, SupervisorRef, open_runtime
from runtime.real import real_world
from sessions.journal import Chain, Journal, JournalSettings
from sessions.order_journal import JournalOrderLog
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import Mark
from sessions.risk.limits import Limits, PortfolioLimits
from sessions.session import SessionPlan, account_name, session_tree, source_name, trader_name
from sessions.strategy import Decisions, Event, NoState, Strategy, View, Wants
from sessions.trader.log import JournalSessionLog, MemorySessionLog
from sessions.trader.plan import TraderPlan
from sessions.trader.trader import Trader

SYMBOL: Final = "ESZ26"
ACCOUNT: Final = "paper-1"
SESSION: Final = "bench"
OPEN_NS: Final = 1_794_405_600_000_000_000  # a Wednesday morning in New York, when every market is open
BID, TICK = Decimal("6800.00"), Decimal("0.25")
_SIZE: Final = Decimal(10**6)
WIDE: Final[dict[str, Any]] = {
    "order_quantity": Decimal(1000), "order_notional": Decimal(10**12), "exposure": Decimal(10**14),
    "position": Decimal(10**6), "orders_per_minute": 1_000_000, "orders_per_second": 1_000_000,
    "daily_loss": Decimal(10**12), "open_orders": 100_000, "stale_ms": 3_600_000,
}  # fmt: skip

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


class OpenSwitch:
    """A kill switch that nobody pulls."""

    mark: Mark | None = None

    def rung(self) -> Rung:
        """Everything is allowed."""
        return Rung.FULL


class _Feed:
    """A feed that brings what the measurement shows."""

    def __init__(self) -> None:
        self._ears: dict[Callable[[MarketEvent | LinkNews], None], None] = {}

    def show(self, event: MarketEvent) -> None:
        """Brings an event to whoever listens."""
        for hear in self._ears:
            hear(event)

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        """Hands every event to hear."""
        self._ears[hear] = None
        return lambda: self._ears.pop(hear, None)

    async def instruments(self) -> Sequence[Instrument]:
        """There is no list."""
        return ()

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """There is no history."""
        return ()

    async def subscribe(self, symbol: str) -> None:
        """Everything is brought in any case."""

    async def unsubscribe(self, symbol: str) -> None:
        """There is nothing to end."""

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        """No bars are brought."""

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        """There are none to end."""


@attrs.define(eq=False)
class Stage:
    """The runtime with its broker and sessions, and the ticks that they are shown."""

    runtime: Runtime
    broker: Broker
    gate: RiskGate
    pool: SupervisorRef
    journal: Name[Journal] | None
    _feed: _Feed

    async def begin(self, decide: Decide, wants: Wants, session: str = SESSION) -> None:
        """Starts a session and returns once its strategy has started."""
        terms = TraderPlan(session, ACCOUNT, _Scripted, _Parameters(decide, wants), Limits(**WIDE))
        memory = MemorySessionLog()
        log = memory if self.journal is None else JournalSessionLog(self.journal, session, self.runtime.world)
        data = attrs.evolve(self.broker, feed=self._feed)
        plan = SessionPlan(terms, self.broker, data, log=log)
        await self.pool.start_child(Child(session, session_tree(plan, self.gate, self.runtime)))
        trader = self.runtime.name(trader_name(session), Trader)
        while not (await trader.call(Trader.statistics)).started:  # noqa: ASYNC110 - a trader tells no such event
            await trio.sleep(0.01)

    def quote(self, number: int) -> Quote:
        """A quote of this moment, a little elsewhere than the one before."""
        bid = BID + TICK * (number % 4)
        return Quote(SYMBOL, bid, bid + TICK, _SIZE, _SIZE, self.runtime.world.clock.wall_ns())

    def print(self, number: int) -> Trade:
        """A print of this moment, of which the bars are made."""
        return Trade(SYMBOL, BID + TICK * (number % 4), Decimal(1), self.runtime.world.clock.wall_ns())

    def show(self, event: Quote | Trade) -> None:
        """Brings a tick to the data source, as a broker's connection does."""
        self._feed.show(event)

    async def rest(self) -> None:
        """Returns when no order is open any more."""
        while (await self.trader.call(Trader.statistics)).open_orders:
            await trio.lowlevel.checkpoint()

    @property
    def trader(self) -> Name[Trader]:
        """The trader of the one session."""
        return self.runtime.name(trader_name(SESSION), Trader)

    @property
    def source(self) -> Name[MarketDataSource]:
        """The data source of the one session."""
        return self.runtime.name(source_name(SESSION), MarketDataSource)

    @property
    def account(self) -> Name[AccountManager]:
        """The account manager of the one session."""
        return self.runtime.name(account_name(SESSION), AccountManager)


@asynccontextmanager
async def open_stage(folder: Path | None = None) -> AsyncIterator[Stage]:
    """A broker without sessions; `folder` is for a journal, without one there is none."""
    paper = PaperSettings(
        symbols=(SYMBOL,),
        accounts=(PaperAccount(ACCOUNT, deposit=Decimal(10**9)),),
        faults=PaperFaults.none(),
        rules=VenueRules(standing_ns=None),
    )
    first = Quote(SYMBOL, BID, BID + TICK, _SIZE, _SIZE, OPEN_NS)
    async with open_runtime(real_world(random.Random(1))) as runtime:
        journal = None if folder is None else await _open_journal(runtime, folder)
        broker = await open_paper(
            runtime,
            paper,
            recording=[first],
            logs=lambda account: (
                MemoryLog() if journal is None else JournalOrderLog(journal, "paper", account, runtime.world)
            ),
        )
        gate = RiskGate(PortfolioLimits(**WIDE), OpenSwitch(), {"always": Calendars.shipped()["always"]})
        pool = await runtime.start(DynamicSupervisor(), "sessions")
        yield Stage(runtime, broker, gate, pool, journal, _Feed())


async def _open_journal(runtime: Runtime, folder: Path) -> Name[Journal]:
    settings = JournalSettings(folder / "journal", folder / "head")
    child = Child("journal", lambda: Journal(settings, Chain(b"benchmark" * 4)), name="journal")
    await runtime.start(Supervisor([child]), "journal")
    return runtime.name("journal", Journal)


@asynccontextmanager
async def open_session(decide: Decide, wants: Wants, folder: Path | None = None) -> AsyncIterator[Stage]:
    """One running session whose strategy has started."""
    async with open_stage(folder) as stage:
        await stage.begin(decide, wants)
        yield stage
