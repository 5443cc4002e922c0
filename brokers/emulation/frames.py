"""The frames of a stream on their way out: late by the latency, cut up or clumped, and ended where a fault says so."""

from collections.abc import Awaitable, Callable

import trio

from brokers.emulation.catalogue import Where
from brokers.emulation.faults import Fault
from brokers.emulation.line import Line
from brokers.emulation.switchboard import Switchboard
from runtime.wire.host import Send

Emit = Callable[[bytes], Awaitable[None]]
_BACKLOG = 10_000


class _Over(Exception):
    """The stream ends here."""


class FrameSender:
    """Sends one stream; which faults it will have is drawn when it opens."""

    def __init__(self, faults: Switchboard, line: Line, send: Send, farewell: bytes, latency_seconds: float) -> None:
        self._line = line
        self._send = send
        self._farewell = farewell
        self._latency = latency_seconds
        self._sent = 0
        self._clumped = b""

        def drawn(name: str) -> Fault | None:
            return faults.strikes(name, Where.STREAM)

        self._drop, self._silent, self._goodbye = drawn("stream-drop"), drawn("half-open"), drawn("go-away")
        self._slice, self._clump, self._blank = drawn("slice"), drawn("clump"), drawn("blank-lines")

    async def run(self, produce: Callable[[Emit], Awaitable[None]]) -> None:
        """Sends what is produced until that ends or a fault ends it; a client that falls far behind is cut off."""
        outbox, inbox = trio.open_memory_channel[tuple[float, bytes]](_BACKLOG)

        async def emit(frame: bytes) -> None:
            try:
                outbox.send_nowait((trio.current_time() + self._latency, frame))
            except trio.WouldBlock:
                await self._line.reset()

        async with trio.open_nursery() as nursery:

            async def source() -> None:
                async with outbox:
                    await produce(emit)

            nursery.start_soon(source)
            try:
                async with inbox:
                    async for due, frame in inbox:
                        if due > trio.current_time():
                            await trio.sleep_until(due)
                        await self._frame(frame)
                    await self._flush()
            except _Over:
                pass
            nursery.cancel_scope.cancel()

    async def _frame(self, frame: bytes) -> None:
        await self._put(frame)
        self._sent += 1
        if _reached(self._silent, self._sent):
            self._line.silence()
        if _reached(self._drop, self._sent):
            await self._flush()
            raise _Over
        if _reached(self._goodbye, self._sent):
            await self._put(self._farewell)
            await self._flush()
            raise _Over

    async def _put(self, frame: bytes) -> None:
        if self._blank is not None:
            frame = b"\r\n" + frame + b"\n"
        if self._clump is not None:
            self._clumped += frame
            if (self._sent + 1) % self._clump.count:
                return
            frame, self._clumped = self._clumped, b""
        await self._pieces(frame)

    async def _flush(self) -> None:
        frame, self._clumped = self._clumped, b""
        await self._pieces(frame)

    async def _pieces(self, data: bytes) -> None:
        size = self._slice.count if self._slice is not None else max(len(data), 1)
        for start in range(0, len(data), size):
            await self._send({"type": "http.response.body", "body": data[start : start + size], "more_body": True})


def _reached(fault: Fault | None, sent: int) -> bool:
    return fault is not None and sent == fault.count
