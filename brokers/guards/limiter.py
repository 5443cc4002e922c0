"""The one gate to a broker's host: rate limits, pools and pauses decided together, waiting in order of priority."""

import itertools
from collections.abc import Iterable

import attrs
import trio

from brokers.guards.bulkhead import Pool
from brokers.guards.errors import CostTooLarge, GuardRefused, LimitReached, Paused, PoolFull, QueueFull, UnknownName
from brokers.guards.limits import Limit, Meter, RateMeter
from brokers.guards.operation import Kind, Operation, Priority, Usage
from brokers.guards.pauses import Held, Pauses
from brokers.guards.queue import Call, Charges, Obstacle, Queue
from brokers.guards.timeline import MILLISECOND_NS, NEVER_NS, SECOND_NS, Timeline, left_ns

ORDER_WAIT_NS = 5 * SECOND_NS  # no order is sent on prices of long ago; cancels and what reduces risk waits longer
_MARGIN_NS = 5 * MILLISECOND_NS  # a refusal comes this much before the caller's deadline, which would hide it


@attrs.frozen
class LimitUse:
    """How much of one limit is spent."""

    limit: str
    account: str
    used: int
    most: int


@attrs.frozen
class LimiterStatistics:
    """What the gate looks like now."""

    waiting: int
    limits: tuple[LimitUse, ...]
    pauses: tuple[Held, ...]


def _by_name(limits: Iterable[Limit]) -> dict[str, Limit]:
    named: dict[str, Limit] = {}
    for limit in limits:
        if named.setdefault(limit.name, limit) is not limit:
            raise ValueError(f"two limits are called {limit.name}: {named[limit.name]!r} and {limit!r}; rename one")
    return named


