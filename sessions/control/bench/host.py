"""Typed HTTP requests per second over the host and over hypercorn: same application, same client, same rounds."""

import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.real import SystemClock
from runtime.wire.host import serve
from sessions.control.bench.report import Measurements

CONNECTIONS = 16
REQUESTS_PER_ROUND = 4000
BODY = b'{"symbol":"ES","side":"buy","quantity":"1","limit":"5000.25"}'
REQUEST = (
    b"POST /orders HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


@attrs.frozen
class NewOrder:
    """The body of a request."""

    symbol: str
    side: str
    quantity: Decimal
    limit: Decimal | None = None


@attrs.frozen
class Accepted:
    """The body of an answer."""

    id: int
    order: NewOrder


def application() -> Starlette:
    """One route: a JSON body decoded into an attrs class, an attrs class encoded as the answer."""
    decoder = msgspec.json.Decoder(NewOrder)
    encoder = msgspec.json.Encoder()

    async def submit(request: Request) -> Response:
        order = decoder.decode(await request.body())
        return Response(encoder.encode(Accepted(1, order)), media_type="application/json")

    return Starlette(routes=[Route("/orders", submit, methods=["POST"])])


async def _serve_host() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    _say(listeners[0].socket.getsockname()[1])
    await serve(application(), listeners, clock=SystemClock())


async def _serve_hypercorn() -> None:
    import hypercorn.trio  # noqa: PLC0415 - only the test extra brings it
    from hypercorn.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.keep_alive_max_requests = 10**9
    async with trio.open_nursery() as nursery:
        binds = await nursery.start(hypercorn.trio.serve, application(), config)
        _say(binds[0].rsplit(":", 1)[1])


def _say(value: object) -> None:
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()


@contextmanager
def _server(kind: str) -> Iterator[int]:
    """A server in its own process; yields its port."""
    command = [sys.executable, "-m", "sessions.control.bench.host", kind]
    with subprocess.Popen(  # noqa: S603 - this module, run by this interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield int(process.stdout.readline() if process.stdout is not None else "")
        finally:
            process.kill()


def _first_answer(client: socket.socket) -> int:
    """How long one answer is: all of one server have the same length."""
    client.sendall(REQUEST)
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"expected an answer with status 200, got {head!r}")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return len(head) + 4 + length


def _requests_per_second(clients: list[socket.socket], size: int, requests: int) -> float:
    """Every client always has one request under way."""
    poll = select.epoll()
    by_number = {client.fileno(): client for client in clients}
    missing = dict.fromkeys(by_number, size)
    for client in clients:
        poll.register(client, select.EPOLLIN)
    begun = time.perf_counter()
    for client in clients:
        client.sendall(REQUEST)
    answered = 0
    sent = len(clients)
    while answered < requests:
        for number, _ in poll.poll():
            data = by_number[number].recv(65536)
            if not data:
                raise RuntimeError("the server hung up in the middle of the benchmark")
            missing[number] -= len(data)
            if missing[number] == 0:
                answered += 1
                missing[number] = size
                if sent < requests:
                    sent += 1
                    by_number[number].sendall(REQUEST)
    elapsed = time.perf_counter() - begun
    poll.close()
    return requests / elapsed


def measure_host(results: Measurements) -> None:
    """One sample of each host and of their ratio, the host between two runs of its floor."""
    with ExitStack() as stack:
        targets = {}
        for kind in ("hypercorn", "host"):
            port = stack.enter_context(_server(kind))
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(CONNECTIONS)]
            targets[kind] = clients, {_first_answer(client) for client in clients}.pop()
        found: dict[str, list[float]] = {"hypercorn": [], "host": []}
        for kind in ("hypercorn", "host", "hypercorn", "host"):
            clients, size = targets[kind]
            found[kind].append(_requests_per_second(clients, size, REQUESTS_PER_ROUND))
    host, floor = statistics.mean(found["host"]), statistics.mean(found["hypercorn"])
    results.add("http_host", host, "per s")
    results.add("http_hypercorn", floor, "per s")
    results.add("http_over_hypercorn", host / floor, "x")


async def measure_stuck_client() -> float:
    """Milliseconds from a cancel until the host has stopped, while a client never reads the answer it asked for."""

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, endless, listeners, clock=SystemClock()))
        client = await trio.open_tcp_stream("127.0.0.1", port)
        await client.send_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await trio.sleep(0.3)  # until both socket buffers are full
        began = time.perf_counter()
        nursery.cancel_scope.cancel()
    took = time.perf_counter() - began
    await trio.aclose_forcefully(client)
    return took * 1e3


if __name__ == "__main__":
    trio.run({"host": _serve_host, "hypercorn": _serve_hypercorn}[sys.argv[1]])
