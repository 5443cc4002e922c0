"""The conversation on one socket, with frames played by hand."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
import trio

from brokers.errors import BrokerError, Code
from brokers.guards.host import Host
from brokers.guards.timeline import SECOND_NS
from brokers.tokens.credentials import LoginId
from brokers.tokens.token_set import Token
from brokers.tradovate.gate import Gate
from brokers.tradovate.settings import BROKER, REQUESTS
from brokers.tradovate.talk import REPLY_SECONDS, SocketLost, Talk
from brokers.tradovate.wire import Message
from runtime.simulation import SimulatedClock
from runtime.wire.secret import Secret
from runtime.wire.websocket_session import WebSocketSession

TOKEN = Token(LoginId(BROKER, "main", "paper"), 3, Secret("at_0001"), 10**18)


class Line:
    """A socket whose other side is the test."""

    def __init__(self) -> None:
        self.to_us, self._inbox = trio.open_memory_channel[str](math.inf)
        self.sent: list[str] = []
        self.heard: list[str] = []

    async def receive(self) -> str:
        return await self._inbox.receive()

    async def send(self, text: str) -> None:
        self.sent.append(text)
        await trio.lowlevel.checkpoint()

    async def take(self, events: Sequence[Message]) -> None:
        self.heard += [one.e for one in events]
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def talking(line: Line, gate: Gate | None = None) -> AsyncIterator[Talk]:
    host = Host(BROKER, REQUESTS, clock=SimulatedClock(), tell=lambda _: None)
    talk = Talk(cast("WebSocketSession", line), gate or Gate(host, lambda _: None), lambda _: False)
    ends: list[SocketLost] = []

    async def listen() -> None:
        try:
            await talk.listen(line.take)
        except SocketLost as lost:
            ends.append(lost)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        yield talk
        nursery.cancel_scope.cancel()


async def answered(line: Line, number: int, *frames: str) -> None:
    """Plays frames once the request with that number was sent."""
    while not any(text.split("\n")[1] == str(number) for text in line.sent):  # noqa: ASYNC110 - a list has no event
        await trio.sleep(0.01)
    for frame in frames:
        line.to_us.send_nowait(frame)


async def test_the_token_is_shown_after_the_o_and_the_reply_found_by_its_id(autojump_clock: Any) -> None:
    line = Line()
    async with talking(line) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(talk.authorize, TOKEN, TOKEN.access)
        await trio.sleep(1)
        assert line.sent == []
        line.to_us.send_nowait("o")
        await answered(line, 1, 'a[{"s":200,"i":9}]', 'a[{"s":200,"i":1}]')
    assert line.sent == ["authorize\n1\n\nat_0001"]
    assert talk.generation == 3


async def test_events_before_the_reply_are_taken_before_it_counts(autojump_clock: Any) -> None:
    line = Line()
    async with talking(line) as talk, trio.open_nursery() as nursery:
        frame = 'a[{"e":"props","d":{}},{"s":200,"i":1,"d":{"x":1}},{"e":"clock","d":"{}"}]'
        nursery.start_soon(answered, line, 1, "h", frame)
        (reply,) = await talk.ask("md/subscribeQuote", {"symbol": "ESZ5"})
        assert line.heard == ["props", "clock"]
    assert msgspec.json.decode(reply) == {"x": 1}
    assert line.sent == ['md/subscribeQuote\n1\n\n{"symbol":"ESZ5"}']


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, Code.SESSION_EXPIRED), (404, Code.SYMBOL_NOT_FOUND), (429, Code.RATE_LIMITED), (500, Code.API_ERROR)],
)
async def test_a_status_other_than_200_is_a_typed_error(status: int, code: Code, autojump_clock: Any) -> None:
    line = Line()
    async with talking(line) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(answered, line, 1, f'a[{{"s":{status},"i":1,"d":"no"}}]')
        with pytest.raises(BrokerError) as refused:
            await talk.ask("md/getChart", {})
    assert refused.value.code is code


async def test_a_penalty_inside_a_success_is_waited_out_and_the_request_repeated_f13(autojump_clock: Any) -> None:
    line, before = Line(), trio.current_time()
    async with talking(line) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(answered, line, 1, 'a[{"s":200,"i":1,"d":{"p-ticket":"t","p-time":3}}]')
        nursery.start_soon(answered, line, 2, 'a[{"s":200,"i":2,"d":{}}]')
        await talk.ask("md/getChart", {"symbol": "ESZ5"})
    assert trio.current_time() - before >= 3
    assert line.sent[1] == 'md/getChart\n2\n\n{"symbol":"ESZ5","p-ticket":"t"}'


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        ('"s":200,"i":1,"d":{"p-ticket":"t","p-time":3}', 3),
        ('"s":429,"i":1,"d":"Too many requests"', 3600),
        ('"s":423,"i":1,"d":"Locked"', 60),
    ],
)
@pytest.mark.parametrize("endpoint", ["authorize", "md/getChart"])
async def test_f10_what_a_socket_is_told_to_wait_holds_for_the_whole_host(
    reply: str, seconds: int, endpoint: str, autojump_clock: Any
) -> None:
    line = Line()
    host = Host(BROKER, REQUESTS, clock=SimulatedClock(), tell=lambda _: None)
    gate = Gate(host, lambda _: None)
    async with talking(line, gate) as talk, trio.open_nursery() as nursery:
        line.to_us.send_nowait("o")
        nursery.start_soon(answered, line, 1, f"a[{{{reply}}}]")
        with trio.move_on_after(2), pytest.raises((SocketLost, BrokerError, trio.Cancelled)):
            await (talk.authorize(TOKEN, TOKEN.access) if endpoint == "authorize" else talk.ask(endpoint, {}))
    held = gate.held()
    assert held is not None
    assert 0 < held.until_ns - host.timeline.now_ns() <= seconds * SECOND_NS
    told: list[str] = []
    await gate.reopened(told.append)
    assert seconds <= trio.current_time() <= seconds + 1
    assert told == [held.reason]


async def test_an_answer_in_pieces_is_complete_when_all_came_or_no_time_is_left(autojump_clock: Any) -> None:
    line = Line()
    pieces = ('a[{"s":200,"i":1,"d":{"orders":[]}}]', 'a[{"s":200,"i":1,"d":{"fills":[]}}]')
    async with talking(line) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(answered, line, 1, *pieces)
        assert len(await talk.ask("user/syncrequest", {}, lambda found: len(found) == 2)) == 2
        nursery.start_soon(answered, line, 2, pieces[0].replace('"i":1', '"i":2'))
        before = trio.current_time()
        assert len(await talk.ask("user/syncrequest", {}, lambda found: len(found) == 2)) == 1
        assert trio.current_time() - before >= REPLY_SECONDS


async def test_no_reply_is_a_timeout_and_a_lost_socket_ends_all_who_wait(autojump_clock: Any) -> None:
    line = Line()
    async with talking(line) as talk:
        with pytest.raises(BrokerError) as late:
            await talk.ask("md/getChart", {})
        assert late.value.code is Code.TIMEOUT
        line.to_us.send_nowait('c[3000,"Go away!"]')
        with pytest.raises(SocketLost, match="Go away!"):
            await talk.ask("md/getChart", {})


@pytest.mark.parametrize(
    ("frame", "denied", "evicted"),
    [
        ('a[{"s":401,"i":1,"d":"Access is denied"}]', True, False),
        ('a[{"e":"shutdown","d":{"reasonCode":"ConnectionQuotaReached","reason":"x"}}]', False, True),
        ('a[{"e":"shutdown","d":{"reasonCode":"Maintenance","reason":"x"}}]', False, False),
        ("a[", False, False),
    ],
)
async def test_why_a_socket_is_lost_is_told(frame: str, denied: bool, evicted: bool, autojump_clock: Any) -> None:
    line = Line()
    async with talking(line) as talk, trio.open_nursery() as nursery:
        line.to_us.send_nowait("o")
        nursery.start_soon(answered, line, 1, frame)
        with pytest.raises(SocketLost) as lost:
            await talk.authorize(TOKEN, TOKEN.access)
    assert (lost.value.denied, lost.value.evicted) == (denied, evicted)


async def test_a_socket_that_never_opens_is_given_up(autojump_clock: Any) -> None:
    async with talking(Line()) as talk:
        with pytest.raises(SocketLost, match="not authorized"):
            await talk.authorize(TOKEN, TOKEN.access)
