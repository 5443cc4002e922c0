"""The frames of one socket on their way out: gathered in arrays, late by the latency, spoilt where a fault says so."""

import heapq
import math
import struct
from collections.abc import Iterable
from itertools import count
from typing import Final

import trio

from brokers.emulation.catalogue import Where
from brokers.emulation.faults import Fault
from brokers.emulation.house import House
from brokers.emulation.line import Line, Turn
from brokers.tradovate.emulator.words import compact
from runtime.wire.host import Send

GATHERING_SECONDS: Final = 0.002  # what comes within is one array
SETTLING_SECONDS: Final = 0.02  # until the host has written what it was handed
_TEXT, _MORE, _LAST = 0x01, 0x00, 0x80
_PIECE: Final = 65_536


def goodbye(code: str, reason: str) -> bytes:
    """The event that announces the end of a socket."""
    return compact({"e": "shutdown", "d": {"reasonCode": code, "reason": reason}})


def close_notice(code: int = 3000, reason: str = "Go away!") -> bytes:
    """The frame that ends a socket."""
    return b"c" + compact([code, reason])


def array(messages: Iterable[bytes]) -> bytes:
    """Responses and events as one frame."""
    return b"a[" + b",".join(messages) + b"]"


class Over(Exception):
    """The socket ends here."""


class FrameWriter:
    """Sends one socket's frames; which faults it will have is drawn when it opens."""

    def __init__(self, house: House, line: Line, send: Send) -> None:
        self._house = house
        self._line = line
        self._send = send
        self._writing = Turn()
        self._waiting: list[tuple[float, int, bytes]] = []
        self._numbers = count()
        self._news = trio.lowlevel.ParkingLot()
        self._arrays = 0

        def drawn(name: str) -> Fault | None:
            return house.faults.strikes(name, Where.STREAM)

        self._drop, self._silent, self._goodbye = drawn("stream-drop"), drawn("half-open"), drawn("go-away")
        self._slice, self._clump, self._blank = drawn("slice"), drawn("clump"), drawn("blank-lines")
        swizzle = drawn("swizzle")
        if swizzle is not None:
            house.spawn(house.swizzle, swizzle.seconds)

    def put(self, message: bytes, seconds: float = 0.0) -> None:
        """One response or event, due in a while."""
        due = trio.current_time() + seconds
        sooner = not self._waiting or due < self._waiting[0][0]
        heapq.heappush(self._waiting, (due, next(self._numbers), message))
        if sooner or self._clump is not None:
            self._news.unpark_all()

    async def run(self) -> None:
        """Sends arrays of what is due; raises Over when a fault ends the socket."""
        while True:
            await self._wait()
            await self.array(self._due())

    async def _wait(self) -> None:
        """Waits until something is due and what comes with it is there, or with a clump until there is enough."""
        least = 1 if self._clump is None else self._clump.count
        while True:
            ripe = self._waiting[0][0] + GATHERING_SECONDS if len(self._waiting) >= least else math.inf
            if ripe <= trio.current_time():
                return
            if ripe == math.inf:
                await self._news.park()
                continue
            with trio.move_on_at(ripe):
                await self._news.park()

    def _due(self) -> list[bytes]:
        now, found = trio.current_time(), []
        while self._waiting and self._waiting[0][0] <= now:
            found.append(heapq.heappop(self._waiting)[2])
        return found

    async def array(self, messages: list[bytes]) -> None:
        """Sends one array, with what a fault adds to it."""
        if self._blank is not None:
            await self.frame(array(()))
        await self.frame(array(messages))
        self._arrays += 1
        if self._reached(self._silent):
            await trio.sleep(SETTLING_SECONDS)
            self._line.silence()
        if self._reached(self._drop):
            await trio.sleep(SETTLING_SECONDS)
            await trio.aclose_forcefully(self._line)
            raise Over
        if self._reached(self._goodbye):
            await self.part(goodbye("Maintenance", "Scheduled maintenance"))
            raise Over

    async def part(self, message: bytes | None) -> None:
        """The last frames of a socket."""
        if message is not None:
            await self.frame(array([message]))
        await self.frame(close_notice())

    async def frame(self, text: bytes) -> None:
        """One WebSocket message, in several fragments where a fault wants them."""
        size = len(text) if self._slice is None else self._slice.count
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        data = b"".join(
            _header(_TEXT if n == 0 else _MORE, len(piece), last=n == len(pieces) - 1) + piece
            for n, piece in enumerate(pieces)
        )
        async with self._writing:
            await self._send({"type": "websocket.send", "frame": data})

    async def endless(self, begun: bytes) -> None:
        """A message that never ends, and after which nothing else can come."""
        async with self._writing:
            kind = _TEXT
            while True:
                await self._send({"type": "websocket.send", "frame": _header(kind, len(begun), last=False) + begun})
                kind, begun = _MORE, b" " * _PIECE
                await trio.sleep(GATHERING_SECONDS)

    def _reached(self, fault: Fault | None) -> bool:
        return fault is not None and self._arrays == fault.count


def _header(kind: int, size: int, *, last: bool) -> bytes:
    """The head of a frame from a server, which masks nothing."""
    first = kind | (_LAST if last else 0)
    if size < 126:
        return struct.pack("!BB", first, size)
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)
