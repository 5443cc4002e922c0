"""Bounded mailboxes with two lanes: control overtakes data; overflow is a policy of the actor.

A mailbox is a memory channel in trio's sense: it implements trio's channel interface. It stands beside trio's own
memory channel because an actor drains what waits without a checkpoint a message, which trio's cannot offer.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs
import trio
from outcome import Error
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from runtime.errors import InvalidSpec, is_count

T = TypeVar("T")


@attrs.frozen
class Reject:
    """A full mailbox refuses the new message: a cast raises, a call waits for room."""


@attrs.frozen
class DropOldest:
    """A full mailbox drops its oldest cast for a new one; calls are never dropped."""


@attrs.frozen
class Conflate:
    """A cast replaces the waiting one with the same key in its place; `key(method, *args)`, None keeps both."""

    key: Callable[..., Hashable | None]


Overflow = Reject | DropOldest | Conflate


@attrs.frozen
class MailboxPolicy:
    """How much an actor lets wait, and what happens beyond that."""

    capacity: int = 10_000
    overflow: Overflow = Reject()
    control_capacity: int = 1_000

    def __attrs_post_init__(self) -> None:
        for field in ("capacity", "control_capacity"):
            value = getattr(self, field)
            if not is_count(value) or value < 1:
                raise InvalidSpec(f"MailboxPolicy.{field}", value, "a whole number of at least 1")
        if not isinstance(self.overflow, (Reject, DropOldest, Conflate)):
            raise InvalidSpec("MailboxPolicy.overflow", self.overflow, "Reject(), DropOldest() or Conflate(key)")


@attrs.frozen
class MailboxStatistics:
    """One moment of a mailbox."""

    waiting: int
    waiting_control: int
    capacity: int
    most_waiting: int
    dropped: int
    conflated: int
    refused: int
    senders_waiting: int


class Mailbox(trio.abc.Channel[T], Generic[T]):
    """Two bounded lanes with one receiver; `put` never blocks, `send` waits for room."""

    __slots__ = (
        "closed",
        "conflated",
        "control",
        "data",
        "dropped",
        "most_waiting",
        "policy",
        "receiver",
        "refused",
        "senders",
    )

    def __init__(self, policy: MailboxPolicy) -> None:
        self.policy = policy
        self.data: deque[T] = deque()
        self.control: deque[T] | None = None  # made at the first control message: an idle actor stays small
        self.closed = False
        self.most_waiting = 0
        self.dropped = 0
        self.conflated = 0
        self.refused = 0
        self.receiver: Task | None = None  # the task that waits, None while it is busy
        self.senders: deque[tuple[Task | None, T]] | None = None

    def put(self, item: T) -> bool:
        """Adds to the data lane and wakes the receiver; False, and nothing else, when it is full."""
        if len(self.data) >= self.policy.capacity:
            return False
        self.data.append(item)
        if self.receiver is not None:
            self.wake()
        return True

    def put_control(self, item: T) -> bool:
        """Adds to the control lane and wakes the receiver; False when that is full."""
        control = self.control
        if control is None:
            control = self.control = deque()
        elif len(control) >= self.policy.control_capacity:
            return False
        control.append(item)
        self.wake()
        return True

    @property
    def idle(self) -> bool:
        """Whether the receiver waits and there is nothing for it."""
        return self.receiver is not None and not self.data and not self.control

    def force(self, item: T) -> None:
        """Adds to the data lane whatever its length: for the few messages that must not be lost."""
        self.data.append(item)
        self.wake()

    def drop_oldest(self, may_go: Callable[[T], bool]) -> bool:
        """Drops the oldest data message that may go, if the lane is full; whether it did."""
        if len(self.data) < self.policy.capacity:
            return False
        for index, item in enumerate(self.data):
            if may_go(item):
                del self.data[index]
                self.dropped += 1
                return True
        return False

    def wake(self) -> None:
        """Lets the receiver look again."""
        receiver = self.receiver
        if receiver is not None:
            self.receiver = None
            reschedule(receiver)

    async def park(self) -> None:
        """Waits, as the receiver, until something is put or somebody wakes us."""
        self.receiver = current_task()
        await wait_task_rescheduled(self._unpark)

    def _unpark(self, _: RaiseCancelT) -> Abort:
        self.receiver = None
        return Abort.SUCCEEDED

    def line_up(self, item: T) -> None:
        """Adds to the data lane as soon as there is room, first come first served, while the sender goes on."""
        self._line().append((None, item))

    def leave_line(self, gone: Callable[[T], bool]) -> None:
        """Drops those at the head of the line whose senders have gone."""
        senders = self.senders
        while senders and senders[0][0] is None and gone(senders[0][1]):
            senders.popleft()

    def _line(self) -> deque[tuple[Task | None, T]]:
        if self.senders is None:
            self.senders = deque()
        return self.senders

    async def put_when_room(self, item: T) -> None:
        """Adds to the data lane, first come first served; raises ClosedResourceError when closed meanwhile."""
        senders, entry = self._line(), (current_task(), item)
        senders.append(entry)

        def give_up(_: RaiseCancelT) -> Abort:
            senders.remove(entry)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(give_up)

    def made_room(self) -> None:
        """Takes in the messages of waiting senders, as many as there is room for."""
        senders = self.senders
        while senders and len(self.data) < self.policy.capacity:
            task, item = senders.popleft()
            self.data.append(item)
            if task is not None:
                reschedule(task)

    def close(self) -> list[T]:
        """Refuses further messages, wakes all who wait for room, and returns what was not received."""
        self.closed = True
        left = [*(self.control or ()), *self.data]
        self.data.clear()
        if self.control is not None:
            self.control.clear()
        while self.senders:
            task, item = self.senders.popleft()
            if task is not None:
                reschedule(task, Error(trio.ClosedResourceError()))
            else:
                left.append(item)
        return left

    def statistics(self) -> MailboxStatistics:
        """Counts of this moment and since the start."""
        return MailboxStatistics(
            waiting=len(self.data),
            waiting_control=len(self.control or ()),
            capacity=self.policy.capacity,
            most_waiting=max(self.most_waiting, len(self.data)),
            dropped=self.dropped,
            conflated=self.conflated,
            refused=self.refused,
            senders_waiting=len(self.senders or ()),
        )

    # trio's channel interface, for those who use a mailbox by itself.

    def send_nowait(self, value: T) -> None:
        """Adds to the data lane; raises WouldBlock when full, ClosedResourceError when closed."""
        if self.closed:
            raise trio.ClosedResourceError
        if not self.put(value):
            raise trio.WouldBlock

    async def send(self, value: T) -> None:
        """Adds to the data lane, waiting for room; raises ClosedResourceError when closed."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.closed:
            raise trio.ClosedResourceError
        if not self.put(value):
            await self.put_when_room(value)
        await trio.lowlevel.cancel_shielded_checkpoint()

    def receive_nowait(self) -> T:
        """Takes the next message, control first; raises WouldBlock when empty, EndOfChannel when closed."""
        if self.control:
            return self.control.popleft()
        if self.data:
            value = self.data.popleft()
            self.made_room()
            return value
        raise trio.EndOfChannel if self.closed else trio.WouldBlock

    async def receive(self) -> T:
        """Takes the next message, waiting for one; raises EndOfChannel when closed and empty."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self.data and not self.control and not self.closed:
            await self.park()
        value = self.receive_nowait()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return value

    async def aclose(self) -> None:
        """Closes; what waits is dropped."""
        self.close()
        self.wake()
        await trio.lowlevel.checkpoint()
