"""Our side of a reconciliation: what we believe of one account, frozen at one moment.

Two clocks are in use. Ages and waits are counted on a monotonic clock (`..._ns`); only what is compared with a
broker's stamps is in wall time (`..._wall_ns`). Of an order that outlived its process the monotonic times mean
nothing any more, and the start of the present process stands for them.
"""

import enum
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Final

import attrs

from brokers.instruments import Instrument
from brokers.lifecycle import OrderLife
from brokers.model import Fill, Order
from brokers.reconciliation.events import Alert, Remedy
from runtime.quick import quick

SECOND_NS: Final = 1_000_000_000
HOUR_NS: Final = 3600 * SECOND_NS


@quick
@attrs.frozen(weakref_slot=False)
class Now:
    """One moment on both clocks."""

    ns: int
    wall_ns: int


class Mismatch(enum.Enum):
    """What to do with a position that no execution explains."""

    CORRECT = "correct"  # book a correction and say so
    HALT = "halt"  # book nothing and trade nothing until a person has looked


@attrs.frozen
class Policy:
    """How careful to be; what is configured for one account."""

    mismatch: Mismatch = Mismatch.CORRECT
    remedy: Remedy = Remedy.CANCEL
    adopt: bool = True  # take orders that are not ours into the books; otherwise alert only
    absence_strikes: int = 5  # listings in a row that must miss a confirmed order, while running
    position_strikes: int = 3  # readings in a row that must show the same difference, while running
    grace_ns: int = attrs.field(default=10 * SECOND_NS, validator=attrs.validators.le(10 * SECOND_NS))
    poll_ns: int = 5 * SECOND_NS
    skew_ns: int = 5 * SECOND_NS  # how far the broker's wall clock may be from ours
    watch_ns: int = 24 * HOUR_NS  # how long keys that were proved absent are looked out for
    remember_ns: int = 600 * SECOND_NS  # how long finished orders are kept in mind
    duplicate_intents: bool = False  # submit although an equal order is in doubt


@quick
@attrs.frozen(weakref_slot=False)
class Claim:
    """One order in our books; without a session it is EXTERNAL."""

    life: OrderLife
    session: str | None
    sent_ns: int = 0  # the last moment at which a request about it can have left
    sent_wall_ns: int = 0  # before the first attempt
    touched_ns: int = 0  # when we last learned something of it
    attempts: int = 1
    in_flight: int = 0  # requests whose end we wait for
    survived: bool = False  # it was read from the journal of a process that is gone
    expires_wall_ns: int | None = None  # when its time in force ends, where that is known
    escalated: str = ""  # why a person was asked
    sketched: bool = False  # known from its fills alone

    @property
    def key(self) -> str:
        """The order's key."""
        return self.life.order.key

    @property
    def confirmed(self) -> bool:
        """Whether the broker has ever shown that it has the order."""
        return bool(self.life.broker_order_ids) or self.life.filled > 0


@quick
@attrs.frozen(weakref_slot=False)
class Watched:
    """An order proved absent that is still looked out for."""

    order: Order
    session: str | None
    since_ns: int
    sent_wall_ns: int


HoldingKey = tuple[str, str | None]
"""A symbol, and the id of one of its positions where the broker keeps several."""


@quick
@attrs.frozen(weakref_slot=False)
class Holding:
    """What we hold in one position; the shares of the sessions sum to it."""

    quantity: Decimal
    average_price: Decimal | None  # None: flat, or not told since the last change
    shares: Mapping[str | None, Decimal] = attrs.field(factory=dict)
    touched_ns: int = 0

    def sole_owner(self) -> str | None:
        """The one session that holds all of it; None where there is no such."""
        owners = [session for session, quantity in self.shares.items() if quantity]
        return owners[0] if len(owners) == 1 else None


FLAT: Final = Holding(Decimal(0), None)


@quick
@attrs.frozen(weakref_slot=False)
class Misses:
    """How often in a row an order was not found where it had to be, by source."""

    listed: int = 0
    listed_ns: int = -1
    targeted: int = 0
    targeted_ns: int = -1


@quick
@attrs.frozen(weakref_slot=False)
class Strike:
    """How often in a row a position differed by the same quantity."""

    difference: Decimal
    count: int
    read_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class Notes:
    """What is remembered from one cycle to the next and may be lost: a restart only counts from nought again."""

    misses: Mapping[str, Misses] = attrs.field(factory=dict)
    strikes: Mapping[HoldingKey, Strike] = attrs.field(factory=dict)
    overdue_since_ns: Mapping[str, int] = attrs.field(factory=dict)
    owed_since_ns: Mapping[str, int] = attrs.field(factory=dict)
    alive: Mapping[str, int] = attrs.field(factory=dict)  # finished orders that the broker shows alive: when last
    asked_ns: Mapping[str, int] = attrs.field(factory=dict)
    alerts: frozenset[Alert] = frozenset()  # those that stand


@quick
@attrs.frozen(weakref_slot=False)
class Books:
    """All that we believe of one account."""

    broker: str
    account: str
    instruments: Mapping[str, Instrument]
    claims: Mapping[str, Claim] = attrs.field(factory=dict)
    holdings: Mapping[HoldingKey, Holding] = attrs.field(factory=dict)
    known_fills: AbstractSet[str] = frozenset()
    watched: Mapping[str, Watched] = attrs.field(factory=dict)
    inferred: Mapping[str, Fill] = attrs.field(factory=dict)  # synthetic fills that executions may still replace
    owners: Mapping[str, str] = attrs.field(factory=dict)  # symbols whose external orders a session has claimed
    policy: Policy = Policy()
    notes: Notes = Notes()
    started_ns: int = 0  # of this process
    starting: bool = False  # nothing is traded yet
    backlog: int = 0  # news that wait to be folded

    def last_send_ns(self, claim: Claim) -> int:
        """The last moment at which a request about the order can have left."""
        return max(claim.sent_ns, self.started_ns) if claim.survived else claim.sent_ns

    def sent_wall_ns(self, claim: Claim, now: Now) -> int:
        """When the order was sent first; a wall clock that was ahead then and was put right since does not count."""
        if claim.survived:
            return claim.sent_wall_ns
        return min(claim.sent_wall_ns, now.wall_ns - (now.ns - claim.sent_ns))

    def pruned(self, now: Now) -> "Books":
        """Without what no longer matters: finished orders, watches and synthetic fills that are old enough."""
        policy = self.policy
        return attrs.evolve(
            self,
            claims={key: claim for key, claim in self.claims.items() if not self._done(claim, now)},
            watched={
                key: watched for key, watched in self.watched.items() if now.ns - watched.since_ns < policy.watch_ns
            },
            inferred={id_: fill for id_, fill in self.inferred.items() if now.wall_ns - fill.time_ns < policy.watch_ns},
        )

    def _done(self, claim: Claim, now: Now) -> bool:
        life = claim.life
        quiet = now.ns - claim.touched_ns >= self.policy.remember_ns
        return life.state.final and quiet and not life.executions.owed and not claim.in_flight
