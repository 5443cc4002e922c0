"""The connections of an emulator: streams that can be cut at any byte, silenced, slowed or reset, and their door."""

import socket
import struct
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from itertools import count

import trio

from brokers.emulation.log import LINE, EventLog
from runtime.world import Network

_LINGER_NOT = struct.pack("ii", 1, 0)
_DRIPS_A_SECOND = 10

current_line: ContextVar["Line"] = ContextVar("current_line")
"""The connection that a request came on."""


class Turn:
    """A lock that costs no turn of the scheduler while nobody else holds it."""

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def __aenter__(self) -> None:
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class Line(trio.abc.HalfCloseableStream):
    """One accepted connection; what is sent while it is silent is held back until it is resumed."""

    def __init__(self, stream: trio.abc.Stream, number: int, forget: Callable[["Line"], None]) -> None:
        self.number = number
        self._stream = stream
        self._forget = forget
        self._held = bytearray()
        self._awake: trio.Event | None = None
        self._bytes_left: int | None = None
        self._bytes_a_second: int | None = None
        self._writing = Turn()

    # What a fault can do to it.

    def cut_after(self, sent: int) -> None:
        """Ends the connection when exactly so many further bytes have been sent."""
        self._bytes_left = sent

    def drip(self, bytes_a_second: int | None) -> None:
        """Sends no faster than that; None ends it."""
        self._bytes_a_second = bytes_a_second

    def silence(self) -> None:
        """Nothing passes any more, and nobody is told."""
        if self._awake is None:
            self._awake = trio.Event()

    async def resume(self) -> None:
        """What was held up passes."""
        if self._awake is None:
            return
        self._awake.set()
        self._awake = None
        async with self._writing:
            held, self._held = bytes(self._held), bytearray()
            try:
                await self._stream.send_all(held)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.aclose()

    async def reset(self) -> None:
        """Breaks the connection; the other side sees a reset, not an end."""
        link = getattr(self._stream, "link", None)
        if isinstance(self._stream, trio.SocketStream):
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        elif link is not None:
            link.reset()
        await trio.aclose_forcefully(self)

    # The stream as the host uses it.

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of data; see trio. Raises BrokenResourceError when it is cut inside of it."""
        async with self._writing:
            data = bytes(data)
            if self._bytes_left is not None and len(data) >= self._bytes_left:
                await self._pass(data[: self._bytes_left])
                await trio.aclose_forcefully(self)
                raise trio.BrokenResourceError("the connection was cut on purpose")
            if self._bytes_left is not None:
                self._bytes_left -= len(data)
            await self._pass(data)

    async def _pass(self, data: bytes) -> None:
        if self._awake is not None:
            self._held += data
            await trio.lowlevel.checkpoint()
        elif self._bytes_a_second is None:
            await self._stream.send_all(data)
        else:
            await self._trickle(data, max(self._bytes_a_second // _DRIPS_A_SECOND, 1), self._bytes_a_second)

    async def _trickle(self, data: bytes, size: int, bytes_a_second: int) -> None:
        for start in range(0, len(data), size):
            await self._stream.send_all(data[start : start + size])
            await trio.sleep(size / bytes_a_second)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits for room in the buffer; see trio."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Some bytes, none at the end; see trio. What comes while it is silent is handed out afterwards."""
        data = bytes(await self._stream.receive_some(max_bytes))
        if data and self._awake is not None:
            await self._awake.wait()
        return data

    async def send_eof(self) -> None:
        """Ends the outgoing direction; see trio."""
        if self._awake is None and isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Closes both directions."""
        self._forget(self)
        await self._stream.aclose()


class Door(trio.abc.Listener[Line]):
    """Where connections come in; it can be shut for a while, and connects are refused then."""

    def __init__(
        self, listen: Callable[[int], Awaitable[trio.abc.Listener[trio.abc.Stream]]], port: int, log: EventLog
    ) -> None:
        self.port = port
        self._listen = listen
        self._log = log
        self._numbers = count(1)
        self._lines: dict[Line, None] = {}
        self._listener: trio.abc.Listener[trio.abc.Stream] | None = None
        self._opened = trio.Event()
        self._closed = False

    @classmethod
    async def open(cls, network: Network, host: str, port: int, log: EventLog) -> "Door":
        """Listens on one address, port 0 chooses; raises OSError when it is taken."""

        async def listen(on: int) -> trio.abc.Listener[trio.abc.Stream]:
            return (await network.listen(host, on))[0]

        door = cls(listen, port, log)
        listener = await listen(port)
        door.port = _port_of(listener)
        door._enter(listener)
        return door

    @property
    def lines(self) -> tuple[Line, ...]:
        """The open connections, oldest first."""
        return tuple(self._lines)

    async def accept(self) -> Line:
        """Waits for the next connection, through times in which the door is shut; see trio."""
        while True:
            await self._opened.wait()
            try:
                stream = await self._inner().accept()
            except trio.ClosedResourceError:
                if self._closed:
                    raise
                continue
            line = Line(stream, next(self._numbers), self._leave)
            self._lines[line] = None
            current_line.set(line)  # the task that serves this connection inherits it
            self._log.put(LINE, what="opened", line=line.number)
            return line

    async def shut(self, seconds: float) -> None:
        """Refuses connects for so long; connections that stand go on."""
        if not self._opened.is_set():
            return
        self._opened = trio.Event()
        self._log.put(LINE, what="door shut")
        await self._inner().aclose()
        await trio.sleep(seconds)
        if not self._closed:
            self._enter(await self._listen(self.port))
            self._log.put(LINE, what="door open")

    async def aclose(self) -> None:
        """Stops listening."""
        self._closed = True
        self._opened.set()
        await self._inner().aclose()

    def _enter(self, listener: trio.abc.Listener[trio.abc.Stream]) -> None:
        self._listener = listener
        self._opened.set()

    def _inner(self) -> trio.abc.Listener[trio.abc.Stream]:
        if self._listener is None:
            raise trio.ClosedResourceError("the door was never opened")
        return self._listener

    def _leave(self, line: Line) -> None:
        if self._lines.pop(line, line) is None:
            self._log.put(LINE, what="closed", line=line.number)


def _port_of(listener: trio.abc.Listener[trio.abc.Stream]) -> int:
    if isinstance(listener, trio.SocketListener):
        port: int = listener.socket.getsockname()[1]
        return port
    address = getattr(listener, "address", None)
    return 0 if address is None else int(address.port)
