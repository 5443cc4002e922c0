"""The guard of one connection: breaker, pool, limits, pauses and repeats in one place, before every call."""

import random
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Generic, NoReturn, Self, TypeVar, cast

import attrs

from brokers.errors import BrokerError
from brokers.guards.backoff import Backoff
from brokers.guards.breaker import Breaker, BreakerSettings, Phase, Transition
from brokers.guards.bulkhead import POOLS, Pool
from brokers.guards.errors import BreakerOpen, GuardRefused, UnknownName
from brokers.guards.events import BreakerMoved, BudgetSpent
from brokers.guards.host import Host
from brokers.guards.lessons import GOOD, Fate, Lesson, lesson_of, lesson_of_error
from brokers.guards.limiter import LimiterStatistics
from brokers.guards.operation import Kind, Operation, Pause, Priority, Usage
from brokers.guards.retry import may_repeat
from brokers.guards.timeline import SECOND_NS, left_ns
from brokers.outcome import Rejected, settle
from runtime.quick import quick

T = TypeVar("T")


@attrs.frozen
class GuardStatistics:
    """What the guard of one connection has done and how it stands."""

    connection: str
    admitted: int
    refused: int
    repeated: int
    breakers: dict[Kind, Phase]
    pools: dict[str, int]  # calls under way
    limiter: LimiterStatistics


@quick
@attrs.frozen(weakref_slot=False)
class _Returned(Generic[T]):
    """An attempt that ended with a result."""

    lesson: Lesson
    value: T

    def result(self) -> T:
        return self.value


@attrs.frozen
class _Failed:
    """An attempt that ended with a declared error."""

    lesson: Lesson
    error: BrokerError

    def result(self) -> NoReturn:
        raise self.error


_End = _Returned[T] | _Failed


def _together(earlier: _End[T], latest: _End[T]) -> _End[T]:
    """What two attempts say together: a no to the second, or its not leaving, does not settle one in doubt."""
    if earlier.lesson.fate is not Fate.UNKNOWN:
        return latest
    if latest.lesson.fate is Fate.NOT_SENT:
        return earlier
    if isinstance(latest, _Returned) and isinstance(latest.value, Rejected):
        return _Returned(latest.lesson, cast("T", settle(latest.value, only_attempt=False)))
    return latest


