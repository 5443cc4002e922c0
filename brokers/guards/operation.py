"""What is guarded: a broker's operations, what they cost, and what a broker tells of its limits."""

import enum

import attrs


class Priority(enum.IntEnum):
    """Who goes first where calls must wait; KILL and REDUCE may also spend the reserve of each limit."""

    KILL = 0  # the kill switch: no breaker and no full pool holds it up
    REDUCE = 1  # cancels and orders that only reduce risk
    ORDER = 2  # orders that add risk, and whatever keeps the login alive
    QUERY = 3  # reads that somebody waits for
    BACKGROUND = 4  # history, health checks, housekeeping


class Kind(enum.Enum):
    """A class of operations with its own breaker."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    SUBMIT = "submit"  # places or replaces an order
    CANCEL = "cancel"  # cancels by id
    READ = "read"
    SESSION = "session"  # logins, token refreshes, opening of streams

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice has the effect of doing it once."""
        return self in _REPEATABLE


_REPEATABLE = frozenset({Kind.CANCEL, Kind.READ})
_POOLS = {Kind.SUBMIT: "orders", Kind.CANCEL: "cancels", Kind.READ: "reads", Kind.SESSION: "sessions"}
_PRIORITIES = {
    Kind.SUBMIT: Priority.ORDER,
    Kind.CANCEL: Priority.REDUCE,
    Kind.READ: Priority.QUERY,
    Kind.SESSION: Priority.ORDER,
}


@attrs.frozen
class Charge:
    """What one call costs on one limit."""

    limit: str
    cost: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class Operation:
    """One kind of call a broker room makes; `category` is what a quota pause of the broker stops."""

    name: str
    kind: Kind
    charges: tuple[Charge, ...] = ()
    category: str = ""
    pool: str = attrs.field(default=attrs.Factory(lambda self: _POOLS[self.kind], takes_self=True))
    priority: Priority = attrs.field(default=attrs.Factory(lambda self: _PRIORITIES[self.kind], takes_self=True))


@attrs.frozen
class Usage:
    """A limit's state as the broker reports it: `used` or `remaining`, and the time to its reset if told.

    A quota refusal that names no time is `remaining=0`.
    """

    limit: str
    used: int | None = None
    remaining: int | None = None
    resets_in_ns: int | None = None


@attrs.frozen
class Pause:
    """The broker's demand to stay away for a while; without a category the whole host is meant."""

    for_ns: int
    reason: str
    category: str = ""
