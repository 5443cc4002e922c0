"""The reference to a supervisor: its children, started, stopped, looked at."""

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from runtime.decisions import State
from runtime.errors import NotFound
from runtime.ref import Ref
from runtime.spec import Child, Restart

if TYPE_CHECKING:
    from runtime.supervisor import SupervisorCell

A = TypeVar("A")


@attrs.frozen
class ChildInfo:
    """One row of which_children."""

    id: str
    state: State
    ref: Ref[Any] | None
    is_supervisor: bool
    restart: Restart
    starts: int


@attrs.frozen
class ChildCounts:
    """What count_children tells; `active` have a running instance."""

    specs: int
    active: int
    supervisors: int
    workers: int


class SupervisorRef(Ref[Any]):
    """One instance of a supervisor: its children, started, stopped, looked at.

    Administration waits for its turn and for the child; it is bounded by the caller's cancel scope only. It raises
    ActorGone when the supervisor has ended or ends meanwhile, and CallCycle when the child would wait for itself.
    """

    __slots__ = ("_supervisor",)

    def __init__(self, cell: "SupervisorCell") -> None:
        super().__init__(cell)
        self._supervisor = cell

    async def start_child(self, child: Child[A]) -> Ref[A] | None:
        """Appends and starts a child; returns its ref, or None when its on_start said ignore.

        Raises AlreadyStarted (with the running ref) or AlreadyPresent for a known id, TooManyChildren without
        trying, StartFailed with the child's reason; the description is dropped in that case.
        """
        cell = self._supervisor
        return await cell.command("start_child", child.id, partial(cell.start_child, child))

    async def terminate_child(self, child_id: str) -> None:
        """Stops a child, or ends the attempts to restart it; the description stays unless it is temporary.

        Fine if it does not run; raises NotFound. Never restarts, shuts down or counts anything.
        """
        cell = self._supervisor
        await cell.command("terminate_child", child_id, partial(cell.terminate_child, child_id))

    async def restart_child(self, child_id: str) -> Ref[Any] | None:
        """Starts a child that has no instance, in its old place; returns as start_child.

        Raises NotFound, StillRunning, StillRestarting, or StartFailed and keeps the description.
        """
        cell = self._supervisor
        return await cell.command("restart_child", child_id, partial(cell.restart_child, child_id))

    async def delete_child(self, child_id: str) -> None:
        """Forgets a child that has no instance; raises NotFound, StillRunning, StillRestarting."""
        cell = self._supervisor
        await cell.command("delete_child", child_id, partial(cell.delete_child, child_id))

    def which_children(self) -> list[ChildInfo]:
        """The children in start order, answered at once."""
        return self._supervisor.which()

    def count_children(self) -> ChildCounts:
        """How many children there are and run, answered at once."""
        rows = self._supervisor.which()
        supervisors = sum(row.is_supervisor for row in rows)
        active = sum(row.state is State.UP for row in rows)
        return ChildCounts(len(rows), active, supervisors, len(rows) - supervisors)

    def child_spec(self, child_id: str) -> Child[Any]:
        """The description of a child with its defaults filled in; raises NotFound."""
        entry = self._supervisor.roster.entries.get(child_id)
        if entry is None:
            raise NotFound(self.path, child_id)
        return entry.child

    def child(self, child_id: str) -> Ref[Any] | None:
        """The running instance of a child, or None."""
        return self._supervisor.ref_of(child_id)

    def supervisor(self, child_id: str) -> "SupervisorRef":
        """The running supervisor below this one; raises NotFound if there is none under that id."""
        ref = self.child(child_id)
        if not isinstance(ref, SupervisorRef):
            raise NotFound(self.path, child_id)
        return ref