class Guard:
    """Stands between one connection and its host, which others may share; what the host's memory left open is open."""

    def __init__(
        self,
        connection: str,
        host: Host,
        *,
        chance: random.Random,
        pools: Mapping[str, int] = POOLS,
        breaker: BreakerSettings | None = None,
        backoff: Backoff | None = None,
        attempts: int = 4,
        longest_wait_ns: int = 60 * SECOND_NS,
    ) -> None:
        settings = breaker or BreakerSettings()
        self.connection = connection
        self.host = host
        self.chance = chance
        self.longest_wait_ns = longest_wait_ns
        self.breakers = {kind: Breaker(settings) for kind in Kind}
        self.pools = {name: Pool(name, size) for name, size in pools.items()}
        self.admitted = self.refused = self.repeated = 0
        self._backoff = backoff or Backoff()
        self._attempts = attempts
        for left in host.memory.openings(connection, host.timeline.now_ns()):
            self.breakers[left.kind].resume(left.transition)

    def admit(self, operation: Operation, *, priority: Priority | None = None, account: str = "") -> "Admission":
        """`async with` it around one attempt; raises a GuardRefused on entry."""
        return Admission(self, operation, operation.priority if priority is None else priority, account)

    def begin(self, operation: Operation, *, priority: Priority | None = None, account: str = "") -> "Admission | None":
        """Admits one attempt that need not wait for its turn; whoever made it ends it. None where it must be `run`."""
        admission = Admission(self, operation, operation.priority if priority is None else priority, account)
        try:
            return admission if admission.enter_now() else None
        except GuardRefused:
            return None

    async def run(
        self,
        operation: Operation,
        attempt: Callable[["Admission"], Awaitable[T]],
        *,
        priority: Priority | None = None,
        account: str = "",
    ) -> T:
        """Attempts the operation, again where that is safe, within the caller's deadline.

        The attempt returns an outcome or a value, or raises a BrokerError; the caller gets the last of them, but an
        unknown one if a later attempt did not settle it. A GuardRefused says that nothing was attempted at all.
        """
        admission = self.admit(operation, priority=priority, account=account)
        end = await admission.end_of(attempt)
        self.host.budget.called(admission.sent_ns)
        if end.lesson is not GOOD:
            end = await self._repeat(
                operation, lambda: self.admit(operation, priority=priority, account=account).end_of(attempt), end
            )
        return end.result()

    def statistics(self) -> GuardStatistics:
        """Counts and states, for status and metrics."""
        return GuardStatistics(
            self.connection,
            self.admitted,
            self.refused,
            self.repeated,
            {kind: breaker.phase for kind, breaker in self.breakers.items()},
            {name: pool.in_use for name, pool in self.pools.items()},
            self.host.limiter.statistics(),
        )

    def pool(self, name: str) -> Pool:
        """The pool of that name; raises UnknownName."""
        pool = self.pools.get(name)
        if pool is None:
            raise UnknownName("pool", name, sorted(self.pools))
        return pool

    def moved(self, kind: Kind, transition: Transition) -> None:
        """Tells a breaker's change of phase."""
        self.host.tell(BreakerMoved(self.connection, kind, transition))

    async def _repeat(self, operation: Operation, once: Callable[[], Awaitable[_End[T]]], end: _End[T]) -> _End[T]:
        known = latest = end
        for number in range(self._attempts - 1):
            lesson = latest.lesson
            if not (lesson.invites_repeat and may_repeat(operation.kind, lesson.fate)):
                return known
            if not await self._spaced(operation, number):
                return known
            try:
                latest = await once()
            except GuardRefused:
                return known
            self.repeated += 1
            known = _together(known, latest)
        return known

    async def _spaced(self, operation: Operation, number: int) -> bool:
        """Waits before a repeat; False, at once, when the deadline or the budget of repeats forbids it."""
        timeline = self.host.timeline
        now_ns = timeline.now_ns()
        delay_ns = self._backoff.delay_ns(number, self.chance)
        if delay_ns >= left_ns():
            return False
        if not self.host.budget.spend(now_ns):
            self.host.tell(BudgetSpent(self.host.name, operation.name, now_ns))
            return False
        await timeline.reach(now_ns + delay_ns)
        return True


