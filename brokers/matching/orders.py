"""A working order as the venue holds it, and the tie between those of a group; only the desk changes them."""

from decimal import Decimal

import attrs

from brokers.matching.events import Hold
from brokers.matching.groups import Group
from brokers.matching.prices import ZERO
from brokers.model import Order, OrderReport, OrderState, OrderType, TimeInForce
from brokers.sides import Side

_TRIGGERED_TYPES = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_LIMITED_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@attrs.define(eq=False)
class Working:
    """One order from its acceptance to its end, with its place in time and in the queue."""

    number: int
    account: str
    order: Order
    priority: int  # place in time among the venue's own orders; lost by a change that loses the queue
    entered_ns: int  # since when it could have met the market under its present terms
    live: Decimal  # how much of the quantity is in force: less than all for a leg of a part-filled parent
    hold: Hold | None = None
    tie: "Tie | None" = None
    leg: int | None = None  # its index among the children; None for a parent and outside groups
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    state: OrderState = OrderState.WORKING
    reason: str = ""
    rank: Decimal = ZERO  # its key in the ladder that holds it
    resting: bool = False
    ahead: Decimal | None = None  # others' size before it in the queue; None: not known
    triggered: bool = False
    stop: Decimal | None = None  # where it triggers now; a trailing stop moves it
    best: Decimal | None = None  # the best price a trailing stop has seen
    lapse_ticket: int | None = None
    time_ns: int = 0
    sequence: int = 0
    side: Side = attrs.field(init=False)  # new terms never change it
    order_id: str = attrs.field(init=False)  # the venue's own name for it

    def __attrs_post_init__(self) -> None:
        self.side, self.order_id = self.order.side, str(self.number)

    @property
    def open(self) -> bool:
        """Whether the venue still has it."""
        return not self.state.final

    @property
    def limit(self) -> Decimal | None:
        """The worst price it trades at; None for a market order and for a stop that becomes one."""
        return self.order.limit_price if self.order.type in _LIMITED_TYPES else None

    @property
    def watching(self) -> bool:
        """Whether it waits for its trigger instead of for a trade."""
        return self.order.type in _TRIGGERED_TYPES and not self.triggered

    @property
    def immediate(self) -> bool:
        """Whether it may not rest."""
        return self.order.time_in_force in _IMMEDIATE

    @property
    def all_or_none(self) -> bool:
        """Whether it fills whole at once or not at all."""
        return self.order.time_in_force is TimeInForce.FOK

    @property
    def in_force(self) -> Decimal:
        """How much of it may still trade as things stand."""
        return self.live - self.filled

    def report(self) -> OrderReport:
        """What a query answers; a trailing stop shows where its stop stands."""
        order = self.order if self.stop is None else attrs.evolve(self.order, stop_price=self.stop)
        return OrderReport(
            order=order,
            account=self.account,
            state=self._word(),
            filled=self.filled,
            remaining=ZERO if self.state.final else self.order.quantity - self.filled,
            average_price=self.cost / self.filled if self.filled else None,
            broker_order_ids=(self.order_id,),
            time_ns=self.time_ns,
            sequence=self.sequence,
            reason=self.reason,
        )

    def _word(self) -> OrderState:
        if self.state.final:
            return self.state
        if self.filled:
            return OrderState.PARTIALLY_FILLED
        return OrderState.HELD if self.hold else OrderState.WORKING


@attrs.define(eq=False)
class Tie:
    """The orders of one group with the group's pure state."""

    key: str
    state: Group
    parent: Working | None
    legs: tuple[Working, ...]

    def member(self, leg: int | None) -> Working | None:
        """A leg by its index, or the parent."""
        return self.parent if leg is None else self.legs[leg]

    def others(self, working: Working) -> list[Working]:
        """The open orders it is tied to."""
        members = self.legs if self.parent is None else (self.parent, *self.legs)
        return [member for member in members if member is not working and member.open]
