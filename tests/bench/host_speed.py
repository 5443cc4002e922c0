"""Typed HTTP requests per second over the host and over hypercorn: same application, same client, same rounds."""

import argparse
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import attrs
import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.wire.host import serve

CONNECTIONS = 16
REQUESTS_PER_ROUND = 4000
BODY = b'{"symbol":"ES","side":"buy","quantity":"1","limit":"5000.25"}'
REQUEST = (
    b"POST /orders HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


@attrs.frozen
class NewOrder:
    symbol: str
    side: str
    quantity: Decimal
    limit: Decimal | None = None


@attrs.frozen
class Accepted:
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


class WallClock:
    """The clock of the machine, for the Date header that hypercorn sends too."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _serve_host() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    _say(listeners[0].socket.getsockname()[1])
    await serve(application(), listeners, clock=WallClock())


async def _serve_hypercorn() -> None:
    import hypercorn.trio  # noqa: PLC0415 - only the test extra brings it
    from hypercorn.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.keep_alive_max_requests = 10**9
    async with trio.open_nursery() as nursery:
        binds = await nursery.start(hypercorn.trio.serve, application(), config)
        _say(binds[0].rsplit(":", 1)[1])


@contextmanager
def _server(kind: str) -> Iterator[int]:
    """A server in its own process; yields its port."""
    command = [sys.executable, str(Path(__file__)), "--serve", kind]
    root = Path(__file__).parents[2]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root, env={"PYTHONPATH": str(root)}
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _first_answer(client: socket.socket) -> int:
    """How long one answer is: all of one server have the same length."""
    client.sendall(REQUEST)
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
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
            assert data, "the server hung up"
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


def measure_host(rounds: int) -> dict[str, list[float]]:
    """Requests per second of "host" and "hypercorn", one sample each a round."""
    samples: dict[str, list[float]] = {"host": [], "hypercorn": []}
    with ExitStack() as stack:
        targets = {}
        for kind in samples:
            port = stack.enter_context(_server(kind))
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(CONNECTIONS)]
            targets[kind] = clients, {_first_answer(client) for client in clients}.pop()
        for _ in range(rounds):
            for kind, (clients, size) in targets.items():
                samples[kind].append(_requests_per_second(clients, size, REQUESTS_PER_ROUND))
    return samples


def main() -> None:
    """Prints medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", choices=["host", "hypercorn"])
    options = parser.parse_args()
    if options.serve:
        trio.run({"host": _serve_host, "hypercorn": _serve_hypercorn}[options.serve])
        return
    samples = measure_host(options.rounds)
    medians = {kind: statistics.median(values) for kind, values in samples.items()}
    for kind, values in samples.items():
        _say(f"{kind:10} {medians[kind]:8.0f}/s  [{min(values):.0f}..{max(values):.0f}]")
    _say(f"ratio      {medians['host'] / medians['hypercorn']:8.2f}")


if __name__ == "__main__":
    main()
