"""A control interface that answers what a test tells it to, on a Unix socket in a thread, and keeps what it was asked."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner, Result

from sessions.control import cli

GROUP = cli.main


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    body: Any


class Fake:
    """What is answered, by the address without its query: (status, record), or bytes as they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, tuple[int, Any] | bytes] = {}
        self.asked: list[Asked] = []

    def run(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(GROUP, [*words], input=typed, env={"PITBOSS_SOCKET": str(self.path)})

    def post(self) -> Any:
        """The only command that came, without its id."""
        (body,) = [{**one.body} for one in self.asked if one.method == "POST"]
        assert body.pop("id")
        return body


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    fake: Fake


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        fake = self.server.fake
        fake.asked.append(Asked(self.command, self.path, body))
        answer = fake.answers.get(self.path.partition("?")[0], (404, {"code": "no_such_route", "text": self.path}))
        if isinstance(answer, bytes):
            self.wfile.write(answer)
            return
        status, record = answer
        data = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return "local"

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving(path: Path) -> Iterator[Fake]:
    with _Server(str(path), _Handler) as server:
        server.fake = Fake(path)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.fake
        finally:
            server.shutdown()
            thread.join()
            path.unlink(missing_ok=True)


def lines(*records: Any) -> bytes:
    """An answer that goes on, one object a line, until the connection ends."""
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
    return head + b"".join(json.dumps(record).encode() + b"\n" for record in records)
