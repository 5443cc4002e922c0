"""What surrounds a broker's emulator while it runs: clock, chance, log, switches, door and tasks."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import attrs
import trio

from brokers.emulation.badges import Badges
from brokers.emulation.line import Door
from brokers.emulation.log import EventLog
from brokers.emulation.switchboard import Switchboard
from brokers.guards.timeline import Timeline

Args = TypeVarTuple("Args")
SECOND_NS = 1_000_000_000


@attrs.frozen(eq=False)
class House:
    """The surroundings of one running emulator."""

    timeline: Timeline
    chance: random.Random
    log: EventLog
    faults: Switchboard
    door: Door
    nursery: trio.Nursery
    latency_seconds: float  # each way
    badges: Badges = attrs.field(factory=Badges)

    def now_ns(self) -> int:
        """The true time."""
        return self.timeline.now_ns()

    def wall_ns(self) -> int:
        """The time that is written on the wire."""
        skew = self.faults.state("clock-skew")
        return self.now_ns() + (0 if skew is None else int(skew.seconds * SECOND_NS))

    def monotonic_ns(self) -> int:
        """The time for durations."""
        return self.now_ns()

    def spawn(self, work: Callable[[*Args], Awaitable[object]], *args: *Args) -> None:
        """Runs work beside everything else, until the emulator ends."""
        self.nursery.start_soon(work, *args)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Does something after a while."""

        async def wait() -> None:
            await trio.sleep(seconds)
            act()

        self.nursery.start_soon(wait)

    async def swizzle(self, most_seconds: float) -> None:
        """Silences all connections one by one and resumes them in random order, with pauses between."""
        for line in (lines := list(self.door.lines)):
            line.silence()
            await trio.sleep(self.chance.uniform(0, most_seconds))
        self.chance.shuffle(lines)
        for line in lines:
            await line.resume()
            await trio.sleep(self.chance.uniform(0, most_seconds))
