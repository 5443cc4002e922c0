"""Everything of one running demo, and what its parts ask of it: how things stand, and whether all is whole."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPException
from typing import Any, Final, TypeVar

import attrs
import trio

from brokers.emulation.emulator import Emulator
from sessions.control.api.client import Client, NoDaemon
from sessions.control.demo.books import BrokerSide, JournalSide
from sessions.control.demo.stage import Seat, Stage
from sessions.control.view.status import reasons

T = TypeVar("T")

LOOK_SECONDS: Final = 0.03
Record = Mapping[str, Any]


class NeverWhole(RuntimeError):
    """Something that was crashed did not come back in time."""

    def __init__(self, what: str, seconds: float, against: Iterable[str] = ()) -> None:
        super().__init__("; ".join((f"{what} within {seconds:g} s", *against)))


@attrs.define
class Crash:
    """One thing that was broken on purpose; `whole_s` is how long it took until all was whole again."""

    what: str
    how: str
    at_s: float
    whole_s: float | None = None


@attrs.define(eq=False)
class Scene:
    """One demo; `began` is on trio's clock, None until every session has traded."""

    emulator: Emulator
    stage: Stage
    seats: tuple[Seat, ...]
    broker: BrokerSide
    journal: JournalSide
    duration: float
    began: float | None = None
    over: bool = False
    crashes: list[Crash] = attrs.field(factory=list)
    status: Record | None = None  # what the daemon told last; None while nobody answers
    doing: str = "starts the daemon"
    resumed: Mapping[Seat, int] | None = None  # the orders of each session when the last crash was over
    _reading: trio.Lock = attrs.field(factory=trio.Lock)

    def passed(self) -> float:
        """Seconds since trading began."""
        return 0.0 if self.began is None else trio.current_time() - self.began

    # The daemon, as anybody on this machine can speak with it.

    async def ask(self, what: str) -> Any:
        """What the daemon tells, None when it does not answer."""
        return await self._call(lambda client: client.get(what))

    async def look(self) -> Record | None:
        """How the daemon stands now."""
        self.status = await self.ask("status")
        return self.status

    async def tell(self, command: str, **fields: str) -> Any:
        """What a command came to, None when nobody answered; raises Refusal."""
        return await self._call(lambda client: client.post(command, **fields))

    async def _call(self, work: Callable[[Client], T]) -> T | None:
        with contextlib.suppress(NoDaemon, OSError, HTTPException, ValueError):  # ValueError: half an answer
            return await trio.to_thread.run_sync(work, self.stage.client)
        return None

    async def read_journal(self) -> None:
        """Takes up what the journal holds by now; until the first daemon is ready there is none that is whole."""
        if not self.stage.was_ready:
            return
        async with self._reading:
            await trio.to_thread.run_sync(self.journal.read)

    # Waiting.

    async def until(self, holds: Callable[[], Any], what: str, seconds: float) -> None:
        """Waits for a fact of this process; raises NeverWhole."""
        with trio.move_on_after(seconds):
            while not holds():  # noqa: ASYNC110 - what the broker did and the journal holds tell no event
                await trio.sleep(LOOK_SECONDS)
            return
        raise NeverWhole(what, seconds, (*self.broker.holdings(), *_against(await self.look())))

    async def until_whole(self, seen: Callable[[Record], Any], what: str, seconds: float) -> None:
        """Waits until a crash was seen and all is whole after it; raises NeverWhole."""
        with trio.move_on_after(seconds):
            while True:
                status = await self.look()
                if status is not None and is_whole(status, len(self.seats)) and await seen(status):
                    return
                await trio.sleep(LOOK_SECONDS)
        raise NeverWhole(what, seconds, _against(self.status))

    def traded(self, seat: Seat) -> int:
        """How many orders of a session the broker has taken."""
        return self.broker.traded.get((seat.account, seat.symbol), 0)

    def is_flat(self) -> bool:
        """Whether nothing is held or open at the broker, and the journal, as far as it was read, knows that."""
        return not any(self.broker.holdings()) and len(self.journal.fills) >= len(self.broker.fills)


def is_whole(status: Record, sessions: int) -> bool:
    """Whether every session runs with nothing against it, and every account's books agree with the broker."""
    running = [row for row in status["sessions"] if row["condition"] == "running" and row["rung"] == "full"]
    return (
        len(running) == sessions
        and not any(row["causes"] for row in running)
        and all(row["open"] for row in status["brokers"])
        and all(row["reconciled"] for row in status["accounts"])
    )


def _against(status: Record | None) -> Iterable[str]:
    """What the daemon itself says that keeps it from being well."""
    return ("the daemon does not answer",) if status is None else reasons(status)
