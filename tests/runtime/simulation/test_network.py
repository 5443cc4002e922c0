"""The simulated network: names, connects that fail, partitions, Unix sockets, chaos by fault points."""

import contextlib
import errno
import socket
import ssl
from pathlib import Path

import pytest
import trio
import trio.testing

from runtime.simulation import (
    Conditions,
    ConnectFailure,
    FaultPlan,
    Link,
    SimulatedListener,
    SimulatedNetwork,
    SimulatedStream,
    SimulatedWorld,
    chance,
    fixed,
    on_hits,
    simulate,
    uniform,
)
from runtime.world import Network
from tests.runtime.simulation.rehearsal import rehearsed

SOCKET = Path("/run/pitboss/control.sock")


async def listener_on(network: SimulatedNetwork, host: str, port: int = 443) -> SimulatedListener:
    """The one listener of a host and port."""
    return (await network.listen(host, port))[0]


async def links(network: SimulatedNetwork, *hosts: str) -> list[Link]:
    """A connection to each host."""
    for host in hosts:
        await network.listen(host, 443)
    return [(await network.connect(host, 443)).link for host in hosts]


async def echo(stream: SimulatedStream) -> None:
    """Sends back what arrives."""
    async with stream:
        async for data in stream:
            await stream.send_all(data)


def test_the_simulated_network_is_a_network() -> None:
    assert isinstance(SimulatedNetwork(), Network)


@rehearsed
async def test_a_server_of_trio_serves_on_the_simulated_network(world: SimulatedWorld) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, echo, await world.network.listen("broker", 443))
        for word in (b"one", b"two"):
            async with await world.network.connect("broker", 443) as stream:
                await stream.send_all(word)
                assert await stream.receive_some() == word
        nursery.cancel_scope.cancel()
    assert world.network.links == []
    statistics = world.network.statistics()
    assert (statistics.links_opened, statistics.bytes_sent, statistics.bytes_received) == (2, 12, 12)


@rehearsed
async def test_a_connection_takes_one_round_trip(world: SimulatedWorld) -> None:
    await world.network.listen("broker", 443)
    world.network.shape("broker", 443, outward=Conditions(fixed(2.0)), inward=Conditions(fixed(3.0)))
    await world.network.connect("broker", 443)
    assert trio.current_time() == 5.0


@rehearsed
async def test_conditions_of_a_port_win_over_those_of_its_host_and_those_over_the_general_ones(
    world: SimulatedWorld,
) -> None:
    everywhere, of_host, of_port = (Conditions(fixed(x)) for x in (1.0, 2.0, 3.0))
    world.network.shape(outward=everywhere)
    world.network.shape("broker", outward=of_host)
    world.network.shape("broker", 443, outward=of_port)
    for host, port, expected in (("other", 443, everywhere), ("broker", 80, of_host), ("broker", 443, of_port)):
        await world.network.listen(host, port)
        stream = await world.network.connect(host, port)
        assert stream.link.outward.conditions is expected


@rehearsed
async def test_loopback_names_are_one_host_and_port_zero_is_a_free_one(world: SimulatedWorld) -> None:
    listener = await listener_on(world.network, "127.0.0.1", 0)
    assert listener.address.port > 0
    await world.network.connect("LOCALHOST", listener.address.port)
    other = await listener_on(world.network, "0.0.0.0", 0)  # noqa: S104 - a name in memory
    assert other.address.port != listener.address.port


@rehearsed
async def test_an_address_is_taken_until_its_listener_closes(world: SimulatedWorld) -> None:
    listener = await listener_on(world.network, "broker")
    with pytest.raises(OSError, match="broker:443") as caught:
        await world.network.listen("broker", 443)
    assert caught.value.errno == errno.EADDRINUSE
    await listener.aclose()
    await world.network.listen("broker", 443)


@rehearsed
async def test_closing_a_listener_resets_connections_nobody_accepted_and_wakes_accept(
    world: SimulatedWorld,
) -> None:
    listener = await listener_on(world.network, "broker")
    stream = await world.network.connect("broker", 443)
    await listener.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()
    with pytest.raises(trio.ClosedResourceError):
        await listener.accept()
    await stream.aclose()
    assert world.network.links == []


@rehearsed
async def test_a_listener_keeps_trios_contract(world: SimulatedWorld) -> None:
    listener = await listener_on(world.network, "broker")

    async def expect_closed() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await listener.accept()
        await listener.aclose()
    await listener.aclose()


@rehearsed
async def test_f05_nobody_listening_refuses_the_connect(world: SimulatedWorld) -> None:
    await world.network.listen("broker", 443)
    with pytest.raises(ConnectionRefusedError, match="broker:80"):
        await world.network.connect("broker", 80)


@rehearsed
async def test_f05_a_host_that_never_existed_does_not_resolve(world: SimulatedWorld) -> None:
    with pytest.raises(socket.gaierror, match=r"api\.live-broker\.com"):
        await world.network.connect("api.live-broker.com", 443)


