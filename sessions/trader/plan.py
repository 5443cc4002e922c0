"""What a trader is told before it starts, and what may be changed while it runs."""

import enum
from typing import Any

import attrs

from brokers.account_manager import AccountManager
from brokers.catalogue import Catalogue
from brokers.connection import Connection
from brokers.market_data import MarketDataSource
from runtime import Name
from sessions.risk.gate import RiskGate
from sessions.risk.limits import Limits
from sessions.strategy import PaceRule, Strategy
from sessions.trader.inbox import Inbox
from sessions.trader.log import SessionLog


class RollMode(enum.Enum):
    """What a session does when another contract of a root comes in front."""

    FOLLOW = "follow"  # the strategy is told, and decides what becomes of its position
    MOVE = "move"  # the position moves, too
    STAY = "stay"


@attrs.frozen
class TraderPlan:
    """One session's trading: whose account, which strategy, under which limits."""

    session: str
    account: str
    strategy: type[Strategy[Any, Any]]
    parameters: Any
    limits: Limits = attrs.field(factory=Limits)
    roll: RollMode = RollMode.FOLLOW
    pace: PaceRule = attrs.field(factory=PaceRule)


@attrs.frozen(eq=False)
class Surroundings:
    """What a trader works with; all of it outlives the trader."""

    orders: Connection
    data: Connection | None  # None: a session without market data
    account: Name[AccountManager]
    source: Name[MarketDataSource] | None
    gate: RiskGate
    catalogue: Catalogue
    log: SessionLog
    inbox: Inbox = attrs.field(factory=Inbox)
