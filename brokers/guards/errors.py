"""Refusals of our own guards, as part of the tree of broker errors: nothing was sent, the effect is definite.

GuardRefused
├── BreakerOpen    (ConnectionFailed)  the broker keeps failing this kind of operation
├── LimitReached   (RateLimited)       no room under a rate limit before the caller's deadline
├── Paused         (RateLimited)       the broker told us to stay away until after the deadline
├── PoolFull       (RateLimited)       as many calls as allowed were under way until the deadline
├── QueueFull      (RateLimited)       too many calls wait already
├── CostTooLarge   (RateLimited)       the call can never fit under the limit
└── Withdrawn      (RiskRefused)       its turn has come, and by now it may not be sent any more

UnknownName                            an operation names a limit or pool that was never declared
"""

from typing import Self

import attrs

from brokers.errors import BrokerError, Code, ConnectionFailed, RateLimited, RiskRefused


@attrs.frozen
class GuardRefused(BrokerError):
    """A guard kept the call back, so it is safe to make it again; `retry_after_ns` is None if nobody knows when."""

    operation: str = attrs.field(kw_only=True)


@attrs.frozen
class BreakerOpen(GuardRefused, ConnectionFailed):
    """The broker keeps failing this kind of operation, so we leave it alone for a while."""

    kind: str = attrs.field(kw_only=True)

    @classmethod
    def of(cls, broker: str, operation: str, kind: str, wait_ns: int) -> Self:
        """The refusal; a wait of 0 means that the single probe is under way."""
        probing = "" if wait_ns else ", its probe is under way"
        text = f"{operation} was not sent: the breaker for {kind} is open{probing}"
        return cls(broker, Code.BREAKER_OPEN, text, retry_after_ns=wait_ns, operation=operation, kind=kind)


@attrs.frozen
class LimitReached(GuardRefused, RateLimited):
    """A rate limit leaves no room before the caller's deadline."""

    limit: str = attrs.field(kw_only=True)

    @classmethod
    def of(cls, broker: str, operation: str, limit: str, wait_ns: int) -> Self:
        """The refusal; there may be room after the wait, if others leave it."""
        text = f"{operation} was not sent: limit {limit} has no room before the deadline"
        return cls(broker, Code.RATE_LIMITED, text, retry_after_ns=wait_ns, operation=operation, limit=limit)


@attrs.frozen
class Paused(GuardRefused, RateLimited):
    """The broker told us to stay away until after the caller's deadline; no category means the whole host."""

    category: str = attrs.field(kw_only=True)

    @classmethod
    def of(cls, broker: str, operation: str, category: str, reason: str, wait_ns: int) -> Self:
        """The refusal."""
        scope = f"category {category}" if category else "the whole host"
        text = f"{operation} was not sent: {scope} is paused ({reason})"
        return cls(broker, Code.RATE_LIMITED, text, retry_after_ns=wait_ns, operation=operation, category=category)


@attrs.frozen
class PoolFull(GuardRefused, RateLimited):
    """As many calls as the pool allows were under way until the caller's deadline."""

    pool: str = attrs.field(kw_only=True)
    size: int = attrs.field(kw_only=True)

    @classmethod
    def of(cls, broker: str, operation: str, pool: str, size: int) -> Self:
        """The refusal."""
        text = f"{operation} was not sent: {size} calls of pool {pool} were under way until the deadline"
        return cls(broker, Code.RATE_LIMITED, text, operation=operation, pool=pool, size=size)


@attrs.frozen
class QueueFull(GuardRefused, RateLimited):
    """So many calls wait for their turn already that another one makes no sense."""

    waiting: int = attrs.field(kw_only=True)

    @classmethod
    def of(cls, broker: str, operation: str, waiting: int) -> Self:
        """The refusal."""
        text = f"{operation} was not sent: {waiting} calls wait for their turn already"
        return cls(broker, Code.RATE_LIMITED, text, operation=operation, waiting=waiting)


@attrs.frozen
class CostTooLarge(GuardRefused, RateLimited):
    """The call costs more than the limit ever allows: it must be split."""

    limit: str = attrs.field(kw_only=True)
    cost: int = attrs.field(kw_only=True)
    most: int = attrs.field(kw_only=True)

    @classmethod
    def of(cls, broker: str, operation: str, limit: str, cost: int, most: int) -> Self:
        """The refusal."""
        text = f"{operation} was not sent: it costs {cost} on limit {limit}, which never allows more than {most}"
        return cls(broker, Code.RATE_LIMITED, text, operation=operation, limit=limit, cost=cost, most=most)


@attrs.frozen
class Withdrawn(GuardRefused, RiskRefused):
    """Its turn has come, and by now it may not be sent any more."""

    @classmethod
    def of(cls, broker: str, operation: str, why: str) -> Self:
        """The refusal."""
        return cls(broker, Code.RISK_LIMIT_EXCEEDED, f"{operation} was not sent after all: {why}", operation=operation)


class UnknownName(LookupError):
    """An operation names a limit or pool that was never declared: a mistake in the broker's room."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        declared = ", ".join(known) or "none"
        super().__init__(f"no {what} is called {name!r}, declared are: {declared}; declare it or correct the name")
        self.name = name
        self.known = known
