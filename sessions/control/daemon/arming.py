"""The second key to live trading: a person's word for one broker, which ends by itself.

The first key is the configuration, which has to name the login as live. An arming holds for exactly the broker, login
and accounts that it was given for, under the version that it was given to; after anything else, such as an upgrade or
an account more in the file, a person has to look again.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from brokers import codec
from config.settings import BrokerSettings
from sessions.control.daemon.memory import JournalStream
from sessions.journal import Entry, Reader, Row
from sessions.journal.carry import newest_of_each_key

LIVE: Final = "live"
STREAM: Final = "arming"
MINUTE_NS: Final = 60_000_000_000
_ARMED: Final = "arming.armed"
_DISARMED: Final = "arming.disarmed"


class NotLive(ValueError):
    """A broker that cannot be armed, because the configuration does not name it as live."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        super().__init__(
            f"expected a broker that the configuration names as live, got {broker!r}; nothing was armed; "
            'state environment = "live" in a file first'
        )


@attrs.frozen
class Arming:
    """One person's word; it covers what it was given for and ends at `until_ns`."""

    broker: str
    by: str
    until_ns: int
    version: str
    kind: str
    login: str
    accounts: tuple[str, ...]

    def covers(self, settings: BrokerSettings, version: str, now_ns: int) -> bool:
        """Whether it lets this broker trade live at this moment."""
        same = (self.version, self.kind, self.login) == (version, settings.kind, settings.login)
        return same and set(settings.accounts) <= set(self.accounts) and now_ns < self.until_ns


@attrs.frozen
class Disarming:
    """The word that it is over, a person's or, with its reason, the daemon's own."""

    broker: str
    by: str


@attrs.define(eq=False)
class Arms:
    """What is armed, in memory as in the journal."""

    stream: JournalStream
    version: str
    minutes: int
    held: dict[str, Arming] = attrs.field(factory=dict)

    async def load(self) -> None:
        """Takes up what the journal tells; raises JournalError."""
        self.held = dict(folded(await self.stream.load()))

    async def arm(self, broker: str, settings: BrokerSettings, by: str, minutes: int | None) -> Arming:
        """Arms a live broker, durably; raises NotLive, JournalError."""
        if settings.environment != LIVE:
            raise NotLive(broker)
        until_ns = self.stream.world.clock.wall_ns() + min(minutes or self.minutes, self.minutes) * MINUTE_NS
        arming = Arming(broker, by, until_ns, self.version, settings.kind, settings.login, settings.accounts)
        await self.stream.keep(_ARMED, broker, arming)
        self.held[broker] = arming
        return arming

    async def disarm(self, broker: str, by: str) -> None:
        """Disarms a broker at once, and then durably; raises JournalError."""
        self.held.pop(broker, None)
        await self.stream.keep(_DISARMED, broker, Disarming(broker, by))

    def withdraw(self, broker: str, why: str) -> bool:
        """Disarms a broker at once for a reason that no person gave; False where it is not armed."""
        if self.held.pop(broker, None) is None:
            return False
        self.stream.note(_DISARMED, broker, Disarming(broker, why))
        return True

    def permits(self, broker: str, settings: BrokerSettings) -> bool:
        """Whether a broker may be used now: paper always, live while it is armed."""
        if settings.environment != LIVE:
            return True
        arming = self.held.get(broker)
        return arming is not None and arming.covers(settings, self.version, self.stream.world.clock.wall_ns())

    def ends_ns(self, brokers: Mapping[str, BrokerSettings]) -> int | None:
        """When the next arming ends by itself; None while nothing is armed."""
        return min((arming.until_ns for arming in self.armed(brokers)), default=None)

    def armed(self, brokers: Mapping[str, BrokerSettings]) -> tuple[Arming, ...]:
        """What is armed now."""
        live = [name for name, one in brokers.items() if one.environment == LIVE and self.permits(name, one)]
        return tuple(self.held[name] for name in live)


def folded(rows: Iterable[Row]) -> dict[str, Arming]:
    """The last word on each broker."""
    held: dict[str, Arming] = {}
    for row in rows:
        if row.entry.kind == _ARMED:
            arming = codec.decode(row.entry.body, Arming)
            held[arming.broker] = arming
        else:
            held.pop(codec.decode(row.entry.body, Disarming).broker, None)
    return held


def carry_arms(reader: Reader) -> Iterator[Entry]:
    """The last word on each broker goes over the turn of a month."""
    yield from newest_of_each_key(reader, STREAM)
