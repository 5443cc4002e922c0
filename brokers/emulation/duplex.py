"""An emulator's WebSocket side as an ASGI application: a broker's service at one path, with faults around it."""

import math
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from brokers.emulation.bodies import Body, hostile
from brokers.emulation.catalogue import Where
from brokers.emulation.faults import Fault
from brokers.emulation.house import House
from brokers.emulation.line import Line, current_line
from brokers.emulation.log import ARRIVED, LINE
from runtime.wire.host import App, ClientGone, Message, Receive, Send

TEXT: Final = 1
_CONTINUATION: Final = 0
_FINAL: Final = 0x80
_BACKLOG: Final = 2_000  # messages that wait for a slow client
_PASSAGE: Final = 0.001  # within which the host has written what it was given
_ENDLESS_PAUSE: Final = 0.001  # so that time passes in a simulated world too


class Duplex:
    """One open WebSocket as a broker's service sees it."""

    def __init__(self, line: Line, latency_seconds: float) -> None:
        self.line = line
        self._latency = latency_seconds
        self._outbox, self.to_send = trio.open_memory_channel[tuple[float, str]](math.inf)
        self._arrived, self._inbox = trio.open_memory_channel[tuple[float, str]](math.inf)

    async def receive(self) -> str:
        """The client's next message; raises trio.EndOfChannel when it has left."""
        due, text = await self._inbox.receive()
        if due > trio.current_time():
            await trio.sleep_until(due)
        return text

    def tell(self, text: str, after_seconds: float = 0.0) -> bool:
        """Sends a message, after those before it; says whether the client still keeps up."""
        try:
            self._outbox.send_nowait((trio.current_time() + self._latency + after_seconds, text))
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return True  # it has been said goodbye to
        return self._outbox.statistics().current_buffer_used < _BACKLOG

    def end(self) -> None:
        """Closes the connection once everything is sent."""
        self._outbox.close()

    def arrive(self, text: str) -> None:
        """A message of the client comes."""
        self._arrived.send_nowait((trio.current_time() + self._latency, text))

    def leave(self) -> None:
        """The client is gone."""
        self._arrived.close()


