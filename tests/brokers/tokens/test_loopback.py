"""Where the browser arrives: one visit, one login, this machine; everything else is refused and changes nothing."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trio

from brokers.tokens.drive import drive
from brokers.tokens.flow import AskHuman, Flow, HumanNeeded
from brokers.tokens.loopback import at_loopback, await_redirect, pasted_redirect
from brokers.tokens.oauth2 import challenge
from brokers.tokens.token_set import TokenSet
from runtime.simulation import SimulatedWorld
from runtime.wire.http_messages import HttpRequest, HttpResponse
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import OAUTH, seeded
from tests.brokers.tokens.test_oauth2 import CREDENTIAL
from tests.runtime.simulation.rehearsal import rehearsed
from tests.runtime.wire.certificates import Authority

STATE = "the-State_0123456789"
QUESTION = AskHuman("https://broker/authorize", "http://127.0.0.1:7002/back", Secret(STATE))
GOOD = f"/back?{urlencode({'code': 'C0.x@', 'state': STATE})}"


async def visit(world: SimulatedWorld, target: str, host: str = "127.0.0.1:7002", method: str = "GET") -> bytes:
    """What a browser at that address is told."""
    async with await world.network.connect("127.0.0.1", 7002) as stream:
        await stream.send_all(f"{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        answer = b""
        with trio.move_on_after(5):
            while piece := await stream.receive_some():
                answer += piece
        return answer


async def arrival(
    world: SimulatedWorld, browse: Callable[[], Awaitable[None]], question: AskHuman = QUESTION
) -> Mapping[str, str]:
    """The redirect that was taken while the browser did this."""
    taken: list[Mapping[str, str]] = []

    async def reception(task_status: trio.TaskStatus[None]) -> None:
        taken.append(await await_redirect(world.network, question, task_status.started))

    async with trio.open_nursery() as nursery:
        await nursery.start(reception)
        await browse()
    return taken[0]


@rehearsed
async def test_s59_the_redirect_is_taken_and_the_page_says_so(world: SimulatedWorld) -> None:
    async def browse() -> None:
        page = await visit(world, GOOD)
        assert page.startswith(b"HTTP/1.1 200")
        assert b"You may close this window" in page
        assert b"no-store" in page
        assert STATE.encode() not in page
        assert b"C0.x" not in page

    assert await arrival(world, browse) == {"code": "C0.x@", "state": STATE}
    with pytest.raises(OSError, match="refused"):
        await world.network.connect("127.0.0.1", 7002)


@pytest.mark.parametrize(
    ("target", "host", "method", "status"),
    [
        ("/back?code=evil&state=forged", "127.0.0.1:7002", "GET", b"400"),
        ("/back?code=evil", "127.0.0.1:7002", "GET", b"400"),
        (f"/back?code=evil&state={STATE}&state=x", "127.0.0.1:7002", "GET", b"400"),
        (f"/back?code=evil&state=x&state={STATE}", "127.0.0.1:7002", "GET", b"400"),
        ("/back?state=%FF", "127.0.0.1:7002", "GET", b"400"),
        ("/back?" + "&".join(["a=b"] * 50) + f"&state={STATE}", "127.0.0.1:7002", "GET", b"400"),
        (f"/elsewhere?code=evil&state={STATE}", "127.0.0.1:7002", "GET", b"404"),
        (f"/back?code=evil&state={STATE}", "evil.example:7002", "GET", b"404"),
        (f"/back?code=evil&state={STATE}", "127.0.0.1", "GET", b"404"),
        (f"/back?code=evil&state={STATE}", "127.0.0.1:7002", "POST", b"404"),
    ],
)
@rehearsed
async def test_s59_what_is_forged_is_refused_and_the_true_redirect_still_taken(
    world: SimulatedWorld, target: str, host: str, method: str, status: bytes
) -> None:
    async def browse() -> None:
        assert (await visit(world, target, host, method)).startswith(b"HTTP/1.1 " + status)
        await visit(world, GOOD)

    assert (await arrival(world, browse))["code"] == "C0.x@"


@rehearsed
async def test_s59_of_many_visits_with_the_same_redirect_one_is_taken(world: SimulatedWorld) -> None:
    answers: list[bytes] = []

    async def one() -> None:
        try:
            answers.append(await visit(world, GOOD))
        except (OSError, trio.BrokenResourceError):
            answers.append(b"")  # the listener was gone already

    async def browse() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)

    await arrival(world, browse)
    assert sum(answer.startswith(b"HTTP/1.1 200") for answer in answers) == 1
    assert len(answers) == 8


@rehearsed
async def test_a_login_that_the_broker_declined_ends_the_wait(world: SimulatedWorld) -> None:
    async def browse() -> None:
        assert b"not granted" in await visit(world, f"/back?error=access_denied&state={STATE}")

    assert (await arrival(world, browse))["error"] == "access_denied"


class TokenEnd:
    """Answers the exchange of a code with tokens, if the verifier is that of the address."""

    def __init__(self) -> None:
        self.sent: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        await trio.lowlevel.checkpoint()
        self.sent.append(request)
        return HttpResponse(200, (), b'{"access_token":"at-new-one","refresh_token":"rt-new-one","expires_in":1200}')


async def login(world: SimulatedWorld, show: Callable[[str], None], sender: Any, flow: Flow | None = None) -> TokenSet:
    person = at_loopback(world.network, show)
    return await drive(flow or OAUTH.log_in(CREDENTIAL, seeded(3)), sender, world.clock, Redactor(), person)


@rehearsed
async def test_s59_a_whole_login_from_the_address_to_the_tokens(world: SimulatedWorld) -> None:
    shown: list[str] = []
    sender, tokens, asked = TokenEnd(), [], trio.Event()

    def show(address: str) -> None:
        shown.append(address)
        asked.set()

    async def log_in() -> None:
        tokens.append(await login(world, show, sender))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(log_in)
        await asked.wait()
        state = shown[0].partition("state=")[2].partition("&")[0]
        await visit(world, f"/back?code=C1&state={state}")
    assert tokens[0].access == Secret("at-new-one")
    verifier = sender.sent[0].body.decode().partition("code_verifier=")[2].partition("&")[0]
    assert f"code_challenge={challenge(Secret(verifier))}" in shown[0]


@rehearsed
async def test_s59_nobody_waits_longer_than_five_minutes_and_the_port_is_free_again(world: SimulatedWorld) -> None:
    began = trio.current_time()
    with pytest.raises(HumanNeeded, match="within 300 s"):
        await login(world, lambda _: None, TokenEnd())
    assert trio.current_time() - began == 300
    await world.network.listen("127.0.0.1", 7002)


@rehearsed
async def test_s59_a_port_that_is_taken_is_named(world: SimulatedWorld) -> None:
    await world.network.listen("127.0.0.1", 7002)
    with pytest.raises(HumanNeeded, match=r"127\.0\.0\.1:7002.*paste"):
        await login(world, lambda _: None, TokenEnd())


@pytest.mark.parametrize(
    "address", ["http://0.0.0.0:7002", "http://10.0.0.1/back", "https://evil.example", "ftp://localhost"]
)
@rehearsed
async def test_s59_the_redirect_is_on_this_machine_or_there_is_no_login(world: SimulatedWorld, address: str) -> None:
    question = AskHuman("https://broker/authorize", address, Secret(STATE))
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 or localhost"):
        await await_redirect(world.network, question, lambda: None)


@rehearsed
async def test_an_https_redirect_without_a_certificate_asks_for_the_address_to_be_pasted(world: SimulatedWorld) -> None:
    question = AskHuman("https://broker/authorize", "https://127.0.0.1", Secret(STATE))
    with pytest.raises(HumanNeeded, match="paste"):
        await await_redirect(world.network, question, lambda: None)


@rehearsed
async def test_an_https_redirect_is_served_with_the_certificate_that_is_given(
    world: SimulatedWorld, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.pem))
    question = AskHuman("https://broker/authorize", "https://127.0.0.1:7002/back", Secret(STATE))
    pages: list[bytes] = []

    async def browse() -> None:
        plain = await world.network.connect("127.0.0.1", 7002)
        stream = trio.SSLStream(plain, trusting, server_hostname="127.0.0.1", https_compatible=True)
        await stream.send_all(f"GET {GOOD} HTTP/1.1\r\nhost: 127.0.0.1:7002\r\n\r\n".encode())
        pages.append(bytes(await stream.receive_some()))
        await trio.aclose_forcefully(plain)

    async with trio.open_nursery() as nursery:
        taken = await await_redirect(
            world.network, question, lambda: nursery.start_soon(browse), authority.server("127.0.0.1")
        )
    assert taken["code"] == "C0.x@"
    assert pages[0].startswith(b"HTTP/1.1 200")


def test_a_pasted_address_is_read_like_a_redirect() -> None:
    question = AskHuman("https://broker/authorize", "https://127.0.0.1", Secret(STATE))
    text = f" https://127.0.0.1/?code=C0.b2F%40&session=abc&state={STATE}\n"
    assert pasted_redirect(text, question) == {"code": "C0.b2F@", "session": "abc", "state": STATE}


@pytest.mark.parametrize(
    "text", ["", "nonsense", "https://127.0.0.1.evil.example/?code=x", "http://127.0.0.1/?code=secret-x"]
)
def test_another_pasted_address_is_refused_and_not_shown(text: str) -> None:
    question = AskHuman("https://broker/authorize", "https://127.0.0.1", Secret(STATE))
    with pytest.raises(HumanNeeded, match=r"beginning with https://127\.0\.0\.1") as raised:
        pasted_redirect(text, question)
    assert "secret-x" not in str(raised.value)


@rehearsed
async def test_nobody_to_ask_is_a_failure_and_not_a_wait(world: SimulatedWorld) -> None:
    with pytest.raises(HumanNeeded, match="pitboss login"):
        await drive(OAUTH.log_in(CREDENTIAL, seeded(3)), TokenEnd(), world.clock, Redactor())
