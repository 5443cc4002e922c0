"""What each account was worth, minute by minute, for as long as the daemon runs and at most a day back."""

from collections import deque
from decimal import Decimal
from typing import Final

import attrs
import trio

from brokers.broker import Broker
from brokers.errors import BrokerError
from runtime import Actor, message
from sessions.control.daemon.connections import brokers_tried
from sessions.control.daemon.house import House

CURVE: Final = "curve"  # the registered name
EVERY_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 4.0  # less than whoever asks for the curves waits
KEPT: Final = 1440


@attrs.frozen
class Worth:
    """An account's equity at one moment."""

    time_ns: int
    equity: Decimal


@attrs.frozen
class AccountCurve:
    """One account's equity, oldest first; a minute in which its broker did not answer is missing."""

    broker: str
    account: str
    points: tuple[Worth, ...]


class Curve(Actor):
    """Asks every open broker once a minute."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.seen: dict[tuple[str, str], deque[Worth]] = {}

    async def on_start(self) -> None:
        """Begins to ask."""
        self.every(EVERY_SECONDS, Curve.look)
        self.spawn(self._begin)

    async def _begin(self) -> None:
        """The first look comes as soon as there are brokers to look at."""
        await brokers_tried(self.runtime)
        self.ref.cast(Curve.look)

    async def look(self) -> None:
        """One question an account, all at once."""
        async with trio.open_nursery() as nursery:
            for name, broker in tuple(self.house.brokers.items()):
                settings = self.house.settings.brokers.get(name)
                for account in settings.accounts if settings is not None else ():
                    nursery.start_soon(self._look, name, account, broker)

    async def _look(self, name: str, account: str, broker: Broker) -> None:
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                summary = await broker.ask(lambda: broker.need_orders().summary(account), account)
            except BrokerError:
                return  # what is wrong is told by the status
            worth = Worth(self.world.clock.wall_ns(), summary.equity)
            self.seen.setdefault((name, account), deque(maxlen=KEPT)).append(worth)

    @message(control=True)
    def curves(self) -> tuple[AccountCurve, ...]:
        """What was seen of every account."""
        return tuple(AccountCurve(*key, tuple(points)) for key, points in self.seen.items())
