"""The actor behind the control socket: it takes the place, opens the interface there, and lets go of it at its end.

A fifth of all that a daemon imports is for the interface alone: the sessions come first, and it is loaded in a thread
when they are on their way.
"""

from typing import TYPE_CHECKING, Final

import trio

from config.settings import UnsafePlace
from runtime import Actor, Reason
from runtime.cell import Refuse
from runtime.errors import CallError
from sessions.control.api.socket import clear_place
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.house import House
from sessions.sessions import Sessions

if TYPE_CHECKING:
    from sessions.control.api.face import Face

CONTROL: Final = "control"  # the registered name
FIRST_SECONDS: Final = 1.0  # that the sessions have for themselves


class Control(Actor):
    """The daemon's face on this machine."""

    def __init__(self, house: House, configuration: Configuration) -> None:
        self.house = house
        self.configuration = configuration
        self.face: Face | None = None

    async def on_start(self) -> None:
        """Opens the socket once the sessions are on their way; refuses a place that is not safe."""
        await self._let_sessions_begin()
        face_class = await self.world.threads.run(_face_class)
        face = self.face = face_class(self.house, self.configuration, self.spawn)
        await face.load()
        try:
            clear_place(self.house.socket)
        except UnsafePlace as unsafe:
            raise Refuse(str(unsafe)) from unsafe
        listener = await self.world.network.listen_unix(self.house.socket)
        started = trio.Event()
        self.spawn(face.serve, listener, started)
        await started.wait()

    async def on_stop(self, reason: Reason) -> None:
        """Answers what is under way, and closes the socket."""
        if self.face is not None:
            await self.face.drain()

    async def _let_sessions_begin(self) -> None:
        with trio.move_on_after(FIRST_SECONDS):
            try:
                await self.house.sessions.call(Sessions.resumed)
            except CallError:
                return  # whoever asks will see that they do not begin


def _face_class() -> "type[Face]":
    from sessions.control.api.face import Face  # noqa: PLC0415 - see above

    return Face
