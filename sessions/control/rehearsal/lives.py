"""Lives of one daemon on one machine: each begins where the last one left the disk, and may end at any moment."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from config.settings import Folders, Settings
from runtime.errors import StartFailed
from runtime.simulation import PowerCut
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.daemon import Daemon, run_daemon
from sessions.control.daemon.house import House
from sessions.control.rehearsal.cast import keyholder
from sessions.control.rehearsal.machine import Ground, Life

STATE: Final = Path("/rehearsal")  # a folder of the simulated disk
CUT_OFF: Final = "cut off"


@attrs.frozen
class Ended:
    """How a life ended: by itself with an exit code, because it could not start, or cut off."""

    at_s: float
    code: int | None
    why: str


@attrs.define(eq=False)
class Lives:
    """Keeps a daemon running until told otherwise, as a service manager does."""

    ground: Ground
    configuration: Configuration
    settings: Settings
    config: Path  # the folder of the user's own configuration, where strategies are found
    pause_s: float = 1.0  # between two lives
    house: House | None = None
    ended: list[Ended] = attrs.field(factory=list)
    done: trio.Event = attrs.field(factory=trio.Event)
    on_end: Callable[[Ended], None] = lambda _: None
    _life: Life | None = None
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _over: bool = False
    _code: int | None = None

    @property
    def place(self) -> Folders:
        """The folders of the daemon."""
        return Folders(self.config, STATE, STATE)

    async def run(self) -> None:
        """One life after another, until `finish`."""
        while not self._over:
            await self._live()
            self.house = None
            if not self._over:
                await trio.sleep(self.pause_s)
        self.done.set()

    def cut(self, pause_s: float = 1.0) -> None:
        """Kills the daemon as it stands; the next life begins after the pause."""
        self.pause_s = pause_s
        if self._life is not None and not self._life.over:
            self._life.cut()
            self._scope.cancel()

    def finish(self) -> None:
        """Ends the daemon in good order, and begins no other life."""
        self._over = True
        if self.house is not None:
            self.house.end("the rehearsal is over", 1)
        else:
            self.cut()

    async def _live(self) -> None:
        life = self._life = self.ground.life()
        daemon = Daemon(
            world=life.world,
            configuration=self.configuration,
            settings=self.configuration.whole(self.place, self.ground.world.disk).settings,
            place=self.place,
            keys=keyholder(),
            machine=self.ground.machine(),
        )
        self._code, why = None, ""
        with trio.CancelScope() as self._scope:
            try:
                async with trio.open_nursery() as nursery:
                    self.house = await nursery.start(self._serve, daemon)
            except* PowerCut:
                why = CUT_OFF
            except* StartFailed as failed:
                why = str(failed.exceptions[0])
        why = CUT_OFF if life.over else why
        life.cut()
        ended = Ended(trio.current_time(), self._code, why)
        self.ended.append(ended)
        self.on_end(ended)

    async def _serve(self, daemon: Daemon, task_status: trio.TaskStatus[House] = trio.TASK_STATUS_IGNORED) -> None:
        self._code = await run_daemon(daemon, task_status=task_status)
