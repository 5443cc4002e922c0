"""What a reconciliation finds, as a small closed union of facts: each is journalled, then folded into the books.

Ids of what we make up ourselves are made of its content alone, so the same finding has the same id for ever.
"""

import enum
import hashlib
from typing import Final

import attrs

from brokers import order_events
from brokers.ledger import Correction
from brokers.lifecycle import OrderLife
from brokers.model import Fill, OrderState
from runtime.quick import quick

_ID_LENGTH: Final = 20


def made_up_id(kind: str, *content: object) -> str:
    """The id of something that the broker gave none; equal content has an equal id."""
    text = "\x1f".join(str(part) for part in content)
    return f"{kind}/{hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]}"


@quick
@attrs.frozen(weakref_slot=False)
class OrderEvent:
    """Something to fold into an order's life with `brokers.lifecycle.advance`."""

    key: str
    event: order_events.Event


@attrs.frozen
class Adopted:
    """An order at the broker that was not in our books; `session` claimed it, None is EXTERNAL."""

    key: str
    life: OrderLife
    session: str | None
    wall_ns: int
    sketched: bool = False  # known from its fills alone


@attrs.frozen
class ExternalFill:
    """An execution of no order in our books; it counts for the account and for `fill.session`."""

    fill: Fill


@attrs.frozen
class InferredFill:
    """A fill that a report counts and no execution shows: for the ledger alone, the order counts it already."""

    fill: Fill


@attrs.frozen
class Superseded:
    """Executions arrived for a synthetic fill: the ledger takes it back, but for what is still not explained."""

    correction: Correction


class Cause(enum.Enum):
    """Why a position was corrected."""

    UNEXPLAINED = "unexplained"
    EXPIRY = "expiry"


@attrs.frozen
class PositionCorrected:
    """A synthetic fill that brings a position to what the broker holds; for the ledger."""

    fill: Fill
    position_id: str | None
    cause: Cause


@attrs.frozen
class NeverSent:
    """The order was journalled but no attempt was: nothing left the process; its life ends REJECTED."""

    key: str


@attrs.frozen
class NotAccepted:
    """The order is proved absent; its life ends REJECTED, and its key is watched."""

    key: str


class Remedy(enum.Enum):
    """What to do with an order that shows up after it was held for dead."""

    CANCEL = "cancel"
    FLATTEN = "flatten"  # cancel it, and close what it filled
    KEEP = "keep"


@attrs.frozen
class LateAcceptance:
    """An order held for dead lives: `life` replaces the one known, and `remedy` is what to do about it."""

    key: str
    life: OrderLife
    session: str | None
    wall_ns: int
    remedy: Remedy


@attrs.frozen
class Escalated:
    """What became of an order cannot be decided without a person; `candidates` are broker order ids."""

    key: str
    why: str
    candidates: tuple[str, ...] = ()


@attrs.frozen
class Resolved:
    """A person decided what became of an order."""

    key: str
    user: str
    words: str
    wall_ns: int


Event = (
    OrderEvent
    | Adopted
    | ExternalFill
    | InferredFill
    | Superseded
    | PositionCorrected
    | NeverSent
    | NotAccepted
    | LateAcceptance
    | Escalated
    | Resolved
)

PROVED_ABSENT: Final = order_events.Reconciled(OrderState.REJECTED)
"""What NotAccepted means to an order's life."""


class Concern(enum.Enum):
    """What an alert is about."""

    QUARANTINED = "quarantined"  # the broker said what cannot be
    CONTRADICTION = "contradiction"  # the broker's word does not fit what is proved
    OVERFILL = "overfill"
    LATE_FILL = "late_fill"
    LATE_ACCEPTANCE = "late_acceptance"
    ESCALATED = "escalated"
    EXTERNAL = "external"
    POSITION = "position"
    AVERAGE = "average"
    INFERRED = "inferred"


@attrs.frozen
class Alert:
    """Something a person should know; told once as long as it stands."""

    concern: Concern
    subject: str
    text: str


@attrs.frozen
class Ask:
    """A targeted question wanted before the next cycle."""

    key: str
    broker_order_id: str | None
