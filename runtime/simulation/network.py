"""A network in memory: connections between named hosts, and everything that can go wrong with them."""

import errno
import os
import random
import ssl
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import trio

from runtime.simulation.conditions import Conditions, ConnectFailure, Ending, Latency, uniform
from runtime.simulation.faults import SimulatedFaults
from runtime.simulation.pipe import Alarm, Pipe
from runtime.simulation.stream import Address, Exclusive, Link, SimulatedStream
from runtime.simulation.trace import Trace
from runtime.world import Faults

_HERE = "localhost"
_HERE_TOO = frozenset({"", "0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104 - names to compare with, nobody binds
_FIRST_FREE_PORT = 49152
_BACKLOG = 128
_CONNECT_FAULTS = {f"network.{how.value}": how for how in ConnectFailure}
_CUTS = {f"network.{how.value}": how for how in Ending}
_DELAY = uniform(0.1, 30.0)
_PAUSE = uniform(0.1, 5.0)


@attrs.frozen
class NetworkStatistics:
    """What went over the network so far."""

    links_opened: int
    links_open: int
    connects_failed: int
    messages_sent: int  # pieces that a writer handed over at once
    bytes_sent: int
    bytes_received: int


class SimulatedListener(trio.abc.Listener[SimulatedStream]):
    """Somebody who listens at an address; keeps trio's listener contract."""

    def __init__(self, network: "SimulatedNetwork", address: Address) -> None:
        self.address = address
        self._network = network
        self._waiting: deque[Link] = deque()
        self._arrived = trio.lowlevel.ParkingLot()
        self._accepting = Exclusive("another task is accepting from this simulated listener")
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether so many connections wait to be accepted that another one gets no answer."""
        return len(self._waiting) >= _BACKLOG

    def offer(self, link: Link) -> None:
        """Puts a new connection where `accept` finds it."""
        self._waiting.append(link)
        self._arrived.unpark()

    async def accept(self) -> SimulatedStream:
        """Waits for the next connection; see trio."""
        with self._accepting:
            await trio.lowlevel.checkpoint()
            while not self._waiting and not self._closed:
                await self._arrived.park()
            if self._closed:
                raise trio.ClosedResourceError(f"the simulated listener at {self.address} was closed")
            return self._waiting.popleft().server

    async def aclose(self) -> None:
        """Frees the address; connections that nobody accepted are reset."""
        if not self._closed:
            self._closed = True
            self._network.unlisten(self)
            self._arrived.unpark_all()
            while self._waiting:
                link = self._waiting.popleft()
                link.reset()
                await trio.aclose_forcefully(link.server)
        await trio.lowlevel.checkpoint()


class SimulatedNetwork:
    """The network of a simulated world; needs a trio run, a mock clock makes its delays free.

    A host exists once somebody has listened on it; any other name does not resolve: nobody live is met.
    All loopback names, and the wildcard addresses, are the one host `localhost`.
    """

    def __init__(
        self,
        chance: random.Random | None = None,
        *,
        faults: Faults | None = None,
        trace: Trace | None = None,
        connect_timeout: float = 127.0,
        alarm: Alarm | None = None,
    ) -> None:
        self.connect_timeout = connect_timeout
        self.peercred: Mapping[str, int] = {"pid": 1, "uid": os.getuid(), "gid": os.getgid()}
        self._chance = chance or random.Random(0)
        self._faults = faults or SimulatedFaults()
        self._trace = trace
        self._alarm = alarm
        self._hosts = {_HERE}
        self._listeners: dict[Address, SimulatedListener] = {}
        self._links: dict[int, Link] = {}
        self._shapes: dict[tuple[str | None, int | None], tuple[Conditions, Conditions]] = {}
        self._failures: dict[tuple[str, int | None], ConnectFailure] = {}
        self._islands: list[frozenset[str]] = []
        self._next_port = _FIRST_FREE_PORT
        self._opened = self._failed = self._messages = self._sent = self._received = 0

    # The Network seam.

    async def connect(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> SimulatedStream:
        """Opens a stream to host and port; raises OSError when nobody answers there."""
        return await self._connect(Address(_canonical(host), port), tls)

    async def connect_unix(self, path: Path) -> SimulatedStream:
        """Opens a stream to the Unix socket at path; raises OSError when nobody answers there."""
        address = _unix(path)
        if address not in self._listeners:
            await trio.lowlevel.checkpoint()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        stream = await self._connect(address, None)
        stream.link.server.peercred = self.peercred
        return stream

    async def listen(self, host: str, port: int) -> list[SimulatedListener]:
        """Listens on host and port (0 chooses one); raises OSError when the address is taken."""
        await trio.lowlevel.checkpoint()
        address = Address(_canonical(host), port or self._free_port())
        if address in self._listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(address))
        return [self._listen(address)]

    async def listen_unix(self, path: Path) -> SimulatedListener:
        """Listens on a new Unix socket at path; raises FileExistsError when the path is taken."""
        await trio.lowlevel.checkpoint()
        address = _unix(path)
        if address in self._listeners:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        return self._listen(address)

    # Steering.

    @property
    def links(self) -> list[Link]:
        """The links with at least one open end, oldest first."""
        return list(self._links.values())

    def links_to(self, host: str, port: int | None = None) -> list[Link]:
        """The open links to a host, or to one port of it, oldest first."""
        host = _canonical(host)
        return [x for x in self.links if x.address.host == host and port in (None, x.address.port)]

    def shape(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        outward: Conditions | None = None,
        inward: Conditions | None = None,
    ) -> None:
        """Sets the conditions of new links: of all, of those to a host, or to one port of it.

        A direction left out stays as it is. The conditions of an open link are
        `link.outward.conditions` and `link.inward.conditions`.
        """
        key = (None if host is None else _canonical(host), port)
        before = self._shapes.get(key) or self._conditions(*key)
        self._shapes[key] = (outward or before[0], inward or before[1])

    def fail_connects(
        self, host: str, port: int | None = None, *, how: ConnectFailure = ConnectFailure.REFUSED
    ) -> None:
        """Lets connects to a host, or to one port of it, fail until `allow_connects`."""
        self._failures[_canonical(host), port] = how

    def allow_connects(self, host: str, port: int | None = None) -> None:
        """Undoes `fail_connects` of the same host and port."""
        self._failures.pop((_canonical(host), port), None)

    def partition(self, *hosts: str) -> None:
        """Separates these hosts from all others until `heal`: nothing arrives, connects get no answer."""
        self._islands.append(frozenset(map(_canonical, hosts)))
        self._apply_partitions()

    def heal(self) -> None:
        """Ends all partitions; what was held up arrives."""
        self._islands.clear()
        self._apply_partitions()

    async def swizzle(self, links: Iterable[Link] | None = None, *, pause: Latency = _PAUSE) -> None:
        """Stalls the links (all open ones by default) one by one, then resumes them in random order.

        Pauses between the steps. Cancelled in the middle, it resumes them all.
        """
        clogged = self._shuffled(self.links if links is None else links)
        try:
            for link in clogged:
                link.stall()
                await trio.sleep(pause(self._chance))
            for link in self._shuffled(clogged):
                link.resume()
                await trio.sleep(pause(self._chance))
        finally:
            for link in clogged:
                link.resume()

    def statistics(self) -> NetworkStatistics:
        """What went over the network so far; a link's own counts are in its pipes."""
        counts = self._messages, self._sent, self._received
        return NetworkStatistics(self._opened, len(self.links), self._failed, *counts)

    # Opening.

    async def _connect(self, address: Address, tls: ssl.SSLContext | None) -> SimulatedStream:
        shapes = self._conditions(address.host, address.port)
        failure = self._failure(address, tls)
        if failure is ConnectFailure.TIMEOUT:
            await trio.sleep(self.connect_timeout)
        elif failure is ConnectFailure.UNKNOWN_HOST:
            await trio.lowlevel.checkpoint()
        else:
            await self._shake_hands(shapes)
        if self._cut_off(address) and failure is None:
            failure = ConnectFailure.TIMEOUT  # a partition came between
            await trio.sleep(self.connect_timeout)
        listener = self._listeners.get(address)
        if failure is not None or listener is None:
            raise self._refusal(address, failure or ConnectFailure.REFUSED)
        link = self._open(address, tls, shapes)
        listener.offer(link)
        return link.client

    def _failure(self, address: Address, tls: ssl.SSLContext | None) -> ConnectFailure | None:
        if address.port and address.host not in self._hosts:
            return ConnectFailure.UNKNOWN_HOST
        for key in ((address.host, address.port), (address.host, None)):
            if key in self._failures:
                return self._failures[key]
        if self._silent(address):
            return ConnectFailure.TIMEOUT
        possible = _CONNECT_FAULTS if address.port else {}
        for point, how in possible.items():
            if (tls is not None or how is not ConnectFailure.TLS) and self._faults.fires(point):
                return how
        return None

    async def _shake_hands(self, shapes: tuple[Conditions, Conditions]) -> None:
        delay = sum(max(0.0, way.latency(self._chance)) for way in shapes)
        if delay:
            await trio.sleep(delay)
        else:
            await trio.lowlevel.checkpoint()

    def _refusal(self, address: Address, how: ConnectFailure) -> OSError:
        self._failed += 1
        self._record("connect_failed", address=str(address), how=how.value)
        return how.error(address)

    def _open(self, address: Address, tls: ssl.SSLContext | None, shapes: tuple[Conditions, Conditions]) -> Link:
        self._opened += 1
        number = self._opened
        mishap = self._strike if address.port else None
        outward = Pipe(f"{number}>", shapes[0], self._chance, self._note, mishap, self._alarm)
        inward = Pipe(f"{number}<", shapes[1], self._chance, self._note, mishap, self._alarm)
        link = self._links[number] = Link(number, address, tls, outward, inward, on_close=self._forget)
        self._record("connected", address=str(address), link=number, tls=tls is not None)
        for pipe in (outward, inward):
            if pipe.conditions.cut is not None:
                pipe.cut(pipe.conditions.cut.after, pipe.conditions.cut.how)
        return link

    def _listen(self, address: Address) -> SimulatedListener:
        self._hosts.add(address.host)
        listener = self._listeners[address] = SimulatedListener(self, address)
        self._record("listening", address=str(address))
        return listener

    def _forget(self, link: Link) -> None:
        del self._links[link.number]

    def unlisten(self, listener: SimulatedListener) -> None:
        """Frees the address of a listener that was closed."""
        self._listeners.pop(listener.address, None)
        self._record("unlistened", address=str(listener.address))

    def _free_port(self) -> int:
        port, self._next_port = self._next_port, self._next_port + 1
        return port

    # Looking up.

    def _conditions(self, host: str | None, port: int | None) -> tuple[Conditions, Conditions]:
        for key in ((host, port), (host, None), (None, None)):
            if key in self._shapes:
                return self._shapes[key]
        return Conditions(), Conditions()

    def _cut_off(self, address: Address) -> bool:
        return any((_HERE in island) != (address.host in island) for island in self._islands if address.port)

    def _silent(self, address: Address) -> bool:
        listener = self._listeners.get(address)
        return self._cut_off(address) or (listener is not None and listener.full)

    def _apply_partitions(self) -> None:
        self._record("partitioned", islands=[sorted(x) for x in self._islands])
        for link in self.links:
            link.sever(self._cut_off(link.address))

    def _shuffled(self, links: Iterable[Link]) -> list[Link]:
        shuffled = list(links)
        self._chance.shuffle(shuffled)
        return shuffled

    # Faults and the trace.

    def _strike(self, pipe: Pipe, size: int) -> None:
        """Asks the fault points whether to cut the connection inside the coming bytes, or to delay it."""
        for point, how in _CUTS.items():
            if self._faults.fires(point):
                pipe.cut(pipe.sent + self._chance.randint(0, size), how)
        if self._faults.fires("network.delay"):
            pipe.delay(_DELAY(self._chance))

    def _note(self, what: str, label: str, size: int) -> None:
        if what == "sent":
            self._messages += 1
            self._sent += size
        elif what == "received":
            self._received += size
        self._record(what, link=label, size=size)

    def _record(self, what: str, **fields: object) -> None:
        if self._trace is not None:
            self._trace.record(f"network.{what}", **fields)


def _canonical(host: str) -> str:
    name = host.lower().rstrip(".")
    return _HERE if name in _HERE_TOO else name


def _unix(path: Path) -> Address:
    return Address(str(path), 0)
