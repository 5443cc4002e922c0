"""How long to wait before the next attempt: exponential growth with full jitter."""

import random

import attrs

from brokers.guards.timeline import SECOND_NS


@attrs.frozen
class Backoff:
    """Delay n is uniform in [0, min(cap, base x 2^n)]."""

    base_ns: int = attrs.field(default=SECOND_NS // 2, validator=attrs.validators.gt(0))
    cap_ns: int = attrs.field(default=15 * SECOND_NS, validator=attrs.validators.gt(0))

    def ceiling_ns(self, attempt: int) -> int:
        """The longest delay before attempt n, counted from 0."""
        doublings = min(attempt, self.cap_ns.bit_length())  # beyond that the cap holds anyway
        return min(self.cap_ns, self.base_ns << doublings)

    def delay_ns(self, attempt: int, chance: random.Random) -> int:
        """A delay for attempt n, counted from 0."""
        return chance.randint(0, self.ceiling_ns(attempt))
