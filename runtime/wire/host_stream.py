"""One client's stream as the host uses it: read ahead by a pump, written under a deadline."""

import socket
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import attrs
import trio

from runtime.wire.host_alarms import Alarm
from runtime.wire.host_errors import ClientGone
from runtime.wire.host_events import Tally

_READ_BYTES: Final = 64 * 1024
_WRITE_BYTES: Final = 64 * 1024
_PEERCRED: Final = struct.Struct("3i")


class Wire:
    """A stream whose pump always reads, so that a client's leaving is noticed whatever its handler does.

    Consumers take bytes out of `buffer`; the pump stays at most one read ahead of what they want.
    """

    def __init__(self, stream: trio.abc.Stream, write_seconds: float, tally: Tally) -> None:
        self.buffer = bytearray()
        self.received = 0
        """How many bytes have come so far: a change is a sign of life."""
        self.ended = False
        """Nothing more will come."""
        self.broken: str | None = None
        """Why nothing more can be sent."""
        self.on_change: Callable[[], None] | None = None
        """Called after bytes came, the client left or the stream broke."""
        self.stuck = Alarm(write_seconds, partial(self.cut, "write_deadline"))
        """Rings when the client takes no bytes for too long."""
        self._stream = stream
        self._tally = tally
        self._discards = False
        self._news = trio.lowlevel.ParkingLot()
        self._demand = trio.lowlevel.ParkingLot()

    async def pump(self) -> None:
        """Reads until the client has sent its last byte; pauses while a full read lies unused."""
        try:
            while data := await self._stream.receive_some(_READ_BYTES):
                self._take_in(data)
                if len(self.buffer) >= _READ_BYTES:
                    await self._demand.park()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self.ended = True
        self.announce()

    def _take_in(self, data: bytes | bytearray) -> None:
        self.received += len(data)
        self._tally.bytes_in += len(data)
        if not self._discards:
            self.buffer += data
        self.announce()

    def announce(self) -> None:
        """Wakes everybody who waits for a change."""
        self._news.unpark_all()
        if self.on_change is not None:
            self.on_change()

    def relieve(self) -> None:
        """Lets a paused pump go on, once bytes were taken out of the buffer."""
        if len(self.buffer) < _READ_BYTES:
            self._demand.unpark_all()

    async def more(self) -> None:
        """Waits until more bytes came or the client left, whatever lies in the buffer already."""
        if not self.ended:
            self._demand.unpark_all()
            await self._news.park()

    async def changed(self) -> None:
        """Waits for the next change without asking for more bytes."""
        await self._news.park()

    async def send(self, data: bytes) -> None:
        """Sends it all; raises ClientGone when the client left, or takes nothing until the write deadline.

        A send that is cancelled half-way leaves the stream broken: what follows would not make sense to the client.
        """
        if self.broken is not None:
            raise ClientGone(self.broken)
        try:
            for start in range(0, len(data), _WRITE_BYTES):
                piece = data[start : start + _WRITE_BYTES]
                self.stuck.arm()
                await self._stream.send_all(piece)
                self._tally.bytes_out += len(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self.abort("left") from None
        except trio.Cancelled:
            self.abort("send_cancelled")
            raise
        finally:
            self.stuck.disarm()

    def abort(self, reason: str) -> ClientGone:
        """Marks the stream as broken: nothing more is sent, its handler is told; returns what to raise."""
        if self.broken is None:
            self.broken = reason
            self.announce()
        return ClientGone(self.broken)

    def last_moment(self, grace_seconds: float) -> float:
        """When a handler must be done whose client is gone: after a grace if it left, at once if it was cut off."""
        return trio.current_time() + (grace_seconds if self.broken in {None, "left"} else 0)

    async def cut(self, reason: str) -> None:
        """Ends the stream in both directions at once; a send that waits raises ClientGone with this reason."""
        self.broken = self.broken or reason
        await trio.aclose_forcefully(self._stream)
        self.announce()

    async def send_eof(self) -> None:
        """Tells the client that nothing more will be sent, where the stream can do that."""
        if self.broken is None and isinstance(self._stream, trio.abc.HalfCloseableStream):
            try:
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.abort("left")

    async def linger(self, seconds: float) -> None:
        """Says goodbye and swallows what still comes for a while, or the last words sent could be lost to a reset."""
        self.buffer.clear()
        self._discards = True
        with trio.move_on_after(seconds):
            await self.send_eof()
            while self.broken is None and not self.ended:
                await self.more()


@attrs.frozen
class Peer:
    """Who is at the two ends of a connection."""

    client: list[Any] | None
    server: list[Any] | None
    peercred: Mapping[str, int] | None

    @property
    def name(self) -> object:
        """What identifies the client in an event."""
        return self.client or self.peercred


def read_peer(stream: trio.abc.Stream) -> Peer:
    """The ends of a stream: socket addresses, and the kernel's word on who opened a Unix socket.

    A stream in memory may bring an attribute `peercred`. Raises OSError when the client has left already.
    """
    sock = getattr(stream, "socket", None)
    if sock is None:
        return Peer(None, None, getattr(stream, "peercred", None))
    if sock.family == socket.AF_UNIX:
        return Peer(None, [sock.getsockname(), None], _read_peercred(sock))
    return Peer(list(sock.getpeername()[:2]), list(sock.getsockname()[:2]), None)


def _read_peercred(sock: trio.socket.SocketType) -> Mapping[str, int]:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    return dict(zip(("pid", "uid", "gid"), _PEERCRED.unpack(raw), strict=True))
