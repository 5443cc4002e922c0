"""One configured session: an account, a data source, a strategy and its limits."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from config.settings.fields import (
    ACCOUNT,
    IDENTIFIER,
    INTERVAL,
    NAME,
    STRATEGY,
    SYMBOL,
    Check,
    Each,
    Entries,
    setting,
)
from config.settings.risk import SessionRisk

SAME = "same"
NONE = "none"


def _is_parameter(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_parameter(item) and not isinstance(item, tuple) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, str)


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


PARAMETER = Check("a string, a finite number, true, false or an array of these", _is_parameter)


@attrs.frozen
class SessionSettings:
    """A session under a name of your own, `[sessions.NAME]`."""

    broker: str = setting("The configured broker that takes its orders.", check=NAME)
    account: str = setting("The account it trades, one of that broker's.", check=ACCOUNT)
    symbols: tuple[str, ...] = setting(
        "What it follows and trades: roots, whose front contract it takes, or symbols.", check=Each(SYMBOL, least=1)
    )
    strategy: str = setting("Its strategy, from the strategies folder or an installed package.", check=STRATEGY)
    data: str = setting(
        "Where its prices come from: same (its broker), another configured broker, or none.", SAME, NAME
    )
    interval: str = setting("The length of its bars.", "1m", INTERVAL)
    roll: Literal["follow", "move", "stay"] = setting(
        "At a contract's roll: follow into the next contract, move the position too, or stay.", "follow"
    )
    autostart: bool = setting("Whether it starts with the daemon when it has not been stopped by hand.", default=True)
    params: Mapping[str, Any] = setting(
        "The parameters of its strategy, which checks them.",
        factory=dict,
        check=Entries(IDENTIFIER, PARAMETER),
        by_name=True,
        converter=_frozen,
    )
    risk: SessionRisk = setting("Its limits.", SessionRisk())
