"""The interface as it is served: its routes, the host below them, and the log of what nobody expected."""

import os
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio

from runtime.wire.host import App, Host, HostEvent, RequestFailed, serve
from sessions.control.api.app import control_app
from sessions.control.api.deeds import Hands
from sessions.control.api.once import STREAM, Once
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.house import House
from sessions.control.daemon.memory import JournalStream

DRAIN_SECONDS: Final = 2.0


class Face:
    """One life of the interface."""

    def __init__(self, house: House, configuration: Configuration, spawn: Callable[..., object]) -> None:
        """`spawn` starts a task that ends with whoever opened this."""
        self._house = house
        self._once = Once(JournalStream(house.journal, house.world, STREAM), spawn)
        hands = Hands(house, configuration)
        self._app: App = control_app(hands, self._once, os.geteuid(), self._new_id, self._failed)
        self._host: Host | None = None
        self._served = trio.Event()

    async def load(self) -> None:
        """Remembers the commands of before; raises JournalError."""
        await self._once.load()

    async def serve(self, listener: trio.abc.Listener[Any], started: trio.Event) -> None:
        """Serves until it is drained."""
        clock = self._house.world.clock
        serving = partial(serve, self._app, [listener], on_event=self._heard, clock=clock, new_id=self._new_id)
        try:
            async with trio.open_nursery() as nursery:
                self._host = await nursery.start(serving)
                started.set()
        finally:
            self._served.set()

    async def drain(self) -> None:
        """Answers what is under way, and closes the socket."""
        if self._host is not None:
            self._host.drain(DRAIN_SECONDS)
            await self._served.wait()

    def _new_id(self) -> str:
        return f"{self._house.world.chance.getrandbits(64):016x}"

    def _failed(self, error_id: str, error: BaseException) -> None:
        """What nobody expected goes to the log in full, to the client as its id."""
        trace = "".join(traceback.format_exception(error))
        self._house.log.write(f"control error {error_id}: {trace!r}\n")

    def _heard(self, event: HostEvent) -> None:
        if isinstance(event, RequestFailed):
            self._failed(event.id, event.error)
