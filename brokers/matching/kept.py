"""What a venue must not forget, as plain values: its orders, what ties them, and where its counters stand.

An order that is put back is good for the same size at the same terms, with what it has filled, what it waits for and
where its stop has trailed to. Its place in a queue is lost: a limit order rests behind a size that nobody knows, so
what it gets is its own price. Commands that were still on their way to the venue are not here; nobody had an answer.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs
import msgspec

from brokers.market import MarketStatus
from brokers.matching.events import Hold
from brokers.matching.groups import Group
from brokers.matching.orders import Tie, Working
from brokers.matching.prices import ZERO
from brokers.model import Order, OrderState


class KeptOrder(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One order at one moment."""

    number: int
    account: str
    order: Order
    priority: int
    entered_ns: int
    live: Decimal
    time_ns: int
    sequence: int
    hold: Hold | None = None
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    state: OrderState = OrderState.WORKING
    reason: str = ""
    triggered: bool = False
    stop: Decimal | None = None
    best: Decimal | None = None

    @classmethod
    def of(cls, working: Working) -> "KeptOrder":
        """The order as it is now."""
        return cls(
            working.number,
            working.account,
            working.order,
            working.priority,
            working.entered_ns,
            working.live,
            working.time_ns,
            working.sequence,
            working.hold,
            working.filled,
            working.cost,
            working.state,
            working.reason,
            working.triggered,
            working.stop,
            working.best,
        )

    def working(self) -> Working:
        """The order as the venue holds it, in no market yet; a limit order that may rest does."""
        working = Working(
            number=self.number,
            account=self.account,
            order=self.order,
            priority=self.priority,
            entered_ns=self.entered_ns,
            live=self.live,
            hold=self.hold,
            filled=self.filled,
            cost=self.cost,
            state=self.state,
            reason=self.reason,
            triggered=self.triggered,
            stop=self.stop,
            best=self.best,
            time_ns=self.time_ns,
            sequence=self.sequence,
        )
        working.resting = working.limit is not None and not working.immediate and not working.watching
        return working


class KeptTie(msgspec.Struct, frozen=True):
    """A group at one moment, with its orders as they were then."""

    key: str
    state: Group
    parent: KeptOrder | None
    legs: tuple[KeptOrder, ...]

    @classmethod
    def of(cls, tie: Tie) -> "KeptTie":
        """The group as it is now."""
        parent = None if tie.parent is None else KeptOrder.of(tie.parent)
        return cls(tie.key, tie.state, parent, tuple(map(KeptOrder.of, tie.legs)))

    @property
    def number(self) -> int:
        """What tells it apart: the number of its first leg."""
        return self.legs[0].number

    @property
    def members(self) -> tuple[KeptOrder, ...]:
        """The parent, where there is one, and the legs."""
        return self.legs if self.parent is None else (self.parent, *self.legs)

    def tied(self, workings: Mapping[int, Working]) -> Tie:
        """The tie between the orders as the venue holds them; those it has forgotten are over."""
        parent = None if self.parent is None else _found(self.parent, workings)
        tie = Tie(self.key, self.state, parent, tuple(_found(leg, workings) for leg in self.legs))
        for index, working in enumerate(tie.legs):
            working.tie, working.leg = tie, index
        if tie.parent is not None:
            tie.parent.tie = tie
        return tie


def _found(kept: KeptOrder, workings: Mapping[int, Working]) -> Working:
    """An order of a group, or one in its stead that is over: it ended, and was forgotten."""
    working = workings.get(kept.number)
    if working is None:
        working = kept.working()
        working.state = working.state if working.state.final else OrderState.CANCELED
    return working


class KeptMarket(msgspec.Struct, frozen=True):
    """Whether a symbol's market was open, and whether its contract has been settled for ever."""

    status: MarketStatus
    settled: bool = False


@attrs.frozen
class VenueMemory:
    """All that an engine is put back to; markets and positions of symbols that it does not list are left out."""

    now_ns: int
    sequence: int  # of the last event
    number: int  # of the last order
    trade: int  # of the last execution
    open: Iterable[KeptOrder]
    finished: Iterable[KeptOrder]  # in the order in which they ended
    ties: Iterable[KeptTie]
    positions: Mapping[tuple[str, str], Decimal]
    markets: Mapping[str, KeptMarket]
