"""When an order may be sent: a first time beside others, and once more after an attempt without a result.

At most one attempt of an order may be alive at the broker. A second one needs either proof that the first was never
accepted, or a broker that promises to recognise the key; and then it must be the same order to the letter.
"""

import enum
from collections.abc import Iterable

import attrs

from brokers.capability import ClientKeys, KeyClass
from brokers.model import Order, OrderState
from brokers.reconciliation.books import Claim, Policy
from brokers.reconciliation.matching import attributes_of, keyless


class Intent(enum.Enum):
    """What is known of the attempts made so far."""

    NOT_SENT = "not_sent"  # nothing left the process, or the broker promises that it looked at nothing
    UNKNOWN = "unknown"  # an attempt may be alive
    NOT_ACCEPTED = "not_accepted"  # proved absent


class Refusal(enum.Enum):
    """Why an order must not be sent."""

    IN_FLIGHT = "an attempt is still under way; wait for its end"
    MAY_LIVE = "an earlier attempt may be alive; look it up"
    KEY_FORGOTTEN = "the broker may have forgotten the key; prove the first attempt absent"
    ANOTHER_ORDER = "the payload is not that of the first attempt; a new order needs a new key"
    EQUAL_IN_DOUBT = "an equal order is in doubt; wait until it is resolved"
    EQUAL_IN_FLIGHT = "the broker keeps no keys and an equal order is under way; wait for its answer"


@attrs.frozen
class Attempts:
    """What was tried of one order: the payload of the first attempt, and how long ago that left."""

    order: Order
    age_ns: int
    in_flight: int = 0


def may_resend(intent: Intent, attempts: Attempts, order: Order, keys: ClientKeys) -> Refusal | None:
    """Whether an order may be sent once more under its key; None is yes."""
    if attempts.in_flight:
        return Refusal.IN_FLIGHT
    if order != attempts.order:
        return Refusal.ANOTHER_ORDER
    if intent is not Intent.UNKNOWN:
        return None
    if keys.kind is not KeyClass.UNIQUE:
        return Refusal.MAY_LIVE
    if keys.lifetime_ns is not None and attempts.age_ns >= keys.lifetime_ns:
        return Refusal.KEY_FORGOTTEN
    return None


def may_submit(order: Order, claims: Iterable[Claim], keys: ClientKeys, policy: Policy) -> Refusal | None:
    """Whether a new order may be sent beside those in the books; None is yes."""
    for claim in claims:
        other = claim.life.order
        if attributes_of(other) != attributes_of(order) or other.key == order.key:
            continue
        if claim.life.state is OrderState.UNKNOWN:
            if keyless(keys) or not policy.duplicate_intents:
                return Refusal.EQUAL_IN_DOUBT
        elif keyless(keys) and claim.life.state is OrderState.PENDING_NEW:
            return Refusal.EQUAL_IN_FLIGHT
    return None
