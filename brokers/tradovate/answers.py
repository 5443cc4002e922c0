"""What an answer to an order, a change or a cancel shows, and the signs by which it proves an outcome.

Refusals come inside a 200: `failureReason`, or `violations` of an order's form. Whether an order was made is decided by
the id alone, for a reason called Success may stand beside it. Reasons that tell of something that broke on the way, and
a bare `errorText`, prove nothing.
"""

from typing import Final

import msgspec

from brokers.errors import Code
from brokers.outcome import Answer, Sign, Verdict
from brokers.tradovate.wire import BadPayload, Payload, decode
from runtime.wire.http_messages import HttpResponse

REASONS: Final = {
    "AccountClosed": Code.FORBIDDEN,
    "AdvancedTrailingStopUnsupported": Code.UNSUPPORTED,
    "AnotherCommandPending": Code.ORDER_REJECTED,
    "BackMonthProhibited": Code.ORDER_REJECTED,
    "ExecutionProviderNotConfigured": Code.FORBIDDEN,
    "InvalidContract": Code.SYMBOL_NOT_FOUND,
    "InvalidPrice": Code.ORDER_REJECTED,
    "LiquidationOnly": Code.MARGIN_CALL,
    "LiquidationOnlyBeforeExpiration": Code.ORDER_REJECTED,
    "MaxOrderQtyIsNotSpecified": Code.ORDER_REJECTED,
    "MaxOrderQtyLimitReached": Code.POSITION_SIZE_EXCEEDED,
    "MaxPosLimitMisconfigured": Code.ORDER_REJECTED,
    "MaxPosLimitReached": Code.POSITION_SIZE_EXCEEDED,
    "MaxTotalPosLimitReached": Code.POSITION_SIZE_EXCEEDED,
    "MultipleAccountPlanRequired": Code.FORBIDDEN,
    "NoQuote": Code.ORDER_REJECTED,
    "NotEnoughLiquidity": Code.ORDER_REJECTED,
    "ParentRejected": Code.ORDER_REJECTED,
    "SessionClosed": Code.MARKET_CLOSED,
    "TooLate": Code.ORDER_NOT_OPEN,
    "TradingLocked": Code.FORBIDDEN,
    "TrailingStopNonOrderQtyModify": Code.UNSUPPORTED,
    "Unauthorized": Code.FORBIDDEN,
    "UnknownReason": Code.ORDER_REJECTED,
    "Unsupported": Code.UNSUPPORTED,
}
VIOLATIONS: Final = "violations"
TICKET: Final = "p-ticket"
SIGNS: Final = (
    Sign(Verdict.UNPROCESSED, Code.SESSION_EXPIRED, status=401),
    Sign(Verdict.UNPROCESSED, Code.RATE_LIMITED, status=200, code=TICKET),
    Sign(Verdict.REFUSED, Code.ORDER_REJECTED, status=200, code=VIOLATIONS),
    Sign(Verdict.REFUSED, Code.ORDER_NOT_FOUND, status=404, text="not found: "),
    *(Sign(Verdict.REFUSED, means, status=200, code=reason) for reason, means in REASONS.items()),
)
"""The reasons that are not among them say that an answer is missing, and an order may have been made all the same."""


class Violation(Payload, frozen=True):
    """One rule that an order's form breaks."""

    constraint: str = ""
    value: str = ""
    description: str = ""


class Reply(Payload, frozen=True):
    """Everything that the reply to a command may hold."""

    order_id: int | None = None
    oco_id: int | None = None
    oso1_id: int | None = None
    oso2_id: int | None = None
    command_id: int | None = None
    failure_reason: str = ""
    failure_text: str = ""
    error_text: str = ""
    violations: tuple[Violation, ...] = ()
    ticket: str | None = msgspec.field(default=None, name=TICKET)


def placement(answer: HttpResponse, wanted: int) -> Answer:
    """What the answer to `wanted` orders shows; one that names fewer or more of them is not sound."""
    reply = _read(answer)
    if isinstance(reply, Answer):
        return reply
    ids = [str(one) for one in (reply.order_id, reply.oco_id, reply.oso1_id, reply.oso2_id) if one is not None]
    if not ids:
        return _refusal(reply)
    if len(ids) != wanted or min(map(int, ids)) <= 0 or len(set(ids)) != wanted:
        return Answer(200, sound=False, text=f"expected {wanted} order ids, got {', '.join(ids)}")
    return Answer(200, sound=True, broker_order_id=ids[0], legs=tuple(ids[1:]), text=reply.failure_text)


def receipt(answer: HttpResponse, order_id: str) -> Answer:
    """What the answer to a change or a cancel shows."""
    reply = _read(answer)
    if isinstance(reply, Answer):
        return reply
    if reply.command_id is None:
        return _refusal(reply)
    return Answer(200, sound=True, broker_order_id=order_id, text=reply.failure_text)


def _read(answer: HttpResponse) -> Reply | Answer:
    if answer.status != 200:
        text = answer.body[:500].decode(errors="replace")
        return Answer(answer.status, sound=bool(text), text=text)
    try:
        return decode(Reply, answer.body)
    except BadPayload as bad:
        return Answer(200, sound=False, text=str(bad))


def _refusal(reply: Reply) -> Answer:
    if reply.ticket is not None:
        return Answer(200, sound=True, code=TICKET, text="the broker wants a pause, and has not looked at the request")
    if reply.violations:
        text = "; ".join(f"{one.description} ({one.value})" for one in reply.violations)
        return Answer(200, sound=True, code=VIOLATIONS, text=text)
    code = reply.failure_reason if reply.failure_reason != "Success" else None
    text = reply.failure_text or reply.error_text
    return Answer(200, sound=bool(code), code=code, text=text)
