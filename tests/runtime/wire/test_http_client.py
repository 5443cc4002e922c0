"""What leaves through the HTTP client and where to: exactly what was given, once, to listed hosts only."""

from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.simulation import SimulatedNetwork
from runtime.wire.capture import Direction, Kind
from runtime.wire.delivery import Delivery, Phase, Sent
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpSettings
from tests.runtime.wire.peers import HOST, NIGHTLY, OK, URL, Arrival, PassingStream, hanging_up_after, http_box, saying

READ = HttpRequest("GET", f"{URL}/orders")
EVIL = "https://evil.example"


async def test_a_request_arrives_as_it_was_given_and_its_answer_comes_back(autojump_clock: Any) -> None:
    async with http_box() as box:
        delivery = Delivery()
        headers = {"Authorization": "Bearer t", "X-Odd": "v"}
        response = await box.client.send(HttpRequest("POST", f"{URL}/orders?a=1", headers, b"{}"), delivery)
        (arrival,) = box.peer.arrivals
        assert (arrival.method, arrival.target, arrival.body) == ("POST", "/orders?a=1", b"{}")
        assert arrival.headers == {
            "host": HOST,
            "user-agent": "pitboss",
            "accept-encoding": "gzip, deflate",
            "authorization": "Bearer t",
            "x-odd": "v",
            "content-length": "2",
        }
        assert (response.status, response.body) == (200, b"{'orderId':1}")
        assert response.header("Content-Type") == "application/json"
        assert response.header("missing") is None
        assert (delivery.phase, delivery.sent) == (Phase.DONE, Sent.MAYBE)


async def test_a_client_that_was_closed_ends_with_every_request_until_it_is_opened_again(autojump_clock: Any) -> None:
    async with http_box() as box:
        await box.client.aclose()
        with pytest.raises(HttpFailure) as refused:
            await box.client.send(READ)
        assert (refused.value.fault, refused.value.sent) == (Fault.CLOSED, Sent.NOTHING)
        for _ in range(2):
            box.client.reopen()
            assert (await box.client.send(READ)).status == 200
        assert len(box.peer.arrivals) == 2


async def test_the_request_may_name_its_own_agent_and_encoding(autojump_clock: Any) -> None:
    async with http_box() as box:
        own = {"User-Agent": "me/1", "Accept-Encoding": "identity"}
        await box.client.send(HttpRequest("GET", READ.url, own))
        assert box.peer.arrivals[0].headers["user-agent"] == "me/1"
        assert box.peer.arrivals[0].headers["accept-encoding"] == "identity"


VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "#")


@given(st.text(VISIBLE, max_size=60))
@settings(max_examples=25 * NIGHTLY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_signed_target_goes_out_byte_for_byte(autojump_clock: Any, rest: str) -> None:
    async with http_box() as box:
        await box.client.send(HttpRequest("GET", f"{URL}/{rest}"))
        assert box.peer.arrivals[0].target == f"/{rest}"


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("GET", f"{URL}/a b"),
        HttpRequest("GET", f"{URL}/ü"),
        HttpRequest("GET", f"{URL}/a#b"),
        HttpRequest("GET", f"{URL}/a\r\nX-Evil: 1"),
        HttpRequest("GE T", READ.url),
        HttpRequest("GET", READ.url, {"X-Token": "hidden-value\r\nX-Evil: 1"}),
        HttpRequest("GET", READ.url, {"X Token": "hidden-value"}),
    ],
)
async def test_what_http_does_not_allow_is_refused_before_a_byte_leaves(
    autojump_clock: Any, request_: HttpRequest
) -> None:
    async with http_box() as box:
        with pytest.raises(HttpFailure) as caught:
            await box.client.send(request_)
        assert (caught.value.fault, caught.value.sent) == (Fault.INVALID, Sent.NOTHING)
        assert "hidden-value" not in str(caught.value)
        assert box.peer.bytes_seen == 0
        assert (await box.client.send(READ)).status == 200


async def test_s40_a_request_to_another_host_raises_before_any_byte_leaves(autojump_clock: Any) -> None:
    async with http_box() as box:
        with pytest.raises(HttpFailure) as caught:
            await box.client.send(HttpRequest("POST", f"{EVIL}/orders", body=b"secret"))
        failure = caught.value
        assert (failure.fault, failure.phase, failure.sent) == (Fault.FORBIDDEN, Phase.CHECK, Sent.NOTHING)
        assert box.network.statistics().connects_failed == box.network.statistics().links_opened == 0


@pytest.mark.parametrize("location", [f"{EVIL}/", "/elsewhere", "http://[", "//evil.example/"])
async def test_s40_a_redirect_is_an_answer_and_is_not_followed(autojump_clock: Any, location: str) -> None:
    answer = f"HTTP/1.1 307 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    async with http_box(saying(answer.encode())) as box:
        response = await box.client.send(HttpRequest("POST", READ.url, body=b"{}"))
        assert (response.status, response.header("location")) == (307, location)
        assert len(box.peer.arrivals) == 1
        assert box.network.statistics().links_opened == 1


