"""The streams of the simulated network keep trio's contract and do to bytes what they are told."""

import math
import random
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from runtime.simulation import (
    Conditions,
    Cut,
    Ending,
    Link,
    SimulatedNetwork,
    SimulatedStream,
    SimulatedWorld,
    fixed,
    simulate,
    uniform,
)
from tests.runtime.simulation.rehearsal import rehearsed

Pair = tuple[SimulatedStream, SimulatedStream]


async def open_link(network: SimulatedNetwork, host: str = "broker") -> Link:
    """A fresh connection whose two ends are in the caller's hands."""
    listener = (await network.listen(host, 443))[0]
    stream = await network.connect(host, 443)
    await listener.accept()
    await listener.aclose()
    return stream.link


async def read_all(stream: SimulatedStream) -> bytes:
    """Everything up to the end of file."""
    return b"".join([bytes(piece) async for piece in stream])


def maker(network: SimulatedNetwork) -> Callable[[], Awaitable[Pair]]:
    async def make() -> Pair:
        link = await open_link(network)
        return link.client, link.server

    return make


def clogged(make: Callable[[], Awaitable[Pair]]) -> Callable[[], Awaitable[Pair]]:
    async def make_clogged() -> Pair:
        pair = await make()
        for stream in pair:
            await stream.send_all(bytes(65536))
        return pair

    return make_clogged


@rehearsed
async def test_streams_keep_trios_contract(world: SimulatedWorld) -> None:
    make = maker(world.network)
    await trio.testing.check_half_closeable_stream(make, clogged(make))


@rehearsed
async def test_streams_with_latency_and_slices_keep_trios_contract(world: SimulatedWorld) -> None:
    slow = Conditions(latency=uniform(0.001, 0.1), most_per_read=9000)
    world.network.shape(outward=slow, inward=slow)
    await trio.testing.check_half_closeable_stream(maker(world.network), None)


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=12),
    most_per_read=st.none() | st.integers(1, 9),
    buffer=st.integers(1, 64),
    read_size=st.integers(1, 50),
    slowest=st.sampled_from([0.0, 3.0]),
    seed=st.integers(0, 9),
)
def test_bytes_arrive_once_whole_and_in_order_however_they_are_cut_and_delayed(
    pieces: list[bytes], most_per_read: int | None, buffer: int, read_size: int, slowest: float, seed: int
) -> None:
    async def scenario(world: SimulatedWorld) -> bytes:
        conditions = Conditions(uniform(0, slowest), most_per_read, buffer)
        world.network.shape(outward=conditions)
        link = await open_link(world.network)
        got = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_pieces, link.client)
            while piece := await link.server.receive_some(read_size):
                assert len(piece) <= min(read_size, most_per_read or read_size)
                got += piece
        return got

    async def send_pieces(stream: SimulatedStream) -> None:
        for piece in pieces:
            await stream.send_all(piece)
        await stream.aclose()

    assert simulate(scenario, seed=seed).unwrap() == b"".join(pieces)


