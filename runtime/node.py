"""A runtime: the root of all supervision trees of one process, with registry, topics, timers and events."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, overload

import attrs
import trio

from runtime.cell import Cell
from runtime.errors import StartFailed
from runtime.events import EventKind, Events, EventStatistics
from runtime.reasons import Reason, Shutdown
from runtime.ref import Name, Ref
from runtime.registry import Registry, RegistryStatistics
from runtime.spec import Child, DynamicSupervisor, Restart, Supervisor
from runtime.supervisor import SupervisorCell
from runtime.supervisor_ref import SupervisorRef
from runtime.timers import Timers
from runtime.topics import Topics
from runtime.world import World

A = TypeVar("A")


@attrs.frozen
class RuntimeStatistics:
    """One moment of a runtime."""

    actors: int
    supervisors: int
    events: EventStatistics
    registry: RegistryStatistics


class Runtime:
    """What actors share. Opened by open_runtime; `registry` holds unique names, `topics` carries broadcasts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.timers = Timers()
        self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time
        self.events = Events()
        self.registry = Registry()
        self.topics = Topics()
        self.root = SupervisorCell(self, None, "", 1, float("inf"), Supervisor(max_restarts=0))

    @overload
    async def start(self, child: Child[A]) -> Ref[A]: ...
    @overload
    async def start(self, child: Supervisor | DynamicSupervisor, name: str = "main") -> SupervisorRef: ...
    async def start(self, child: Child[Any] | Supervisor | DynamicSupervisor, name: str = "main") -> Ref[Any]:
        """Starts a tree at the top and waits until it is up; nobody restarts it: `await ref.ended()` tells its end.

        Raises StartFailed with the reason, also when the child said ignore.
        """
        if not isinstance(child, Child):
            child = Child(name, child)
        ref = await self.root.ref.start_child(attrs.evolve(child, restart=Restart.TEMPORARY, significant=False))
        if ref is None:
            raise StartFailed("/", child.id, Shutdown("its on_start said ignore"))
        return ref

    def name(self, key: object, cls: type[A] | None = None) -> Name[A]:
        """A reference to whoever is registered under the key at each use; `cls` tells type checkers what that is."""
        del cls
        return Name(self, key)

    def emit(self, kind: EventKind, path: str, *, reason: Reason | None = None, detail: str = "") -> None:
        """Adds an event that no instance can tell itself."""
        self.events.emit(kind, trio.current_time(), path, 0, reason, detail)

    def cells(self) -> list[Cell]:
        """All running instances, parents first, in start order."""
        found: list[Cell] = []
        waiting: list[Cell] = self.root.cells()[::-1]
        while waiting:
            cell = waiting.pop()
            found.append(cell)
            if isinstance(cell, SupervisorCell):
                waiting += cell.cells()[::-1]
        return found

    def statistics(self) -> RuntimeStatistics:
        """Counts of this moment."""
        cells = self.cells()
        supervisors = sum(isinstance(cell, SupervisorCell) for cell in cells)
        return RuntimeStatistics(
            len(cells) - supervisors, supervisors, self.events.statistics(), self.registry.statistics()
        )


@asynccontextmanager
async def open_runtime(world: World) -> AsyncIterator[Runtime]:
    """A runtime for the length of the block; leaving it stops all trees in reverse order and leaves no task behind."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        runtime = Runtime(world)
        nursery.start_soon(runtime.timers.run, name="timers")
        nursery.start_soon(runtime.root.run, name="root supervisor")
        try:
            yield runtime
        except Exception as error:  # noqa: BLE001 - raised below as it was, not inside the nursery's group
            failure = error
        finally:
            runtime.root.request_stop(Shutdown("the runtime closes"))
            with trio.CancelScope(shield=True):
                await runtime.root.ended()
            nursery.cancel_scope.cancel(reason="the runtime is closed")
    if failure is not None:
        raise failure
