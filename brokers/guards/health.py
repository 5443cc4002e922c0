"""Whether a connection answers: UP, DEGRADED after one missed check, DOWN after two; and what being ready takes.

Streams watch their own silence and reconnect themselves; this is about questions that get no answer.
"""

import enum
import random

import attrs

from brokers.guards.timeline import SECOND_NS


class State(enum.Enum):
    """The health of one connection."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@attrs.frozen
class Health:
    """The state and what it follows from; a connection that was just opened has answered."""

    misses: int = 0

    @property
    def state(self) -> State:
        """UP, DEGRADED or DOWN."""
        if self.misses >= 2:
            return State.DOWN
        return State.DEGRADED if self.misses else State.UP

    def after(self, *, answered: bool) -> "Health":
        """The health after one more check."""
        return Health(0 if answered else min(self.misses + 1, 2))


@attrs.frozen
class HealthMoved:
    """A connection's health changed; told once."""

    connection: str
    before: State
    after: State
    at_ns: int


@attrs.frozen
class Rhythm:
    """How often to check, and how long to wait for an answer."""

    every_ns: int = 30 * SECOND_NS
    jitter_percent: int = 10
    timeout_ns: int = 5 * SECOND_NS

    def pause_ns(self, chance: random.Random) -> int:
        """The time between the starts of two checks."""
        jitter_ns = self.every_ns * self.jitter_percent // 100
        return self.every_ns + chance.randint(-jitter_ns, jitter_ns)


@attrs.frozen
class Readiness:
    """Whether a session may trade, which is more than being alive."""

    journal: bool
    reconciled: bool
    token: bool
    stream: bool

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not in order, by name."""
        return tuple(name for name, fine in attrs.asdict(self).items() if not fine)
