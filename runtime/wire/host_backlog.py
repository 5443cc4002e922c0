"""Frames on their way to one socket: bounded, joined, and written by one task."""

from contextlib import suppress

import trio

from runtime.wire.host_errors import ClientGone
from runtime.wire.host_stream import Wire


class Backlog:
    """What waits for a socket.

    Callers put whole frames and never write, so that a cancelled caller cannot cut a frame in two; everything that
    waits goes out in one write.
    """

    def __init__(self, wire: Wire, most_bytes: int, patience_seconds: float) -> None:
        self._wire = wire
        self._most_bytes = most_bytes
        self._patience = patience_seconds
        self._frames: list[bytes] = []
        self._size = 0
        self._writer = trio.lowlevel.ParkingLot()
        self._waiting = trio.lowlevel.ParkingLot()

    async def put(self, frame: bytes) -> None:
        """Takes a frame at once if there is room, else waits; raises ClientGone when the wait passes the deadline."""
        if self._size >= self._most_bytes:
            with trio.move_on_after(self._patience) as patience:
                while self._size >= self._most_bytes and self._wire.broken is None:
                    await self._waiting.park()
            if patience.cancelled_caught:
                self._wire.abort("write_deadline")
        self.put_now(frame)

    def put_now(self, frame: bytes) -> None:
        """Takes a frame beyond the bound, for the few small ones that keep or end the connection."""
        if self._wire.broken is not None:
            raise ClientGone(self._wire.broken)
        if not self._frames:
            self._writer.unpark_all()
        self._frames.append(frame)
        self._size += len(frame)

    async def flushed(self) -> None:
        """Waits until everything is written or the client is gone."""
        while self._size and self._wire.broken is None:
            await self._waiting.park()

    async def run(self) -> None:
        """The one writer; ends when the client is gone."""
        while self._wire.broken is None:
            while not self._frames:
                await self._writer.park()
            data = b"".join(self._frames)
            self._frames.clear()
            with suppress(ClientGone):
                await self._wire.send(data)
            self._size -= len(data)
            self._waiting.unpark_all()
