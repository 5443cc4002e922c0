"""What each account was worth, minute by minute, a day back; the journal keeps it over a restart."""

import contextlib
from collections import deque
from decimal import Decimal
from typing import Final

import attrs
import trio

from brokers import codec
from brokers.broker import Broker
from brokers.errors import BrokerError
from runtime import Actor, message
from runtime.errors import CallError
from sessions.control.daemon.connections import brokers_tried
from sessions.control.daemon.house import House
from sessions.control.daemon.memory import JournalStream
from sessions.journal import JournalError

CURVE: Final = "curve"  # the registered name
STREAM: Final = "equity"
_SEEN: Final = "equity.seen"
EVERY_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 4.0  # less than whoever asks for the curves waits
KEPT: Final = 1440


@attrs.frozen
class Worth:
    """An account's equity at one moment."""

    time_ns: int
    equity: Decimal


@attrs.frozen
class _Seen:
    """What the journal keeps of it."""

    broker: str
    account: str
    worth: Worth


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
        self.stream = JournalStream(house.journal, house.world, STREAM)
        self.seen: dict[tuple[str, str], deque[Worth]] = {}

    async def on_start(self) -> None:
        """Begins to ask."""
        self.every(EVERY_SECONDS, Curve.look)
        self.spawn(self._begin)

    async def _begin(self) -> None:
        """The first look comes as soon as there are brokers to look at, after what earlier daemons saw."""
        await brokers_tried(self.runtime)
        with contextlib.suppress(JournalError, CallError):  # then the curve begins anew
            for row in await self.stream.load(KEPT * max(len(self._accounts()), 1)):
                self._take(codec.decode(row.entry.body, _Seen))
        self.ref.cast(Curve.look)

    async def look(self) -> None:
        """One question an account, all at once."""
        async with trio.open_nursery() as nursery:
            for name, account, broker in self._accounts():
                nursery.start_soon(self._look, name, account, broker)

    def _accounts(self) -> list[tuple[str, str, Broker]]:
        """The accounts that can be asked for now, each with its broker and that one's name."""
        return [
            (name, account, broker)
            for name, broker in self.house.brokers.items()
            if (settings := self.house.settings.brokers.get(name)) is not None
            for account in settings.accounts
        ]

    async def _look(self, name: str, account: str, broker: Broker) -> None:
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                summary = await broker.ask(lambda: broker.need_orders().summary(account), account)
            except BrokerError:
                return  # what is wrong is told by the status
            seen = _Seen(name, account, Worth(self.world.clock.wall_ns(), summary.equity))
            self._take(seen)
            self.stream.note(_SEEN, f"{name}/{account}", seen)

    def _take(self, seen: _Seen) -> None:
        self.seen.setdefault((seen.broker, seen.account), deque(maxlen=KEPT)).append(seen.worth)

    @message(control=True)
    def curves(self) -> tuple[AccountCurve, ...]:
        """What was seen of every account."""
        return tuple(AccountCurve(*key, tuple(points)) for key, points in self.seen.items())
