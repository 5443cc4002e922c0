"""Descriptions of children and supervisors; each refuses what cannot be run, with the value and what is allowed."""

import enum
import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import attrs

from runtime.cell import BRUTAL, DEFAULT_LIMIT
from runtime.errors import InvalidSpec, is_count

A = TypeVar("A")


class Restart(enum.Enum):
    """Who is started again after its own end."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # after an abnormal end
    TEMPORARY = "temporary"  # never, and its description goes with it


class Strategy(enum.Enum):
    """Who else is restarted when a child is."""

    ONE_FOR_ONE = "one_for_one"  # nobody
    ONE_FOR_ALL = "one_for_all"  # everybody
    REST_FOR_ONE = "rest_for_one"  # those started after it


class AutoShutdown(enum.Enum):
    """Whether the end of significant children ends the supervisor."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


@attrs.frozen
class Backoff:
    """Waits before a restart: first, then `factor` times longer up to `most`, each taken off by up to `jitter` of it.

    The waits begin anew when no restart of the child is left in the supervisor's window.
    """

    first: float
    most: float
    factor: float = 2.0
    jitter: float = 0.5

    def __attrs_post_init__(self) -> None:
        _require(self.first > 0, "Backoff.first", self.first, "seconds above 0")
        _require(self.most >= self.first, "Backoff.most", self.most, f"at least first ({self.first})")
        _require(self.factor >= 1, "Backoff.factor", self.factor, "at least 1")
        _require(0 <= self.jitter <= 1, "Backoff.jitter", self.jitter, "a share from 0 to 1")

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds before restart number `attempt` (from 1); chance is uniform in [0, 1)."""
        full = min(self.first * self.factor ** min(attempt - 1, 64), self.most)
        return full * (1 - self.jitter * chance)


@attrs.frozen
class Child(Generic[A]):
    """One child: `start` is a function that makes a new actor each time, or the description of a supervisor.

    `shutdown` is how many seconds a stop may take before the child is killed (BRUTAL kills at once, default 5 s for
    actors and unlimited for supervisors); `start_limit` bounds on_start; `name` is registered before on_start runs.
    """

    id: str
    start: "Callable[[], A] | Supervisor | DynamicSupervisor"
    restart: Restart = Restart.PERMANENT
    shutdown: float | None = None
    significant: bool = False
    backoff: Backoff | None = None
    start_limit: float | None = None
    name: Hashable | None = None

    def __attrs_post_init__(self) -> None:
        _require(_is_id(self.id), "Child.id", self.id, "a text without /")
        where = f"Child({self.id!r})"
        _require(
            callable(self.start) or isinstance(self.start, Supervisor | DynamicSupervisor),
            f"{where}.start", self.start, "a function that makes an actor, a Supervisor or a DynamicSupervisor",
        )  # fmt: skip
        _require(isinstance(self.restart, Restart), f"{where}.restart", self.restart, "a Restart")
        _require(
            self.shutdown is None or _seconds(self.shutdown),
            f"{where}.shutdown", self.shutdown, "seconds of at least 0 (BRUTAL), or math.inf",
        )  # fmt: skip
        _require(
            self.start_limit is None or (_seconds(self.start_limit) and self.start_limit > 0),
            f"{where}.start_limit", self.start_limit, "seconds above 0",
        )  # fmt: skip
        _require(isinstance(self.significant, bool), f"{where}.significant", self.significant, "True or False")
        _require(
            self.backoff is None or isinstance(self.backoff, Backoff),
            f"{where}.backoff", self.backoff, "a Backoff or None",
        )  # fmt: skip

    @property
    def is_supervisor(self) -> bool:
        """Whether the child supervises others."""
        return isinstance(self.start, Supervisor | DynamicSupervisor)

    @property
    def limit(self) -> float:
        """Seconds that a stop may take."""
        if self.shutdown is not None:
            return self.shutdown
        return math.inf if self.is_supervisor else DEFAULT_LIMIT


def _as_tuple(children: "Iterable[Child[Any]]") -> "tuple[Child[Any], ...]":
    return tuple(children)


@attrs.frozen
class Supervisor:
    """Fixed children, started in order and stopped in reverse.

    More than `max_restarts` restarts within `within` seconds end the supervisor; that counts as a failure
    of its own to the supervisor above, so budgets multiply with each level: keep inner ones small.
    """

    children: tuple[Child[Any], ...] = attrs.field(default=(), converter=_as_tuple)
    strategy: Strategy = Strategy.ONE_FOR_ONE
    max_restarts: int = 3
    within: float = 5.0
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER

    def __attrs_post_init__(self) -> None:
        _require(isinstance(self.strategy, Strategy), "Supervisor.strategy", self.strategy, "a Strategy")
        check_budget("Supervisor", self.max_restarts, self.within)
        _require(
            isinstance(self.auto_shutdown, AutoShutdown),
            "Supervisor.auto_shutdown", self.auto_shutdown, "an AutoShutdown",
        )  # fmt: skip
        seen = set()
        for child in self.children:
            check_child(child, self.auto_shutdown)
            _require(child.id not in seen, "Supervisor.children", child.id, "an id that no other child has")
            seen.add(child.id)


@attrs.frozen
class DynamicSupervisor:
    """Children that come and go under their ids, one for one, stopped all at once; at most `max_children`."""

    max_children: int | None = None
    max_restarts: int = 3
    within: float = 5.0

    def __attrs_post_init__(self) -> None:
        check_budget("DynamicSupervisor", self.max_restarts, self.within)
        _require(
            self.max_children is None or is_count(self.max_children),
            "DynamicSupervisor.max_children", self.max_children, "a whole number of at least 0, or None",
        )  # fmt: skip


def check_child(child: object, auto_shutdown: AutoShutdown) -> None:
    """Refuses what is no child, and a significant one that could never have its effect."""
    if not isinstance(child, Child):
        raise InvalidSpec("child", child, "a Child")
    if child.significant and auto_shutdown is AutoShutdown.NEVER:
        raise InvalidSpec(
            f"Child({child.id!r}).significant", True, "False, because the supervisor's auto_shutdown is never"
        )
    if child.significant and child.restart is Restart.PERMANENT:
        raise InvalidSpec(
            f"Child({child.id!r}).significant", True, "False for a permanent child, which always restarts"
        )


def check_budget(what: str, max_restarts: object, within: object) -> None:
    """Refuses a restart budget that is not a count within a time."""
    _require(is_count(max_restarts), f"{what}.max_restarts", max_restarts, "a whole number of at least 0")
    _require(_seconds(within) and bool(within), f"{what}.within", within, "seconds above 0")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "/" not in value


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _require(fine: object, field: str, value: object, expected: str) -> None:
    if not fine:
        raise InvalidSpec(field, value, expected)


__all__ = [
    "BRUTAL", "AutoShutdown", "Backoff", "Child", "DynamicSupervisor", "Restart", "Strategy", "Supervisor",
]  # fmt: skip
