"""The gate of a login: what any answer of the host says holds for every request to it."""

import pytest
import trio
from trio.testing import MockClock

from brokers.guards.host import Host
from brokers.guards.operation import Pause, Priority
from brokers.guards.timeline import SECOND_NS
from brokers.tradovate.gate import Gate, SignIn
from brokers.tradovate.settings import BROKER, TradovateSettings
from runtime.simulation import SimulatedClock
from runtime.wire.delivery import Sent
from runtime.wire.http_messages import HttpFailure, HttpRequest, HttpResponse


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


async def test_B16_a_ban_of_the_host_is_one_of_signing_in_too_until_it_is_over(autojump_clock: MockClock) -> None:
    sent: list[HttpRequest] = []

    class Asked:
        async def send(self, request: HttpRequest, /) -> HttpResponse:
            sent.append(request)
            return HttpResponse(200)

    host = Host(BROKER, TradovateSettings().limits, clock=SimulatedClock(), tell=lambda _: None)
    sign_in = SignIn(Asked(), Gate(host, lambda _: None))
    host.pause(Pause(3600 * SECOND_NS, "the broker blocks requests (418)"), host.timeline.now_ns())
    request = HttpRequest("POST", "http://127.0.0.1:1/v1/auth/renewaccesstoken?secret=1")
    with pytest.raises(HttpFailure, match="nothing may be sent: the broker blocks requests") as refused:
        await sign_in.send(request)
    assert (refused.value.sent, sent) == (Sent.NOTHING, [])
    assert "secret" not in str(refused.value)
    await trio.sleep(3600)
    await sign_in.send(request)
    assert sent == [request]
