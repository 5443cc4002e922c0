"""A small world with everything in it: a real WebSocket library, a request socket, a journal, chaos from the seed."""

import functools
import sqlite3
import sys
from pathlib import Path

import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
    wrap_server_stream,
)

from runtime.simulation import (
    BUGGIFY,
    Conditions,
    FaultPlan,
    SimulatedStream,
    SimulatedWorld,
    SimulationResult,
    chance,
    simulate,
    uniform,
)

FAULTS = FaultPlan(
    {
        "network.reset": chance(0.003),
        "network.end": chance(0.003),
        "network.stall": chance(0.001),
        "network.delay": chance(0.003),
        "network.timeout": chance(0.02),
        "network.refused": chance(0.05),
        "disk.slow": chance(0.05),
        "disk.sync": chance(0.02),
    },
    otherwise=BUGGIFY,
)
LOG = Path("/var/audit.log")
JOURNAL = Path("/var/journal.db")
LOST = (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError, trio.TooSlowError)


async def market(world: SimulatedWorld, seconds: float = 30.0) -> int:
    """Three clients of a feed and of an order socket for so long; returns how many orders are in the journal."""
    slow = Conditions(latency=uniform(0.001, 0.05), most_per_read=4096)
    world.network.shape(outward=slow, inward=slow)
    journal = sqlite3.connect(world.disk.database(JOURNAL), uri=True, isolation_level=None)
    journal.execute("create table orders (number integer, at integer)")
    world.trace.record("market.open", symbols={"ES", "NQ", "CL", "GC", "ZN", "6E"})
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_feed, world)
            nursery.start_soon(serve_orders, world, journal)
            for number in range(3):
                nursery.start_soon(follow, world, f"feed{number}")
                nursery.start_soon(order, world, f"trader{number}")
    (count,) = journal.execute("select count(*) from orders").fetchone()
    journal.close()
    return int(count)


async def serve_feed(world: SimulatedWorld) -> None:
    """Sends ticks over WebSockets."""

    async def one(stream: SimulatedStream) -> None:
        try:
            async with trio.open_nursery() as nursery:
                socket = await (await wrap_server_stream(nursery, stream)).accept()
                for number in range(1_000_000):
                    await socket.send_message(f"tick {number}")
                    await trio.sleep(world.chance.expovariate(5.0))
        except* LOST:
            world.trace.record("feed.lost")

    await trio.serve_listeners(one, await world.network.listen("feed.broker", 443))


async def follow(world: SimulatedWorld, name: str) -> None:
    """Follows the feed and comes back when it is lost."""
    while True:
        try:
            with trio.fail_after(30):
                stream = await world.network.connect("feed.broker", 443)
                async with trio.open_nursery() as nursery:
                    # The library takes any stream; its types name only those of sockets.
                    socket = await wrap_client_stream(nursery, stream, "feed.broker", "/")  # type: ignore[arg-type]
                    await receive(world, name, socket)
        except* LOST:
            world.trace.record("feed.gone", name=name)
        await trio.sleep(world.chance.uniform(0.1, 1.0))


async def receive(world: SimulatedWorld, name: str, socket: WebSocketConnection) -> None:
    """Traces what comes."""
    while True:
        world.trace.record("feed.message", name=name, text=await socket.get_message())


async def serve_orders(world: SimulatedWorld, journal: sqlite3.Connection) -> None:
    """Journals each order, then answers."""

    async def one(stream: SimulatedStream) -> None:
        try:
            async with stream:
                async for line in stream:
                    await world.threads.run(functools.partial(record, bytes(line)))
                    await stream.send_all(b"ok\n")
        except (OSError, trio.BrokenResourceError) as error:
            world.trace.record("orders.lost", error=type(error).__name__)

    def record(text: bytes) -> None:
        if world.faults.fires("journal.lost"):
            raise OSError("the journal is gone")
        world.disk.append(LOG, text)
        journal.execute("insert into orders values (?, ?)", (len(text), world.clock.wall_ns()))

    await trio.serve_listeners(one, await world.network.listen("api.broker", 443))


async def order(world: SimulatedWorld, name: str) -> None:
    """Sends orders one after another."""
    while True:
        try:
            with trio.fail_after(5):
                async with await world.network.connect("api.broker", 443) as stream:
                    await stream.send_all(b"buy one\n")
                    world.trace.record("order", name=name, answer=bytes(await stream.receive_some()))
        except LOST as error:
            world.trace.record("order.unknown", name=name, error=type(error).__name__)
        await trio.sleep(world.chance.uniform(0.05, 0.5))


def rehearse(seed: int) -> SimulationResult[int]:
    """The market of a seed."""
    return simulate(market, seed=seed, faults=FAULTS)


if __name__ == "__main__":
    for one_seed in range(int(sys.argv[1])):
        result = rehearse(one_seed)
        line = one_seed, result.unwrap(), result.events, result.virtual_seconds, result.trace_hash
        print(*line)  # noqa: T201 - what the test in the other process reads
