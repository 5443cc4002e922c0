"""Real trio-websocket, both ends, in a simulated world that breaks: whole messages, one typed end, no false belief."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed, wrap_server_stream
from wsproto.utilities import ProtocolError

from runtime.simulation import Conditions, FaultPlan, SimulatedWorld, chance, simulate, uniform
from runtime.wire.capture import Exchange, Kind, Recorder
from runtime.wire.delivery import Delivery, Sent
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.websocket import open_websocket
from runtime.wire.websocket_ends import Ending, Refusal, WebSocketClosed, WebSocketRefused
from runtime.wire.websocket_session import Heartbeat, WebSocketSession, WebSocketSettings
from tests.runtime.wire.peers import NIGHTLY
from tests.runtime.wire.websocket_peers import HOST, URL

STORM = FaultPlan(
    points={
        "network.refused": chance(0.1),
        "network.timeout": chance(0.05),
        "network.reset": chance(0.02),
        "network.end": chance(0.02),
        "network.stall": chance(0.01),
        "network.delay": chance(0.01),
    }
)
LIMITS = WebSocketSettings(heartbeat=Heartbeat(5), connect_seconds=6, send_queue=3, receive_queue=5)


@attrs.define
class Tally:
    """What went over the wire as both sides saw it."""

    sessions: list[list[int]] = attrs.field(factory=list)
    ends: Counter[Ending | Refusal] = attrs.field(factory=Counter)
    received: Counter[str] = attrs.field(factory=Counter)
    deliveries: dict[str, tuple[bool, Sent]] = attrs.field(factory=dict)
    records: list[Exchange] = attrs.field(factory=list)


async def serve(world: SimulatedWorld, tally: Tally, stream: trio.abc.Stream) -> None:
    async def feed(socket: Any) -> None:
        number = 0
        while True:
            await trio.sleep(world.chance.expovariate(4))
            await socket.send_message(f"{number:>{world.chance.randint(4, 3000)}}")
            number += 1

    try:
        async with stream, trio.open_nursery() as nursery:
            socket = await (await wrap_server_stream(nursery, stream)).accept()
            nursery.start_soon(feed, socket)
            while True:
                tally.received[str(await socket.get_message())] += 1
    except* (ConnectionClosed, ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def talk(world: SimulatedWorld, tally: Tally, session: WebSocketSession, name: str) -> None:
    """Sends orders, gives up on some, and notes what it knows of each."""
    for number in range(1000):
        key, delivery, written = f"{name}-{number}".ljust(world.chance.randint(1, 2000), "."), Delivery(), False
        with trio.move_on_after(world.chance.choice([0.0, 0.05, 60])):
            try:
                await session.send(key, delivery)
                written = True
            except WebSocketClosed as end:
                tally.deliveries[key] = written, end.sent
                return
        tally.deliveries[key] = written, delivery.sent
        await trio.sleep(world.chance.expovariate(2))


async def one_session(world: SimulatedWorld, tally: Tally, recorder: Recorder, name: int) -> None:
    try:
        async with open_websocket(
            world.network, URL, AllowList(f"wss://{HOST}"), Redactor(), settings=LIMITS, recorder=recorder
        ) as session, trio.open_nursery() as nursery:  # fmt: skip
            tally.sessions.append(seen := [])
            for talker in range(2):
                nursery.start_soon(talk, world, tally, session, f"{name}.{talker}")
            while True:
                seen.append(int(await session.receive()))
    except* (WebSocketClosed, WebSocketRefused) as group:
        tally.ends.update(reasons(group))


def reasons(error: BaseException) -> Iterator[Ending | Refusal]:
    if isinstance(error, WebSocketClosed | WebSocketRefused):
        yield error.reason
    elif isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from reasons(part)


async def storm(world: SimulatedWorld, seconds: float) -> Tally:
    tally = Tally()
    lag = Conditions(latency=uniform(0.01, 0.2), most_per_read=500, buffer=4000)
    world.network.shape(outward=lag, inward=lag)
    recorder = Recorder("w1", world.clock, Redactor(), tally.records.append)

    async def accept(stream: trio.abc.Stream) -> None:
        await serve(world, tally, stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, accept, await world.network.listen(HOST, 443))
        name = 0
        while trio.current_time() < seconds:
            await one_session(world, tally, recorder, name)
            await trio.sleep(0.5)
            name += 1
        await trio.sleep(120)
        nursery.cancel_scope.cancel()
    return tally


@pytest.mark.parametrize("seed", range(3 * NIGHTLY))
def test_f01_f03_i21_a_storm_never_tears_a_message_nor_misjudges_a_frame(seed: int) -> None:
    tally = simulate(storm, 120.0, seed=seed, faults=STORM).unwrap()
    assert len(tally.sessions) > 3
    assert all(session == list(range(len(session))) for session in tally.sessions)
    assert max(tally.received.values()) == 1
    for key, (written, sent) in tally.deliveries.items():
        assert not written or sent is Sent.MAYBE
        if sent is Sent.NOTHING:
            assert key not in tally.received
    assert set(tally.received) <= set(tally.deliveries)
    kinds = Counter(record.kind for record in tally.records)
    assert kinds[Kind.REQUEST] == kinds[Kind.ANSWER] + kinds[Kind.FAILURE] == sum(tally.ends.values())
    assert kinds[Kind.CLOSED] == kinds[Kind.ANSWER] == len(tally.sessions)
    assert set(tally.ends) <= {
        Ending.LOST,
        Ending.PEER_SILENT,
        Refusal.LOST,
        Refusal.TIMEOUT,
        Refusal.UNREACHABLE,
    }


def test_r01_the_same_seed_gives_the_same_storm() -> None:
    runs = [simulate(storm, 40.0, seed=11, faults=STORM) for _ in range(2)]
    one, two = (run.unwrap() for run in runs)
    assert (one.sessions, one.ends, one.received) == (two.sessions, two.ends, two.received)
    assert runs[0].trace_hash == runs[1].trace_hash
