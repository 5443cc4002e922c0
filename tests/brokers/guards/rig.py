"""What the tests of the guards share: a host on virtual time and a broker that answers as told."""

import os
import random
from collections.abc import Iterable

import trio

from brokers.errors import Certainty, Code, ConnectionFailed, NoClearAnswer
from brokers.guards.events import GuardEvent
from brokers.guards.guard import Guard
from brokers.guards.host import Host
from brokers.guards.limits import Limit
from brokers.guards.memory import GuardMemory, Kept
from brokers.guards.operation import Kind, Operation
from brokers.guards.timeline import SECOND_NS, Timeline
from brokers.outcome import Accepted, NotSent, Outcome, Unknown
from runtime.simulation.clock import SimulatedClock

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
MS = SECOND_NS // 1000

PLACE = Operation("place", Kind.SUBMIT)
CANCEL = Operation("cancel", Kind.CANCEL)
READ = Operation("read", Kind.READ)

REFUSED_CONNECTION = ConnectionFailed("acme", Code.CONNECTION_FAILED)
SERVER_ERROR = NoClearAnswer("acme", Code.API_ERROR, "HTTP 503")
UNHEARD_QUESTION = NoClearAnswer("acme", Code.TIMEOUT, certainty=Certainty.DEFINITE)
DONE = Accepted("1")
LOST = Unknown(SERVER_ERROR)
UNSENT = NotSent(REFUSED_CONNECTION)


class Rig:
    """A host and one guarded connection, their events, and a broker that counts what arrives."""

    def __init__(
        self, limits: Iterable[Limit] = (), *, seed: int = 1, host: Host | None = None, **guard: object
    ) -> None:
        self.told: list[GuardEvent] = []
        self.clock = SimulatedClock(now=trio.current_time)
        self.host = host or Host("acme", limits, clock=self.clock, tell=self.told.append)
        self.guard = Guard("acme-1", self.host, chance=random.Random(seed), **guard)  # type: ignore[arg-type]  # settings as the test names them
        self.arrivals: list[int] = []  # nanoseconds
        self.script: list[Outcome | Exception] = []
        self.takes_s = 0.0

    def restarted(self, **guard: object) -> "Rig":
        """The same after a restart, which knows what was told before it."""
        kept = GuardMemory.of(event for event in self.told if isinstance(event, Kept))
        after = Rig()
        after.host = Host("acme", (), clock=after.clock, tell=after.told.append, memory=kept)
        after.guard = Guard("acme-1", after.host, chance=random.Random(1), **guard)  # type: ignore[arg-type]  # settings as the test names them
        return after

    @property
    def timeline(self) -> Timeline:
        return self.host.timeline

    async def attempt(self, _admission: object = None) -> Outcome:
        """One request: the next of the script, then always DONE."""
        self.arrivals.append(self.timeline.now_ns())
        await trio.sleep(self.takes_s)
        step = self.script.pop(0) if self.script else DONE
        if isinstance(step, Exception):
            raise step
        return step

    async def end_of(self, operation: Operation) -> object:
        """What guarding the next steps of the script came to, returned or raised."""
        try:
            return await self.guard.run(operation, self.attempt)
        except Exception as error:  # noqa: BLE001  the test compares it, whatever it is
            return error


def timeline() -> Timeline:
    """A timeline on trio's clock."""
    return Timeline(SimulatedClock(now=trio.current_time))
