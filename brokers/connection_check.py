"""Asks a broker every half a minute for something harmless, so that a dead connection is known before an order is."""

from collections.abc import Callable
from typing import Final

import trio

from brokers.connection import Connection
from brokers.errors import BrokerError, RateLimited
from brokers.guards.errors import PoolFull
from brokers.guards.health import Health, HealthMoved, Rhythm
from brokers.guards.timeline import SECOND_NS
from runtime import Actor

HALF_A_MINUTE: Final = Rhythm()


class ConnectionCheck(Actor):
    """Checks one connection and tells when its health changes; one check is over before the next begins."""

    def __init__(
        self, connection: Connection, tell: Callable[[HealthMoved], None], rhythm: Rhythm = HALF_A_MINUTE
    ) -> None:
        self.connection = connection
        self.tell = tell
        self.rhythm = rhythm
        self.health = Health()

    async def on_start(self) -> None:
        """The first check comes a while after the opening, which asked the same."""
        self._look_later()

    async def look(self) -> None:
        """One check."""
        self._look_later()
        answered = await self._answered()
        if answered is None:
            return
        before, self.health = self.health.state, self.health.after(answered=answered)
        if self.health.state is not before:
            name, now_ns = self.connection.guard.connection, self.world.clock.wall_ns()
            self.tell(HealthMoved(name, before, self.health.state, now_ns))

    async def _answered(self) -> bool | None:
        """Whether the broker answered well; None when limits kept the question back, ours or the broker's."""
        with trio.move_on_after(self.rhythm.timeout_ns / SECOND_NS):
            try:
                await self.connection.check()
            except PoolFull:  # questions hang until there is no room for another
                return False
            except RateLimited:
                return None
            except BrokerError:
                return False
            return True
        return False

    def _look_later(self) -> None:
        self.send_after(self.rhythm.pause_ns(self.world.chance) / SECOND_NS, ConnectionCheck.look)
