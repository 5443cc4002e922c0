"""I22 and I23: what is made up has an id made of its content, and a command is done once."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.checker.journalled import fields
from sessions.journal import Row

_LENGTH: Final = 20
_AGAIN: Final = 8  # how often a count may be taken back and come again


class IdsFollowFromContent(Invariant):
    """A fill that the daemon makes up is called by a hash of what it is made of, so a replay calls it the same."""

    name = "I22"

    def row(self, row: Row) -> None:
        """Computes the id anew."""
        if row.entry.kind != "books.inferred_fill":
            return
        fill = fields(row.entry.body)["fill"]
        order = self.scene.told.orders.get(fill["order_key"])
        if order is None:
            self.broken(f"row {row.seq} makes up a fill of {fill['order_key']}, which no row began")
            return
        counts = (*order.counts, order.reported, order.quantity)
        names = wanted = [_hashed(fill["broker"], fill["account"], order.key, f"{one.normalize():f}") for one in counts]
        for _ in range(_AGAIN):
            if fill["id"] in names:
                return
            names = [_hashed(name) for name in names]
        self.broken(f"row {row.seq}: the made-up fill {fill['id']} would be called {wanted[-1]} in a replay")


def _hashed(*content: str) -> str:
    """What a fill is called that was made up for a count of the broker, or again for what was taken back before."""
    text = "\x1f".join(content)
    return f"inferred/{hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]}"


class CommandsOnce(Invariant):
    """A command of one id begins once, whatever its sender repeats, and is answered after it began."""

    name = "I23"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._begun: dict[str, int] = {}
        self._answered: dict[str, Any] = {}

    def row(self, row: Row) -> None:
        """Looks at commands."""
        entry = row.entry
        if entry.stream != "commands" or entry.key is None:
            return
        if entry.kind == "command.begun":
            self._begun[entry.key] = self._begun.get(entry.key, 0) + 1
            if self._begun[entry.key] > 1:
                self.broken(f"row {row.seq}: the command {entry.key} is begun a second time")
        elif entry.key not in self._begun:
            self.broken(f"row {row.seq}: the command {entry.key} is answered and was never begun")
        elif self._answered.setdefault(entry.key, entry.body) != entry.body:
            self.broken(f"row {row.seq}: the command {entry.key} has a second answer")
