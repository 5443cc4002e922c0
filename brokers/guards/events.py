"""What the guards tell: facts for the journal, the alerts and the operator, each told once."""

from collections.abc import Callable

import attrs

from brokers.guards.breaker import Transition
from brokers.guards.operation import Kind
from brokers.guards.pauses import CANCELS, COMMANDS, HOST
from brokers.guards.skew import ClockMoved


@attrs.frozen
class BreakerMoved:
    """A breaker changed its phase."""

    connection: str
    kind: Kind
    transition: Transition


@attrs.frozen
class PauseBegan:
    """A host, or one category of its calls, is left alone; `asked_ns` is longer than the pause if that was capped."""

    host: str
    category: str
    at_ns: int
    until_ns: int
    asked_ns: int
    reason: str

    @property
    def stops_trading(self) -> bool:
        """Whether orders cannot be placed meanwhile, or not be cancelled: who cannot cancel should add no risk."""
        return self.category in (HOST, COMMANDS, CANCELS)

    @property
    def scope(self) -> str:
        """What is left alone, in words."""
        return f"{self.host}: {self.category}" if self.category else self.host

    @property
    def capped(self) -> bool:
        """Whether the broker asked for more than we grant: a human should look."""
        return self.asked_ns > self.until_ns - self.at_ns


@attrs.frozen
class BudgetSpent:
    """A call was not repeated because too many repeats were made lately."""

    host: str
    operation: str
    at_ns: int


GuardEvent = BreakerMoved | PauseBegan | BudgetSpent | ClockMoved
Tell = Callable[[GuardEvent], None]  # is called between two steps of a guard, so it must neither raise nor wait
