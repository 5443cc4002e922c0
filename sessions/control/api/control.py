"""The actor behind the control socket: it takes the place, serves the routes, and lets go of the place at its end."""

import os
import traceback
from functools import partial
from typing import Final

import trio

from config.settings import UnsafePlace
from runtime import Actor, Reason
from runtime.cell import Refuse
from runtime.wire.host import App, Host, HostEvent, RequestFailed, serve
from sessions.control.api.app import control_app
from sessions.control.api.deeds import Hands
from sessions.control.api.once import Once
from sessions.control.api.socket import clear_place
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.house import House
from sessions.control.daemon.memory import JournalStream

CONTROL: Final = "control"  # the registered name
DRAIN_SECONDS: Final = 2.0
_STREAM: Final = "commands"


class Control(Actor):
    """The daemon's face on this machine."""

    def __init__(self, house: House, configuration: Configuration) -> None:
        self.house = house
        self.configuration = configuration
        self.host: Host | None = None
        self.served = trio.Event()

    async def on_start(self) -> None:
        """Remembers the commands of before, then opens the socket; refuses a place that is not safe."""
        house = self.house
        once = Once(JournalStream(house.journal, self.world, _STREAM), self.spawn)
        await once.load()
        try:
            clear_place(house.socket)
        except UnsafePlace as unsafe:
            raise Refuse(str(unsafe)) from unsafe
        listener = await self.world.network.listen_unix(house.socket)
        app = control_app(Hands(house, self.configuration), once, os.geteuid(), self._new_id, self._failed)
        started = trio.Event()
        self.spawn(self._serve, app, listener, started)
        await started.wait()

    async def on_stop(self, reason: Reason) -> None:
        """Answers what is under way, and closes the socket."""
        if self.host is not None:
            self.host.drain(DRAIN_SECONDS)
            await self.served.wait()

    async def _serve(self, app: App, listener: trio.abc.Listener[trio.abc.Stream], started: trio.Event) -> None:
        serving = partial(serve, app, [listener], on_event=self._heard, clock=self.world.clock, new_id=self._new_id)
        try:
            async with trio.open_nursery() as nursery:
                self.host = await nursery.start(serving)
                started.set()
        finally:
            self.served.set()

    def _new_id(self) -> str:
        return f"{self.world.chance.getrandbits(64):016x}"

    def _failed(self, error_id: str, error: BaseException) -> None:
        """What nobody expected goes to the log in full, to the client as its id."""
        trace = "".join(traceback.format_exception(error))
        self.house.log.write(f"control error {error_id}: {trace!r}\n")

    def _heard(self, event: HostEvent) -> None:
        if isinstance(event, RequestFailed):
            self._failed(event.id, event.error)
