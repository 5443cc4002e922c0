"""What a venue answers: one frozen event for each thing that happened, in one strictly increasing sequence."""

import enum
from decimal import Decimal

import attrs

from brokers.model import Fill, Order, OrderReport
from runtime.quick import quick


class Code(enum.Enum):
    """Why a venue says no."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    DUPLICATE_KEY = "duplicate_key"
    BAD_QUANTITY = "bad_quantity"
    BAD_PRICE = "bad_price"
    BAD_TERMS = "bad_terms"
    BAD_GROUP = "bad_group"
    CLOSED = "closed"
    SETTLED = "settled"
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    SELF_CROSS = "self_cross"
    NO_PRICE = "no_price"
    MARGIN = "margin"
    RISK = "risk"
    UNKNOWN_ORDER = "unknown_order"
    TOO_LATE = "too_late"


@quick
@attrs.frozen(weakref_slot=False)
class Refusal:
    """A no with its code for programs and its sentence for people."""

    code: Code
    sentence: str


class CancelReason(enum.Enum):
    """Why an order ended before it was filled or its time was up."""

    REQUESTED = "requested"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"
    POST_ONLY = "post_only"  # it would have taken when its first data came
    REDUCE_ONLY = "reduce_only"  # nothing was left to reduce
    SIBLING_TRADED = "sibling_traded"
    SIBLING_ENDED = "sibling_ended"
    PARENT_ENDED = "parent_ended"
    EXIT_TRADED = "exit_traded"  # an exit leg traded, so its entry stops


class ExpiryReason(enum.Enum):
    """Which clock ran out."""

    DAY_END = "day_end"
    GOOD_TILL = "good_till"
    SETTLED = "settled"


class Hold(enum.Enum):
    """Why an accepted order is not in the market."""

    PARENT = "parent"
    HOURS = "hours"


class FillCause(enum.Enum):
    """What a fill was made of."""

    DISPLAYED = "displayed"  # size shown on the other side
    QUEUE = "queue"  # a trade at the order's price, its turn having come
    THROUGH = "through"  # the market traded beyond the order's price
    PRINT = "print"  # the last trade, where nothing is ever quoted
    IMPACT = "impact"  # beyond the display, by the venue's impact setting
    BAR = "bar"  # a bar's path


@quick
@attrs.frozen(weakref_slot=False)
class Event:
    """The head of every event; `known_ns` is when its owner learns of what happened at `time_ns`."""

    sequence: int
    time_ns: int
    known_ns: int
    account: str
    symbol: str
    key: str
    order_id: str  # the venue's own; empty for an order it never took


@quick
@attrs.frozen(weakref_slot=False)
class Accepted(Event):
    """The venue has the order; `held` says what keeps it out of the market, if anything."""

    order: Order
    held: Hold | None
    group: str | None


@quick
@attrs.frozen(weakref_slot=False)
class Rejected(Event):
    """The venue does not take the order, or, rarely, gives it back when its turn comes."""

    order: Order
    refusal: Refusal


@quick
@attrs.frozen(weakref_slot=False)
class AlreadyKnown(Event):
    """The key was used before; this is the order it stands for, and nothing new was done."""

    report: OrderReport


@quick
@attrs.frozen(weakref_slot=False)
class Released(Event):
    """An order that was held for its hours is in the market now."""


@quick
@attrs.frozen(weakref_slot=False)
class Triggered(Event):
    """A stop was reached: the order is a market or a limit order from here on."""

    price: Decimal
    ambiguous_bar: bool


@quick
@attrs.frozen(weakref_slot=False)
class Traded(Event):
    """One execution with the order's quantity facts after it."""

    fill: Fill
    filled: Decimal
    remaining: Decimal
    cause: FillCause
    ambiguous_bar: bool  # within one bar more than one outcome was possible, and the worse was taken


@quick
@attrs.frozen(weakref_slot=False)
class PartiallyFilled(Traded):
    """An execution that leaves the order alive."""


@quick
@attrs.frozen(weakref_slot=False)
class Filled(Traded):
    """The execution that completes the order."""


@quick
@attrs.frozen(weakref_slot=False)
class Canceled(Event):
    """The order is over, with whatever it had filled."""

    reason: CancelReason
    filled: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Expired(Event):
    """The order's time is up, with whatever it had filled."""

    reason: ExpiryReason
    filled: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Replaced(Event):
    """The order stands by its new terms, at the end of its queue unless its place was kept."""

    order: Order
    kept_place: bool


@quick
@attrs.frozen(weakref_slot=False)
class ReplaceRefused(Event):
    """The order, if there is one, stands by its old terms."""

    refusal: Refusal


@quick
@attrs.frozen(weakref_slot=False)
class CancelRefused(Event):
    """There was nothing to cancel, or no longer."""

    refusal: Refusal


@quick
@attrs.frozen(weakref_slot=False)
class LegActivated(Event):
    """A leg of a group comes into the market with `live` of its `quantity`."""

    group: str
    quantity: Decimal
    live: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class LegResized(Event):
    """A leg of a group is now good for `quantity`, of which `live` is in force."""

    group: str
    quantity: Decimal
    live: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Settled(Event):
    """The contract ended: the account's position was closed by the venue at this price."""

    quantity: Decimal  # of the position that was, signed
    price: Decimal


class MatchingError(Exception):
    """Something was handed to the engine that no venue could act on."""


class UnknownSymbolError(MatchingError, LookupError):
    """Market data or a status for a symbol that the venue does not list."""

    def __init__(self, symbol: str, listed: int) -> None:
        super().__init__(
            f"symbol {symbol!r} is not listed here ({listed} are); the event was ignored; list its instrument first"
        )
        self.symbol = symbol


class BadMarketDataError(MatchingError, ValueError):
    """Market data that contradicts itself; nothing was changed by it."""

    def __init__(self, data: object, why: str) -> None:
        super().__init__(f"{why}; the event was ignored and the venue is unchanged: {data!r}")
        self.data = data
        self.why = why
