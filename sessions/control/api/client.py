"""A client of the control socket made of the standard library alone, so that a command is quick to start.

status = Client(socket).get("status")
Client(socket).post("halt", by="me")
"""

import http.client
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

ROOT: Final = "/v1"
_FINE: Final = 200


class NoDaemon(ConnectionError):
    """Nobody answers at the socket; `path` says where."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: expected a daemon to answer, got {why}; nothing was done; start one with `pitboss up`"
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


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connects to the socket's file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Client:
    """Questions and commands for one daemon; each goes over a connection of its own."""

    def __init__(self, path: Path, timeout: float | None = 30.0, chance: random.Random | None = None) -> None:
        """`timeout` is in seconds, None waits as long as it takes; `chance` makes the ids of commands."""
        self.path = path
        self.timeout = timeout
        self._chance = chance or random.SystemRandom()

    def get(self, what: str, **query: object) -> Any:
        """What the daemon tells; raises NoDaemon, Refusal."""
        return self._answer("GET", _address(what, query), None)

    def post(self, command: str, *, command_id: str | None = None, **fields: object) -> Any:
        """What a command came to; the same id twice has one effect. Raises NoDaemon, Refusal."""
        body = {"id": command_id or f"{self._chance.getrandbits(128):032x}", **fields}
        return self._answer("POST", f"{ROOT}/{command}", json.dumps(body).encode())

    def follow(self, what: str) -> Iterator[Any]:
        """What goes on happening, until the daemon ends; raises NoDaemon, Refusal."""
        connection = _Connection(self.path, None)
        try:
            response = self._sent(connection, "GET", _address(what, {"follow": 1}), None)
            if response.status != _FINE:
                raise Refusal(response.status, json.loads(response.read()))
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def _answer(self, method: str, address: str, body: bytes | None) -> Any:
        connection = _Connection(self.path, self.timeout)
        try:
            response = self._sent(connection, method, address, body)
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != _FINE:
            raise Refusal(response.status, answer)
        return answer

    def _sent(self, connection: _Connection, method: str, address: str, body: bytes | None) -> http.client.HTTPResponse:
        try:
            connection.request(method, address, body, {"Content-Type": "application/json"})
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NoDaemon(self.path, str(error) or type(error).__name__) from error


def _address(what: str, query: dict[str, object]) -> str:
    return f"{ROOT}/{what}?{urlencode(query)}" if query else f"{ROOT}/{what}"
