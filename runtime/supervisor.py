"""The shell around the decisions: starts children one by one, stops them in reverse, restarts what ends.

Queries (`which_children`, `count_children`, `child_spec`) are answered at once, also while a child starts or stops.
Administration is done in order of arrival, between the ends of children; a stop interrupts a start.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from runtime.calls import Call, check_cycle
from runtime.cell import BRUTAL, Cell, running
from runtime.crash import CrashReport
from runtime.decisions import Bring, Entry, Leave, Roster, State, Verdict
from runtime.errors import (
    ActorGone,
    AlreadyPresent,
    AlreadyStarted,
    CallCycle,
    NotFound,
    StartFailed,
    StillRestarting,
    StillRunning,
    TooManyChildren,
)
from runtime.events import EventKind
from runtime.reasons import GaveUp, Killed, Reason, Shutdown
from runtime.ref import Ref
from runtime.server import ActorCell
from runtime.spec import Child, DynamicSupervisor, Strategy, Supervisor, check_child
from runtime.stopping import StopWatch
from runtime.supervisor_ref import ChildInfo, SupervisorRef
from runtime.timers import Timer

if TYPE_CHECKING:
    from runtime.node import Runtime

R = TypeVar("R")


@attrs.frozen(eq=False)
class _Retry:
    child: str
    ticket: int
    reason: Reason
    counted: bool


@attrs.frozen(eq=False)
class _Command:
    work: Callable[[], Awaitable[Any]]
    call: Call


class SupervisorCell(Cell):
    """One instance of a supervisor, with one nursery that all its children live in."""

    __slots__ = (
        "_cells",
        "_delayed",
        "_inbox",
        "_parked",
        "_ref",
        "_together",
        "max_children",
        "nursery",
        "roster",
        "suspended",
    )

    def __init__(
        self,
        runtime: "Runtime",
        parent: "SupervisorCell | None",
        child_id: str,
        instance: int,
        limit: float,
        spec: Supervisor | DynamicSupervisor,
    ) -> None:
        super().__init__(runtime, parent, child_id, instance, limit)
        self.nursery: trio.Nursery | None = None
        self._cells: dict[str, Cell] = {}
        self._inbox: deque[Cell | _Retry | _Command] = deque()
        self._parked: Task | None = None
        self._delayed: dict[str, Timer] = {}  # restarts that wait for their back-off
        self.suspended = False
        self._ref: SupervisorRef | None = None
        self._together = isinstance(spec, DynamicSupervisor)
        self.max_children = spec.max_children if isinstance(spec, DynamicSupervisor) else None
        if isinstance(spec, Supervisor):
            self.roster = Roster(spec.strategy, spec.max_restarts, spec.within, spec.auto_shutdown)
            for child in spec.children:
                self.roster.add(child)
        else:
            self.roster = Roster(Strategy.ONE_FOR_ONE, spec.max_restarts, spec.within, keeps_ended=False)

    # Life.

    async def _live(self) -> Reason:
        async with trio.open_nursery() as self.nursery:
            return await super()._live()

    async def begin(self) -> None:
        """Starts the children in order; a failure stops those that run, in reverse, and is raised."""
        for child_id in list(self.roster.entries):
            if self.stop_reason is not None:
                return
            reason = await self._start(child_id)
            if reason is not None:
                await self._stop(self._running_reversed(), Shutdown(f"{child_id!r} did not start"))
                raise StartFailed(self.path or "/", child_id, reason)

    async def serve(self) -> None:
        """Handles ends, retries and administration in order of arrival until a stop or a decision to leave."""
        while True:
            if self.stop_reason is not None:
                return
            if self.suspended or not self._inbox:
                await self._park()
                continue
            item = self._inbox.popleft()
            if isinstance(item, _Command):
                await self._obey(item)
            elif isinstance(item, _Retry):
                await self._retry(item)
            elif self._cells.get(item.child_id) is item:
                await self._child_died(item)

    async def finish(self, reason: Reason) -> None:
        """Stops the children in reverse order of their start; a dynamic supervisor's all at once."""
        why = reason if isinstance(reason, Shutdown) else Shutdown("its supervisor stops")
        await self._stop(self._running_reversed(), why)

    def _running_reversed(self) -> list[str]:
        return [child_id for child_id in reversed(self.roster.entries) if child_id in self._cells]

    def fail_waiting(self, reason: Reason) -> None:
        """Refuses the administration that waits, and drops the restarts that wait for their time."""
        for timer in self._delayed.values():
            timer.cancel()
        for item in self._inbox:
            if isinstance(item, _Command):
                item.call.fail(ActorGone(self.path or "/", item.call.method, reason))
        self._inbox = deque(item for item in self._inbox if not isinstance(item, _Command))

    def nudge(self) -> None:
        """Wakes the supervisor so that it looks again."""
        task, self._parked = self._parked, None
        if task is not None:
            reschedule(task)

    def report(self, error: BaseException) -> CrashReport:
        """The crash report of a failed start; a supervisor has no state of its own to show."""
        return CrashReport(self.path, self.instance, error, None, {}, len(self._inbox))

    def child_ended(self, cell: Cell) -> None:
        """A child's task is over; a start that waits for it looks, else its end is handled in turn."""
        if cell.was_ready:
            self._inbox.append(cell)
        self.nudge()

    async def _park(self) -> None:
        self._parked = current_task()

        def give_up(_: RaiseCancelT) -> Abort:
            self._parked = None
            return Abort.SUCCEEDED

        await wait_task_rescheduled(give_up)

    # Starting and stopping.

    def _make(self, entry: Entry) -> Cell:
        child = entry.child
        entry.starts += 1
        if isinstance(child.start, Supervisor | DynamicSupervisor):
            return SupervisorCell(self.runtime, self, child.id, entry.starts, child.limit, child.start)
        return ActorCell(self.runtime, self, child.id, entry.starts, child.limit, child.start, child.name)

    async def _start(self, child_id: str) -> Reason | None:
        """Starts one child and waits for it; None when it is up or said ignore, else why it failed."""
        assert self.nursery is not None  # noqa: S101 - children are only started inside _live
        entry = self.roster.entries[child_id]
        cell = self._make(entry)
        self.nursery.start_soon(cell.run, name=cell.path)
        self.waiting_on = (cell, "on_start")
        late = cell.kill_in(entry.child.start_limit, "on_start took too long") if entry.child.start_limit else None
        asked: Callable[[], None] | None = None
        while not cell.was_ready and cell.exit is None:
            await self._park()
            if self.stop_reason is not None and asked is None:
                asked = self._ask_to_stop(cell, self.stop_reason)
        self.waiting_on = None
        for cancel in (late, asked):
            if cancel is not None:
                cancel()
        if cell.was_ready:
            self._cells[child_id] = cell
            self.roster.came_up(child_id, trio.current_time())
            return None
        if cell.ignored:
            self.roster.went_down(child_id)
            return None
        return cell.exit

    async def _stop(self, child_ids: Iterable[str], reason: Reason) -> None:
        """Stops children one after another, or all at once if this supervisor does so."""
        cells = [self._cells[child_id] for child_id in child_ids]
        for batch in [cells] if self._together else [[cell] for cell in cells]:
            await self._stop_batch(batch, reason)
            for cell in batch:
                del self._cells[cell.child_id]
                self.roster.went_down(cell.child_id)

    async def _stop_batch(self, cells: list[Cell], reason: Reason) -> None:
        withdraw = [self._ask_to_stop(cell, reason) for cell in cells]
        withdraw += [StopWatch(cell).cancel for cell in cells]
        for cell in cells:
            self.waiting_on = (cell, "on_stop")
            while cell.exit is None:
                await self._park()
        self.waiting_on = None
        for cancel in withdraw:
            cancel()

    def _ask_to_stop(self, cell: Cell, reason: Reason) -> Callable[[], None]:
        if cell.limit == BRUTAL:
            cell.kill("stopped without clean-up")
            return lambda: None
        cell.request_stop(reason)
        return cell.kill_in(cell.limit, f"still not stopped after {cell.limit:g} s")

    # Ends and restarts.

    async def _child_died(self, cell: Cell) -> None:
        del self._cells[cell.child_id]
        reason = cell.exit or Killed("ended")
        verdict = self.roster.ended(cell.child_id, reason, trio.current_time())
        await self._carry_out(verdict, cell.child_id, reason)

    async def _retry(self, retry: _Retry) -> None:
        entry = self.roster.entries.get(retry.child)
        if entry is None or entry.state is not State.RESTARTING or entry.ticket != retry.ticket:
            return
        if retry.counted:
            await self._bring(retry.child)
        else:
            verdict = self.roster.restart(retry.child, retry.reason, trio.current_time())
            await self._carry_out(verdict, retry.child, retry.reason)

    async def _carry_out(self, verdict: Verdict, child_id: str, reason: Reason) -> None:
        if isinstance(verdict, Leave):
            if isinstance(verdict.reason, Shutdown) and isinstance(verdict.reason.detail, GaveUp):
                self.emit(EventKind.GAVE_UP, verdict.reason)
            self.stop_reason = verdict.reason
        elif isinstance(verdict, Bring):
            self._tell_restarting(child_id, reason)
            await self._stop(self.roster.victims(child_id), Shutdown(f"sibling {child_id!r} ended: {reason}"))
            delay = self.roster.delay(child_id, self.runtime.world.chance.random())
            if delay:
                self._schedule(child_id, reason, counted=True, delay=delay)
            else:
                await self._bring(child_id)

    def _tell_restarting(self, child_id: str, reason: Reason) -> None:
        starts = self.roster.entries[child_id].starts
        self.runtime.events.emit(
            EventKind.RESTARTING, trio.current_time(), f"{self.path}/{child_id}", starts + 1, reason
        )

    async def _bring(self, child_id: str) -> None:
        """Starts the child and those that go with it; the first failure is tried again later."""
        await self._stop(self.roster.victims(child_id), Shutdown(f"sibling {child_id!r} is brought back"))
        for one in self.roster.group(child_id):
            if self.stop_reason is not None:
                return
            reason = await self._start(one)
            if reason is not None:
                self.roster.start_failed(one)
                self._schedule(one, reason, counted=False, delay=0)
                return

    def _schedule(self, child_id: str, reason: Reason, *, counted: bool, delay: float) -> None:
        entry = self.roster.entries[child_id]
        entry.ticket += 1
        retry = _Retry(child_id, entry.ticket, reason, counted)
        if delay:
            self._delayed[child_id] = self.runtime.timers.after(delay, partial(self._enqueue, retry))
        else:
            self._enqueue(retry)

    def _enqueue(self, item: _Retry | _Command) -> None:
        self._inbox.append(item)
        self.nudge()

    # Administration.

    async def command(self, method: str, about: str, work: Callable[[], Awaitable[R]]) -> R:
        """Has the supervisor do the work in its turn and returns the result; see SupervisorRef for what it raises."""
        gone = self.exit or self.stop_reason
        if gone is not None:
            raise ActorGone(self.path or "/", method, gone)
        task = current_task()
        caller = running.get(task)
        if caller is not None:
            check_cycle(caller, self, method)
            target = f"{self.path}/{about}"
            if method == "terminate_child" and f"{caller.path}/".startswith(f"{target}/"):
                raise CallCycle([(caller.path, "(waits)"), (self.path, method), (target, "on_stop")])
            caller.waiting_on = (self, method)
        call = Call(task, self, method, trio.current_effective_deadline())
        self._enqueue(_Command(work, call))
        try:
            await wait_task_rescheduled(call.abort)
        finally:
            if caller is not None:
                caller.waiting_on = None
        if call.error is not None:
            raise call.error
        result: R = call.result
        return result

    async def _obey(self, command: _Command) -> None:
        if command.call.abandoned:
            return
        try:
            command.call.answer(await command.work())
        except Exception as error:  # noqa: BLE001 - the caller's mistake or the child's failure is the caller's to see
            command.call.fail(error)

    async def start_child(self, child: Child[Any]) -> Ref[Any] | None:
        """See SupervisorRef.start_child."""
        check_child(child, self.roster.auto_shutdown)
        entry = self.roster.entries.get(child.id)
        if entry is not None:
            known = AlreadyStarted if entry.state is State.UP else AlreadyPresent
            raise known(self.path, child.id, self.ref_of(child.id))
        if self.max_children is not None and len(self.roster.entries) >= self.max_children:
            raise TooManyChildren(self.path, child.id)
        self.roster.add(child)
        reason = await self._start(child.id)
        if reason is not None:
            del self.roster.entries[child.id]
            raise StartFailed(self.path or "/", child.id, reason)
        return self.ref_of(child.id)

    async def terminate_child(self, child_id: str) -> None:
        """See SupervisorRef.terminate_child."""
        self._entry(child_id)
        if child_id in self._cells:
            await self._stop([child_id], Shutdown("terminate_child"))
        else:
            self.roster.went_down(child_id)

    async def restart_child(self, child_id: str) -> Ref[Any] | None:
        """See SupervisorRef.restart_child."""
        self._without_instance(child_id)
        reason = await self._start(child_id)
        if reason is not None:
            raise StartFailed(self.path or "/", child_id, reason)
        return self.ref_of(child_id)

    async def delete_child(self, child_id: str) -> None:
        """See SupervisorRef.delete_child."""
        self._without_instance(child_id)
        del self.roster.entries[child_id]

    def _entry(self, child_id: str) -> Entry:
        entry = self.roster.entries.get(child_id)
        if entry is None:
            raise NotFound(self.path, child_id)
        return entry

    def _without_instance(self, child_id: str) -> None:
        state = self._entry(child_id).state
        if state is State.UP:
            raise StillRunning(self.path, child_id, self.ref_of(child_id))
        if state is State.RESTARTING:
            raise StillRestarting(self.path, child_id)

    # Queries, answered at once.

    @property
    def ref(self) -> SupervisorRef:
        """The reference to this instance, always the same."""
        if self._ref is None:
            self._ref = SupervisorRef(self)
        return self._ref

    def ref_of(self, child_id: str) -> Ref[Any] | None:
        """The running instance of a child, or None."""
        cell = self._cells.get(child_id)
        return cell.ref if cell is not None else None

    def which(self) -> list[ChildInfo]:
        """The children in start order."""
        return [
            ChildInfo(
                id=child_id,
                state=entry.state,
                ref=self.ref_of(child_id),
                is_supervisor=entry.child.is_supervisor,
                restart=entry.child.restart,
                starts=entry.starts,
            )
            for child_id, entry in self.roster.entries.items()
        ]

    def cells(self) -> list[Cell]:
        """The running instances in start order."""
        return [self._cells[child_id] for child_id in self.roster.entries if child_id in self._cells]
