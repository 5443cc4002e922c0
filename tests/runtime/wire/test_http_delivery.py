"""What is known of a request's delivery: definite when nothing left, unknown as soon as something may have."""

from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.simulation import Conditions, ConnectFailure, Cut, Ending, SimulatedNetwork, fixed
from runtime.wire.capture import Kind
from runtime.wire.delivery import Delivery, Phase, Sent
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpSettings
from tests.runtime.wire.peers import (
    HOST,
    NIGHTLY,
    OK,
    URL,
    Box,
    PassingStream,
    hanging_up_after,
    http_box,
    saying,
    silence,
)

ORDER = HttpRequest("POST", f"{URL}/orders", {"content-type": "application/json"}, b'{"qty":1}', intent_key="k1")
READ = HttpRequest("GET", f"{URL}/orders")


async def failure_of(box: Box, request: HttpRequest = ORDER) -> HttpFailure:
    with pytest.raises(HttpFailure) as caught:
        await box.client.send(request)
    return caught.value


@pytest.mark.parametrize("how", ConnectFailure)
async def test_f05_a_connection_that_cannot_be_made_means_that_nothing_was_sent(
    autojump_clock: Any, how: ConnectFailure
) -> None:
    async with http_box() as box:
        box.network.fail_connects(HOST, how=how)
        failure = await failure_of(box)
        assert (failure.fault, failure.phase, failure.sent) == (Fault.UNREACHABLE, Phase.CONNECT, Sent.NOTHING)
        assert box.peer.connections == 0
        box.network.allow_connects(HOST)
        assert (await box.client.send(ORDER)).status == 200


async def test_b18_waiting_for_a_busy_pool_ends_at_the_deadline_with_nothing_sent(autojump_clock: Any) -> None:
    async with http_box(silence, settings=HttpSettings(connections=1, total_seconds=9)) as box:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failure_of, box)
            await trio.testing.wait_all_tasks_blocked()
            started = trio.current_time()
            failure = await failure_of(box, HttpRequest("POST", ORDER.url, timeout=3))
            assert trio.current_time() - started == 3
            assert (failure.fault, failure.phase, failure.sent) == (Fault.TIMEOUT, Phase.QUEUE, Sent.NOTHING)
        assert len(box.peer.arrivals) == 1


@pytest.mark.parametrize("how", [Ending.RESET, Ending.END])
async def test_f02_f04_an_answer_cut_at_any_byte_leaves_a_post_unknown_and_it_arrived_once(
    autojump_clock: Any, how: Ending
) -> None:
    for kept in range(1, len(OK)):
        async with http_box() as box:
            box.network.shape(inward=Conditions(cut=Cut(kept, how)))
            failure = await failure_of(box)
            assert failure.sent is Sent.MAYBE
            assert failure.fault in (Fault.LOST, Fault.MALFORMED)
            assert len(box.peer.arrivals) == 1


@pytest.mark.parametrize("how", [Ending.RESET, Ending.END, Ending.STALL])
async def test_f02_a_request_cut_at_any_byte_is_unknown_and_never_arrives_twice(
    autojump_clock: Any, how: Ending
) -> None:
    async with http_box() as box:
        await box.client.send(ORDER)
        length = box.network.links[0].outward.sent
    for kept in range(length):
        async with http_box() as box:
            box.network.shape(outward=Conditions(cut=Cut(kept, how)))
            failure = await failure_of(box)
            assert failure.sent is Sent.MAYBE
            assert box.peer.arrivals == []
            assert box.peer.bytes_seen == kept


