"""The turn of a month: the journal's file is sealed, the next begins with what is needed of it, and it is packed."""

import datetime as dt
from typing import Final

import trio

from brokers.guards.alerts import Alert
from runtime import Actor
from runtime.errors import CallError
from sessions.carry import carrying
from sessions.control.daemon.arming import carry_arms
from sessions.control.daemon.guard_memory import carry_guards
from sessions.control.daemon.house import House
from sessions.journal import Journal, JournalError
from sessions.journal.carry import Carry
from sessions.trader.causes import ALERTS

LOOK_SECONDS: Final = 3600.0  # at the longest: a clock may be set, a machine may sleep
PACK_SECONDS: Final = 600.0  # after a roll: by then nobody reads the sealed file any more
WORK_SECONDS: Final = 600.0
_SECOND_NS: Final = 1_000_000_000


class Months(Actor):
    """Rolls the journal at the first moment of a month in UTC, or at the start when that was missed."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def on_start(self) -> None:
        """Looks at once, and packs later what an earlier daemon sealed."""
        self.continue_with(Months.look)
        self.send_after(PACK_SECONDS, Months.pack)

    async def look(self) -> None:
        """Rolls if the month is over; what fails is told, and tried again with the next look."""
        journal = self.house.journal
        try:
            with trio.fail_after(WORK_SECONDS):
                if await journal.call(Journal.month_is_over):
                    await journal.call(Journal.roll, _carry())
                    self.send_after(PACK_SECONDS, Months.pack)
        except (JournalError, OSError, CallError, trio.TooSlowError) as error:
            self._alert("no new file was begun for this month", error)
        self.send_after(min(_until_next_month(self.world.clock.wall_ns()), LOOK_SECONDS), Months.look)

    async def pack(self) -> None:
        """Compresses what is sealed, beside the writer; it stays where it is when that fails."""
        try:
            with trio.fail_after(WORK_SECONDS):
                await self.house.journal.call(Journal.archive)
        except (JournalError, OSError, CallError, trio.TooSlowError) as error:
            self._alert("a sealed file was not compressed", error)

    def _alert(self, what: str, error: Exception) -> None:
        now_ns = self.world.clock.wall_ns()
        text = f"the journal: {what}: {str(error) or type(error).__name__}"
        self.runtime.topics.publish(ALERTS, Alert("journal: month", "", text, 1, now_ns, now_ns))


def _carry() -> Carry:
    from sessions.control.api.once import carry_commands  # noqa: PLC0415 - the interface is loaded after the sessions

    return carrying(carry_arms, carry_commands, carry_guards)


def _until_next_month(now_ns: int) -> float:
    """Seconds until the first moment of the next month in UTC."""
    now = dt.datetime.fromtimestamp(now_ns // _SECOND_NS, dt.UTC)
    first = dt.datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=dt.UTC)
    return first.timestamp() - now_ns / _SECOND_NS
