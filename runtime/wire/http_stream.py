"""The body of an answer: inflated in bounded pieces, whole or as a stream of lines, and cut off cleanly."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TypeVar

import attrs
import httpcore
import httpx
import trio

from runtime.wire.http_attempt import Attempt
from runtime.wire.http_body import Inflater, LineSplitter, TooLarge
from runtime.wire.http_messages import Fault, HttpResponse, HttpSettings

T = TypeVar("T")


class Pieces:
    """The inflated pieces of a body, in order."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._raw = response.aiter_raw()
        self._waiting: Iterator[bytes] = iter(())
        self._inflater: Inflater | None = None

    async def next(self) -> bytes | None:
        """The next piece, None after the last; raises BrokenEncoding and the exceptions of httpcore."""
        if self._inflater is None:
            self._inflater = Inflater(self._response.headers.get("content-encoding"))
        while True:
            for piece in self._waiting:
                return piece
            try:
                self._waiting = self._inflater.feed(await anext(self._raw))
            except StopAsyncIteration:
                self._inflater.finish()
                return None

    async def whole(self, limit: int) -> bytes:
        """All of it; raises TooLarge as soon as it exceeds the limit."""
        body = bytearray()
        while (piece := await self.next()) is not None:
            body += piece
            if len(body) > limit:
                raise TooLarge(f"a body of more than {limit} bytes")
        return bytes(body)

    async def cut(self) -> None:
        """Drops what is left, and the connection with it; does nothing after the last piece.

        The iterators below end by themselves, on the closed connection: left in the middle, each of them would
        be finished by the garbage collector at some later time.
        """
        if not self._response.is_closed:
            with trio.CancelScope(shield=True):  # nothing here waits for the other side
                await self._response.extensions["network_stream"].aclose()
                with suppress(StopAsyncIteration, httpcore.NetworkError, httpcore.ProtocolError):
                    while True:
                        await anext(self._raw)
                await self._response.aclose()


class HttpStream:
    """An answer whose body arrives over time; a pause longer than the gap raises HttpFailure (SILENT)."""

    def __init__(
        self, attempt: Attempt, head: HttpResponse, pieces: Pieces, gap: float, settings: HttpSettings
    ) -> None:
        self.head = head
        self._attempt = attempt
        self._pieces = pieces
        self._gap = gap
        self._max_body = settings.max_body
        self._splitter = LineSplitter(settings.max_line)

    def lines(self) -> AsyncIterator[list[bytes]]:
        """The lines as they arrive, those that end in one piece together; raises HttpFailure.

        Empty ones are among them, and none has its end.
        """
        return _Lines(self._next_lines)

    async def complete(self) -> HttpResponse:
        """The answer with the rest of its body, for one that turned out to be short; raises HttpFailure."""
        body = await self._within_gap(partial(self._pieces.whole, self._max_body))
        self._attempt.received(body)
        return attrs.evolve(self.head, body=body)

    async def _next_lines(self) -> list[bytes] | None:
        lines: list[bytes] | None = []
        while lines == []:
            lines = await self._within_gap(self._read_lines)
        if self._attempt.recorded:
            for line in lines or ():
                self._attempt.received(line)
        return lines

    async def _read_lines(self) -> list[bytes] | None:
        """The lines that end in the next piece, or the last one if nothing ended it; None after that."""
        piece = await self._pieces.next()
        if piece is not None:
            return self._splitter.feed(piece)
        last = self._splitter.finish()
        return [last] if last else None

    async def _within_gap(self, work: Callable[[], Awaitable[T]]) -> T:
        return await self._attempt.within(self._gap, Fault.SILENT, work)


class _Lines(AsyncIterator[list[bytes]]):
    """Iterates by asking until there is nothing more; unlike a generator it leaves nothing behind."""

    def __init__(self, pull: Callable[[], Awaitable[list[bytes] | None]]) -> None:
        self._pull = pull

    async def __anext__(self) -> list[bytes]:
        lines = await self._pull()
        if lines is None:
            raise StopAsyncIteration
        return lines