class Admission:
    """One attempt under guard: in at `async with`, out at its end; between them `settle` tells the answer."""

    __slots__ = (
        "_account",
        "_breaker",
        "_guard",
        "_operation",
        "_permit",
        "_pool",
        "_priority",
        "_settled",
        "_told",
        "sent_ns",
    )

    def __init__(self, guard: Guard, operation: Operation, priority: Priority, account: str) -> None:
        self._guard = guard
        self._operation = operation
        self._priority = priority
        self._account = account
        self._breaker = None if priority is Priority.KILL else guard.breakers[operation.kind]
        self._permit: int | None = None
        self._pool = guard.pools.get(operation.pool) or guard.pool(operation.pool)
        self.sent_ns = 0
        self._settled = False
        self._told = False  # the answer named what to leave alone, so no more than that is

    async def __aenter__(self) -> Self:
        """Waits for the turn; no checkpoint when there is nothing to wait for."""
        guard = self._guard
        try:
            if not self.enter_now():
                await self._wait()
        except GuardRefused:
            guard.refused += 1
            raise
        return self

    def enter_now(self) -> bool:
        """Goes in where nothing has to be waited for; raises BreakerOpen, and whatever is wrong with the operation."""
        guard, operation, limiter = self._guard, self._operation, self._guard.host.limiter
        now_ns = guard.host.timeline.now_ns()
        if self._breaker is not None:
            self._ask_breaker(self._breaker, now_ns)
        charges = limiter.charges(operation, self._pool, self._account)
        if not limiter.take_now(operation, self._priority, charges, now_ns):
            return False
        self._enter(now_ns)
        return True

    async def _wait(self) -> None:
        guard, operation, limiter = self._guard, self._operation, self._guard.host.limiter
        charges = limiter.charges(operation, self._pool, self._account)
        await limiter.wait(operation, self._priority, charges, self._pool, longest_ns=guard.longest_wait_ns)
        now_ns = guard.host.timeline.now_ns()
        self._ask_breaker_again(now_ns)
        self._enter(now_ns)

    def _enter(self, now_ns: int) -> None:
        if self._breaker is not None:
            self._permit, moved = self._breaker.enter(now_ns)
            if moved is not None:
                self._guard.moved(self._operation.kind, moved)
        self.sent_ns = now_ns
        self._guard.admitted += 1

    def end(self, result: object) -> None:
        """Goes out with what the attempt came to, once, where it is not left by `async with`."""
        if not self._settled:
            self.settle(result)
            self._guard.host.limiter.leave(self._pool)
            self._guard.host.budget.called(self.sent_ns)

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Frees the place; an attempt that neither was settled nor raised an error says nothing."""
        if not self._settled:
            if isinstance(error, Exception):
                self.settle_error(error)
            else:
                self._leave_breaker(None, self._guard.host.timeline.now_ns())
        self._guard.host.limiter.leave(self._pool)

    def withdraw(self) -> None:
        """Goes out without a word about the broker: nothing was tried, or nobody waits for the answer any more."""
        if not self._settled:
            self._settled = True
            self._leave_breaker(None, self._guard.host.timeline.now_ns())
            self._guard.host.limiter.leave(self._pool)

    async def end_of(self, attempt: Callable[["Admission"], Awaitable[T]]) -> _End[T]:
        """Makes the attempt, and settles it with what it returns or raises."""
        async with self:
            try:
                result = await attempt(self)
            except BrokerError as error:
                return _Failed(self.settle_error(error), error)
            return _Returned(self.settle(result), result)

    def settle(self, result: object) -> Lesson:
        """Takes in what the attempt returned."""
        return self._learn(lesson_of(result))

    def settle_error(self, error: Exception) -> Lesson:
        """Takes in what the attempt raised."""
        return self._learn(lesson_of_error(error))

    def report(self, usage: Usage) -> None:
        """Takes in what the broker's answer tells of a limit; nothing remaining stops whoever needs that limit."""
        host = self._guard.host
        self._told = self._told or usage.remaining == 0
        host.limiter.correct(usage, self._account, self.sent_ns, host.timeline.now_ns())

    def pause(self, pause: Pause) -> None:
        """Leaves the host, or one category, alone as the broker's answer demands."""
        self._told = True
        self._guard.host.pause(pause, self._guard.host.timeline.now_ns())

    def _learn(self, lesson: Lesson) -> Lesson:
        host = self._guard.host
        now_ns = host.timeline.now_ns()
        self._settled = True
        self._leave_breaker(lesson.good, now_ns)
        if lesson is GOOD:
            host.welcome()
        elif not self._told:
            host.heed(lesson, now_ns)
        return lesson

    def _ask_breaker(self, breaker: Breaker, now_ns: int) -> None:
        wait_ns = breaker.refusal_ns(now_ns)
        if wait_ns is not None:
            operation = self._operation
            raise BreakerOpen.of(self._guard.host.name, operation.name, operation.kind.value, wait_ns)

    def _ask_breaker_again(self, now_ns: int) -> None:
        """The breaker may have opened while the call waited; then it must not go."""
        if self._breaker is None:
            return
        try:
            self._ask_breaker(self._breaker, now_ns)
        except BreakerOpen:
            self._guard.host.limiter.leave(self._pool)
            raise

    def _leave_breaker(self, good: bool | None, now_ns: int) -> None:
        if self._breaker is not None and self._permit is not None:
            moved = self._breaker.leave(self._permit, good, now_ns, self._guard.chance)
            self._permit = None
            if moved is not None:
                self._guard.moved(self._operation.kind, moved)