@pytest.mark.parametrize(
    ("how", "error", "seconds"),
    [
        (ConnectFailure.REFUSED, ConnectionRefusedError, 0.0),
        (ConnectFailure.TIMEOUT, TimeoutError, 127.0),
        (ConnectFailure.UNKNOWN_HOST, socket.gaierror, 0.0),
        (ConnectFailure.TLS, ssl.SSLError, 0.0),
    ],
)
@rehearsed
async def test_f05_a_connect_fails_as_it_is_told_until_it_is_allowed_again(
    world: SimulatedWorld, how: ConnectFailure, error: type[OSError], seconds: float
) -> None:
    await world.network.listen("broker", 443)
    world.network.fail_connects("broker", 443, how=how)
    with pytest.raises(error, match="broker"):
        await world.network.connect("broker", 443)
    assert trio.current_time() == seconds
    assert world.network.statistics().connects_failed == 1
    world.network.allow_connects("broker", 443)
    await world.network.connect("broker", 443)


@rehearsed
async def test_a_listener_that_accepts_nobody_stops_answering(world: SimulatedWorld) -> None:
    await world.network.listen("broker", 443)
    for _ in range(128):
        await world.network.connect("broker", 443)
    with pytest.raises(TimeoutError):
        await world.network.connect("broker", 443)


@rehearsed
async def test_tls_settings_are_recorded_and_bytes_stay_plain(world: SimulatedWorld) -> None:
    listener = await listener_on(world.network, "broker")
    context = ssl.create_default_context()
    client = await world.network.connect("broker", 443, tls=context)
    server = await listener.accept()
    assert server.tls is client.tls is context
    await client.send_all(b"plain")
    assert await server.receive_some() == b"plain"


@rehearsed
async def test_a_partition_holds_everything_across_it_and_lets_it_through_when_healed(
    world: SimulatedWorld,
) -> None:
    broker, other = await links(world.network, "broker", "other")
    world.network.partition("broker")
    for link in (broker, other):
        await link.client.send_all(b"x")
    assert await other.server.receive_some() == b"x"
    with trio.move_on_after(3600) as silent:
        await broker.server.receive_some()
    assert silent.cancelled_caught
    with pytest.raises(TimeoutError):
        await world.network.connect("broker", 443)
    world.network.heal()
    assert await broker.server.receive_some() == b"x"
    await world.network.connect("broker", 443)


@rehearsed
async def test_a_partition_also_stops_a_connect_that_is_under_way(world: SimulatedWorld) -> None:
    await world.network.listen("broker", 443)
    world.network.shape(outward=Conditions(fixed(5.0)))

    async def dial() -> None:
        with pytest.raises(TimeoutError):
            await world.network.connect("broker", 443)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial)
        await trio.sleep(1)
        world.network.partition("broker")


@rehearsed
async def test_a_partition_leaves_connections_within_the_same_side_alone(world: SimulatedWorld) -> None:
    here, broker = await links(world.network, "localhost", "broker")
    world.network.partition("localhost", "broker")
    await here.client.send_all(b"x")
    await broker.client.send_all(b"y")
    assert await here.server.receive_some() == b"x"
    assert await broker.server.receive_some() == b"y"


@rehearsed
async def test_f40_swizzle_stops_links_one_by_one_and_restarts_them_in_another_order(
    world: SimulatedWorld,
) -> None:
    hosts = [f"broker{n}" for n in range(6)]
    opened = await links(world.network, *hosts)
    stopped: list[int] = []
    started: list[int] = []

    async def feed(link: Link) -> None:
        while True:
            await link.client.send_all(b"tick")
            await trio.sleep(0.5)

    async def watch(number: int, link: Link) -> None:
        while True:
            with trio.move_on_after(0.75) as waited:
                await link.server.receive_some()
            if waited.cancelled_caught:
                stopped.append(number)
                await link.server.receive_some()
                started.append(number)

    async with trio.open_nursery() as nursery:
        for number, link in enumerate(opened):
            nursery.start_soon(feed, link)
            nursery.start_soon(watch, number, link)
        await world.network.swizzle(pause=fixed(10.0))
        nursery.cancel_scope.cancel()
    assert sorted(stopped) == sorted(started) == list(range(6))
    assert stopped != started


@rehearsed
async def test_f40_a_cancelled_swizzle_leaves_nothing_stopped(world: SimulatedWorld) -> None:
    link, *_ = await links(world.network, "one", "two", "three")
    with trio.move_on_after(25):
        await world.network.swizzle(pause=fixed(10.0))
    await link.client.send_all(b"x")
    with trio.fail_after(1):
        assert await link.server.receive_some() == b"x"


