"""Looking at a running tree, and holding an actor still: inspect, suspend, resume, replace_state, tree."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import trio

from runtime.cell import Cell, Status
from runtime.crash import redact_message, redact_state
from runtime.errors import ActorError, ActorGone
from runtime.mailbox import MailboxStatistics
from runtime.node import Runtime
from runtime.reasons import Reason, Unknown
from runtime.ref import Name, Ref
from runtime.server import ActorCell
from runtime.stopping import where_it_waits
from runtime.supervisor import SupervisorCell


@attrs.frozen
class Inspection:
    """One moment of one instance; `state` and `message` are redacted."""

    path: str
    instance: int
    status: Status
    suspended: bool
    reason: Reason | None
    age: float
    state: Mapping[str, str]
    mailbox: MailboxStatistics | None
    handled: int
    message: str | None
    message_age: float
    waits_for: str | None
    waits_in: str
    restarts_in_window: int


def inspect(target: Ref[Any] | Name[Any]) -> Inspection:
    """Describes an instance without disturbing it; works on a suspended, stuck or ended one. Raises ActorGone."""
    cell = _cell(target, "inspect")
    return inspect_cell(cell)


def inspect_cell(cell: Cell) -> Inspection:
    """As inspect, for the runtime's own tools."""
    now = trio.current_time()
    actor_cell = cell if isinstance(cell, ActorCell) and hasattr(cell, "actor") else None
    current = actor_cell.current if actor_cell is not None else None
    waits = cell.waiting_on
    return Inspection(
        path=cell.path,
        instance=cell.instance,
        status=cell.status,
        suspended=isinstance(cell, ActorCell | SupervisorCell) and cell.suspended,
        reason=cell.exit or cell.stop_reason,
        age=now - cell.started_at,
        state=redact_state(actor_cell.actor, actor_cell.actor.safe) if actor_cell is not None else {},
        mailbox=actor_cell.mailbox.statistics() if actor_cell is not None else None,
        handled=actor_cell.handled if actor_cell is not None else 0,
        message=redact_message(*current[:3]) if current is not None else None,
        message_age=now - actor_cell.since if actor_cell is not None and current is not None else 0.0,
        waits_for=f"{waits[0].path}.{waits[1]}" if waits is not None else None,
        waits_in=where_it_waits(cell),
        restarts_in_window=_restarts(cell, now),
    )


def _restarts(cell: Cell, now: float) -> int:
    if not isinstance(cell, SupervisorCell):
        return 0
    return sum(now - entry <= cell.roster.within for entry in cell.roster.window)


def suspend(target: Ref[Any] | Name[Any]) -> None:
    """Holds an instance still after its present message: messages queue up, calls time out, a stop still works.

    A suspended supervisor restarts nothing and administers nothing until it is resumed.
    """
    cell = _living(target, "suspend")
    cell.suspended = True
    cell.nudge()


def resume(target: Ref[Any] | Name[Any]) -> None:
    """Lets a suspended instance go on with what queued up, in order."""
    cell = _living(target, "resume")
    cell.suspended = False
    cell.nudge()


def replace_state(target: Ref[Any] | Name[Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replaces attributes of an actor by change(their copy); if change raises, nothing has changed."""
    cell = _living(target, "replace_state")
    if not isinstance(cell, ActorCell):
        raise ActorError(f"{cell.path}: replace_state works on actors, this is a supervisor")
    actor = cell.actor
    state = getattr(actor, "__dict__", None)
    if state is None:
        raise ActorError(
            f"{actor.path}: replace_state needs an actor with a __dict__, {type(actor).__name__} has slots"
        )
    fresh = change(dict(state))
    state.clear()
    state.update(fresh)


def _cell(target: Ref[Any] | Name[Any], what: str) -> Cell:
    cell = target.cell()
    if cell is None:
        raise ActorGone(repr(target), what, Unknown())
    return cell


def _living(target: Ref[Any] | Name[Any], what: str) -> ActorCell | SupervisorCell:
    cell = _cell(target, what)
    if cell.exit is not None:
        raise ActorGone(cell.path, what, cell.exit)
    assert isinstance(cell, ActorCell | SupervisorCell)  # noqa: S101 - there are no other cells
    return cell


@attrs.frozen
class TreeNode:
    """One child in the picture of a tree; without an instance `status` is its state at the supervisor."""

    id: str
    path: str
    kind: str
    status: str
    instance: int
    waiting: int
    children: tuple["TreeNode", ...] = ()

    def lines(self, indent: str = "") -> Iterator[str]:
        """The tree as text, one child a line."""
        waiting = f"  {self.waiting} waiting" if self.waiting else ""
        yield f"{indent}{self.id or '/'}  {self.kind}  {self.status}  #{self.instance}{waiting}"
        for child in self.children:
            yield from child.lines(indent + "  ")


def tree(runtime: Runtime) -> TreeNode:
    """The whole tree at this moment."""
    return _node(runtime.root)


def _node(cell: Cell) -> TreeNode:
    if not isinstance(cell, SupervisorCell):
        waiting = len(cell.mailbox.data) if isinstance(cell, ActorCell) and hasattr(cell, "mailbox") else 0
        return TreeNode(cell.child_id, cell.path, "actor", cell.status.value, cell.instance, waiting)
    running = {below.child_id: below for below in cell.cells()}
    return TreeNode(
        id=cell.child_id,
        path=cell.path or "/",
        kind=cell.roster.strategy.value,
        status=cell.status.value,
        instance=cell.instance,
        waiting=0,
        children=tuple(
            _node(running[child_id])
            if child_id in running
            else TreeNode(
                id=child_id,
                path=f"{cell.path}/{child_id}",
                kind="supervisor" if entry.child.is_supervisor else "actor",
                status=entry.state.value,
                instance=entry.starts,
                waiting=0,
            )
            for child_id, entry in cell.roster.entries.items()
        ),
    )
