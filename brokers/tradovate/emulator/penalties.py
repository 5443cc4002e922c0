"""Time penalties: a caller waits with a ticket, and one that goes on without waiting is blocked; no I/O."""

import random
from typing import Any, Final

import attrs

from brokers.tradovate.emulator.words import SECOND_NS, RefusedError

HAMMERING: Final = 20  # calls during one penalty after which a caller is blocked
BLOCKED_SECONDS: Final = 3_600
CAPTCHA_SECONDS: Final = 3_600


@attrs.define(eq=False)
class _Penalty:
    ticket: str
    until_ns: int
    captcha: bool
    calls: int = 0


class Penalties:
    """The penalties of one address, by what it asked for."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._standing: dict[str, _Penalty] = {}
        self._blocked_until_ns = 0

    def check(self, subject: str, ticket: object, now_ns: int) -> dict[str, Any] | None:
        """What a call is told that must wait; None lets it pass. Raises RefusedError (429) for the blocked.

        A ticket counts when its time is over; a call without it begins a wait of one second.
        """
        if now_ns < self._blocked_until_ns:
            raise RefusedError(429)
        standing = self._standing.get(subject)
        if standing is None:
            return None
        over = now_ns >= standing.until_ns
        if over and (standing.captcha or ticket == standing.ticket):
            del self._standing[subject]
            return None
        if over:
            standing.until_ns = now_ns + SECOND_NS
        standing.calls += 1
        if standing.calls >= HAMMERING:
            self._blocked_until_ns = now_ns + BLOCKED_SECONDS * SECOND_NS
            raise RefusedError(429)
        return _told(standing, now_ns)

    def impose(self, subject: str, seconds: float, now_ns: int, *, captcha: bool = False) -> dict[str, Any]:
        """Begins a penalty; what the caller is told."""
        ticket = f"{self._chance.getrandbits(128):032x}"
        standing = _Penalty(ticket, now_ns + int(seconds * SECOND_NS), captcha)
        self._standing[subject] = standing
        return _told(standing, now_ns)

    def lift(self) -> None:
        """Ends all penalties, as the support does for a person who asks."""
        self._standing.clear()
        self._blocked_until_ns = 0


def _told(standing: _Penalty, now_ns: int) -> dict[str, Any]:
    seconds = -(-(standing.until_ns - now_ns) // SECOND_NS)
    return {"p-ticket": standing.ticket, "p-time": max(seconds, 1), "p-captcha": standing.captcha}