async def test_s40_nothing_in_the_environment_changes_where_and_what_is_sent(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://evil.example:3128")
    async with http_box() as box:
        await box.client.send(READ)
        assert "authorization" not in box.peer.arrivals[0].headers
        assert box.peer.connections == box.network.statistics().links_opened == 1


async def test_cookies_are_not_kept(autojump_clock: Any) -> None:
    answer = OK.replace(b"\r\n", b"\r\nset-cookie: sid=1; path=/\r\n", 1)
    async with http_box(saying(answer)) as box:
        assert (await box.client.send(READ)).header("set-cookie") == "sid=1; path=/"
        await box.client.send(READ)
        assert "cookie" not in box.peer.arrivals[1].headers
        assert list(box.client._client.cookies.jar) == []


async def test_connections_are_used_again_until_they_have_been_idle_for_long(autojump_clock: Any) -> None:
    async with http_box(settings=HttpSettings(idle_seconds=20)) as box:
        for pause in (0, 19, 20, 21):
            await trio.sleep(pause)
            await box.client.send(READ)
        assert box.peer.connections == 2
        assert box.client.statistics().connections == 1


async def test_no_more_connections_than_allowed_are_opened(autojump_clock: Any) -> None:
    async def slowly(stream: trio.abc.Stream, _: Arrival) -> None:
        await trio.sleep(1)
        await stream.send_all(OK)

    async with http_box(slowly, settings=HttpSettings(connections=3)) as box:
        async with trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(box.client.send, READ)
        assert box.peer.connections == 3
        assert trio.current_time() == 3


class TellingStream(PassingStream):
    """A stream that, as a socket does, can tell when its peer has hung up."""

    def is_readable(self) -> bool:
        transit = self.inner.link.inward.transit
        return bool(transit.ended or transit.arrival() <= trio.current_time())


class TellingNetwork(SimulatedNetwork):
    async def connect(self, host: str, port: int, *, tls: Any = None) -> Any:
        return TellingStream(await super().connect(host, port, tls=tls))


async def test_a_connection_whose_peer_hung_up_is_not_used_again(autojump_clock: Any) -> None:
    async with http_box(hanging_up_after(OK), network=TellingNetwork()) as box:
        for _ in range(3):
            assert (await box.client.send(HttpRequest("POST", READ.url))).status == 200
            await trio.testing.wait_all_tasks_blocked()
        assert len(box.peer.arrivals) == box.peer.connections == 3


async def test_i21_each_request_has_one_record_and_so_has_each_answer_or_failure(autojump_clock: Any) -> None:
    async with http_box() as box:
        await box.client.send(HttpRequest("POST", READ.url, {"Authorization": "x"}, b"1", intent_key="k1"))
        for url in (f"{EVIL}/", f"{URL}/ü"):
            with pytest.raises(HttpFailure):
                await box.client.send(HttpRequest("GET", url))
        box.network.fail_connects(HOST)
        answers = box.network.links[0].inward
        answers.cut(answers.delivered + 5)
        for sent in (Sent.MAYBE, Sent.NOTHING):
            with pytest.raises(HttpFailure):
                await box.client.send(READ)
            assert box.records[-1].sent is sent
        kinds = [(record.number, record.kind, record.direction) for record in box.records]
        assert kinds == [
            (1, Kind.REQUEST, Direction.OUT),
            (1, Kind.ANSWER, Direction.IN),
            *((n, kind, way) for n in range(2, 6) for kind, way in (
                (Kind.REQUEST, Direction.OUT),
                (Kind.FAILURE, Direction.IN),
            )),
        ]  # fmt: skip
        request, answer = box.records[:2]
        assert (request.method, request.url, request.body) == ("POST", READ.url, "1")
        assert request.headers == (("Authorization", "***"),)
        assert (answer.status, answer.body, answer.intent_key) == (200, "{'orderId':1}", "k1")
        assert box.client.statistics().requests == 5
        assert box.client.statistics().failures == 4


def test_a_request_prints_neither_query_nor_header_values_nor_body() -> None:
    request = HttpRequest("POST", f"{URL}/a?sig=hidden", {"X-Key": "hidden"}, b"hidden")
    assert "hidden" not in repr(request)
    assert repr(request).startswith(f"HttpRequest(method='POST', url={URL}/a, headers=<X-Key>, body=<6 bytes>")


@pytest.mark.parametrize(
    "field", ["connections", "connect_seconds", "idle_seconds", "total_seconds", "max_body", "max_line"]
)
def test_limits_are_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        HttpSettings(**{field: 0})  # type: ignore[arg-type]  # the name is a parameter of the test


class Heard:
    """Who listens to the Date of answers."""

    def __init__(self) -> None:
        self.dates: list[tuple[int, str]] = []
        self.sent = 0

    def sending(self) -> int:
        self.sent += 1
        return self.sent

    def answered(self, sent_ns: int, date: str) -> None:
        self.dates.append((sent_ns, date))


async def test_F21_the_date_of_an_answer_is_heard_unless_it_comes_from_a_store(autojump_clock: Any) -> None:
    heard, heads = Heard(), [b"date: noon", b"date: one\r\nage: 7", b"x-no: date", b"Date: two"]

    async def script(stream: trio.abc.Stream, _: Arrival) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n" + heads[heard.sent - 1] + b"\r\ncontent-length: 0\r\n\r\n")

    async with http_box(script, dates=heard) as box:
        for _ in heads:
            await box.client.send(READ)
    assert heard.dates == [(1, "noon"), (4, "two")]
