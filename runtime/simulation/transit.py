"""What is under way in one direction of a simulated connection: pure state, told the time by its caller."""

import math
from collections import deque

_END = b""  # the piece without bytes marks the end of file; nothing follows it


class Transit:
    """Pieces that arrive in order, each not before its time, none while held up."""

    def __init__(self) -> None:
        self.inbox = bytearray()
        self.pending = 0  # bytes under way or in the inbox
        self.ended = False  # the end of file has arrived
        self.severed = False
        self.unwanted = False  # nobody reads any more: what arrives is lost
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._held_until = -math.inf

    def push(self, piece: bytes, due: float) -> None:
        """Sends a piece off, to arrive when it is due and all before it have arrived."""
        self._under_way.append((due, piece))
        self.pending += len(piece)

    def push_end(self, due: float) -> None:
        """Sends the end of file off; a second one changes nothing."""
        self.push(_END, due)

    def arrival(self) -> float:
        """When the next piece arrives; infinity when nothing is under way, or held up for ever."""
        if self.severed or not self._under_way:
            return math.inf
        return max(self._under_way[0][0], self._held_until)

    def settle(self, now: float) -> None:
        """Moves what has arrived by now into the inbox."""
        while self._under_way and self.arrival() <= now:
            _, piece = self._under_way.popleft()
            self.ended = piece == _END
            if self.unwanted:
                self.pending -= len(piece)
            else:
                self.inbox += piece

    def take(self, size: int) -> bytes:
        """Removes so many bytes from the inbox."""
        piece = bytes(self.inbox[:size])
        del self.inbox[:size]
        self.pending -= size
        return piece

    def hold(self, until: float) -> None:
        """Lets nothing arrive before that time; never shortens an earlier hold."""
        self._held_until = max(self._held_until, until)

    def release(self) -> None:
        """Ends all holds."""
        self._held_until = -math.inf

    def recall(self, now: float) -> None:
        """Puts what has arrived but was not read back under way."""
        if self.inbox:
            self._under_way.appendleft((now, bytes(self.inbox)))
            self.inbox.clear()

    def reject(self) -> None:
        """The reader goes away: the inbox is lost, and so is all that arrives from now on."""
        self.unwanted = True
        self.pending -= len(self.inbox)
        self.inbox.clear()

    def discard(self) -> None:
        """Loses everything, under way or unread."""
        self._under_way.clear()
        self.inbox.clear()
        self.pending = 0
