"""What a supervisor decides, as a table of children and functions of (table, event, now): no I/O, no clock, no tasks.

The rules are OTP's, with exact time in the restart window: an entry counts while `now - entry <= within`.
"""

import enum
from collections import deque
from typing import Any

import attrs

from runtime.reasons import AutoShutdown as AutoShutdownDetail
from runtime.reasons import GaveUp, Reason, Shutdown, is_normal
from runtime.spec import AutoShutdown, Child, Restart, Strategy


class State(enum.Enum):
    """What a child's entry says of its instance."""

    DOWN = "down"
    UP = "up"
    RESTARTING = "restarting"


@attrs.define(eq=False)
class Entry:
    """One child: its description, its state, how often it was started and how it was restarted lately."""

    child: Child[Any]
    state: State = State.DOWN
    starts: int = 0
    attempts: int = 0
    up_since: float = 0.0
    ticket: int = 0  # a retry that carries an older ticket is out of date


@attrs.frozen
class Stay:
    """Nobody else is touched."""


@attrs.frozen
class Bring:
    """The child, and those that go with it, are to be brought back."""

    child: str


@attrs.frozen
class Leave:
    """The supervisor ends."""

    reason: Reason


Verdict = Stay | Bring | Leave


class Roster:
    """The children of one supervisor in their start order."""

    def __init__(
        self,
        strategy: Strategy,
        max_restarts: int,
        within: float,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        *,
        keeps_ended: bool = True,
    ) -> None:
        self.strategy = strategy
        self.max_restarts = max_restarts
        self.within = within
        self.auto_shutdown = auto_shutdown
        self.keeps_ended = keeps_ended
        self.entries: dict[str, Entry] = {}
        self.window: deque[float] = deque()

    # Facts.

    def add(self, child: Child[Any]) -> Entry:
        """Appends a child at the end of the start order."""
        entry = self.entries[child.id] = Entry(child)
        return entry

    def came_up(self, child_id: str, now: float) -> None:
        """A start succeeded."""
        entry = self.entries[child_id]
        entry.state = State.UP
        entry.up_since = now

    def went_down(self, child_id: str) -> None:
        """An instance was stopped on purpose, or its start said ignore; a temporary child is forgotten."""
        entry = self.entries[child_id]
        entry.state = State.DOWN
        if entry.child.restart is Restart.TEMPORARY or not self.keeps_ended:
            del self.entries[child_id]

    def start_failed(self, child_id: str) -> None:
        """A start failed in the course of a restart; it is to be tried again."""
        self.entries[child_id].state = State.RESTARTING

    # Decisions.

    def ended(self, child_id: str, reason: Reason, now: float) -> Verdict:
        """An instance ended by itself."""
        entry = self.entries[child_id]
        entry.state = State.DOWN
        kind = entry.child.restart
        if kind is Restart.PERMANENT or (kind is Restart.TRANSIENT and not is_normal(reason)):
            return self.restart(child_id, reason, now)
        if kind is Restart.TEMPORARY or not self.keeps_ended:
            del self.entries[child_id]
        if entry.child.significant and self._shuts_down():
            return Leave(Shutdown(AutoShutdownDetail(child_id)))
        return Stay()

    def _shuts_down(self) -> bool:
        if self.auto_shutdown is AutoShutdown.ALL_SIGNIFICANT:
            return not any(e.child.significant and e.state is not State.DOWN for e in self.entries.values())
        return self.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT

    def restart(self, child_id: str, reason: Reason, now: float) -> Verdict:
        """Enters one restart into the window and decides whether there is still budget for it."""
        window = self.window
        window.append(now)
        while now - window[0] > self.within:
            window.popleft()
        if len(window) > self.max_restarts:
            return Leave(Shutdown(GaveUp(child_id, reason, self.max_restarts, self.within)))
        entry = self.entries[child_id]
        if now - entry.up_since > self.within:
            entry.attempts = 0
        entry.attempts += 1
        entry.state = State.RESTARTING
        return Bring(child_id)

    def delay(self, child_id: str, chance: float) -> float:
        """How long to wait before the child is brought back."""
        entry = self.entries[child_id]
        return entry.child.backoff.delay(entry.attempts, chance) if entry.child.backoff else 0.0

    def group(self, child_id: str) -> list[str]:
        """The child and those that are restarted with it, in start order."""
        if self.strategy is Strategy.ONE_FOR_ONE:
            return [child_id]
        ids = list(self.entries)
        return ids[ids.index(child_id) :] if self.strategy is Strategy.REST_FOR_ONE else ids

    def victims(self, child_id: str) -> list[str]:
        """Who of the group must be stopped before it is started again, in the order of stopping."""
        return [i for i in reversed(self.group(child_id)) if self.entries[i].state is State.UP]
