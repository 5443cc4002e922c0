"""Messages on their way to one WebSocket's handler: bounded, so that a slow handler slows its client down."""

import math
from collections import deque

import trio

from runtime.wire.host_context import Message

_MESSAGE_COST = 256
"""What a waiting message weighs beside its bytes."""


class Inbox:
    """What the client said and the handler has not taken yet, and at last that the client is gone."""

    def __init__(self, most_bytes: int) -> None:
        self.goodbye: Message | None = None
        """The last message, given out for ever once it is there and all others are taken."""
        self._most_bytes: float = most_bytes
        self._closed = False
        self._messages: deque[tuple[int, Message]] = deque()
        self._size = 0
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def full(self) -> bool:
        """Whether a put would wait."""
        return self._size >= self._most_bytes and not self._closed

    async def put(self, size: int, message: Message) -> None:
        """Adds a message as soon as there is room; drops it when nobody wants it any more."""
        while self.full:
            await self._changed.park()
        if not self._closed:
            self._messages.append((size + _MESSAGE_COST, message))
            self._size += size + _MESSAGE_COST
            self._changed.unpark_all()

    async def take(self) -> Message:
        """Waits for the next message."""
        while not self._messages:
            if self.goodbye is not None:
                return dict(self.goodbye)
            await self._changed.park()
        weight, message = self._messages.popleft()
        self._size -= weight
        self._changed.unpark_all()
        return message

    def lift_bound(self) -> None:
        """Makes room for the rest, because the client will not send much more."""
        self._most_bytes = math.inf
        self._changed.unpark_all()

    def close(self, goodbye: Message | None = None) -> None:
        """Takes no more messages; goodbye, if it is the first, follows those that are there."""
        self._closed = True
        self.goodbye = self.goodbye or goodbye
        self._changed.unpark_all()
