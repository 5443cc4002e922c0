"""What an answer to an order, a change or a cancel shows, and the signs by which it proves an outcome.

"Sent" is a receipt only. A refusal comes as an HTTP error, or inside a 200 whose `Errors` alone is filled. What
speaks of a duplicate is never a refusal. A used-up quota, a 5xx and what contradicts itself prove nothing:
nowhere is it documented that a request beyond the quota is not looked at.
"""

from collections.abc import Sequence
from typing import Final

from brokers.errors import Code
from brokers.model import Order
from brokers.outcome import Answer, Sign, Verdict
from brokers.reconciliation.matching import attributes_of
from brokers.tradestation.quota import over_quota
from brokers.tradestation.wire import BadPayload, Fault, Placement, decode
from brokers.tradestation.wire_orders import Seen
from runtime.wire.http_messages import HttpResponse

_UNPROCESSED: Final = (Sign(Verdict.UNPROCESSED, Code.SESSION_EXPIRED, status=401),)
_REFUSED: Final = (
    Sign(Verdict.REFUSED, Code.ORDER_REJECTED, code="FAILED"),
    Sign(Verdict.REFUSED, Code.FORBIDDEN, code="Forbidden"),
    Sign(Verdict.REFUSED, Code.ORDER_REJECTED, code="BadRequest"),
)
PLACE_SIGNS: Final = (
    Sign(Verdict.EXISTS, Code.DUPLICATE_KEY, text="duplicate"),
    *_UNPROCESSED,
    *_REFUSED,
)
AMEND_SIGNS: Final = (
    Sign(Verdict.REFUSED, Code.ORDER_NOT_OPEN, text="not an open order"),
    Sign(Verdict.REFUSED, Code.ORDER_NOT_FOUND, status=404, code="NotFound"),
    *_UNPROCESSED,
    *_REFUSED,
)
SIGNS: Final = tuple(dict.fromkeys((*AMEND_SIGNS, *PLACE_SIGNS)))


def placement(answer: HttpResponse, wanted: int) -> Answer:
    """What the answer to `wanted` orders shows; one that takes some of them and refuses others is not sound."""
    if over_quota(answer):
        return _quota_spent(answer)
    try:
        reply = decode(Placement, answer.body)
    except BadPayload as bad:
        return Answer(answer.status, sound=False, text=str(bad))
    ids = tuple(one.order_id for one in reply.orders or ())
    faults = reply.errors or ()
    if answer.status != 200:
        return Answer(answer.status, sound=bool(reply.error), code=reply.error, text=reply.message)
    if faults and not ids:
        same = {fault.error for fault in faults}
        text = "; ".join(fault.message for fault in faults)
        return Answer(200, sound=True, code=same.pop() if len(same) == 1 else None, text=text)
    sound = not faults and len(ids) == wanted and all(ids)
    text = "" if sound else f"{len(ids)} of {wanted} orders taken; " + "; ".join(fault.message for fault in faults)
    return Answer(200, sound, ids[0] if sound else None, ids[1:], text=text)


def receipt(answer: HttpResponse, order_id: str) -> Answer:
    """What the answer to a change or a cancel shows; it must be about the order that was meant."""
    if over_quota(answer):
        return _quota_spent(answer)
    try:
        reply = decode(Fault, answer.body)
    except BadPayload as bad:
        return Answer(answer.status, sound=False, text=str(bad))
    if answer.status != 200 or reply.error:
        return Answer(answer.status, sound=bool(reply.error), code=reply.error, text=reply.message)
    meant = plain_id(reply.order_id) == plain_id(order_id)
    return Answer(200, meant, order_id if meant else None, text=reply.message)


def _quota_spent(answer: HttpResponse) -> Answer:
    """Not sound on purpose: the same error object says Forbidden, which without a quota is a refusal."""
    return Answer(answer.status, sound=False, text="the quota is used up")


def plain_id(order_id: str) -> str:
    """An order's id as paths take it: without dashes."""
    return order_id.replace("-", "")


def aligned(orders: Sequence[Order], seen: Sequence[Seen]) -> list[str] | None:
    """The broker's ids in the order of a group's members, told apart by their terms; None where that fails."""
    left, found = list(seen), []
    for order in orders:
        match = next((one for one in left if attributes_of(one.order) == attributes_of(order)), None)
        if match is None:
            return None
        left.remove(match)
        found.append(match.order_id)
    return found
