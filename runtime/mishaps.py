"""Fault points of actors: an exception at the start, before or after a message, at the end, and a cancel in the middle.

They are there only where the world has faults: in life an actor gets the plain table of its messages, so a message
costs nothing more. Each point's name ends with the path of its actor, so that one instance after another is hit.
"""

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

import attrs

from runtime.messages import Message, MessageTable
from runtime.world import Faults

START: Final = "actor.start"  # before on_start
BEFORE: Final = "actor.before"  # a message is lost
AFTER: Final = "actor.after"  # it took effect, and nobody is told
STOP: Final = "actor.stop"  # before on_stop
CANCEL: Final = "actor.cancel"  # at a checkpoint within the handling of a message
POINTS: Final = (START, BEFORE, AFTER, STOP, CANCEL)


class Mishap(Exception):
    """What a fault point raises where code may raise anything."""

    def __init__(self, point: str) -> None:
        self.point = point
        super().__init__(f"fault point {point}")


def point_of(kind: str, path: str) -> str:
    """The name of an actor's fault point."""
    return f"{kind} {path}"


def may_fail(faults: Faults, kind: str, path: str) -> None:
    """Raises Mishap if the point fires."""
    if not faults.idle and faults.fires(point := point_of(kind, path)):
        raise Mishap(point)


class FaultyTable(MessageTable):
    """The messages of one actor, each between its fault points; `kill` cancels the actor."""

    def __init__(self, cls: type, base: type, faults: Faults, path: str, kill: Callable[[str], None]) -> None:
        super().__init__(cls, base)
        self._faults = faults
        self._before, self._after, self._cancel = (point_of(kind, path) for kind in (BEFORE, AFTER, CANCEL))
        self._kill = kill

    def _resolve(self, path: str, method: Callable[..., Any]) -> Message:
        found = super()._resolve(path, method)
        return attrs.evolve(found, function=self._waiting(found) if found.is_async else self._at_once(found))

    def _at_once(self, found: Message) -> Callable[..., Any]:
        def handle(*args: Any, **kwargs: Any) -> Any:
            self._may_raise(self._before)
            result = found.function(*args, **kwargs)
            self._may_raise(self._after)
            return result

        return handle

    def _waiting(self, found: Message) -> Callable[..., Any]:
        async def handle(*args: Any, **kwargs: Any) -> Any:
            self._may_raise(self._before)
            result = await self._watched(found.function(*args, **kwargs))
            self._may_raise(self._after)
            return result

        return handle

    def _may_raise(self, point: str) -> None:
        if self._faults.fires(point):
            raise Mishap(point)

    @types.coroutine
    def _watched(self, handling: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Runs what handles a message; where it waits it may be cancelled."""
        answer, error = None, None
        while True:
            try:
                waits = handling.send(answer) if error is None else handling.throw(error)
            except StopIteration as end:
                return end.value
            if self._faults.fires(self._cancel):
                self._kill(self._cancel)
            answer, error = None, None
            try:
                answer = yield waits
            except BaseException as thrown:  # noqa: BLE001 - it belongs to what handles the message
                error = thrown
