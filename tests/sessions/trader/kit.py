"""A whole session in a simulated world: the paper broker, risk, a real or a scripted strategy, and short words."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio

from brokers.account_desk import AccountDesk
from brokers.broker import Broker
from brokers.calendar import Calendars
from brokers.guards.alerts import Alert
from brokers.market import Quote
from brokers.matching import VenueRules
from brokers.model import Fill, OrderReport
from brokers.order_log import MemoryLog, OrderLog
from brokers.paper import PaperFaults, PaperSettings, open_paper
from brokers.paper.exchange import PaperExchange
from brokers.paper.orders import PaperOrders
from brokers.paper.venue import PaperVenue
from runtime import Child, DynamicSupervisor, Name, Ref, Runtime, SupervisorRef, open_runtime
from runtime.simulation import CALM, FaultPlan, SimulatedWorld, SimulationResult, simulate
from sessions.risk.book import RiskBook
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import KillSwitch
from sessions.session import SessionPlan, session_tree, trader_name
from sessions.strategy import Decisions, Event, NoState, Strategy, View, Wants
from sessions.trader.causes import ALERTS
from sessions.trader.plan import TraderPlan
from sessions.trader.trader import Trader
from tests.sessions.risk.kit import wide, wide_portfolio

T = TypeVar("T")

ES, A = "ESZ26", "paper-1"
OPEN_NS = 1_794_405_600_000_000_000  # a Wednesday morning in New York, when every market of the table is open
CALM_PAPER = PaperSettings(symbols=(ES,), faults=PaperFaults.none(), rules=VenueRules(standing_ns=None))
LIMITS = wide(stale_ms=3_600_000)


def quote(bid: str = "6800.00", ask: str = "6800.25", time_ns: int = OPEN_NS, symbol: str = ES) -> Quote:
    return Quote(symbol, Decimal(bid), Decimal(ask), Decimal(1000), Decimal(1000), time_ns)


@attrs.frozen
class ScriptParameters:
    """What a scripted strategy does about each event; `heard` is where it notes them."""

    decide: Callable[[Event, View[Any]], Decisions]
    wants: Wants = attrs.field(factory=lambda: Wants(quotes=(ES,)))
    heard: list[Event] = attrs.field(factory=list)


class Script(Strategy[ScriptParameters, NoState]):
    """A strategy whose decisions a test writes down."""

    def wants(self) -> Wants:
        return self.parameters.wants

    def decide(self, event: Event, view: View[NoState]) -> Decisions:
        self.parameters.heard.append(event)
        return self.parameters.decide(event, view)


@attrs.define(eq=False)
class Stage:
    """Everything a test of sessions touches."""

    runtime: Runtime
    world: SimulatedWorld
    broker: Broker
    gate: RiskGate
    switch: KillSwitch
    sessions: SupervisorRef
    alerts: list[Alert] = attrs.field(factory=list)

    @property
    def exchange(self) -> PaperExchange:
        assert isinstance(self.broker.orders, PaperOrders)
        return self.broker.orders._exchange

    @property
    def venue(self) -> PaperVenue:
        assert isinstance(self.broker.orders, PaperOrders)
        cell: Any = self.broker.orders._venue.cell()
        actor: PaperVenue = cell.actor
        return actor

    @property
    def now_ns(self) -> int:
        return self.world.clock.wall_ns()

    def trader(self, session: str = "s1") -> Name[Trader]:
        return self.runtime.name(trader_name(session), Trader)

    def actor(self, session: str = "s1") -> Trader:
        cell: Any = self.trader(session).cell()
        actor: Trader = cell.actor
        return actor

    def desk(self, session: str = "s1") -> AccountDesk:
        return self.actor(session).clerk.desk

    def risk(self, session: str = "s1") -> RiskBook:
        return self.gate.book(session)

    def held(self, symbol: str = ES, account: str = A) -> Decimal:
        """What the exchange says the account holds."""
        return self.exchange.ledger(account).position(symbol).quantity

    def shows(self, bid: str = "6800.00", ask: str = "6800.25", symbol: str = ES) -> None:
        self.venue.market(quote(bid, ask, self.now_ns, symbol))

    async def begin(self, plan: SessionPlan) -> SupervisorRef:
        """Starts a session and waits until its strategy was told so."""
        tree = session_tree(plan, self.gate, self.runtime)
        await self.sessions.start_child(Child(plan.session, tree))
        await self.settled(plan.session)
        return self.sessions.supervisor(plan.session)

    async def settled(self, session: str = "s1") -> None:
        """Waits until the trader of a session has started its strategy."""
        with trio.fail_after(120):
            while True:
                ref: Ref[Trader] = await self.runtime.registry.wait_for(trader_name(session))
                if ref.alive and hasattr(self.actor(session), "clerk") and self.actor(session).started:
                    break
                await trio.sleep(0.01)
        await trio.sleep(0.01)

    def plan(
        self,
        strategy: type[Strategy[Any, Any]],
        parameters: Any,
        session: str = "s1",
        *,
        whole: dict[str, Any] | None = None,
        **trading: Any,
    ) -> SessionPlan:
        trading.setdefault("limits", LIMITS)
        terms = TraderPlan(session, trading.pop("account", A), strategy, parameters, **trading)
        return SessionPlan(terms, self.broker, **{"data": self.broker, **(whole or {})})

    def script(self, decide: Callable[[Event, View[Any]], Decisions], session: str = "s1", **more: Any) -> SessionPlan:
        wants = more.pop("wants", Wants(quotes=(ES,)))
        heard = more.pop("heard", [])
        return self.plan(Script, ScriptParameters(decide, wants, heard), session, **more)


Play = Callable[[Stage], Awaitable[T]]


def on_stage(
    play: Play[T],
    settings: PaperSettings = CALM_PAPER,
    *,
    recording: Sequence[Any] | None = (quote(),),
    logs: Callable[[str], OrderLog] = lambda _: MemoryLog(),
    seed: int = 1,
    faults: FaultPlan = CALM,
    epoch_ns: int = OPEN_NS,
) -> SimulationResult[T]:
    """Plays a scene in a simulated world; `recording` None lets a synthetic market move by itself."""

    async def main(world: SimulatedWorld) -> T:
        async with open_runtime(world) as runtime:
            broker = await open_paper(runtime, settings, recording=recording, logs=logs)
            switch = KillSwitch(world.disk, world.clock, Path("/risk"))
            switch.permit("the test")
            switch.open()
            shipped = Calendars.shipped()
            gate = RiskGate(wide_portfolio(), switch, {"always": shipped["always"]})
            sessions = await runtime.start(DynamicSupervisor(), "sessions")
            stage = Stage(runtime, world, broker, gate, switch, sessions)
            leave = runtime.topics.attach(ALERTS, stage.alerts.append)  # type: ignore[arg-type]  # only alerts go there
            try:
                return await play(stage)
            finally:
                leave()

    return simulate(main, seed=seed, faults=faults, epoch_ns=epoch_ns)


def played(play: Play[T], *arguments: Any, **more: Any) -> T:
    """The value of a scene that ends well."""
    return on_stage(play, *arguments, **more).unwrap()


def fills_of(exchange: PaperExchange, account: str = A) -> list[Fill]:
    """Every execution that the exchange has on record."""
    return list(exchange.fills_since(account, 0))


def orders_of(exchange: PaperExchange, account: str = A) -> list[OrderReport]:
    """Every order that ever reached the exchange."""
    return list(exchange.orders_since(account, 0))
