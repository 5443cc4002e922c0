"""A client of the control socket, made of `socket` and `json` alone: a command is over before http.client is loaded.

status = Client(socket).get("status")
Client(socket).post("halt", by="me")

It speaks HTTP/1.0, where the end of the connection is the end of an answer that does not say how long it is.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import urlencode

ROOT: Final = "/v1"
_FINE: Final = 200
_LONGEST_LINE: Final = 65_536  # of a head
_MOST_LINES: Final = 100


class NoDaemon(ConnectionError):
    """Nobody answers at the socket; `path` says where."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: expected a daemon to answer, got {why}; nothing was done; start one with `pitboss up`"
        )


class NoAnswer(ConnectionError):
    """The daemon went away, or took too long, after it was asked; `path` says where."""

    def __init__(self, path: Path, why: Exception) -> None:
        self.path = path
        super().__init__(
            f"{path}: expected a whole answer, got {str(why) or type(why).__name__}; what was asked for may still "
            "happen; see `pitboss status`"
        )


class BadAnswer(ValueError):
    """What came is no answer, or only the beginning of one."""


class Refusal(Exception):
    """The daemon said no: `status`, `code`, `text`, `next` and `id`."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.text = str(problem.get("text", "the daemon said no without a reason"))
        self.next = str(problem.get("next", ""))
        self.id = str(problem.get("id", ""))
        super().__init__(f"{self.text}; {self.next}" if self.next else self.text)


class _Answer(NamedTuple):
    """The head of an answer, and where the rest is read; `length` is None where only the end tells."""

    status: int
    length: int | None
    stream: BinaryIO

    def whole(self) -> Any:
        """The record; raises BadAnswer, OSError."""
        data = self.stream.read(-1 if self.length is None else self.length)
        if self.length is not None and len(data) < self.length:
            raise BadAnswer(f"expected {self.length} bytes, got {len(data)}")
        return json.loads(data)


class Client:
    """Questions and commands for one daemon; each goes over a connection of its own."""

    def __init__(self, path: Path, timeout: float | None = 30.0) -> None:
        """`timeout` is in seconds and for each step; None waits as long as it takes."""
        self.path = path
        self.timeout = timeout

    def get(self, what: str, **query: object) -> Any:
        """What the daemon tells; raises NoDaemon, NoAnswer, Refusal."""
        return self._answer("GET", _address(what, query))

    def post(self, command: str, *, command_id: str | None = None, **fields: object) -> Any:
        """What a command came to; the same id twice has one effect. Raises NoDaemon, NoAnswer, Refusal."""
        body = {"id": command_id or _new_id(), **fields}
        return self._answer("POST", f"{ROOT}/{command}", json.dumps(body).encode())

    def follow(self, what: str) -> Iterator[Any]:
        """What goes on happening, until the daemon ends; raises NoDaemon, NoAnswer, Refusal."""
        with self._sent("GET", _address(what, {"follow": 1}), b"", None) as answer:
            if answer.status != _FINE:
                raise Refusal(answer.status, answer.whole())
            for line in answer.stream:
                yield json.loads(line)

    def _answer(self, method: str, address: str, body: bytes = b"") -> Any:
        with self._sent(method, address, body, self.timeout) as answer:
            record = answer.whole()
        if answer.status != _FINE:
            raise Refusal(answer.status, record)
        return record

    @contextmanager
    def _sent(self, method: str, address: str, body: bytes, timeout: float | None) -> Iterator[_Answer]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            try:
                sock.connect(os.fspath(self.path))
            except OSError as error:
                raise NoDaemon(self.path, str(error)) from error
            try:
                sock.sendall(_request(method, address, body))
                with sock.makefile("rb") as stream:
                    yield _head(stream)
            except (OSError, ValueError) as error:
                raise NoAnswer(self.path, error) from error


def _new_id() -> str:
    from random import SystemRandom  # noqa: PLC0415 - a question needs no id, and status must be quick

    return f"{SystemRandom().getrandbits(128):032x}"


def _request(method: str, address: str, body: bytes) -> bytes:
    head = (
        f"{method} {address} HTTP/1.0",
        "Host: localhost",
        "Content-Type: application/json",
        *((f"Content-Length: {len(body)}",) if method == "POST" else ()),
    )
    return "\r\n".join((*head, "", "")).encode("ascii") + body


def _head(stream: BinaryIO) -> _Answer:
    """The head of the answer that the stream begins with; raises BadAnswer, OSError."""
    version, _, rest = _line(stream).partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise BadAnswer("no HTTP")
    length: int | None = None
    for _ in range(_MOST_LINES):
        name, _, value = _line(stream).partition(":")
        if not name:
            return _Answer(int(status), length, stream)
        if name.lower() == "content-length":
            length = int(value)
    raise BadAnswer("a head without an end")


def _line(stream: BinaryIO) -> str:
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise BadAnswer("the end of the connection" if not line else "half an answer")
    return line.decode("latin-1").strip()


def _address(what: str, query: dict[str, object]) -> str:
    return f"{ROOT}/{what}?{urlencode(query)}" if query else f"{ROOT}/{what}"
