"""Used-up quotas: what an answer tells of one is heeded exactly, by requests and by streams, and for that resource alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import pytest
import trio

from brokers.guards.errors import GuardRefused
from brokers.guards.host import Host
from brokers.guards.limits import Window
from brokers.guards.pauses import CANCELS, COMMANDS
from brokers.guards.timeline import SECOND_NS
from brokers.tokens.credentials import LoginId
from brokers.tokens.reader import TokenReader
from brokers.tokens.token_set import Token
from brokers.tradestation.lines import Lines
from brokers.tradestation.quota import WINDOW_NS, Tolls
from runtime.simulation import SimulatedWorld, simulate
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpResponse
from runtime.wire.secret import Secret

SPENT = b'{"Error":"Forbidden","Message":"Quota Exceeded"}'
LIMITED, FREE = "balances", "user"  # one with a window of its own at the host, one without


def tolls(world: SimulatedWorld) -> tuple[Tolls, Host]:
    windows = (Window(LIMITED, 250, WINDOW_NS, aligned=False),)
    host = Host("tradestation", windows, clock=world.clock, tell=lambda _: None)
    return Tolls(host, [one.name for one in windows]), host


def answer(status: int, body: bytes = b"{}", *, retry: str = "", resets: str = "", left: str = "") -> HttpResponse:
    headers = {"retry-after": retry, "x-ratelimit-reset": resets, "x-ratelimit-remaining": left}
    return HttpResponse(status, tuple((name, value) for name, value in headers.items() if value), body)


async def paid(gate: Tolls, resource: str) -> float:
    """Seconds until a request may leave."""
    begun = trio.current_time()
    async with gate.pay(resource):
        return trio.current_time() - begun


def test_b23_an_order_is_not_held_back_until_its_quota_is_free_and_a_cancel_is() -> None:
    async def play(world: SimulatedWorld) -> tuple[float, float]:
        gate, _ = tolls(world)
        for resource in (COMMANDS, CANCELS):
            await heeded(gate, resource, answer(429, retry="7"))
        begun = trio.current_time()
        with pytest.raises(GuardRefused):
            await paid(gate, COMMANDS)
        return trio.current_time() - begun, await paid(gate, CANCELS)

    refused_after, waited = simulate(play, seed=1).unwrap()
    assert refused_after == 0
    assert waited == pytest.approx(7)


async def heeded(gate: Tolls, resource: str, told: HttpResponse) -> None:
    async with gate.pay(resource) as sent_ns:
        pass
    gate.heed(resource, told, sent_ns)


@pytest.mark.parametrize(
    ("resource", "refusal", "seconds"),
    [
        (FREE, answer(429, retry="7"), 7),
        (FREE, answer(403, SPENT, retry="7", resets="30"), 7),
        (FREE, answer(403, SPENT, resets="20"), 20),
        (LIMITED, answer(429, resets="20"), 20),
        (LIMITED, answer(429, retry="7"), 7),
        (LIMITED, answer(403, SPENT, retry="40", resets="20"), 40),
        (LIMITED, answer(403, SPENT, retry="20", resets="40"), 40),
    ],
)
def test_f10_b15_a_used_up_quota_waits_as_long_as_the_answer_asks_and_no_longer(
    resource: str, refusal: HttpResponse, seconds: int
) -> None:
    async def main(world: SimulatedWorld) -> None:
        gate, _ = tolls(world)
        await heeded(gate, resource, refusal)
        assert await paid(gate, LIMITED if resource is FREE else FREE) == 0
        assert seconds <= await paid(gate, resource) <= seconds + 1
        assert await paid(gate, resource) == 0

    simulate(main, seed=1).unwrap()


@pytest.mark.parametrize("resource", [LIMITED, FREE])
def test_f10_a_used_up_quota_that_names_no_time_is_left_alone_for_a_whole_window(resource: str) -> None:
    async def main(world: SimulatedWorld) -> None:
        gate, _ = tolls(world)
        await heeded(gate, resource, answer(429))
        for _ in range(4):
            with trio.fail_after(1), pytest.raises(GuardRefused):
                await paid(gate, resource)
            await trio.sleep(WINDOW_NS / SECOND_NS / 5)
        await trio.sleep(WINDOW_NS / SECOND_NS / 5)
        assert await paid(gate, resource) <= 1

    simulate(main, seed=1).unwrap()


def test_b15_what_an_answer_says_is_left_stops_the_next_request_before_it_is_refused() -> None:
    async def main(world: SimulatedWorld) -> None:
        gate, _ = tolls(world)
        await heeded(gate, LIMITED, answer(200, left="200", resets="30"))
        assert await paid(gate, LIMITED) == 0
        await heeded(gate, LIMITED, answer(200, left="0", resets="30"))
        assert 30 <= await paid(gate, LIMITED) <= 31

    simulate(main, seed=1).unwrap()


@pytest.mark.parametrize("told", [answer(403, b'{"Error":"Forbidden","Message":"No."}'), answer(200), answer(503)])
def test_another_refusal_stops_nothing(told: HttpResponse) -> None:
    async def main(world: SimulatedWorld) -> None:
        gate, _ = tolls(world)
        for resource in (LIMITED, FREE):
            await heeded(gate, resource, told)
            assert await paid(gate, resource) == 0

    simulate(main, seed=1).unwrap()


@attrs.frozen
class Refusing:
    """A host whose streams are refused; stands for the client, the stream, and the login at once."""

    head: HttpResponse

    @asynccontextmanager
    async def stream(self, *_: object, **__: Any) -> AsyncIterator["Refusing"]:
        await trio.lowlevel.checkpoint()
        yield self

    async def complete(self) -> HttpResponse:
        await trio.lowlevel.checkpoint()
        return self.head

    async def token(self) -> Token:
        await trio.lowlevel.checkpoint()
        return Token(LoginId("tradestation", "main", "paper"), 1, Secret("t"), 2**62)


def test_f10_a_stream_whose_quota_is_used_up_waits_before_it_is_opened_again() -> None:
    async def main(world: SimulatedWorld) -> None:
        gate, host = tolls(world)
        refusing: Any = Refusing(answer(429, retry="25"))
        http, login = cast("HttpClient", refusing), cast("TokenReader", refusing)
        lines = Lines("https://broker.test", http, login, gate, host, world.clock, world.chance)
        times = list[float]()
        for _ in range(2):
            why = await lines.read("quote-streams", "/", lambda: None, lambda _: None)
            times.append(trio.current_time())
            assert why.startswith("HTTP 429")
        assert 25 <= times[1] - times[0] <= 26

    simulate(main, seed=1).unwrap()
