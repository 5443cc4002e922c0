"""What can happen to an order, in one vocabulary for all brokers, and what that brings to light.

Events are what `brokers.lifecycle` folds into an order's life and what the journal keeps; facts are what one event
showed beside the new life, for alerts and look-ups.
"""

from decimal import Decimal
from typing import ClassVar

import attrs

from brokers.errors import Code
from brokers.model import Change, Fill, OrderState
from runtime.quick import quick

# What we do.


@quick
@attrs.frozen(weakref_slot=False)
class Sent:
    """The first byte of the order may have left."""


@quick
@attrs.frozen(weakref_slot=False)
class CancelRequested:
    """We ask for a cancel; before the order lives, the wish is remembered and shows once it does."""


@quick
@attrs.frozen(weakref_slot=False)
class ReplaceRequested:
    """We ask for new terms."""

    change: Change


@quick
@attrs.frozen(weakref_slot=False)
class LostTouch:
    """We no longer know: a request timed out, a connection broke, an answer made no sense."""

    text: str = ""


@quick
@attrs.frozen(weakref_slot=False)
class Reconciled:
    """What reconciliation proved; it answers all pending requests and is the only way out of UNKNOWN."""

    state: OrderState
    filled: Decimal | None = None
    average_price: Decimal | None = None
    broker_order_id: str | None = None


# What the broker says.


@quick
@attrs.frozen(weakref_slot=False)
class Said:
    """A word of the broker; one about a replaced id is ignored, one without an id is about the id in force."""

    broker_order_id: str | None = attrs.field(default=None, kw_only=True)


@quick
@attrs.frozen(weakref_slot=False)
class Acknowledged(Said):
    """The broker has the order; whether it works is not said."""


@quick
@attrs.frozen(weakref_slot=False)
class Held(Said):
    """The broker keeps the order back for now."""

    word: ClassVar[OrderState] = OrderState.HELD


@quick
@attrs.frozen(weakref_slot=False)
class Working(Said):
    """The order is live."""

    word: ClassVar[OrderState] = OrderState.WORKING


@quick
@attrs.frozen(weakref_slot=False)
class Suspended(Said):
    """The order cannot execute now and may come back."""

    word: ClassVar[OrderState] = OrderState.SUSPENDED


@quick
@attrs.frozen(weakref_slot=False)
class Expired(Said):
    """The order ended by time."""

    word: ClassVar[OrderState] = OrderState.EXPIRED


@quick
@attrs.frozen(weakref_slot=False)
class CancelConfirmed(Said):
    """The order ended on request, ours or somebody else's; an HTTP 2xx to a cancel is not this."""

    word: ClassVar[OrderState] = OrderState.CANCELED


@quick
@attrs.frozen(weakref_slot=False)
class Rejected(Said):
    """The order never lived, even where it seemed to."""

    code: Code
    text: str = ""
    word: ClassVar[OrderState] = OrderState.REJECTED


@quick
@attrs.frozen(weakref_slot=False)
class CancelRefused(Said):
    """The cancel was refused; the order is where it was before."""

    code: Code
    text: str = ""


@quick
@attrs.frozen(weakref_slot=False)
class ReplaceRefused(Said):
    """The new terms were refused; the order is where it was before."""

    code: Code
    text: str = ""


@quick
@attrs.frozen(weakref_slot=False)
class ReplaceConfirmed(Said):
    """New terms are in force, those asked for unless given; a new `broker_order_id` ends the one before."""

    terms: Change | None = None


@quick
@attrs.frozen(weakref_slot=False)
class Filled:
    """An execution."""

    fill: Fill


@quick
@attrs.frozen(weakref_slot=False)
class Corrected:
    """An execution was restated as `fill`, under its own id or a new one."""

    execution_id: str
    fill: Fill


@quick
@attrs.frozen(weakref_slot=False)
class Busted:
    """An execution was declared void; a gateway tells of it before, for a count of the broker may hold it."""

    execution_id: str


@quick
@attrs.frozen(weakref_slot=False)
class Snapshot(Said):
    """The broker's view of the order; `filled` is cumulative over all its broker ids."""

    state: OrderState
    filled: Decimal | None = None
    average_price: Decimal | None = None


Event = (
    Sent
    | CancelRequested
    | ReplaceRequested
    | LostTouch
    | Reconciled
    | Acknowledged
    | Held
    | Working
    | Suspended
    | Expired
    | CancelConfirmed
    | Rejected
    | CancelRefused
    | ReplaceRefused
    | ReplaceConfirmed
    | Filled
    | Corrected
    | Busted
    | Snapshot
)


# What an event brought to light beside the new life.


@quick
@attrs.frozen(weakref_slot=False)
class LateFill:
    """A fill was booked after the order was final."""

    fill: Fill


@quick
@attrs.frozen(weakref_slot=False)
class Duplicate:
    """The execution was known, or void, and nothing was booked."""

    execution_id: str


@quick
@attrs.frozen(weakref_slot=False)
class Overfill:
    """More is filled than was ordered."""

    excess: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Owed:
    """The broker counts this much more than the executions we have seen."""

    quantity: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Behind:
    """A cumulative quantity below the one known was ignored."""

    filled: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Stale:
    """A word that lies behind the state, or an answer to no request, was ignored."""

    word: OrderState


@quick
@attrs.frozen(weakref_slot=False)
class LateLife:
    """The broker speaks of an order that was held for rejected: look at once, it may be alive."""

    word: OrderState


@quick
@attrs.frozen(weakref_slot=False)
class Withheld:
    """A word came while UNKNOWN; reconciliation has to prove it."""

    word: OrderState


@quick
@attrs.frozen(weakref_slot=False)
class OtherId:
    """A word about a broker id not in force was ignored: a `replaced` one, or perhaps a second order's."""

    broker_order_id: str
    replaced: bool


@quick
@attrs.frozen(weakref_slot=False)
class Restated:
    """A correction or bust changed what is filled; `reopened` tells that FILLED became CANCELED."""

    execution_id: str
    filled_before: Decimal
    reopened: bool


Fact = LateFill | Duplicate | Overfill | Owed | Behind | Stale | LateLife | Withheld | OtherId | Restated
