"""A running emulator: where it is, what it accepts, and handles to steer it; and the line that says so."""

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import attrs
import trio

from brokers.emulation.catalogue import Part
from brokers.emulation.desk import Desk
from brokers.emulation.faults import parse_fault
from brokers.emulation.house import House
from brokers.emulation.line import Door
from brokers.emulation.log import EventLog
from brokers.emulation.switchboard import Switchboard
from brokers.guards.timeline import Timeline
from brokers.market import MarketEvent
from runtime.wire.host import App, HostLimits, serve
from runtime.world import World

LOOPBACK = "127.0.0.1"


@attrs.frozen(eq=False)
class Emulator:
    """One broker's protocol from the other side.

    futures  those of its accounts that take futures
    pardon   what its support does for a person who has solved a captcha: nothing bars a login any more
    """

    broker: str
    http: str
    ws: str | None  # None: the protocol has no WebSocket
    credentials: Mapping[str, str]
    accounts: tuple[str, ...]
    futures: frozenset[str]
    app: App
    log: EventLog
    faults: Switchboard
    desk: Desk
    house: House
    pardon: Callable[[], None] = lambda: None

    @property
    def door(self) -> Door:
        """Where its connections come in."""
        return self.house.door


class Emulate(Protocol):
    """Serves one broker's protocol on loopback until cancelled; `nursery.start` returns the Emulator.

    Raises FaultError for a switch that the protocol cannot have, and OSError for a port that is taken.
    """

    def __call__(
        self,
        world: World,
        *,
        port: int = 0,
        seed: int = 1,
        faults: Sequence[str] = (),
        latency: float = 0.0,
        symbols: Sequence[str] = (),
        recording: Sequence[MarketEvent] = (),
        task_status: trio.TaskStatus[Emulator] = trio.TASK_STATUS_IGNORED,
    ) -> Awaitable[None]:
        """`latency` is in seconds, each way; without canonical `symbols` a few well-known ones are traded.

        A recording takes the place of the synthetic market; its first event happens when the emulator starts.
        """
        ...


def ready_record(emulator: Emulator) -> dict[str, Any]:
    """What a client must know: addresses, accepted credentials, accounts."""
    return {
        "broker": emulator.broker,
        "http": emulator.http,
        "ws": emulator.ws,
        "credentials": dict(emulator.credentials),
        "accounts": list(emulator.accounts),
    }


def ready_line(emulator: Emulator) -> str:
    """The same as one line of JSON."""
    return json.dumps(ready_record(emulator))


@asynccontextmanager
async def open_house(
    world: World, parts: Iterable[Part], *, port: int, seed: int, faults: Sequence[str], latency: float
) -> AsyncIterator[House]:
    """The surroundings of an emulator, its door open and its faults on; raises FaultError, OSError."""
    parts = frozenset(parts)
    for text in faults:
        parse_fault(text, parts)
    timeline = Timeline(world.clock)
    log = EventLog(timeline.now_ns)
    switches = Switchboard(parts, log)
    door = await Door.open(world.network, LOOPBACK, port, log)
    try:
        async with trio.open_nursery() as nursery:
            house = House(timeline, random.Random(f"{seed}/house"), log, switches, door, nursery, latency)
            for text in faults:
                switches.on(text)
            yield house
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(door)


async def run_emulator(
    emulator: Emulator, task_status: trio.TaskStatus[Emulator], limits: HostLimits | None = None
) -> None:
    """Serves an emulator and lets its market happen until cancelled."""
    house = emulator.house
    async with trio.open_nursery() as nursery:
        await nursery.start(emulator.desk.run)
        await nursery.start(partial(serve, emulator.app, [house.door], limits=limits or HostLimits(), clock=house))
        task_status.started(emulator)
