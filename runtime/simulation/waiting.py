"""What every task of a trio run waits for, in words."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import trio

_INNERMOST = 6
_TRAPS = frozenset({"wait_task_rescheduled", "_async_yield", "_real_async_yield"})  # below every wait; they say nothing


@attrs.frozen
class WaitingTask:
    """A task and the calls it is in, outermost first; the last one is what it waits for."""

    name: str
    calls: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {' > '.join(self.calls) or 'about to start'}"


def waiting_tasks(main: trio.lowlevel.Task) -> tuple[WaitingTask, ...]:
    """The task and all below it, sorted by name; callable between two steps as well as from a task."""
    return tuple(sorted(map(_describe, _with_children(main)), key=str))


def _with_children(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _with_children(child)


def _describe(task: trio.lowlevel.Task) -> WaitingTask:
    calls = [
        f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{line})"
        for frame, line in task.iter_await_frames()
        if frame.f_code.co_name not in _TRAPS
    ]
    return WaitingTask(task.name, tuple(calls[-_INNERMOST:]))