@rehearsed
async def test_links_are_found_by_host_and_port_and_forgotten_when_both_ends_are_closed(
    world: SimulatedWorld,
) -> None:
    first, second = await links(world.network, "one", "two")
    assert world.network.links == [first, second]
    assert world.network.links_to("two", 443) == [second]
    assert world.network.links_to("two", 80) == []
    await first.client.aclose()
    assert world.network.links == [first, second]
    await first.server.aclose()
    assert world.network.links == [second]


@rehearsed
async def test_a_unix_socket_tells_who_connects(world: SimulatedWorld) -> None:
    listener = await world.network.listen_unix(SOCKET)
    world.network.peercred = {"pid": 42, "uid": 1000, "gid": 100}
    client = await world.network.connect_unix(SOCKET)
    server = await listener.accept()
    assert server.peercred == {"pid": 42, "uid": 1000, "gid": 100}
    await client.send_all(b"status")
    assert await server.receive_some() == b"status"


@rehearsed
async def test_a_unix_path_is_refused_when_taken_and_free_when_its_listener_closes(world: SimulatedWorld) -> None:
    listener = await world.network.listen_unix(SOCKET)
    with pytest.raises(FileExistsError, match=r"control\.sock"):
        await world.network.listen_unix(SOCKET)
    await listener.aclose()
    with pytest.raises(FileNotFoundError, match=r"control\.sock"):
        await world.network.connect_unix(SOCKET)
    await world.network.listen_unix(SOCKET)


async def receive(stream: SimulatedStream, size: int) -> bytes:
    """So many bytes, or fewer when the file ends."""
    got = b""
    while len(got) < size and (piece := await stream.receive_some(size)):
        got += piece
    return got


async def exchange(world: SimulatedWorld, rounds: int) -> list[str]:
    """Talks to an echo, connecting again whenever the connection is lost, and tells how each round went."""
    went: list[str] = []

    async def talk() -> None:
        try:
            async with await world.network.connect("broker", 443) as stream:
                with trio.fail_after(60):
                    await stream.send_all(b"request")
                    went.append((await receive(stream, 7)).decode() or "end")
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            went.append(type(error).__name__)

    async def serve(stream: SimulatedStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await echo(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, await world.network.listen("broker", 443))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(rounds):
            await talk()
        nursery.cancel_scope.cancel()
    return went


@pytest.mark.parametrize(
    ("point", "outcome"),
    [
        ("network.refused", "ConnectionRefusedError"),
        ("network.timeout", "TimeoutError"),
        ("network.unknown_host", "gaierror"),
        ("network.reset", "BrokenResourceError"),
        ("network.stall", "TooSlowError"),
    ],
)
def test_each_fault_point_of_the_network_strikes_when_the_plan_says(point: str, outcome: str) -> None:
    result = simulate(exchange, 3, seed=1, faults=FaultPlan({point: on_hits(1)}))
    assert result.unwrap() == [outcome, "request", "request"]
    assert result.faults[point].fired == 1


def test_a_cut_in_the_bytes_may_lose_none_some_or_all_of_them() -> None:
    plan = FaultPlan({"network.end": chance(0.5)})
    seen = {outcome for seed in range(40) for outcome in simulate(exchange, 2, seed=seed, faults=plan).unwrap()}
    assert {"request", "end"} <= seen
    assert any("request".startswith(partial) for partial in seen - {"request", "end"})


def test_a_reset_before_the_first_byte_breaks_the_send_itself() -> None:
    async def send(world: SimulatedWorld) -> str:
        (link,) = await links(world.network, "broker")
        world.faults.arm("network.reset")
        try:
            await link.client.send_all(b"x")
        except trio.BrokenResourceError:
            return "broken"
        return "sent"

    assert {simulate(send, seed=seed).unwrap() for seed in range(20)} == {"broken", "sent"}


def test_a_delay_point_makes_the_round_slow_but_right() -> None:
    result = simulate(exchange, 1, seed=1, faults=FaultPlan({"network.delay": on_hits(1)}))
    assert result.unwrap() == ["request"]
    assert result.virtual_seconds > 0.1


def test_a_tls_failure_strikes_only_connects_that_ask_for_tls() -> None:
    async def scenario(world: SimulatedWorld) -> None:
        await world.network.listen("broker", 443)
        await world.network.connect("broker", 443)
        with pytest.raises(ssl.SSLError):
            await world.network.connect("broker", 443, tls=ssl.create_default_context())

    simulate(scenario, seed=1, faults=FaultPlan({"network.tls": on_hits(1)})).unwrap()


def test_latency_differs_by_seed_and_not_by_run() -> None:
    async def scenario(world: SimulatedWorld) -> float:
        world.network.shape(outward=Conditions(uniform(0.0, 1.0)))
        await world.network.listen("broker", 443)
        await world.network.connect("broker", 443)
        return trio.current_time()

    times = [simulate(scenario, seed=seed).unwrap() for seed in (1, 1, 2)]
    assert times[0] == times[1] != times[2]
