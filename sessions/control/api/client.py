"""A client of the control socket: the standard library's HTTP client over a Unix socket, one connection a question.

status = Client(socket).get("status")
Client(socket).post("halt", by="me")
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

ROOT: Final = "/v1"
_FINE: Final = 200
_HEADERS: Final = {"Content-Type": "application/json", "Connection": "close"}


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


class Refusal(Exception):
    """The daemon said no: `status`, `code`, `text`, `next` and `id`."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.text = str(problem.get("text", "the daemon said no without a reason"))
        self.next = str(problem.get("next", ""))
        self.id = str(problem.get("id", ""))
        super().__init__(f"{self.text}; {self.next}" if self.next else self.text)


class _Connection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Raises NoDaemon."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(os.fspath(self._path))
        except OSError as error:
            raise NoDaemon(self._path, str(error)) from error


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
        body = {"id": command_id or new_id(), **fields}
        return self._answer("POST", f"{ROOT}/{command}", json.dumps(body).encode())

    def follow(self, what: str, **query: object) -> Iterator[Any]:
        """What goes on happening, until the daemon ends; raises NoDaemon, NoAnswer, Refusal."""
        with self._sent("GET", _address(what, {**query, "follow": 1}), None, None) as answer:
            if answer.status != _FINE:
                raise Refusal(answer.status, json.load(answer))
            for line in answer:
                yield json.loads(line)

    def _answer(self, method: str, address: str, body: bytes | None = None) -> Any:
        with self._sent(method, address, body, self.timeout) as answer:
            record = json.load(answer)
        if answer.status != _FINE:
            raise Refusal(answer.status, record)
        return record

    @contextmanager
    def _sent(self, method: str, address: str, body: bytes | None, timeout: float | None) -> Iterator[HTTPResponse]:
        with closing(_Connection(self.path, timeout)) as connection:
            try:
                connection.request(method, address, body, _HEADERS)
                yield connection.getresponse()
            except NoDaemon:
                raise
            except (OSError, HTTPException, ValueError) as error:
                raise NoAnswer(self.path, error) from error


def new_id() -> str:
    """An id for a command."""
    from random import SystemRandom  # noqa: PLC0415 - a question needs no id, and status must be quick

    return f"{SystemRandom().getrandbits(128):032x}"


def _address(what: str, query: dict[str, object]) -> str:
    return f"{ROOT}/{what}?{urlencode(query)}" if query else f"{ROOT}/{what}"
