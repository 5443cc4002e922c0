"""Messages that an actor sends itself again and again."""

import math
from typing import TYPE_CHECKING

import attrs
import trio

from runtime.actor import Actor
from runtime.errors import InvalidSpec
from runtime.messages import message_of
from runtime.timers import Timer

if TYPE_CHECKING:
    from runtime.server import ActorCell, Item


class Ticker:
    """A repeating timer at a fixed rate; a tick is left out while the one before still waits in the mailbox."""

    def __init__(self, cell: "ActorCell", seconds: float, item: "Item") -> None:
        if not seconds > 0:
            raise InvalidSpec(f"{cell.path}: every", seconds, "a number of seconds above 0")
        self._cell = cell
        self._seconds = seconds
        self._item = item
        self._waiting = False
        self._due = trio.current_time()
        self._message = attrs.evolve(_TICK, name=item[0].name, control=item[0].control, safe=item[0].safe)
        self._timer: Timer | None = None
        self._arm()

    def _arm(self) -> None:
        now = trio.current_time()
        missed = max(math.floor((now - self._due) / self._seconds), 0)
        self._due += self._seconds * (missed + 1)
        self._timer = self._cell.runtime.timers.at(self._due, self._fire)

    def _fire(self) -> None:
        self._arm()
        if not self._waiting and self._cell.exit is None:
            self._waiting = True
            self._cell.tick((self._message, (self,), {}, None))

    async def handle(self) -> None:
        """Runs the method of the tick."""
        self._waiting = False
        cell, (message, args, kwargs, _) = self._cell, self._item
        cell.current = self._item
        result = message.function(cell.actor, *args, **kwargs)
        if message.is_async:
            await result

    def cancel(self) -> None:
        """Ends the ticks."""
        if self._timer is not None:
            self._timer.cancel()
        if self._cell.timers is not None:
            self._cell.timers.pop(self, None)


async def _tick(_: Actor, ticker: Ticker) -> None:
    await ticker.handle()


_TICK = message_of(_tick)
