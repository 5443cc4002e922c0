"""What is configured for one TradeStation login; hosts are settings because published clients disagree on them."""

from collections.abc import Mapping
from typing import Final

import attrs

from brokers.capability import Environment
from brokers.guards.limits import Window
from brokers.guards.timeline import SECOND_NS

BROKER: Final = "tradestation"
HOSTS: Final[Mapping[Environment, str]] = {
    Environment.LIVE: "https://api.tradestation.com",
    Environment.PAPER: "https://sim-api.tradestation.com",
}
_FIVE_MINUTES: Final = 300 * SECOND_NS


def _quota(resource: str, count: int, period_ns: int = _FIVE_MINUTES) -> Window:
    return Window(resource, count, period_ns, aligned=False, paced=True)


QUOTAS: Final = (  # the lower of the two published sets; each window is fixed and opens with its first call
    _quota("accounts", 250),
    _quota("orders", 250),
    _quota("balances", 250),
    _quota("positions", 250),
    _quota("quote-streams", 500),
    _quota("barcharts", 500),
)


@attrs.frozen(kw_only=True)
class TradeStationSettings:
    """One login in one environment.

    host          where the interface answers; empty for the usual one of the environment
    accounts      those to trade in; empty for all that the login reaches
    quotas        one window a resource, under the names of QUOTAS
    delayed_data  whether quotes that the broker marks as delayed are passed on
    emulated      whether the host is an emulator's, whose markets keep hours that no calendar tells
    """

    login: str = "main"
    environment: Environment = Environment.PAPER
    host: str = ""
    sign_in: str = "https://signin.tradestation.com"
    accounts: tuple[str, ...] = ()
    quotas: tuple[Window, ...] = QUOTAS
    delayed_data: bool = False
    emulated: bool = False

    @property
    def origin(self) -> str:
        """The origin of every request but those of the login."""
        return self.host or HOSTS[self.environment]
