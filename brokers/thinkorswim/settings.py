"""How one login reaches Schwab."""

import enum
from typing import Any

import attrs

from brokers.tokens.credentials import LoginId

BROKER = "thinkorswim"


class Qos(enum.Enum):
    """How often the streamer sends changes, in TD Ameritrade's words; Schwab's streamer may refuse the command."""

    MS_500 = "0"
    MS_750 = "1"
    MS_1000 = "2"
    MS_1500 = "3"
    MS_3000 = "4"
    MS_5000 = "5"


def _positive(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} is {value!r}, expected more than 0")


@attrs.frozen(kw_only=True)
class ThinkorswimSettings:
    """One login; times in seconds.

    api            origin of the HTTP interface
    streamer       origin that the streamer's address, which the broker tells, must have
    qos            asked for after each login to the streamer; None leaves it to the broker
    delayed_data   whether data that the broker marks as delayed is passed on
    activity       whether what happens to orders in the login's accounts, by whatever hand, is told to people
    lot_shares     how many shares one unit of a stock's displayed size stands for
    reply          how long the streamer may take to answer a command
    silence        how long it may say nothing at all; it beats about every ten seconds
    linger         how long a connection that nobody needs stays; the streamer itself ends it after thirty
    away           how long to stay away after another program took the connection; doubles each time up to an hour
    """

    login: str = "main"
    api: str = "https://api.schwabapi.com"
    streamer: str = "wss://streamer-api.schwab.com"
    qos: Qos | None = None
    delayed_data: bool = False
    activity: bool = False
    lot_shares: int = attrs.field(default=100, validator=_positive)
    reply: float = attrs.field(default=10.0, validator=_positive)
    silence: float = attrs.field(default=45.0, validator=(_positive, attrs.validators.le(60)))
    linger: float = attrs.field(default=20.0, validator=_positive)
    away: float = attrs.field(default=300.0, validator=_positive)

    @property
    def login_id(self) -> LoginId:
        """Whose credential it is; there is no simulated environment."""
        return LoginId(BROKER, self.login, "live")
