"""One WebSocket: frames o, h, a and c, requests of four lines with ids, and the login that it is authorized with."""

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Final

import attrs
import msgspec
import trio

from brokers.emulation.house import House
from brokers.emulation.line import current_line
from brokers.tradovate.emulator.frames import FrameWriter, Over
from brokers.tradovate.emulator.logins import Grant
from brokers.tradovate.emulator.words import compact
from runtime.wire.host import App, ClientGone, Message, Receive, Send

HEARTBEAT_SECONDS: Final = 2.5
SILENCE_SECONDS: Final = 15.0
PATH: Final = "/v1/"
_WAITS: Final = frozenset({418, 429})  # a frame has no headers: a time to wait is told as a penalty
_ENDLESS: Final = 1 << 20  # an answer that has not ended by then never will

current_ask: ContextVar["Ask | None"] = ContextVar("current_ask", default=None)
"""The request on a socket that is being answered; None for one over HTTP."""


@attrs.define(eq=False)
class Ask:
    """One request on a socket."""

    socket: "Socket"
    id: int
    split: bool = False  # whether each collection of the answer is a response of its own


class Socket:
    """The server's end of a socket; requests are answered by the same application as over HTTP."""

    def __init__(self, house: House, application: App, send: Send) -> None:
        self.grant: Grant | None = None
        self.synced = False
        self._house = house
        self._application = application
        self._writer = FrameWriter(house, current_line.get(), send)
        self._scope = trio.CancelScope()
        self._leaving = trio.Event()
        self._last_words: bytes | None = None
        self._heard = trio.Event()
        self._at_end: list[Callable[[], object]] = []

    # What the service does with it.

    def push(self, event: str, data: object) -> None:
        """An event, late by the latency."""
        self._writer.put(compact({"e": event, "d": data}), self._house.latency_seconds)

    def leave(self, last_words: bytes | None = None) -> None:
        """Closes the socket, with an event that says why."""
        self._last_words = self._last_words or last_words
        self._leaving.set()

    def at_end(self, act: Callable[[], object]) -> None:
        """Does something when the socket is gone."""
        self._at_end.append(act)

    # Its life.

    async def run(self, receive: Receive) -> None:
        """Serves the socket until either side leaves."""
        try:
            with self._scope:
                await self._writer.frame(b"o")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._beat)
                    nursery.start_soon(self._listen_for_silence)
                    nursery.start_soon(self._part)
                    await self._read(receive, nursery)
        except* ClientGone:
            pass
        finally:
            for act in self._at_end:
                act()

    async def _read(self, receive: Receive, nursery: trio.Nursery) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            self._heard.set()
            text = message.get("text")
            if text is not None and text != "[]":
                nursery.start_soon(self._request, text)
        self._scope.cancel()

    async def _write(self) -> None:
        with suppress(Over):
            await self._writer.run()
        self._scope.cancel()

    async def _beat(self) -> None:
        while True:
            await trio.sleep(HEARTBEAT_SECONDS)
            if self._house.faults.state("mute") is None:
                await self._writer.frame(b"h")

    async def _listen_for_silence(self) -> None:
        """A client that sends nothing, not even its heartbeat, is dropped."""
        while True:
            self._heard = trio.Event()
            with trio.move_on_after(SILENCE_SECONDS) as patience:
                await self._heard.wait()
            if patience.cancelled_caught:
                self.leave()

    async def _part(self) -> None:
        await self._leaving.wait()
        await trio.sleep(self._house.latency_seconds)
        await self._writer.part(self._last_words)
        self._scope.cancel()

    # Requests.

    async def _request(self, text: str) -> None:
        parts = [*text.split("\n", 3), "", "", ""]
        endpoint, number, query, body = parts[:4]
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            self._writer.put(compact({"s": 400, "i": 0, "d": "Bad Request"}))
            return
        ask = Ask(self, int(number))
        current_ask.set(ask)
        answer = _Answer(self._writer, ask)
        scope = {
            "type": "http",
            "method": "SOCKET",
            "path": PATH + endpoint,
            "raw_path": (PATH + endpoint).encode(),
            "query_string": query.encode(),
            "headers": [],
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body.encode(), "more_body": False}

        await self._application(scope, receive, answer.send)


class _Answer:
    """Makes the responses of what an application sends."""

    def __init__(self, writer: FrameWriter, ask: Ask) -> None:
        self._writer = writer
        self._ask = ask
        self._status = 0
        self._wait: int | None = None
        self._body = bytearray()
        self._pieces = 0

    async def send(self, message: Message) -> None:
        """The application's side of ASGI."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._wait = next((int(value) for name, value in message["headers"] if name == b"retry-after"), None)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            for response in self._responses(bytes(self._body)):
                self._writer.put(response)
        elif len(self._body) > _ENDLESS:
            await self._writer.endless(b"a[" + self._response(bytes(self._body))[:-1])

    def _responses(self, body: bytes) -> list[bytes]:
        if self._status in _WAITS and self._wait is not None:
            penalty = {"p-ticket": f"{self._ask.id:032x}", "p-time": self._wait, "p-captcha": False}
            self._status = 200
            return [self._response(compact(penalty))]
        if not self._ask.split or self._status != 200:
            return [self._response(body)]
        try:
            collections = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:  # spoilt on purpose
            return [self._response(body)]
        return [self._response(compact({name: rows})) for name, rows in collections.items()]

    def _response(self, body: bytes) -> bytes:
        """A body of success is JSON already; any other is a bare text."""
        head = b'{"s":%d,"i":%d' % (self._status, self._ask.id)
        if not body:
            return head + b"}"
        return head + b',"d":' + (body if self._status == 200 else compact(body.decode())) + b"}"
