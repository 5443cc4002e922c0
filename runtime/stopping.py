"""Who holds a stop up, and where: told each second until it ends."""

from pathlib import Path

import trio

from runtime.cell import Cell
from runtime.events import EventKind

# Frames from here do not tell a person where an actor waits.
_MACHINERY = tuple(str(Path(module).parent) for module in (trio.__file__, __file__))


class StopWatch:
    """Tells each second which instance holds a stop up, and where it waits."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._arm()

    def _arm(self) -> None:
        self._timer = self._cell.runtime.timers.after(1.0, self._tell)

    def _tell(self) -> None:
        cell = self._cell
        if cell.exit is None:
            cell.emit(EventKind.STOP_SLOW, cell.stop_reason, where_it_waits(cell))
            self._arm()

    def cancel(self) -> None:
        """The stop is over."""
        self._timer.cancel()


def where_it_waits(cell: Cell) -> str:
    """The innermost place where the instance's task waits, as file:line in function."""
    frames = list(cell.task.iter_await_frames()) if cell.task is not None else []
    if not frames:
        return "not running"
    frame, line = frames[-1]
    code = frame.f_code
    for outer, at in reversed(frames):
        if not outer.f_code.co_filename.startswith(_MACHINERY):
            code, line = outer.f_code, at
            break
    return f"{code.co_filename}:{line} in {code.co_qualname}"