class Limiter:
    """Lets calls to one host through when every limit, the pool and the broker's pauses allow it."""

    def __init__(self, host: str, limits: Iterable[Limit], timeline: Timeline, *, longest_queue: int = 1_000) -> None:
        self.host = host
        self.pauses = Pauses()
        self._timeline = timeline
        self._limits = _by_name(limits)
        self._meters: dict[tuple[str, str], RateMeter] = {}
        self._queue = Queue(self.pauses)
        self.take_now = self._queue.take_now  # lets a call through that need not wait; False when it must
        self._longest_queue = longest_queue
        self._wakes: dict[Call, trio.Event] = {}
        self._keeper: Call | None = None  # the waiting call that watches the clock for all
        self._alarm_ns = NEVER_NS

    def charges(self, operation: Operation, pool: Pool, account: str) -> Charges:
        """The meters a call must find room on; raises UnknownName, CostTooLarge."""
        charges: list[tuple[Meter, int]] = [(pool, 1)]
        for charge in operation.charges:
            meter = self._meter(charge.limit, account)
            if charge.cost > meter.most:
                raise CostTooLarge.of(self.host, operation.name, charge.limit, charge.cost, meter.most)
            charges.append((meter, charge.cost))
        return charges

    async def wait(
        self, operation: Operation, priority: Priority, charges: Charges, pool: Pool, *, longest_ns: int
    ) -> None:
        """Waits until the call may go; raises a GuardRefused when that is not before the caller's deadline.

        A caller without a deadline waits no longer than `longest_ns`, an order that may add risk in no case longer
        than ORDER_WAIT_NS.
        """
        await trio.lowlevel.checkpoint_if_cancelled()  # a refusal must not take the place of a cancellation
        now_ns = self._timeline.now_ns()
        if self._queue.waiting >= self._longest_queue * (1 if priority > Priority.REDUCE else 2):
            raise QueueFull.of(self.host, operation.name, self._queue.waiting)
        allowed_ns = left_ns()
        patience_ns = longest_ns if allowed_ns == NEVER_NS else allowed_ns - _MARGIN_NS
        if operation.kind is Kind.SUBMIT and priority is Priority.ORDER:
            patience_ns = min(patience_ns, ORDER_WAIT_NS)
        give_up_ns = now_ns + patience_ns
        call = self._queue.enter(operation, priority, charges, now_ns)
        self._wakes[call] = trio.Event()
        try:
            self._pump(now_ns)
            if call.waits():
                self._refuse_the_hopeless(call, give_up_ns, now_ns)
                await self._stand(call, give_up_ns)
        except BaseException:
            if not call.waits():
                pool.leave()
            raise
        finally:
            self._forget(call)

    def leave(self, pool: Pool) -> None:
        """Frees the place of a call that has ended."""
        pool.leave()
        if self._queue.waiting:
            self._pump(self._timeline.now_ns())

    def correct(self, usage: Usage, account: str, sent_ns: int, now_ns: int) -> None:
        """Takes over what the broker reports of a limit; of one that was not declared it says nothing to us."""
        if usage.limit in self._limits:
            self._meter(usage.limit, account).correct(usage, sent_ns, now_ns)

    def statistics(self) -> LimiterStatistics:
        """How full the limits are and who waits."""
        now_ns = self._timeline.now_ns()
        uses = [
            LimitUse(name, account, meter.used(now_ns), meter.most) for (name, account), meter in self._meters.items()
        ]
        return LimiterStatistics(self._queue.waiting, tuple(uses), self.pauses.held(now_ns))

    def _meter(self, name: str, account: str) -> RateMeter:
        limit = self._limits.get(name)
        if limit is None:
            raise UnknownName("limit", name, sorted(self._limits))
        key = (name, account if limit.per_account else "")
        if key not in self._meters:
            self._meters[key] = limit.meter()
        return self._meters[key]

    async def _stand(self, call: Call, give_up_ns: int) -> None:
        while call.waits():
            with trio.move_on_at(self._timeline.on_trio_clock(min(give_up_ns, self._watch(call)))):
                await self._wakes[call].wait()
            now_ns = self._timeline.now_ns()
            if call.waits():
                self._wakes[call] = trio.Event()
                self._pump(now_ns)
            if call.waits() and now_ns >= give_up_ns:
                raise self._refusal(call, now_ns)

    def _watch(self, call: Call) -> int:
        """When this call must look again: the next alarm if it is the one that watches the clock."""
        if self._keeper is None:
            self._keeper = call
        if self._keeper is not call:
            return NEVER_NS
        self._alarm_ns = self._queue.next_ns
        return self._alarm_ns

    def _pump(self, now_ns: int) -> None:
        for call in self._queue.pump(now_ns):
            self._wakes[call].set()
        if self._keeper is not None and self._queue.next_ns < self._alarm_ns:
            self._wakes[self._keeper].set()

    def _forget(self, call: Call) -> None:
        """Takes a call that goes, or goes away, out of the waiting; another one watches the clock if it did."""
        del self._wakes[call]
        if self._keeper is call:
            self._keeper = None
            self._alarm_ns = NEVER_NS
            for wake in itertools.islice(self._wakes.values(), 1):
                wake.set()
        if call.waits():
            self._queue.withdraw(call)
            self._pump(self._timeline.now_ns())

    def _refuse_the_hopeless(self, call: Call, give_up_ns: int, now_ns: int) -> None:
        obstacle = self._queue.obstacle(call, now_ns)
        wait_ns = obstacle.wait_ns if obstacle else 0
        if give_up_ns <= now_ns or (wait_ns < NEVER_NS and now_ns + wait_ns > give_up_ns):
            raise self._refusal(call, now_ns)

    def _refusal(self, call: Call, now_ns: int) -> GuardRefused:
        obstacle = self._queue.obstacle(call, now_ns) or Obstacle(0, meters=(call.charges[-1][0],))
        name = call.operation.name
        if pause := obstacle.pause:
            return Paused.of(self.host, name, pause.category, pause.reason, obstacle.wait_ns)
        for meter in obstacle.meters:
            if isinstance(meter, Pool):
                return PoolFull.of(self.host, name, meter.name, meter.size)
        return LimitReached.of(self.host, name, obstacle.meters[0].name, obstacle.wait_ns)
