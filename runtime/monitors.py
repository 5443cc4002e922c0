"""Watching an actor's end."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from runtime.reasons import Reason, Unknown

if TYPE_CHECKING:
    from runtime.ref import Name, Ref


class Monitor:
    """One watch; two monitors on the same actor tell twice."""

    __slots__ = ("_withdraw", "active", "target")

    def __init__(self, target: "Ref[Any] | Name[Any]") -> None:
        self.target = target
        self.active = True
        self._withdraw: Callable[[], None] | None = None

    def begin(self, tell: Callable[[Reason], None]) -> None:
        """Calls tell(reason) once at the target's end, at once if it has ended or does not exist."""
        cell = self.target.cell()
        if cell is None:
            tell(Unknown())
        else:
            self._withdraw = cell.on_end(tell)

    def cancel(self) -> None:
        """Ends the watch; a DOWN that waits in the mailbox already is dropped."""
        self.active = False
        if self._withdraw is not None:
            self._withdraw()


@attrs.frozen(eq=False)
class Down:
    """The end of a monitored actor."""

    monitor: Monitor
    target: "Ref[Any] | Name[Any]"
    reason: Reason