async def test_f06_no_answer_in_time_leaves_a_post_unknown(autojump_clock: Any) -> None:
    async with http_box(silence) as box:
        failure = await failure_of(box)
        assert (failure.fault, failure.phase, failure.sent) == (Fault.TIMEOUT, Phase.ANSWER, Sent.MAYBE)
        assert trio.current_time() == HttpSettings().total_seconds


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK\r\n", OK[:-13], OK[:-1]])
async def test_f06_an_answer_that_stops_anywhere_times_out_as_unknown(autojump_clock: Any, part: bytes) -> None:
    async with http_box(saying(part)) as box:
        failure = await failure_of(box)
        assert (failure.fault, failure.sent) == (Fault.TIMEOUT, Sent.MAYBE)
        assert failure.phase is (Phase.BODY if b"\r\n\r\n" in part else Phase.ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\nlocation: https://x:abc/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_f07_an_answer_that_is_not_http_leaves_a_post_unknown(autojump_clock: Any, answer: bytes) -> None:
    async with http_box(saying(answer)) as box:
        failure = await failure_of(box)
        assert (failure.fault, failure.sent) == (Fault.MALFORMED, Sent.MAYBE)
        box.peer.script = saying(OK)
        assert (await box.client.send(ORDER)).status == 200


@pytest.mark.parametrize("status", [401, 403, 418, 429, 500, 502, 503, 504])
async def test_f08_f10_a_bad_status_is_an_answer_for_the_floor_above_to_judge(autojump_clock: Any, status: int) -> None:
    answer = b"HTTP/1.1 %d X\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}" % status
    async with http_box(saying(answer)) as box:
        response = await box.client.send(ORDER)
        assert (response.status, response.body, response.header("Retry-After")) == (status, b"{}", "7")
        assert len(box.peer.arrivals) == 1


async def test_b06_the_callers_deadline_ends_the_request_and_the_delivery_tells(autojump_clock: Any) -> None:
    async with http_box(silence) as box:
        delivery = Delivery()
        with trio.move_on_after(2) as scope:
            await box.client.send(ORDER, delivery)
        assert scope.cancelled_caught
        assert trio.current_time() == 2
        assert delivery.sent is Sent.MAYBE
        assert [record.kind for record in box.records] == [Kind.REQUEST, Kind.FAILURE]
        assert box.records[-1].sent is Sent.MAYBE


async def test_a_request_that_is_cancelled_before_it_starts_sends_nothing(autojump_clock: Any) -> None:
    async with http_box() as box:
        delivery = Delivery()
        with trio.CancelScope() as scope:
            scope.cancel()
            await box.client.send(ORDER, delivery)
        assert delivery.sent is Sent.NOTHING
        assert box.peer.bytes_seen == 0


@given(
    moment=st.integers(0, 60),
    latency=st.integers(0, 5),
    buffer=st.sampled_from([5, 40, 65536]),
    warm=st.booleans(),
)
@settings(max_examples=60 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_cancellation_at_any_moment_never_hides_a_byte_that_left(
    autojump_clock: Any, moment: int, latency: int, buffer: int, warm: bool
) -> None:
    network = SimulatedNetwork()
    lag = Conditions(latency=fixed(latency / 10), most_per_read=7, buffer=buffer)
    async with http_box(settings=HttpSettings(connections=1, connect_seconds=100), network=network) as box:
        if warm:
            await box.client.send(READ)
            network.links[0].outward.conditions = network.links[0].inward.conditions = lag
        network.shape(outward=lag, inward=lag)
        before = network.statistics().bytes_sent
        delivery = Delivery()
        with trio.move_on_after(moment / 20):
            await box.client.send(ORDER, delivery)
        orders = [arrival for arrival in box.peer.arrivals if arrival.method == "POST"]
        assert len(orders) == (1 if delivery.phase is Phase.DONE else len(orders)) <= 1
        assert (delivery.sent is Sent.MAYBE) == (network.statistics().bytes_sent > before)


class CountingStream(PassingStream):
    """Like a socket it sends at once, unless it is cancelled before."""

    sent = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        CountingStream.sent += len(data)
        await super().send_all(data)


class CountingNetwork(SimulatedNetwork):
    async def connect(self, host: str, port: int, *, tls: Any = None) -> Any:
        return CountingStream(await super().connect(host, port, tls=tls))


@pytest.mark.parametrize("warm", [False, True])
async def test_f33_a_cancellation_at_any_step_of_the_scheduler_is_judged_exactly(
    autojump_clock: Any, warm: bool
) -> None:
    async def cancel_after(steps: int, scope: trio.CancelScope) -> None:
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    judged = []
    for steps in range(40):
        async with http_box(network=CountingNetwork()) as box:
            if warm:
                await box.client.send(READ)
            CountingStream.sent = 0
            delivery = Delivery()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_after, steps, nursery.cancel_scope)
                await box.client.send(ORDER, delivery)
            assert (delivery.sent is Sent.MAYBE) == (CountingStream.sent > 0)
            judged.append(delivery.phase)
    assert judged[0] < Phase.SEND
    assert judged[-1] is Phase.DONE


async def test_b17_after_hundreds_of_cancelled_requests_the_pool_still_serves(autojump_clock: Any) -> None:
    async def slowly(stream: trio.abc.Stream, _: object) -> None:
        await trio.sleep(0.05)
        await stream.send_all(OK)

    async with http_box(slowly, settings=HttpSettings(connections=5)) as box:
        for turn in range(25):
            with trio.move_on_after(0.006 * turn):
                async with trio.open_nursery() as nursery:
                    for _ in range(8):
                        nursery.start_soon(box.client.send, READ)
        assert [(await box.client.send(READ)).status for _ in range(10)] == [200] * 10
        assert box.client.statistics().in_progress == 0


async def test_b17_a_broker_that_hangs_delays_no_other(autojump_clock: Any) -> None:
    async with http_box(silence) as stuck, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(failure_of, stuck)
        await trio.testing.wait_all_tasks_blocked()
        async with http_box() as box:
            started = trio.current_time()
            await box.client.send(ORDER)
            assert trio.current_time() == started
        nursery.cancel_scope.cancel()


async def test_a_closed_client_ends_what_is_in_progress_and_refuses_what_comes(autojump_clock: Any) -> None:
    failures: list[HttpFailure] = []

    async def order(box: Box) -> None:
        failures.append(await failure_of(box))

    async with http_box(silence, settings=HttpSettings(connections=1)) as box:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(order, box)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(order, box)
            await trio.testing.wait_all_tasks_blocked()
            await box.client.aclose()
        await order(box)
        assert {failure.fault for failure in failures} == {Fault.CLOSED}
        assert sorted(failure.sent.value for failure in failures) == ["maybe", "nothing", "nothing"]
        assert len(box.peer.arrivals) == 1


async def test_a_hangup_right_after_the_request_is_unknown_and_is_not_repeated(autojump_clock: Any) -> None:
    async with http_box(hanging_up_after(b"")) as box:
        failure = await failure_of(box)
        assert (failure.fault, failure.phase, failure.sent) == (Fault.LOST, Phase.ANSWER, Sent.MAYBE)
        assert len(box.peer.arrivals) == 1


async def test_a_failure_says_what_happened_and_what_to_do_next(autojump_clock: Any) -> None:
    async with http_box(silence) as box:
        text = str(await failure_of(box, HttpRequest("POST", f"{URL}/orders?token=hidden-from-all", timeout=2)))
        assert text == (
            f"POST {URL}/orders: timeout in phase answer: nothing within 2 s; "
            "it may have been carried out: treat the outcome as unknown and look it up"
        )
