"""Why an actor ended: normal, shut down, failed or killed; the class of the reason decides about a restart."""

import attrs


@attrs.frozen
class Normal:
    """The actor asked for its own end."""

    def __str__(self) -> str:
        return "normal"


@attrs.frozen
class Shutdown:
    """A supervisor or an operator asked for the end; `detail` says why."""

    detail: object = None

    def __str__(self) -> str:
        return "shutdown" if self.detail is None else f"shutdown ({self.detail})"


@attrs.frozen
class Failed:
    """An exception left the actor, or its start."""

    error: BaseException = attrs.field(eq=False)

    def __str__(self) -> str:
        text = str(self.error)
        return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__


@attrs.frozen
class Killed:
    """The actor was cancelled without clean-up, or while it cleaned up for too long."""

    why: str

    def __str__(self) -> str:
        return f"killed ({self.why})"


@attrs.frozen
class Unknown:
    """Nobody answers to that name, so nothing is known of its end."""

    def __str__(self) -> str:
        return "no such actor"


Reason = Normal | Shutdown | Failed | Killed | Unknown


@attrs.frozen
class GaveUp:
    """The detail of a supervisor's shutdown after more restarts than its budget allows."""

    child: str
    last: Reason
    restarts: int
    within: float

    def __str__(self) -> str:
        return f"gave up: more than {self.restarts} restarts in {self.within:g} s, last {self.child!r}: {self.last}"


@attrs.frozen
class AutoShutdown:
    """The detail of a supervisor's shutdown after a significant child ended."""

    child: str

    def __str__(self) -> str:
        return f"significant child {self.child!r} ended"


def is_normal(reason: Reason) -> bool:
    """Whether a transient child with this reason stays down; a supervisor that gave up does not count as normal."""
    if isinstance(reason, Shutdown):
        return not isinstance(reason.detail, GaveUp)
    return isinstance(reason, Normal)
