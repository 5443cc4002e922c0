"""What is configured for one Tradovate login; hosts are settings so that an emulator can stand in for the broker."""

from collections.abc import Mapping
from typing import Final

import attrs

from brokers.capability import Environment
from brokers.guards.limits import Bucket
from brokers.guards.timeline import SECOND_NS
from brokers.tokens.password import TRADOVATE_DEMO

BROKER: Final = "tradovate"
HOSTS: Final[Mapping[Environment, str]] = {
    Environment.LIVE: "https://live.tradovateapi.com",
    Environment.PAPER: "https://demo.tradovateapi.com",
}
MARKET_HOST: Final = "https://md.tradovateapi.com"
SOCKET_PATH: Final = "/v1/websocket"
REQUESTS: Final = (  # published as 1000/s, 5000/min and 5000/h; a bucket and its burst stay below all three
    # Polls alone would use up the hour: with three tenths for orders they go on as fast as tokens come back.
    Bucket("requests", 4_000, 3_600 * SECOND_NS, burst=900, orders_percent=30),
)


@attrs.frozen(kw_only=True)
class TradovateSettings:
    """One login in one environment.

    host          where requests and the user socket are answered; empty for the usual one of the environment
    market_host   where the market-data socket is; it serves both environments
    market_data   whether the login has paid for market data; without it no such socket is opened
    accounts      names of those to trade in; empty for all that the login may trade in
    split_sync    whether the state of things is asked for in pieces, account by account, in the vendor's newer form
    human_texts   parts of an error text, in small letters, by which a second factor is known
    emulated      whether the hosts are an emulator's, whose markets keep hours that no calendar tells
    acts_within_ns    how soon an emulator has certainly acted on a request; None: what is assumed of the broker
    """

    login: str = "main"
    environment: Environment = Environment.PAPER
    host: str = ""
    market_host: str = MARKET_HOST
    app_id: str = "pitboss"
    app_version: str = "0.1.0"
    market_data: bool = True
    accounts: tuple[str, ...] = ()
    split_sync: bool = False
    human_texts: tuple[str, ...] = TRADOVATE_DEMO.human_texts
    emulated: bool = False
    acts_within_ns: int | None = None
    limits: tuple[Bucket, ...] = REQUESTS

    @property
    def origin(self) -> str:
        """The origin of all requests."""
        return self.host or HOSTS[self.environment]

    @property
    def user_socket(self) -> str:
        """The origin of the socket that tells of orders."""
        return _socket_origin(self.origin)

    @property
    def market_socket(self) -> str:
        """The origin of the socket that tells of the market."""
        return _socket_origin(self.market_host)


def _socket_origin(origin: str) -> str:
    return "ws" + origin.removeprefix("http")
