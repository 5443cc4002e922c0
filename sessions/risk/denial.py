"""A denial: the stable code of the limit that an order would break, the limit, and what came."""

import enum

import attrs

from brokers.errors import Code


class Reason(enum.Enum):
    """Why an order was denied; the values are stable and may be matched by programs."""

    HALTED = "halted"
    CLOSING = "closing"
    CANCEL_ONLY = "cancel_only"
    NO_NEW_RISK = "no_new_risk"
    SESSION_UNKNOWN = "session_unknown"
    ORDER_UNKNOWN = "order_unknown"
    BAD_NUMBER = "bad_number"
    EXIT_NOT_COVERED = "exit_not_covered"
    MIXED_SYMBOLS = "mixed_symbols"
    SYMBOL_UNKNOWN = "symbol_unknown"
    SYMBOL_NOT_ALLOWED = "symbol_not_allowed"
    OUTSIDE_HOURS = "outside_hours"
    NO_DATA = "no_data"
    STALE_DATA = "stale_data"
    PRICE_BAND = "price_band"
    ORDER_QUANTITY = "order_quantity"
    NOT_PRICED = "not_priced"
    ORDER_NOTIONAL = "order_notional"
    OPEN_ORDERS = "open_orders"
    ORDER_RATE = "order_rate"
    ORDER_BURST = "order_burst"
    POSITION = "position"
    EXPOSURE_UNKNOWN = "exposure_unknown"
    EXPOSURE = "exposure"
    RESULT_UNKNOWN = "result_unknown"
    DAILY_LOSS = "daily_loss"
    CHECK_FAILED = "check_failed"


@attrs.frozen
class Denial:
    """One limit that says no: `scope` is a session's name, "portfolio" or "daemon"."""

    reason: Reason
    scope: str
    text: str
    limit: object = None
    value: object = None

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.scope}): {self.text}"

    @property
    def code(self) -> Code:
        """The same in the vocabulary of brokers' refusals."""
        return Code.DAILY_LOSS_LIMIT if self.reason is Reason.DAILY_LOSS else Code.RISK_LIMIT_EXCEEDED
