"""The gate of a login: what any answer of the host says holds for every request to it."""

import pytest
import trio
from trio.testing import MockClock

from brokers.guards.host import Host
from brokers.guards.operation import Priority
from brokers.tradovate.gate import Gate, SignIn
from brokers.tradovate.settings import BROKER, TradovateSettings
from runtime.simulation import SimulatedClock
from runtime.wire.http_messages import HttpRequest, HttpResponse


@pytest.mark.parametrize("status", [418, 423, 429])
async def test_R22_what_the_sign_in_is_told_to_wait_holds_for_the_whole_host(
    status: int, autojump_clock: MockClock
) -> None:
    class Told:
        async def send(self, request: HttpRequest, /) -> HttpResponse:
            return HttpResponse(status, (("retry-after", "5"),), b"")

    host = Host(BROKER, TradovateSettings().limits, clock=SimulatedClock(), tell=lambda _: None)
    gate = Gate(host, lambda _: None)
    await SignIn(Told(), gate).send(HttpRequest("POST", "http://127.0.0.1:1/v1/auth/accesstokenrequest"))
    async with gate.pass_through(Priority.QUERY):
        assert 5 <= trio.current_time() <= 6
