"""Streamed answers: lines as they come, silence noticed, and a stream that is left behind leaves nothing behind."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from runtime.simulation import Ending
from runtime.wire.capture import Kind
from runtime.wire.delivery import Delivery, Phase, Sent
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpSettings
from tests.runtime.wire.peers import OK, URL, Arrival, Box, http_box, saying

WATCH = HttpRequest("GET", f"{URL}/stream", intent_key="s1")
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def beating(*pauses: float) -> Callable[[trio.abc.Stream, Arrival], Awaitable[None]]:
    """Sends a heartbeat after each pause, then the end."""

    async def script(stream: trio.abc.Stream, _: Arrival) -> None:
        await stream.send_all(HEAD)
        for number, pause in enumerate(pauses):
            await trio.sleep(pause)
            await stream.send_all(chunk(b'{"Heartbeat":%d}\r\n' % number))
        await stream.send_all(chunk(b"")[:3] + b"\r\n")

    return script


async def follow(box: Box, seen: list[bytes], gap: float = 10, then: Callable[[], None] = lambda: None) -> None:
    async with box.client.stream(WATCH, gap=gap) as stream:
        async for lines in stream.lines():
            seen.extend(lines)
            then()


async def lines_of(box: Box, gap: float = 10) -> list[bytes]:
    seen: list[bytes] = []
    await follow(box, seen, gap)
    return seen


async def test_lines_arrive_one_by_one_and_the_connection_is_used_again(autojump_clock: Any) -> None:
    async with http_box(beating(1, 2, 3)) as box:
        async with box.client.stream(WATCH, gap=10) as stream:
            assert stream.head.status == 200
            seen = [(trio.current_time(), line) async for lines in stream.lines() for line in lines]
        assert seen == [(1, b'{"Heartbeat":0}'), (3, b'{"Heartbeat":1}'), (6, b'{"Heartbeat":2}')]
        assert len(await lines_of(box)) == 3
        assert box.peer.connections == 1


async def test_lines_do_not_follow_the_pieces_in_which_they_arrive(autojump_clock: Any) -> None:
    body = b"".join(chunk(part) for part in (b"on", b"e\r", b"\n\n\r\ntw", b"o"))
    async with http_box(saying(HEAD + body + b"0\r\n\r\n")) as box:
        assert await lines_of(box) == [b"one", b"", b"", b"two"]


async def test_f03_a_pause_longer_than_the_gap_raises(autojump_clock: Any) -> None:
    async with http_box(beating(9, 9, 10.5)) as box:
        seen: list[bytes] = []
        with pytest.raises(HttpFailure) as caught:
            await follow(box, seen)
        assert (caught.value.fault, caught.value.phase) == (Fault.SILENT, Phase.BODY)
        assert trio.current_time() == 28
        assert len(seen) == 2


async def test_f03_half_a_line_is_no_excuse_for_silence(autojump_clock: Any) -> None:
    async with http_box(saying(HEAD + chunk(b"half"))) as box:
        with pytest.raises(HttpFailure) as caught:
            await lines_of(box, gap=5)
        assert caught.value.fault is Fault.SILENT
        assert trio.current_time() == 5


async def test_the_head_of_a_stream_has_the_time_of_a_request(autojump_clock: Any) -> None:
    async def late(stream: trio.abc.Stream, _: Arrival) -> None:
        await trio.sleep(20)
        await stream.send_all(OK)

    async with http_box(late) as box:
        delivery = Delivery()
        with pytest.raises(HttpFailure) as caught:
            async with box.client.stream(WATCH, gap=60, delivery=delivery):
                pytest.fail("the stream never opens")
        assert (caught.value.fault, trio.current_time()) == (Fault.TIMEOUT, 15)
        assert delivery.sent is Sent.MAYBE


@pytest.mark.parametrize("how", [Ending.RESET, Ending.END])
async def test_f01_f02_a_stream_that_breaks_delivers_no_partial_line(autojump_clock: Any, how: Ending) -> None:
    async with http_box(saying(HEAD + chunk(b"whole\nhalf"))) as box:
        seen: list[bytes] = []

        def cut() -> None:
            link = box.network.links[0]
            link.reset() if how is Ending.RESET else link.finish()

        with pytest.raises(HttpFailure) as caught:
            await follow(box, seen, then=cut)
        assert caught.value.fault in (Fault.LOST, Fault.MALFORMED)
        assert seen == [b"whole"]


async def test_a_stream_that_is_left_early_drops_its_connection_and_leaves_no_generator(
    autojump_clock: Any,
) -> None:
    async with http_box(beating(*[1] * 100)) as box:
        for turn in range(1, 4):
            async with box.client.stream(WATCH, gap=10) as stream:
                async for _ in stream.lines():
                    break
            gc.collect()  # an iterator left in the middle would warn now, and a warning is an error here
            await trio.testing.wait_all_tasks_blocked()
            assert box.peer.connections == turn
            assert box.client.statistics().connections == 0
        assert trio.current_time() == 3


async def test_a_body_that_was_complete_but_not_read_costs_no_later_request(autojump_clock: Any) -> None:
    async with http_box() as box:
        async with box.client.stream(WATCH, gap=10) as stream:
            assert stream.head.status == 200
        assert (await box.client.send(WATCH)).status == 200


async def test_an_exception_in_the_block_comes_out_as_it_is(autojump_clock: Any) -> None:
    async with http_box(beating(1)) as box:
        with pytest.raises(KeyError, match="mine"):
            async with box.client.stream(WATCH, gap=10):
                raise KeyError("mine")


async def test_a_cancelled_stream_ends_at_once(autojump_clock: Any) -> None:
    async with http_box(beating(1, 1, 1)) as box:
        with trio.move_on_after(1.5):
            await lines_of(box)
        assert trio.current_time() == 1.5
        assert box.client.statistics().connections == 0


async def test_f36_a_line_without_end_is_stopped(autojump_clock: Any) -> None:
    async with http_box(saying(HEAD + chunk(b"x" * 5000)), settings=HttpSettings(max_line=4096)) as box:
        with pytest.raises(HttpFailure) as caught:
            await lines_of(box)
        assert caught.value.fault is Fault.TOO_LARGE


async def test_an_error_in_place_of_a_stream_can_be_read_whole(autojump_clock: Any) -> None:
    async with http_box(saying(b"HTTP/1.1 403 No\r\ncontent-length: 5\r\n\r\nquota")) as box:
        async with box.client.stream(WATCH, gap=10) as stream:
            answer = await stream.complete()
        assert (answer.status, answer.body) == (403, b"quota")


async def test_i21_a_stream_is_recorded_piece_by_piece_with_one_end(autojump_clock: Any) -> None:
    async with http_box(beating(1, 1)) as box:
        await lines_of(box)
        with pytest.raises(HttpFailure):
            await lines_of(box, gap=0.5)
        kinds = [record.kind for record in box.records]
        assert kinds == [
            Kind.REQUEST,
            Kind.ANSWER,
            Kind.FRAME,
            Kind.FRAME,
            Kind.CLOSED,
            Kind.REQUEST,
            Kind.ANSWER,
            Kind.CLOSED,
        ]
        assert box.records[2].body == '{"Heartbeat":0}'
        assert box.records[-1].body == "nothing within 0.5 s"
        assert {record.intent_key for record in box.records} == {"s1"}


async def test_closing_the_client_ends_its_streams(autojump_clock: Any) -> None:
    async with http_box(beating(1, 50)) as box:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_after, box, 2)
            with pytest.raises(HttpFailure) as caught:
                await lines_of(box, gap=100)
        assert caught.value.fault is Fault.CLOSED
        assert trio.current_time() == 2


async def close_after(box: Box, seconds: float) -> None:
    await trio.sleep(seconds)
    await box.client.aclose()