@attrs.frozen(eq=False)
class Sockets:
    """Serves a broker's WebSocket at a path, and everything else by the application behind it."""

    behind: App
    path: str
    serve: Callable[[Duplex], Awaitable[None]]
    farewell: Callable[[], str]  # what is said before a goodbye that is a fault
    house: House

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI scope."""
        if scope["type"] != "websocket":
            await self.behind(scope, receive, send)
        elif scope["path"] != self.path:
            await send({"type": "websocket.close"})
        else:
            await _Connection(self, current_line.get(), receive, send).run()


class _Connection:
    """One WebSocket from its first byte to its last."""

    def __init__(self, sockets: Sockets, line: Line, receive: Receive, send: Send) -> None:
        self._sockets = sockets
        self._house = sockets.house
        self._line = line
        self._receive = receive
        self._send = send
        self._duplex = Duplex(line, sockets.house.latency_seconds)

    async def run(self) -> None:
        """Opens it, and serves it until either side ends it."""
        await self._receive()
        self._house.log.put(ARRIVED, method="GET", path=self._sockets.path, line=self._line.number)
        reset = self._strikes("reset")
        if reset is not None and reset.value == "before":
            await self._line.reset()
            return
        self._shape()
        body = self._strikes("hostile")
        nasty = None if body is None else hostile(body.value)
        headers = () if nasty is None else nasty.headers
        await self._send({"type": "websocket.accept", "headers": [(n.encode(), v.encode()) for n, v in headers]})
        if reset is not None:
            await self._line.reset()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            nursery.start_soon(self._serve)
            await self._write(nasty)
            nursery.cancel_scope.cancel()

    def _strikes(self, name: str) -> Fault | None:
        return self._house.faults.strikes(name, Where.STREAM)

    def _shape(self) -> None:
        cut, drip, swizzle = self._strikes("cut"), self._strikes("drip"), self._strikes("swizzle")
        if cut is not None:
            self._line.cut_after(cut.count)
        if drip is not None:
            self._line.drip(drip.count)
        if swizzle is not None:
            self._house.spawn(self._house.swizzle, swizzle.seconds)
        refuse = self._strikes("refuse-connects")
        if refuse is not None:
            self._house.spawn(self._house.door.shut, refuse.seconds)

    async def _serve(self) -> None:
        await self._sockets.serve(self._duplex)
        self._duplex.end()

    async def _read(self) -> None:
        """Hands on what the client says; a message that is no text is handed on empty."""
        while (message := await self._receive())["type"] == "websocket.receive":
            self._duplex.arrive(message.get("text") or "")
        self._house.log.put(LINE, what="client left", line=self._line.number)
        self._duplex.leave()

    async def _write(self, nasty: Body | None) -> None:
        sender = SocketSender(self._house, self._line, self._send, self._sockets.farewell)
        try:
            if nasty is not None:
                await sender.hostile(nasty)
            await sender.run(self._duplex.to_send)
            await self._send({"type": "websocket.close", "code": 1000})
        except (ClientGone, trio.BrokenResourceError):
            return


class SocketSender:
    """Sends one WebSocket's messages; which faults it will have is drawn when it opens."""

    def __init__(self, house: House, line: Line, send: Send, farewell: Callable[[], str]) -> None:
        self._line = line
        self._send = send
        self._farewell = farewell
        self._sent = 0
        self._clumped = b""

        def drawn(name: str) -> Fault | None:
            return house.faults.strikes(name, Where.STREAM)

        self._drop, self._silent, self._goodbye = drawn("stream-drop"), drawn("half-open"), drawn("go-away")
        self._slice, self._clump, self._blank = drawn("slice"), drawn("clump"), drawn("blank-lines")

    async def run(self, messages: "trio.MemoryReceiveChannel[tuple[float, str]]") -> None:
        """Sends what comes, each when it is due, until there is no more or a fault ends it."""
        async for due, text in messages:
            if due > trio.current_time():
                await trio.sleep_until(due)
            await self._put(text)
            self._sent += 1
            if _reached(self._silent, self._sent):
                await trio.sleep(_PASSAGE)
                self._line.silence()
            if _reached(self._drop, self._sent):
                await self._flush()
                await trio.sleep(_PASSAGE)
                await trio.aclose_forcefully(self._line)
                raise trio.BrokenResourceError("the stream was dropped on purpose")
            if _reached(self._goodbye, self._sent):
                await self._put(self._farewell())
                break
        await self._flush()

    async def hostile(self, body: Body) -> None:
        """Sends what breaks parsers as a text message, whole or without an end."""
        await self._frame(frame(TEXT, body.data, last=not body.endless))
        while body.endless:
            await self._frame(frame(_CONTINUATION, body.data, last=False))
            await trio.sleep(_ENDLESS_PAUSE)

    async def _put(self, text: str) -> None:
        """Sends a message; several can come in one piece, and one in several fragments."""
        data = text.encode() if self._blank is None else f"\r\n{text}\n".encode()
        size = len(data) if self._slice is None else self._slice.count
        frames = [
            frame(_CONTINUATION if start else TEXT, data[start : start + size], last=start + size >= len(data))
            for start in range(0, len(data), size)
        ]
        if self._clump is None:
            for one in frames:
                await self._frame(one)
            return
        self._clumped += b"".join(frames)
        if (self._sent + 1) % self._clump.count == 0:
            await self._flush()

    async def _flush(self) -> None:
        if self._clumped:
            clumped, self._clumped = self._clumped, b""
            await self._frame(clumped)

    async def _frame(self, data: bytes) -> None:
        await self._send({"type": "websocket.send", "frame": data})


def frame(opcode: int, payload: bytes, *, last: bool = True) -> bytes:
    """One frame as a server sends it, whatever it holds."""
    first, size = opcode | (_FINAL if last else 0), len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 0x10000:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


def _reached(fault: Fault | None, sent: int) -> bool:
    return fault is not None and sent == fault.count
