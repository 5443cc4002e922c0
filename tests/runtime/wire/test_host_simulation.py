"""The host in a simulated world: the network of the seam, its faults, and exact replay."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import h11
import pytest
import trio

from runtime.simulation import BUGGIFY, FaultPlan, SimulatedWorld, simulate
from runtime.wire.host import (
    ConnectionFailed,
    Host,
    HostEvent,
    Message,
    PeerDropped,
    Receive,
    RequestFailed,
    Send,
    serve,
)
from tests.runtime.wire.host_kit import NIGHTLY, Client, http_app, read_all, reply, request
from tests.runtime.wire.test_host_websocket import TEXT, UPGRADE, WebSocketClient, closing, frame

Talk = Callable[[SimulatedWorld], Awaitable[object]]
CONTROL = Path("/run/control.sock")


@http_app
async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["path"] == "/who":
        await reply(send, str(scope["extensions"]["peercred"]["uid"]).encode())
    else:
        await reply(send, await read_all(receive))


async def talk_http(world: SimulatedWorld) -> list[bytes]:
    async with await world.network.connect("localhost", 8080) as stream:
        client = Client(stream)
        return [(await client.ask(request(method="POST", body=b"x" * size))).body for size in (1, 5000, 200_000)]


async def talk_websocket(world: SimulatedWorld) -> str:
    async with await world.network.connect("localhost", 8080) as stream:
        client = Client(stream)
        await client.send(request("/ws", *UPGRADE))
        head = await client.some()
        while b"\r\n\r\n" not in head:
            more = await client.some()
            if not more:
                raise EOFError
            head += more
        websocket = WebSocketClient(client, head.partition(b"\r\n\r\n")[2])
        await websocket.send(frame(TEXT, b"hello"))
        text = await websocket.text()
        await websocket.send(closing(1000))
        await websocket.closed()
        return text


async def talk_unix(world: SimulatedWorld) -> bytes:
    async with await world.network.connect_unix(CONTROL) as stream:
        return (await Client(stream).ask(request("/who"))).body


async def serving(world: SimulatedWorld) -> tuple[Host, list[HostEvent], list[object]]:
    """A host and its clients for a while; returns what the clients got, None from those that were cut off."""
    events: list[HostEvent] = []
    results: list[object] = []

    async def run(talk: Talk, number: int) -> None:
        await trio.sleep(number / 10)
        try:
            with trio.fail_after(300):
                results.append(await talk(world))
        except (
            OSError,
            EOFError,
            AssertionError,
            h11.RemoteProtocolError,
            trio.BrokenResourceError,
            trio.TooSlowError,
        ):
            results.append(None)

    talks: list[Talk] = [talk_http, talk_websocket, talk_unix]
    async with trio.open_nursery() as nursery:
        listeners = [*await world.network.listen("localhost", 8080), await world.network.listen_unix(CONTROL)]
        host = await nursery.start(partial(serve, app, listeners, on_event=events.append, clock=world.clock))
        async with trio.open_nursery() as clients:
            for number in range(9):
                clients.start_soon(run, talks[number % 3], number)
        await trio.sleep(120)
        assert host.statistics().connections_open == 0
        host.drain(within_seconds=5)
    return host, events, results


def test_clients_are_served_over_the_simulated_network() -> None:
    result = simulate(serving, seed=1)
    _, events, results = result.unwrap()
    assert events == []
    assert results.count("hello") == 3
    assert results.count([b"x", b"x" * 5000, b"x" * 200_000]) == 3
    assert len([got for got in results if isinstance(got, bytes) and got.isdigit()]) == 3


@pytest.mark.parametrize("seed", range(8 * NIGHTLY))
def test_faults_of_the_network_neither_break_the_host_nor_its_replay(seed: int) -> None:
    first, second = [simulate(serving, seed=seed, faults=FaultPlan(otherwise=BUGGIFY)) for _ in range(2)]
    assert first.trace_hash == second.trace_hash
    host, events, results = first.unwrap()
    assert len(results) == 9
    assert not [event for event in events if isinstance(event, ConnectionFailed | RequestFailed)]
    assert host.statistics().websockets_open == 0


async def deadlines(world: SimulatedWorld) -> tuple[float, list[str]]:
    """How long an idle connection lived, and why others were dropped."""
    events: list[HostEvent] = []
    async with trio.open_nursery() as nursery:
        listeners = await world.network.listen("localhost", 8080)
        host = await nursery.start(partial(serve, app, listeners, on_event=events.append))
        idle = Client(await world.network.connect("localhost", 8080))
        stuck = Client(await world.network.connect("localhost", 8080))
        await stuck.send(request(method="POST", body=b"x" * 1_000_000))
        await idle.ask(request())
        begun = trio.current_time()
        assert await idle.rest() == b""
        lived = trio.current_time() - begun
        await trio.sleep(1)
        assert host.statistics().connections_open == 0
        nursery.cancel_scope.cancel()
    await idle.leave()
    await stuck.leave()
    return lived, [event.reason for event in events if isinstance(event, PeerDropped)]


def test_the_deadlines_of_the_host_hold_in_virtual_time() -> None:
    lived, dropped = simulate(deadlines, seed=1).unwrap()
    assert lived == pytest.approx(60, abs=1)
    assert dropped == ["write_deadline"]
