"""A configured session as a plan that can be run: its strategy loaded, its parameters read, its broker at hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from brokers.broker import Broker
from config.settings import SessionSettings
from config.settings.sessions import NONE, SAME
from sessions.control.daemon.house import House
from sessions.control.daemon.risk_limits import session_limits
from sessions.session import SessionPlan
from sessions.sessions import SessionError, UnknownSession
from sessions.strategy import Strategy
from sessions.strategy.loading import load_strategy
from sessions.strategy.parameters import from_table
from sessions.trader.log import JournalSessionLog
from sessions.trader.plan import RollMode, TraderPlan


class BrokerNotOpen(SessionError):
    """The session's broker cannot be used now; `broker` names it."""

    def __init__(self, session: str, broker: str, why: str) -> None:
        self.broker = broker
        super().__init__(session, f"its broker {broker} is not open: {why}; it starts as soon as that has changed")


def session_plan(house: House, session: str) -> SessionPlan:
    """The plan of a configured session; raises UnknownSession, BrokerNotOpen, StrategyError."""
    settings = house.settings.sessions.get(session)
    if settings is None:
        raise UnknownSession(session, house.settings.sessions)
    strategy, parameters = loaded(house, settings)
    return SessionPlan(
        trading=TraderPlan(
            session,
            settings.account,
            strategy,
            parameters,
            session_limits(settings),
            RollMode(settings.roll),
        ),
        broker=_open(house, session, settings.broker),
        data=_data(house, session, settings),
        log=JournalSessionLog(house.journal, session, house.world),
        epoch=house.epoch,
    )


def loaded(house: House, settings: SessionSettings) -> tuple[type[Strategy[Any, Any]], Any]:
    """The strategy of a session, read afresh, and its parameters; raises StrategyError."""
    strategy = load_strategy(settings.strategy, strategies_folder(house), Path.cwd()).strategy
    return strategy, from_table(strategy, _table(strategy, settings))


def strategies_folder(house: House) -> Path:
    """Where strategies of one's own lie."""
    stated = house.settings.strategies.folder
    return house.place.config / "strategies" if stated is None else Path(stated).expanduser()


def _table(strategy: type[Strategy[Any, Any]], settings: SessionSettings) -> Mapping[str, object]:
    """The parameters as stated, and what the session says anyway where the strategy asks for it by these names."""
    asked = {field.alias for field in attrs.fields(strategy.parameters_type)}
    said = {"symbol": settings.symbols[0], "symbols": settings.symbols, "interval": settings.interval}
    return {**{key: value for key, value in said.items() if key in asked}, **settings.params}


def _data(house: House, session: str, settings: SessionSettings) -> Broker | None:
    if settings.data == NONE:
        return None
    return _open(house, session, settings.broker if settings.data == SAME else settings.data)


def _open(house: House, session: str, broker: str) -> Broker:
    found = house.brokers.get(broker)
    configured = house.settings.brokers.get(broker)
    if configured is not None and not house.arms.permits(broker, configured):
        raise BrokerNotOpen(session, broker, f"it is live and nobody has armed it, see `pitboss arm {broker}`")
    if found is None:
        raise BrokerNotOpen(session, broker, "its connection is not up")
    return found
