"""What our HTTP and WebSocket clients cost beyond the libraries they stand on: same server, same rounds, medians.

Run `python -m tests.runtime.wire.wire_speed [rounds]`. The server is another process that answers with fixed bytes.
What is measured is the processor time of the client, which a busy machine disturbs less than the time on the wall.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs
import httpx
import trio
from trio_websocket import wrap_client_stream

from runtime.real import SocketNetwork, SystemClock
from runtime.wire.capture import Exchange, Recorder
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpRequest
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.websocket import open_websocket
from runtime.wire.websocket_session import WebSocketSettings

REQUESTS = 400
MESSAGES = 8000
QUEUE = WebSocketSettings().receive_queue
SERVER = r"""
import base64, hashlib, socket, threading
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
tick = b'{"e":"trade","s":"BTCUSDT","p":"50000.12","q":"0.00100","T":1700000000000,"m":true}'
frames = (bytes([0x81, len(tick)]) + tick) * 64
answer = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"pong": true }'

def serve(client):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    try:
        while data := client.recv(65536):
            *heads, rest = (rest + data).split(b"\r\n\r\n")
            for head in heads:
                keys = [line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")]
                if not keys:
                    client.sendall(answer)
                    continue
                key = keys[0].split(b":", 1)[1].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key).digest())
                client.sendall(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
                while True:
                    client.sendall(frames)
    except OSError:
        pass

while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


@attrs.frozen
class Comparison:
    """Rounds of two ways to do the same, in seconds for one."""

    name: str
    plain: list[float] = attrs.field(factory=list)
    ours: list[float] = attrs.field(factory=list)

    def line(self) -> str:
        ratio = statistics.median(ours / plain for ours, plain in zip(self.ours, self.plain, strict=True))
        plain, ours = (statistics.median(samples) * 1e6 for samples in (self.plain, self.ours))
        return f"{self.name:<40} plain {plain:7.1f} us   ours {ours:7.1f} us   ratio {ratio:.3f}"


@contextmanager
def server() -> Iterator[int]:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the script above
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def each(count: int, work: Callable[[], Awaitable[object]]) -> float:
    for _ in range(count // 10):
        await work()
    started = time.process_time()
    for _ in range(count):
        await work()
    return (time.process_time() - started) / count


async def compare_requests(port: int, rounds: int) -> list[Comparison]:
    url, redactor = f"http://127.0.0.1:{port}", Redactor()
    network, allowed, records = SocketNetwork(), AllowList(url), list[Exchange]()
    recorder = Recorder("c1", SystemClock(), redactor, records.append)
    request = HttpRequest("GET", f"{url}/ping")
    bare, recorded = Comparison("GET, keep-alive"), Comparison("GET, keep-alive, every byte recorded")
    async with (
        httpx.AsyncClient(timeout=15) as plain,
        HttpClient(network, allowed, redactor) as ours,
        HttpClient(network, allowed, redactor, recorder=recorder) as recording,
    ):
        for _ in range(rounds):
            seconds = await each(REQUESTS, lambda: plain.get(f"{url}/ping"))
            bare.plain.append(seconds)
            recorded.plain.append(seconds)
            bare.ours.append(await each(REQUESTS, lambda: ours.send(request)))
            recorded.ours.append(await each(REQUESTS, lambda: recording.send(request)))
            records.clear()
    return [bare, recorded]


async def plain_messages(port: int, queue: int, chunk: int) -> float:
    async with trio.open_nursery() as nursery:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        socket = await wrap_client_stream(
            nursery, stream, "127.0.0.1", "/", message_queue_size=queue, receive_buffer_size=chunk
        )
        seconds = await each(MESSAGES, socket.get_message)
        nursery.cancel_scope.cancel()
    return seconds


async def our_messages(port: int, recorder: Recorder | None) -> float:
    url = f"ws://127.0.0.1:{port}"
    seconds = 0.0
    with trio.CancelScope() as scope:
        async with open_websocket(SocketNetwork(), url, AllowList(url), Redactor(), recorder=recorder) as session:
            seconds = await each(MESSAGES, session.receive)
            scope.cancel()
    return seconds


async def compare_messages(port: int, rounds: int) -> list[Comparison]:
    records = list[Exchange]()
    recorder = Recorder("w1", SystemClock(), Redactor(), records.append)
    same = Comparison(f"receive, both with a queue of {QUEUE}")
    default = Comparison("receive, against the library's defaults")
    recorded = Comparison("receive, every frame recorded")
    for _ in range(rounds):
        tuned = await plain_messages(port, QUEUE, 65536)
        same.plain.append(tuned)
        recorded.plain.append(tuned)
        default.plain.append(await plain_messages(port, 1, 4096))
        same.ours.append(await our_messages(port, None))
        default.ours.append(same.ours[-1])
        recorded.ours.append(await our_messages(port, recorder))
        records.clear()
    return [same, default, recorded]


def redaction() -> Iterator[str]:
    redactor = Redactor()
    for number in range(20):
        redactor.learn(f"a-learned-secret-{number:04}")
    order = {"orderId": 1, "symbol": "ESZ5", "price": "5000.25", "status": "working", "token": "x"}
    texts = {"a tick of 90 bytes": json.dumps(order), "a body of 64 KiB": json.dumps([order] * 720)[:65536]}
    for name, text in texts.items():
        count = 200_000 // len(text) + 20
        started = time.process_time()
        for _ in range(count):
            redactor.text(text)
        yield f"redact {name:<33} {(time.process_time() - started) / count * 1e6:9.1f} us"


async def main(port: int, rounds: int) -> None:
    comparisons = [*await compare_requests(port, rounds), *await compare_messages(port, rounds)]
    for line in [*(comparison.line() for comparison in comparisons), *redaction()]:
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    with server() as port_:
        trio.run(main, port_, int(sys.argv[1]) if len(sys.argv) > 1 else 9)
