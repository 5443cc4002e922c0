"""What the end of an attempt teaches the guards: whether it may be repeated, and how the broker fares."""

import enum

import attrs

from brokers.errors import BrokerError, Certainty, Code
from brokers.guards.errors import GuardRefused, Withdrawn
from brokers.outcome import NotSent, Unknown


class Fate(enum.Enum):
    """What is known of one attempt's effect."""

    SETTLED = "settled"  # done, or refused by the broker: repeating makes no sense
    NOT_SENT = "not sent"  # it had no effect
    UNKNOWN = "unknown"  # it may have had one


@attrs.frozen
class Lesson:
    """The fate of an attempt, whether it speaks for the broker's health (None: neither way), and a wait demanded."""

    fate: Fate
    good: bool | None
    limited: bool = False
    wait_ns: int | None = None

    @property
    def invites_repeat(self) -> bool:
        """Whether the same request may fare better later: it failed on the way or came too early."""
        return self.good is not True


GOOD = Lesson(Fate.SETTLED, good=True)

_FAILURES = frozenset({Code.CONNECTION_FAILED, Code.GATEWAY_NOT_RUNNING, Code.TIMEOUT, Code.API_ERROR, Code.UNKNOWN})
_LIMITED = frozenset({Code.RATE_LIMITED, Code.LOGIN_PENALTY})
_NEVER_LEFT = frozenset({Code.CONNECTION_FAILED, Code.GATEWAY_NOT_RUNNING, Code.BREAKER_OPEN}) | _LIMITED


def lesson_of(result: object) -> Lesson:
    """The lesson of what an attempt returned: outcomes of orders are read, everything else is an answer."""
    if isinstance(result, NotSent):
        return _lesson(result.error, Fate.NOT_SENT)
    if isinstance(result, Unknown):
        return _lesson(result.error, Fate.UNKNOWN)
    return GOOD


def lesson_of_error(error: Exception) -> Lesson:
    """The lesson of what an attempt raised; an error nobody declared speaks against the broker."""
    if not isinstance(error, BrokerError):
        return Lesson(Fate.UNKNOWN, good=False)
    if error.certainty is Certainty.UNKNOWN:
        return _lesson(error, Fate.UNKNOWN)
    if error.code in _NEVER_LEFT:
        return _lesson(error, Fate.NOT_SENT)
    return _lesson(error, Fate.UNKNOWN if error.code in _FAILURES else Fate.SETTLED)


def _lesson(error: BrokerError, fate: Fate) -> Lesson:
    if isinstance(error, Withdrawn):
        return Lesson(Fate.SETTLED, good=None)
    if isinstance(error, GuardRefused):
        return Lesson(fate, good=None)  # of another call this one needed: it tells nothing of the broker
    limited = error.code in _LIMITED
    return Lesson(fate, None if limited else error.code not in _FAILURES, limited, error.retry_after_ns)
