"""A stream that can tell whether its peer is alive: how long we have listened, or tried to send, in vain."""

import math
from typing import Final

import trio

_LONGEST_ANSWER: Final = 128 * 1024  # to the request that opens a WebSocket


class WatchedStream(trio.abc.Stream):
    """Passes everything through; closing never waits for the peer.

    lost         is set once nothing more can be received, whoever caused it
    closed_here  whether it was closed from this side first
    answer       what was received until `opened()`
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.lost = trio.Event()
        self.closed_here = False
        self.answer = bytearray()
        self.bytes_in = 0
        self.bytes_out = 0
        self._stream = stream
        self._opening = True
        self._listening_since = math.inf
        self._sending_since = math.inf

    def opened(self) -> None:
        """Ends the keeping of what is received."""
        self._opening = False

    def quiet_since(self) -> float:
        """Since when the peer has sent nothing although we listen, or taken nothing; infinite when it lives."""
        return min(self._listening_since, self._sending_since)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receives; see trio."""
        self._listening_since = trio.current_time()
        try:
            data = bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.lost.set()
            raise
        finally:
            self._listening_since = math.inf
        self.bytes_in += len(data)
        if not data:
            self.lost.set()
        elif self._opening:
            self._keep(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends; see trio."""
        self._sending_since = trio.current_time()
        try:
            await self._stream.send_all(data)
        finally:
            self._sending_since = math.inf
        self.bytes_out += len(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits; see trio."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Closes at once, without a goodbye."""
        self.closed_here |= not self.lost.is_set()
        self.lost.set()
        await trio.aclose_forcefully(self._stream)

    def _keep(self, data: bytes) -> None:
        self.answer += data
        if len(self.answer) > _LONGEST_ANSWER:
            self.closed_here = True
            self.lost.set()
            raise trio.BrokenResourceError(f"an answer of more than {_LONGEST_ANSWER} bytes")
