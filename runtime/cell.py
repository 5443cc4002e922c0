"""The life of one instance: start, serve, clean up, end; actors and supervisors only differ in how they serve."""

import enum
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from runtime.errors import NotAMessage
from runtime.events import EventKind
from runtime.reasons import Failed, Killed, Normal, Reason, Shutdown

if TYPE_CHECKING:
    from runtime.node import Runtime
    from runtime.ref import Ref
    from runtime.registry import Registry
    from runtime.supervisor import SupervisorCell

# Which instance a task is the main task of; helper tasks are nobody's, because their actor goes on without them.
running: dict[Task, "Cell"] = {}

BRUTAL = 0.0  # a shutdown limit that skips the clean-up when a supervisor stops the child
DEFAULT_LIMIT = 5.0


class Refuse(Exception):
    """Raised in on_start: this actor cannot start; no crash report, `detail` is the reason."""


class Ignore(Exception):
    """Raised in on_start: this actor is not needed; its supervisor goes on without it."""


class Status(enum.Enum):
    """Where an instance is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    ENDED = "ended"


class Cell(ABC):
    """One instance under one supervisor; it dies once and leaves nothing behind."""

    __slots__ = (
        "__weakref__",
        "_cleanup",
        "_waiters",
        "broken",
        "child_id",
        "exit",
        "helpers",
        "ignored",
        "instance",
        "limit",
        "links",
        "names",
        "parent",
        "path",
        "runtime",
        "scope",
        "started_at",
        "status",
        "stop_reason",
        "task",
        "waiting_on",
        "was_ready",
    )

    def __init__(
        self, runtime: "Runtime", parent: "SupervisorCell | None", child_id: str, instance: int, limit: float
    ) -> None:
        self.runtime = runtime
        self.parent = parent
        self.child_id = child_id
        self.instance = instance
        self.path: str = f"{parent.path}/{child_id}" if parent is not None else ""
        self.limit = limit
        self.scope = trio.CancelScope()
        self.status = Status.STARTING
        self.was_ready = False
        self.ignored = False
        self.stop_reason: Reason | None = None
        self.exit: Reason | None = None
        self.task: Task | None = None
        self.started_at = trio.current_time()
        self.waiting_on: tuple[Cell, str] | None = None
        self.names: list[tuple[Registry, Hashable]] | None = None
        self.links: dict[Callable[[Reason], object], None] | None = None
        self.helpers: set[trio.CancelScope] | None = None
        self._waiters: list[Task] | None = None
        self.broken: Exception | None = None
        self._cleanup: trio.CancelScope | None = None

    # What the two kinds of cell fill in.

    @property
    @abstractmethod
    def ref(self) -> "Ref[Any]":
        """The reference to this instance, always the same."""

    @abstractmethod
    async def begin(self) -> None:
        """Brings the instance up; may raise."""

    @abstractmethod
    async def serve(self) -> None:
        """Works until a stop is asked for; may raise."""

    @abstractmethod
    async def finish(self, reason: Reason) -> None:
        """Cleans up inside the time that is left; may raise."""

    @abstractmethod
    def fail_waiting(self, reason: Reason) -> None:
        """Tells everybody who waits for this instance that it is gone."""

    @abstractmethod
    def nudge(self) -> None:
        """Wakes the task so that it sees a stop."""

    async def call(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Sends a request; a supervisor has no messages."""
        del args, kwargs
        raise NotAMessage(self.path or "/", type(self), method)

    def cast(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Sends a message; a supervisor has none."""
        del args, kwargs
        raise NotAMessage(self.path or "/", type(self), method)

    def tell(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Sends a message; a supervisor has none."""
        self.cast(method, args, kwargs)

    def put_question(
        self,
        then: Callable[[outcome.Outcome[Any]], object],
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Sends a request; a supervisor has no messages."""
        del then
        self.cast(method, args, kwargs)

    @property
    def idle(self) -> bool:
        """Whether it waits for a message and there is none; a supervisor never does."""
        return False

    @property
    def inherited_deadline(self) -> float:
        """Until when somebody waits for what the instance is doing now."""
        return math.inf

    @abstractmethod
    def report(self, error: BaseException) -> object:
        """The crash report for an error."""

    # The life.

    async def run(self) -> None:
        """The whole life, as the one task of this instance in its supervisor's nursery."""
        self.task = current_task()
        running[self.task] = self
        reason: Reason = Killed("cancelled from outside")
        try:
            with self.scope:
                reason = await self._live()
            if self.scope.cancelled_caught:
                reason = await self._after_cancel()
        finally:
            self._end(reason)

    async def _after_cancel(self) -> Reason:
        if self.broken is None or isinstance(self.stop_reason, Killed):
            with trio.CancelScope(shield=True):
                await self._release(self.stop_reason)
            return self.stop_reason or Killed("cancelled")
        reason = Failed(self.broken)
        if not self.was_ready:
            return await self._fail_start(reason)
        self.emit(EventKind.FAILED, reason, report=self.report(self.broken))
        return await self._clean_up(reason)

    async def _live(self) -> Reason:
        self.emit(EventKind.STARTED)
        try:
            await self.begin()
        except Ignore:
            self.ignored = True
            self.emit(EventKind.IGNORED)
            await self._release(Normal())
            return Normal()
        except Refuse as refusal:
            return await self._fail_start(Shutdown(refusal.args[0] if refusal.args else "refused"))
        except Exception as error:  # noqa: BLE001 - whatever leaves on_start is the reason of a failed start
            return await self._fail_start(Failed(error))
        self.status = Status.READY
        self.was_ready = True
        self.emit(EventKind.READY)
        if self.parent is not None:
            self.parent.nudge()
        return await self._work()

    async def _fail_start(self, reason: Reason) -> Reason:
        report = self.report(reason.error) if isinstance(reason, Failed) else None
        self.emit(EventKind.START_FAILED, reason, report=report)
        await self._release(reason)
        return reason

    async def _work(self) -> Reason:
        try:
            await self.serve()
            if isinstance(self.stop_reason, Killed):
                await trio.lowlevel.checkpoint_if_cancelled()  # a kill that came before the first wait
        except trio.Cancelled:
            if not self.scope.cancel_called:
                # The whole tree is being cancelled: the clean-up still runs, inside its limit.
                await self._clean_up(Killed("cancelled from outside"))
            raise
        except Exception as error:  # noqa: BLE001 - turning a crash into a reason is what this is for
            reason: Reason = Failed(error)
            self.emit(EventKind.FAILED, reason, report=self.report(error))
            return await self._clean_up(reason)
        return await self._clean_up(self.stop_reason or Normal())

    async def _clean_up(self, reason: Reason) -> Reason:
        self.status = Status.STOPPING
        self.stop_reason = self.stop_reason or reason
        self.emit(EventKind.STOPPING, reason)
        self.fail_waiting(reason)
        self._cleanup = trio.CancelScope(shield=True, deadline=trio.current_time() + (self.limit or DEFAULT_LIMIT))
        with self._cleanup:
            try:
                await self.finish(reason)
            except Exception as error:  # noqa: BLE001 - a clean-up that raises replaces the reason
                reason = Failed(error)
                self.emit(EventKind.FAILED, reason, report=self.report(error))
            await self._release(reason)
        if self._cleanup.cancelled_caught:
            reason = Killed(f"its clean-up took longer than {self.limit or DEFAULT_LIMIT:g} s")
            with trio.CancelScope(shield=True):
                await self._release(reason)
        return reason

    async def _release(self, reason: Reason | None) -> None:
        """Ends the helper tasks and waits until they are gone."""
        while self.helpers:
            for scope in self.helpers:
                scope.cancel(reason=str(reason))
            await self._wait_woken()

    async def _wait_woken(self) -> None:
        task = current_task()
        waiters = self._waiters = self._waiters or []
        waiters.append(task)

        def give_up(_: RaiseCancelT) -> Abort:
            waiters.remove(task)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(give_up)

    def helper_gone(self, scope: trio.CancelScope) -> None:
        """A helper task ended."""
        if self.helpers is not None:
            self.helpers.discard(scope)
            if not self.helpers and self.status is not Status.ENDED:
                self._wake_waiters()

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, None
        for task in waiters or ():
            reschedule(task)

    def _end(self, reason: Reason) -> None:
        # Names are free before anybody hears of the end; monitors hear before the supervisor acts.
        self.status = Status.ENDED
        self.exit = reason
        self.stop_reason = self.stop_reason or reason
        self.fail_waiting(reason)
        if self.names:
            for registry, key in self.names:
                registry.owner_ended(key, self, reason)
        links, self.links = self.links, None
        for tell in tuple(links or ()):  # one that is called may withdraw itself
            tell(reason)
        if self.was_ready:
            self.emit(EventKind.STOPPED, reason)
        self._wake_waiters()
        if self.task is not None:
            running.pop(self.task, None)
        self.task = None
        if self.parent is not None:
            self.parent.child_ended(self)

    # What others ask of it.

    def request_stop(self, reason: Reason) -> None:
        """Asks for an orderly end; messages that wait are refused, the one in work is finished."""
        if self.stop_reason is None and self.status is not Status.ENDED:
            self.stop_reason = reason
            self.nudge()

    def kill(self, why: str) -> None:
        """Cancels at once, clean-up included."""
        if self.status is Status.ENDED:
            return
        self.stop_reason = Killed(why)
        self.scope.cancel(reason=why)
        if self._cleanup is not None:
            self._cleanup.cancel(reason=why)

    def crash(self, error: Exception) -> None:
        """Ends the instance with an error that was raised in a helper task; what it is doing is cancelled."""
        if self.broken is None and self.status in (Status.STARTING, Status.READY):
            self.broken = error
            self.scope.cancel(reason=f"a helper task failed: {type(error).__name__}")

    def kill_in(self, seconds: float, why: str) -> Callable[[], None]:
        """Kills after so many seconds; the returned function prevents that."""
        if math.isinf(seconds):
            return lambda: None
        return self.runtime.timers.after(seconds, lambda: self.kill(why)).cancel

    async def ended(self) -> Reason:
        """Waits until the instance has ended and returns why."""
        while self.exit is None:
            await self._wait_woken()
        return self.exit

    def on_end(self, tell: Callable[[Reason], object]) -> Callable[[], None]:
        """Calls tell(reason) at the end, now if that has been; the returned function withdraws it."""
        if self.exit is not None:
            tell(self.exit)
            return lambda: None
        links = self.links = {} if self.links is None else self.links
        links[tell] = None
        return lambda: links.pop(tell, None)

    @property
    def gone(self) -> Reason | None:
        """Why nothing more can be sent here, or None."""
        return self.exit or (self.stop_reason if self.status is not Status.STARTING else None)

    def emit(self, kind: EventKind, reason: Reason | None = None, detail: str = "", report: object = None) -> None:
        """Adds an event about this instance to the stream."""
        self.runtime.events.emit(kind, trio.current_time(), self.path, self.instance, reason, detail, report)

    def __repr__(self) -> str:
        return f"{self.path}#{self.instance}"
