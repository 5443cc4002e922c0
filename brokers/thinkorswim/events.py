"""What the room tells beside market data: facts for the alerts, each a value; telling neither waits nor raises."""

from collections.abc import Callable

import attrs

from brokers.guards.events import GuardEvent
from brokers.tokens.news import News

_SHOWN = 80


def shown(value: object) -> str:
    """A value of the broker's, short enough to be shown."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


@attrs.frozen
class Quarantined:
    """Something the broker said that cannot be; it was kept from everybody else."""

    where: str  # the service or address
    key: str  # the broker's name of the instrument; empty where it could not be read
    field: str
    value: str = attrs.field(converter=shown)
    expected: str

    def __str__(self) -> str:
        return f"{self.where} {self.key} {self.field}: expected {self.expected}, got {self.value!r}; it was left out"


@attrs.frozen
class Delayed:
    """The login has no real-time data of this symbol: what comes is minutes old."""

    symbol: str

    def __str__(self) -> str:
        return f"{self.symbol}: the broker sends delayed data; do not trade on it, or subscribe to real-time data"


@attrs.frozen
class Evicted:
    """Another program opened the streamer with this login, so ours was closed; we stay away for a while."""

    login: str
    away_ns: int

    def __str__(self) -> str:
        return (
            f"{self.login}: another program took the one streamer connection of this login; we stay away for "
            f"{self.away_ns / 1e9:g} s; close the other program, or give it a login of its own"
        )


@attrs.frozen
class Activity:
    """Something happened to an order in an account of the login; this room places none, so by another hand."""

    account: str  # its last four characters
    kind: str  # in the broker's words, such as OrderFillCompleted
    order_id: str

    def __str__(self) -> str:
        return f"account ..{self.account}: {self.kind} of order {self.order_id or 'unknown'}, by another hand than ours"


Event = Quarantined | Delayed | Evicted | Activity
Tell = Callable[[Event | GuardEvent | News], None]
