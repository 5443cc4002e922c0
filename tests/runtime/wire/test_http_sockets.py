"""Real sockets on loopback: TLS that always verifies, and connections that died while nobody looked."""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from runtime.real import SocketNetwork
from runtime.wire.delivery import Phase, Sent
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpSettings
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.tls import shared_tls, verifying
from tests.runtime.wire.certificates import Authority
from tests.runtime.wire.peers import OK, Arrival, HttpPeer, hanging_up_after

PAST = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def serving(peer: HttpPeer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def serve(stream: trio.SocketStream) -> None:
        await peer.serve(stream if tls is None else trio.SSLStream(stream, tls, server_side=True))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


def client(url: str, tls: ssl.SSLContext | None = None, connect_seconds: float = 5) -> HttpClient:
    settings = HttpSettings(connect_seconds=connect_seconds)
    return HttpClient(SocketNetwork(), AllowList(url), Redactor(), settings=settings, tls=tls)


async def test_s41_a_certificate_of_the_trusted_authority_is_accepted(authority: Authority) -> None:
    peer = HttpPeer()
    async with serving(peer, authority.server("127.0.0.1")) as url, client(url, authority.trusted()) as http:
        for _ in range(2):
            assert (await http.send(HttpRequest("POST", f"{url}/", body=b"1"))).status == 200
        assert peer.connections == 1


@pytest.mark.parametrize("flaw", ["self-signed", "other authority", "wrong name", "expired", "old TLS", "no TLS"])
async def test_s41_f05_any_other_is_refused_before_the_request_leaves(
    authority: Authority, tmp_path: Path, flaw: str
) -> None:
    issuer = Authority.make(tmp_path) if flaw == "other authority" else authority
    tls: ssl.SSLContext | None = issuer.server(
        "127.0.0.2" if flaw == "wrong name" else "127.0.0.1",
        end=PAST if flaw == "expired" else dt.datetime(2120, 1, 1, tzinfo=dt.UTC),
        self_signed=flaw == "self-signed",
    )
    if tls is not None and flaw == "old TLS":
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            tls.maximum_version = ssl.TLSVersion.TLSv1_1
    peer = HttpPeer()
    async with serving(peer, None if flaw == "no TLS" else tls) as url:
        target = url.replace("http:", "https:")
        patience = 0.2 if flaw == "no TLS" else 5  # it waits for a request that never comes
        async with client(target, authority.trusted(), patience) as http:
            with pytest.raises(HttpFailure) as caught:
                await http.send(HttpRequest("POST", f"{target}/", body=b"secret"))
    failure = caught.value
    assert (failure.fault, failure.phase, failure.sent) == (Fault.UNREACHABLE, Phase.CONNECT, Sent.NOTHING)
    assert peer.arrivals == []


async def test_s40_s41_the_environment_cannot_add_an_authority(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    fresh = shared_tls.__wrapped__()
    assert not fresh.keylog_filename
    async with serving(HttpPeer(), authority.server("127.0.0.1")) as url, client(url, fresh) as http:
        with pytest.raises(HttpFailure, match="CERTIFICATE_VERIFY_FAILED"):
            await http.send(HttpRequest("GET", f"{url}/"))


def test_s41_a_context_that_does_not_verify_is_refused(authority: Authority) -> None:
    careless = authority.trusted()
    careless.check_hostname = False
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    old = ssl.create_default_context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    for context in (careless, blind, old):
        with pytest.raises(ValueError, match="expected"):
            client("https://127.0.0.1", context)


def test_s41_the_shared_context_is_one_and_verifies() -> None:
    assert shared_tls() is shared_tls()
    assert verifying(shared_tls()).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("secure", [False, True])
async def test_a_stale_connection_is_replaced_and_the_post_arrives_once(authority: Authority, secure: bool) -> None:
    peer = HttpPeer(hanging_up_after(OK))
    tls = authority.server("127.0.0.1") if secure else None
    async with serving(peer, tls) as url, client(url, authority.trusted()) as http:
        for turn in range(1, 6):
            assert (await http.send(HttpRequest("POST", f"{url}/", body=b"1"))).status == 200
            assert len(peer.arrivals) == peer.connections == turn
            await trio.testing.wait_all_tasks_blocked()  # the peer has hung up


async def test_a_hangup_that_crosses_the_post_is_unknown_and_the_post_arrives_at_most_once() -> None:
    async def answer(stream: trio.abc.Stream, arrival: Arrival) -> bool | None:
        if arrival.target == "/drop":
            return True
        await stream.send_all(OK)
        return None

    peer = HttpPeer(answer)
    async with serving(peer) as url, client(url) as http:
        for _ in range(20):
            await http.send(HttpRequest("GET", f"{url}/warm"))
            with pytest.raises(HttpFailure) as caught:
                await http.send(HttpRequest("POST", f"{url}/drop", body=b"1"))
            assert (caught.value.fault, caught.value.sent) == (Fault.LOST, Sent.MAYBE)
        assert sum(arrival.target == "/drop" for arrival in peer.arrivals) == 20


async def test_a_post_into_a_connection_that_dies_unread_arrives_at_most_once() -> None:
    arrivals: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            arrivals.append(await stream.receive_some(65536))
            if b"/warm" in arrivals[-1]:
                await stream.send_all(OK)
                await stream.receive_some(1)  # the first byte of the next request; the rest dies unread: a reset

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with client(url) as http:
            for _ in range(20):
                await http.send(HttpRequest("GET", f"{url}/warm"))
                with pytest.raises(HttpFailure) as caught:
                    await http.send(HttpRequest("POST", f"{url}/order", body=bytes(100_000)))
                assert (caught.value.fault, caught.value.sent) == (Fault.LOST, Sent.MAYBE)
        assert [arrival.split()[1] for arrival in arrivals] == [b"/warm"] * 20
        nursery.cancel_scope.cancel()


async def test_closing_never_waits_for_a_peer_that_does_not_read(authority: Authority) -> None:
    async def deaf(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, authority.server("127.0.0.1"), server_side=True)
        await secured.do_handshake()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, deaf, 0)
        url = f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        http = client(url, authority.trusted())
        with trio.move_on_after(0.2):
            await http.send(HttpRequest("POST", f"{url}/", body=bytes(32 * 1024 * 1024)))
        with trio.fail_after(1):
            await http.aclose()
        nursery.cancel_scope.cancel()
