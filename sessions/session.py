"""A session as a tree: account manager, data source where it has one, trader; they start in order and end together."""

from collections.abc import Hashable
from typing import Any

import attrs

from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.market_data import MarketDataSource
from runtime import Child, Name, Runtime, Strategy, Supervisor
from sessions.risk.gate import RiskGate
from sessions.trader.inbox import Inbox
from sessions.trader.log import MemorySessionLog, SessionLog
from sessions.trader.plan import Surroundings, TraderPlan
from sessions.trader.trader import Trader

MAX_RESTARTS = 3
WITHIN_SECONDS = 60.0
START_SECONDS = 180.0  # reconciliation and history included


def account_name(session: str) -> str:
    """The registered name of a session's account manager."""
    return f"account:{session}"


def source_name(session: str) -> str:
    """The registered name of a session's own data source."""
    return f"source:{session}"


def trader_name(session: str) -> str:
    """The registered name of a session's trader."""
    return f"trader:{session}"


@attrs.frozen(eq=False)
class SessionPlan:
    """A whole session.

    broker        takes the orders
    data          gives the market data: the same broker, another one, or None
    shared_source the name of a data source that stands with its connection; None: the session has its own
    """

    trading: TraderPlan
    broker: Broker
    data: Broker | None = None
    shared_source: Hashable | None = None
    log: SessionLog = attrs.field(factory=MemorySessionLog)
    epoch: int = 0
    max_restarts: int = MAX_RESTARTS
    within: float = WITHIN_SECONDS

    @property
    def session(self) -> str:
        """The session's id."""
        return self.trading.session


def session_tree(plan: SessionPlan, gate: RiskGate, runtime: Runtime) -> Supervisor:
    """The description of a session's supervisor; raises Unsupported for a broker that lacks what it needs.

    What waits for the strategy lives as long as the description: a restart inside it loses no order's news.
    """
    session = plan.session
    account = plan.broker.account_manager(
        plan.trading.account,
        session=session,
        epoch=plan.epoch,
        name=account_name(session),
    )
    children: list[Child[Any]] = [attrs.evolve(account, start_limit=START_SECONDS)]
    source: Name[MarketDataSource] | None = None
    if plan.data is not None:
        source = runtime.name(
            source_name(session) if plan.shared_source is None else plan.shared_source, MarketDataSource
        )
        if plan.shared_source is None:
            children.append(plan.data.data_source(name=source_name(session)))
    around = Surroundings(
        orders=plan.broker,
        data=plan.data,
        account=runtime.name(account_name(session), AccountManager),
        source=source,
        gate=gate,
        catalogue=plan.broker.catalogue,
        log=plan.log,
        inbox=Inbox(),
    )
    trader = Child(
        "trader",
        lambda: Trader(plan.trading, around, epoch=plan.epoch),
        start_limit=START_SECONDS,
        name=trader_name(session),
    )
    return Supervisor(
        [*children, trader], strategy=Strategy.ONE_FOR_ALL, max_restarts=plan.max_restarts, within=plan.within
    )
