"""Publish and subscribe: a publisher never waits, and a slow subscriber only harms itself."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import attrs
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from runtime.errors import InvalidSpec, is_count

T = TypeVar("T")


@attrs.frozen
class SubscriptionStatistics:
    """How one subscriber keeps up."""

    waiting: int
    received: int
    missed: int


class Subscription(Generic[T]):
    """What one subscriber has not taken yet; when it holds its capacity the oldest goes and `missed` counts it."""

    def __init__(self, capacity: int) -> None:
        if not is_count(capacity) or capacity < 1:
            raise InvalidSpec("Subscription.capacity", capacity, "a whole number of at least 1")
        self._waiting: deque[T] = deque(maxlen=capacity)
        self._capacity = capacity
        self._task: Task | None = None
        self._received = 0
        self.missed = 0

    def offer(self, message: T) -> None:
        """Adds a message; never waits."""
        waiting = self._waiting
        if len(waiting) == self._capacity:
            self.missed += 1
        waiting.append(message)
        if self._task is not None:
            task, self._task = self._task, None
            reschedule(task)

    def take(self) -> list[T]:
        """All that waits, oldest first, without waiting for more."""
        taken = list(self._waiting)
        self._waiting.clear()
        self._received += len(taken)
        return taken

    async def receive(self) -> T:
        """The next message, waiting for one; one task at a time."""
        while not self._waiting:
            await self._park()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._received += 1
        return self._waiting.popleft()

    async def _park(self) -> None:
        if self._task is not None:
            raise trio.BusyResourceError("another task receives from this subscription already")
        self._task = current_task()

        def give_up(_: RaiseCancelT) -> Abort:
            self._task = None
            return Abort.SUCCEEDED

        await wait_task_rescheduled(give_up)

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            yield await self.receive()

    def statistics(self) -> SubscriptionStatistics:
        """Counts since the start."""
        return SubscriptionStatistics(len(self._waiting), self._received, self.missed)


class Topics:
    """Named streams of messages within one runtime."""

    def __init__(self) -> None:
        self._offers: dict[Hashable, tuple[Callable[[object], None], ...]] = {}  # never changed, but replaced

    def publish(self, topic: Hashable, message: object) -> int:
        """Hands the message to every subscriber of this moment; returns how many there were."""
        offers = self._offers.get(topic, ())
        for offer in offers:
            offer(message)
        return len(offers)

    def attach(self, topic: Hashable, offer: Callable[[object], None]) -> Callable[[], None]:
        """Calls offer, which must not wait or raise, for each message; the returned function ends that."""
        self._offers[topic] = (*self._offers.get(topic, ()), offer)
        attached = [offer]

        def leave() -> None:
            if attached:
                self._detach(topic, attached.pop())

        return leave

    def _detach(self, topic: Hashable, offer: Callable[[object], None]) -> None:
        offers = list(self._offers[topic])
        offers.remove(offer)  # of those that are equal any: all do the same
        if offers:
            self._offers[topic] = tuple(offers)
        else:
            del self._offers[topic]

    @contextmanager
    def subscribe(self, topic: Hashable, capacity: int = 1_000) -> Iterator[Subscription[object]]:
        """A subscription for the length of the block: `async for message in subscription`."""
        subscription: Subscription[object] = Subscription(capacity)
        leave = self.attach(topic, subscription.offer)
        try:
            yield subscription
        finally:
            leave()

    def statistics(self) -> dict[Hashable, int]:
        """Subscribers by topic."""
        return {topic: len(offers) for topic, offers in self._offers.items()}
