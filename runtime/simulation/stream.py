"""The two ends of a simulated connection as trio streams."""

import ssl
from collections.abc import Callable, Mapping
from types import TracebackType

import attrs
import trio

from runtime.simulation.pipe import Pipe

_READ_SIZE = 65536


@attrs.frozen
class Address:
    """Where somebody listens: a host and a port, or the path of a Unix socket and port 0."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


class SimulatedStream(trio.abc.HalfCloseableStream):
    """One end of a link; keeps trio's stream contract.

    `peercred` is set on a stream accepted from a Unix socket: the pid, uid and gid of the client.
    """

    def __init__(self, link: "Link", outgoing: Pipe, incoming: Pipe) -> None:
        self.link = link
        self.peercred: Mapping[str, int] | None = None
        self._outgoing = outgoing
        self._incoming = incoming
        self._sending = Exclusive("another task is sending on this simulated stream")
        self._receiving = Exclusive("another task is receiving from this simulated stream")
        self._closed = False
        self._ended = False

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings the client asked for; the bytes stay plain."""
        return self.link.tls

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of data; see trio."""
        with self._sending:
            await self._outgoing.send(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits for room in the buffer; see trio."""
        with self._sending:
            await self._outgoing.wait_writable()

    async def send_eof(self) -> None:
        """Ends the outgoing direction only; see trio."""
        with self._sending:
            if self._closed:
                raise trio.ClosedResourceError("this simulated stream was closed")
            await trio.lowlevel.checkpoint()
            if not self._ended:
                self._outgoing.check_writable()
                self._outgoing.close_writer()
                self._ended = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Returns some bytes, none at the end of file; see trio."""
        if max_bytes is None:
            max_bytes = _READ_SIZE
        elif not isinstance(max_bytes, int):
            raise TypeError(f"max_bytes must be an int or None, not {max_bytes!r}")
        elif max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        with self._receiving:
            return await self._incoming.receive(max_bytes)

    def is_readable(self) -> bool:
        """Whether bytes, the end or a break wait to be read, as a socket can tell."""
        return self._incoming.readable

    async def aclose(self) -> None:
        """Closes both directions; what was sent is still delivered."""
        if not self._closed:
            self._closed = True
            self._outgoing.close_writer()
            self._incoming.close_reader()
            self.link.end_closed()
        await trio.lowlevel.checkpoint()


class Link:
    """A simulated connection: two streams, and the two pipes between them that a test may steer.

    `outward` runs from the client to the server, `inward` from the server to the client.
    """

    def __init__(
        self,
        number: int,
        address: Address,
        tls: ssl.SSLContext | None,
        outward: Pipe,
        inward: Pipe,
        on_close: Callable[["Link"], None],
    ) -> None:
        self.number = number
        self.address = address
        self.tls = tls
        self.outward = outward
        self.inward = inward
        outward.reverse, inward.reverse = inward, outward
        self.client = SimulatedStream(self, outward, inward)
        self.server = SimulatedStream(self, inward, outward)
        self._open_ends = 2
        self._on_close = on_close

    def end_closed(self) -> None:
        """Counts an end that was closed; the link is gone with the second one."""
        self._open_ends -= 1
        if not self._open_ends:
            self._on_close(self)

    def reset(self) -> None:
        """Breaks the connection: both ends get BrokenResourceError."""
        self.outward.reset()

    def finish(self) -> None:
        """Ends the connection in an orderly way: both ends read an end of file."""
        self.outward.finish()

    def stall(self) -> None:
        """Makes the connection half-open: nothing arrives at either end."""
        self.outward.stall()
        self.inward.stall()

    def resume(self) -> None:
        """Undoes `stall` and `delay`; what was held up arrives."""
        self.outward.resume()
        self.inward.resume()

    def delay(self, seconds: float) -> None:
        """Holds up both directions for so many seconds."""
        self.outward.delay(seconds)
        self.inward.delay(seconds)

    def sever(self, severed: bool) -> None:
        """Separates the two ends by a partition, or joins them."""
        self.outward.sever(severed)
        self.inward.sever(severed)


class Exclusive:
    """Refuses a second task with BusyResourceError while a first one is inside."""

    def __init__(self, complaint: str) -> None:
        self._complaint = complaint
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise trio.BusyResourceError(self._complaint)
        self._taken = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taken = False
