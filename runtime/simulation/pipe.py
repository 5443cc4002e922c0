"""One direction of a simulated connection: bytes in order, late, in pieces, or never.

A pipe has no task of its own: whoever reads or writes brings it up to date, and waits until the next thing
that can happen to it.
"""

import math
import random
from collections.abc import Callable

import trio

from runtime.simulation.conditions import Conditions, Cut, Ending
from runtime.simulation.transit import Transit

Note = Callable[[str, str, int], None]
Mishap = Callable[["Pipe", int], None]
Alarm = Callable[[float, Callable[[], object]], None]


class Pipe:
    """Carries bytes from one writer to one reader; `reverse` is the other direction of the same connection.

    `sent` and `delivered` count the bytes written and read; `conditions` may be replaced at any time.
    """

    reverse: "Pipe"

    def __init__(
        self,
        label: str,
        conditions: Conditions,
        chance: random.Random,
        note: Note,
        mishap: Mishap | None = None,
        alarm: Alarm | None = None,
    ) -> None:
        """With `alarm` a reader is woken when bytes arrive; without it sets deadlines of its own, at a higher price."""
        self.label = label
        self.conditions = conditions
        self.sent = 0
        self.delivered = 0
        self.transit = Transit()
        self._chance = chance
        self._note = note
        self._mishap = mishap
        self._alarm = alarm
        self._alarm_due = math.inf
        self._cut: Cut | None = None
        self._closed = False  # by the writer
        self._broken = False  # for the writer
        self._lost = False  # for the reader
        self._reading = trio.lowlevel.ParkingLot()
        self._writing = trio.lowlevel.ParkingLot()

    # The writer's side.

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Queues all of data; blocks while the buffer is full."""
        await trio.lowlevel.checkpoint()
        self.check_writable()
        if self._mishap is not None:
            self._mishap(self, len(data))
            self.check_writable()
        rest = memoryview(data)
        while rest:
            room = self._room()
            if room:
                self._push(bytes(rest[:room]))
                rest = rest[room:]
            else:
                await self._wait_for_room()

    async def wait_writable(self) -> None:
        """Returns when there is room for at least a byte."""
        await trio.lowlevel.checkpoint()
        self.check_writable()
        while not self._room():
            await self._wait_for_room()

    def close_writer(self) -> None:
        """The writer goes away; the reader reads what is under way, then the end of file."""
        if not self._closed:
            self._closed = True
            self.wake_writer()
            self._push_end()

    def check_writable(self) -> None:
        """Raises ClosedResourceError or BrokenResourceError unless bytes can be sent."""
        if self._closed:
            raise trio.ClosedResourceError("this end of the simulated stream was closed for sending")
        if self._broken or self._reader_is_known_to_be_gone():
            raise trio.BrokenResourceError(f"simulated connection {self.label} is broken")

    def _reader_is_known_to_be_gone(self) -> bool:
        if not self.transit.unwanted:
            return False
        now = trio.current_time()
        self.transit.settle(now)
        self.reverse.transit.settle(now)
        return self.reverse.transit.ended

    def _room(self) -> int:
        return max(0, self.conditions.buffer - self.transit.pending)

    def _push(self, piece: bytes) -> None:
        self.sent += len(piece)
        self.transit.push(piece, self._due())
        self._note("sent", self.label, len(piece))
        if self._alarm is None:
            _wake(self._reading)
        elif self._reading:
            self._expect()

    def _push_end(self) -> None:
        self.transit.push_end(self._due())
        self._changed()

    def _due(self) -> float:
        return trio.current_time() + max(0.0, self.conditions.latency(self._chance))

    async def _wait_for_room(self) -> None:
        until = math.inf
        if self.transit.unwanted:
            # Nobody wakes this writer: it looks again when bytes fall into the void or the end is known.
            until = min(self.transit.arrival(), self.reverse.transit.arrival())
        await _park(self._writing, until)
        self.check_writable()

    # The reader's side.

    async def receive(self, most: int) -> bytes:
        """Returns 1 to `most` bytes, or none at the end of file."""
        if self.transit.arrival() <= trio.current_time() or self.transit.inbox or self.transit.ended:
            await trio.lowlevel.checkpoint()
        while (piece := self._take(most)) is None:
            if self._alarm is None:
                await _park(self._reading, self.transit.arrival())
            else:
                self._expect()
                await self._reading.park()
        return piece

    @property
    def readable(self) -> bool:
        """Whether the reader would not have to wait: for bytes, for the end of file, or to learn that all is lost."""
        self.transit.settle(trio.current_time())
        return self._lost or self.transit.ended or bool(self.transit.inbox)

    def _expect(self) -> None:
        """Sees to it that the reader is woken when the next piece arrives, which may be now."""
        due = self.transit.arrival()
        if due <= trio.current_time():
            self._reading.unpark_all()
        elif self._alarm is not None and due < self._alarm_due:
            self._alarm_due = due
            self._alarm(due, self._ring)

    def _ring(self) -> None:
        self._alarm_due = math.inf
        if not self._reading:
            return
        if self.transit.arrival() <= trio.current_time():
            self._reading.unpark_all()
        else:  # what was to arrive now has been held up meanwhile
            self._expect()

    def close_reader(self) -> None:
        """The reader goes away; the unread is lost, and the writer learns of it when word arrives."""
        if not self.transit.unwanted:
            self.transit.reject()
            _wake(self._reading)
            self.wake_writer()

    def _take(self, most: int) -> bytes | None:
        transit = self.transit
        if transit.unwanted:
            raise trio.ClosedResourceError("this end of the simulated stream was closed")
        if self._lost:
            raise trio.BrokenResourceError(f"simulated connection {self.label} is broken")
        transit.settle(trio.current_time())
        if not transit.inbox:
            return b"" if transit.ended else None
        piece = transit.take(self._portion(min(most, len(transit.inbox))))
        self.delivered += len(piece)
        self._note("received", self.label, len(piece))
        self.wake_writer()
        self._cut_if_due()
        return piece

    def _portion(self, size: int) -> int:
        if self._cut is not None:
            size = min(size, self._cut.after - self.delivered)
        if self.conditions.most_per_read is not None:
            size = self._chance.randint(1, min(size, self.conditions.most_per_read))
        return size

    # What a test or a fault does to it.

    def stall(self) -> None:
        """Holds up all bytes that have not arrived, until `resume`."""
        self.delay(math.inf)

    def delay(self, seconds: float) -> None:
        """Holds up all bytes that have not arrived, for so many seconds from now."""
        now = trio.current_time()
        self.transit.settle(now)
        self._hold(now + seconds)

    def resume(self) -> None:
        """Lets the bytes that were held up arrive."""
        self.transit.release()
        self._note("resumed", self.label, 0)
        self._changed()

    def sever(self, severed: bool) -> None:
        """Separates the two hosts, or joins them again; independent of `stall`."""
        self.transit.settle(trio.current_time())
        self.transit.severed = severed
        self._changed()

    def cut(self, after: int, how: Ending = Ending.RESET) -> None:
        """Ends the connection when exactly `after` bytes have been read here since it was opened."""
        self._cut = Cut(max(after, self.delivered), how)
        self._cut_if_due()

    def reset(self) -> None:
        """Breaks the connection in both directions; what is under way or unread is lost."""
        self._note("reset", self.label, 0)
        self.lose()
        self.reverse.lose()

    def finish(self) -> None:
        """Ends the connection in both directions; both ends read what is under way, then the end of file."""
        self._note("finished", self.label, 0)
        self.conclude()
        self.reverse.conclude()

    def lose(self) -> None:
        """Breaks this direction for its reader and its writer."""
        self._broken = self._lost = True
        self.transit.discard()
        self._changed()

    def conclude(self) -> None:
        """Ends this direction: the writer can send no more, the reader reads the end of file."""
        self._broken = True
        self._push_end()

    def wake_writer(self) -> None:
        """Makes a writer that waits look again."""
        _wake(self._writing)

    def _cut_if_due(self) -> None:
        if self._cut is None or self.delivered < self._cut.after:
            return
        how = self._cut.how
        self._cut = None
        match how:
            case Ending.RESET:
                self.reset()
            case Ending.END:
                self.transit.discard()
                self.finish()
            case Ending.STALL:
                self.transit.recall(trio.current_time())
                self._hold(math.inf)

    def _hold(self, until: float) -> None:
        self.transit.hold(until)
        self._note("held", self.label, 0)
        self._changed()

    def _changed(self) -> None:
        """Wakes all who may have to look again: the reader, and the writer who waits for word from here."""
        _wake(self._reading)
        self.reverse.wake_writer()


async def _park(lot: trio.lowlevel.ParkingLot, until: float) -> None:
    if until == math.inf:
        await lot.park()
    else:
        with trio.CancelScope(deadline=until):
            await lot.park()


def _wake(lot: trio.lowlevel.ParkingLot) -> None:
    if lot:  # waking nobody costs more than asking
        lot.unpark_all()