@rehearsed
async def test_a_closed_stream_refuses_an_end_of_file_even_when_it_had_sent_one(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    await link.client.send_eof()
    await link.client.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await link.client.send_eof()


@rehearsed
async def test_latency_delays_each_byte_and_keeps_their_order(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    link.outward.conditions = Conditions(latency=fixed(5.0))
    start = trio.current_time()
    await link.client.send_all(b"slow ")
    link.outward.conditions = Conditions(latency=fixed(1.0))
    await link.client.send_all(b"fast")
    assert await link.server.receive_some() == b"slow fast"
    assert trio.current_time() - start == 5.0


@rehearsed
async def test_directions_have_conditions_of_their_own(world: SimulatedWorld) -> None:
    world.network.shape("broker", outward=Conditions(latency=fixed(2.0)), inward=Conditions(latency=fixed(30.0)))
    link = await open_link(world.network)
    start = trio.current_time()
    await link.client.send_all(b"ask")
    await link.server.receive_some()
    assert trio.current_time() - start == 2.0
    await link.server.send_all(b"answer")
    await link.client.receive_some()
    assert trio.current_time() - start == 32.0


@rehearsed
async def test_latency_may_come_from_a_generator(world: SimulatedWorld) -> None:
    delays = iter([3.0, 0.0, 0.0])
    link = await open_link(world.network)
    link.outward.conditions = Conditions(latency=lambda _chance: next(delays))
    start = trio.current_time()
    await link.client.send_all(b"x")
    await link.server.receive_some()
    assert trio.current_time() - start == 3.0


@rehearsed
async def test_connections_overtake_each_other(world: SimulatedWorld) -> None:
    first, second = await open_link(world.network, "one"), await open_link(world.network, "two")
    first.outward.conditions = Conditions(latency=fixed(9.0))
    arrivals: list[str] = []

    async def listen(name: str, link: Link) -> None:
        await link.server.receive_some()
        arrivals.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, "sent first", first)
        nursery.start_soon(listen, "sent second", second)
        await first.client.send_all(b"x")
        await second.client.send_all(b"x")
    assert arrivals == ["sent second", "sent first"]


@rehearsed
async def test_a_peer_that_never_reads_blocks_the_writer(world: SimulatedWorld) -> None:
    world.network.shape(outward=Conditions(buffer=100))
    link = await open_link(world.network)
    with trio.move_on_after(3600) as patience:
        await link.client.send_all(bytes(101))
    assert patience.cancelled_caught
    assert link.outward.sent == 100
    await link.server.receive_some(1)
    with trio.fail_after(1):
        await link.client.wait_send_all_might_not_block()
        await link.client.send_all(b"x")


@rehearsed
async def test_f01_a_reset_breaks_both_ends_at_once_and_loses_what_is_under_way(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    await link.client.send_all(b"lost")
    link.reset()
    for stream in (link.client, link.server):
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")


@rehearsed
async def test_a_stream_tells_that_something_waits_to_be_read_as_a_socket_does(world: SimulatedWorld) -> None:
    world.network.shape(inward=Conditions(latency=fixed(1)))
    link = await open_link(world.network)
    assert not link.client.is_readable()
    await link.server.send_all(b"word")
    assert not link.client.is_readable()
    await trio.sleep(1)
    assert link.client.is_readable()
    assert await link.client.receive_some() == b"word"
    assert not link.client.is_readable()
    await link.server.aclose()
    await trio.sleep(1)
    assert link.client.is_readable()
    other = await open_link(world.network)
    other.reset()
    assert other.client.is_readable()


@rehearsed
async def test_f01_a_reset_wakes_those_who_wait(world: SimulatedWorld) -> None:
    world.network.shape(outward=Conditions(buffer=1))
    link = await open_link(world.network)

    async def expect_broken(operation: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await operation()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_broken, lambda: link.client.send_all(b"too much"))
        nursery.start_soon(expect_broken, link.client.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        link.reset()


@rehearsed
async def test_f01_a_clean_end_lets_both_ends_read_what_is_under_way_then_end_of_file(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    await link.client.send_all(b"out")
    await link.server.send_all(b"in")
    link.finish()
    assert await read_all(link.server) == b"out"
    assert await read_all(link.client) == b"in"
    with pytest.raises(trio.BrokenResourceError):
        await link.client.send_all(b"x")


@rehearsed
@pytest.mark.parametrize("offset", range(13))
@pytest.mark.parametrize("most_per_read", [None, 5])
async def test_f02_a_cut_at_a_byte_offset_delivers_exactly_the_bytes_before_it(
    world: SimulatedWorld, offset: int, most_per_read: int | None
) -> None:
    message = b"HTTP/1.1 200"
    world.network.shape("broker", inward=Conditions(most_per_read=most_per_read, cut=Cut(offset)))
    link = await open_link(world.network)
    if offset > 0:
        await link.server.send_all(message)
    got = b""
    while len(got) < offset:
        got += await link.client.receive_some()
    assert got == message[:offset]
    with pytest.raises(trio.BrokenResourceError):
        await link.client.receive_some()
    with pytest.raises(trio.BrokenResourceError):
        await link.server.send_all(b"x")


@rehearsed
async def test_f02_a_clean_cut_ends_the_file_at_the_offset(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    await link.server.send_all(b"0123456789")
    link.inward.cut(4, Ending.END)
    assert await read_all(link.client) == b"0123"
    assert await read_all(link.server) == b""
    with pytest.raises(trio.BrokenResourceError):
        await link.client.send_all(b"x")


@rehearsed
async def test_f02_a_clean_cut_ends_the_file_even_after_the_writer_has_closed(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    await link.server.send_all(b"0123456789")
    await link.server.aclose()
    link.inward.cut(4, Ending.END)
    assert await read_all(link.client) == b"0123"


@rehearsed
async def test_f04_a_reset_after_the_request_was_read_leaves_the_server_with_the_whole_request(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    link.outward.cut(7)
    await link.client.send_all(b"POST /x")
    assert await link.server.receive_some() == b"POST /x"
    with pytest.raises(trio.BrokenResourceError):
        await link.client.receive_some()


@rehearsed
async def test_f06_a_stall_at_an_offset_keeps_the_rest_back_until_it_is_resumed(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    link.inward.cut(4, Ending.STALL)
    await link.server.send_all(b"headbody")
    assert await link.client.receive_some() == b"head"
    with trio.move_on_after(86400) as patience:
        await link.client.receive_some()
    assert patience.cancelled_caught
    link.inward.resume()
    assert await link.client.receive_some() == b"body"


@rehearsed
async def test_f03_a_half_open_connection_accepts_writes_until_the_buffer_is_full_and_delivers_nothing(
    world: SimulatedWorld,
) -> None:
    world.network.shape(outward=Conditions(buffer=10))
    link = await open_link(world.network)
    await link.client.send_all(b"ab")
    link.stall()
    assert await link.server.receive_some() == b"ab"  # had arrived before
    await link.client.send_all(b"0123456789")
    with trio.move_on_after(3600) as blocked:
        await link.client.send_all(b"x")
    with trio.move_on_after(3600) as silent:
        await link.server.receive_some()
    assert blocked.cancelled_caught
    assert silent.cancelled_caught
    link.resume()
    assert await link.server.receive_some() == b"0123456789"


@rehearsed
async def test_f03_a_half_open_connection_hides_that_the_peer_has_closed(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    link.stall()
    await link.server.aclose()
    await link.client.send_all(b"into the void")
    with trio.move_on_after(3600) as silent:
        await link.client.receive_some()
    assert silent.cancelled_caught
    link.resume()
    assert await link.client.receive_some() == b""
    with pytest.raises(trio.BrokenResourceError):
        await link.client.send_all(b"x")


@rehearsed
async def test_a_blocked_writer_learns_after_the_latency_of_the_way_back_that_the_peer_has_closed(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    link.outward.conditions = Conditions(latency=fixed(100.0), buffer=4)
    link.inward.conditions = Conditions(latency=fixed(8.0))
    await link.client.send_all(b"full")
    start = trio.current_time()
    await link.server.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await link.client.send_all(b"x")
    assert trio.current_time() - start == 8.0


async def expect_broken_send(link: Link) -> None:
    """Sends more than there is room for, until the connection is found broken."""
    with pytest.raises(trio.BrokenResourceError):
        await link.client.send_all(b"more")


@rehearsed
async def test_a_blocked_writer_learns_of_a_close_that_was_held_up_when_it_is_let_through(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    link.outward.conditions = Conditions(buffer=4)
    link.stall()
    await link.client.send_all(b"full")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_broken_send, link)
        await trio.testing.wait_all_tasks_blocked()
        await link.server.aclose()
        await trio.testing.wait_all_tasks_blocked()
        link.inward.resume()


@rehearsed
async def test_a_blocked_writer_learns_that_a_peer_closes_whose_end_of_file_it_had_already(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    link.outward.conditions = Conditions(buffer=4)
    await link.client.send_all(b"full")
    await link.server.send_eof()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_broken_send, link)
        await trio.testing.wait_all_tasks_blocked()
        await link.server.aclose()


@rehearsed
async def test_bytes_to_a_peer_that_has_closed_make_room_when_they_fall_into_the_void(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    link.outward.conditions = Conditions(latency=fixed(2.0), buffer=4)
    link.inward.conditions = Conditions(latency=fixed(8.0))
    await link.client.send_all(b"full")
    start = trio.current_time()
    await link.server.aclose()
    await link.client.send_all(b"x")
    assert trio.current_time() - start == 2.0


@rehearsed
async def test_a_delay_holds_what_is_under_way_and_lets_it_arrive_later(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    start = trio.current_time()
    link.delay(20.0)
    await link.client.send_all(b"x")
    await link.server.receive_some()
    assert trio.current_time() - start == 20.0
    await link.client.send_all(b"y")
    await link.server.receive_some()
    assert trio.current_time() - start == 20.0


@rehearsed
async def test_a_delay_never_shortens_a_stall_or_a_longer_delay(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    start = trio.current_time()
    link.outward.delay(50.0)
    link.outward.delay(5.0)
    await link.client.send_all(b"x")
    await link.server.receive_some()
    assert trio.current_time() - start == 50.0
    link.outward.stall()
    link.outward.delay(5.0)
    await link.client.send_all(b"y")
    with trio.move_on_after(3600) as silent:
        await link.server.receive_some()
    assert silent.cancelled_caught


@rehearsed
async def test_a_link_counts_the_bytes_of_each_direction(world: SimulatedWorld) -> None:
    link = await open_link(world.network)
    await link.client.send_all(b"12345")
    await link.server.receive_some(3)
    await link.server.send_all(b"1")
    assert (link.outward.sent, link.outward.delivered) == (5, 3)
    assert (link.inward.sent, link.inward.delivered) == (1, 0)


def test_conditions_that_make_no_sense_are_refused() -> None:
    for wrong in ({"most_per_read": 0}, {"buffer": 0}):
        with pytest.raises(ValueError, match="must be >= 1"):
            Conditions(**wrong)  # type: ignore[arg-type]  # the names are right
    with pytest.raises(ValueError, match="must be >= 0"):
        Cut(-1)


@rehearsed
async def test_bytes_that_have_not_arrived_when_the_ends_are_severed_wait_until_they_are_joined(
    world: SimulatedWorld,
) -> None:
    link = await open_link(world.network)
    await link.client.send_all(b"before")
    link.sever(severed=True)
    await link.client.send_all(b"after")
    assert await link.server.receive_some() == b"before"
    assert link.outward.transit.arrival() == math.inf
    link.sever(severed=False)
    assert await link.server.receive_some() == b"after"


def test_uniform_latency_draws_from_its_generator_only() -> None:
    draw = uniform(1.0, 2.0)
    assert draw(random.Random(1)) == draw(random.Random(1))
    assert 1.0 <= draw(random.Random(2)) <= 2.0
