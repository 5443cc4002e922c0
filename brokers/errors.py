"""Every failure at a broker, as one tree; each says who failed, how, in whose words, and what to do next.

    BrokerError                the root; actors declare it as expected and return it to their callers
    ├── ConnectionFailed       no way to the broker        connection_failed gateway_not_running breaker_open
    ├── CredentialError        the login does not carry    authentication_failed session_expired
    │                                                      login_penalty human_needed forbidden
    ├── RateLimited            too fast                    rate_limited
    ├── Unsupported            this broker cannot do it    unsupported
    ├── OrderRefused           a definite no to an order   order_rejected insufficient_funds margin_call
    │   │                                                  position_size_exceeded market_closed
    │   │                                                  symbol_not_found order_not_found order_not_open
    │   ├── InvalidOrder       by brokers.validation       invalid_order
    │   ├── RiskRefused        by our own limits           risk_limit_exceeded daily_loss_limit
    │   └── DuplicateKey       the key is known: look up   duplicate_key
    ├── NotRecorded            our journal failed          not_recorded
    └── NoClearAnswer          none, or none to trust      timeout api_error unknown

The second axis is `certainty`: DEFINITE means that the request had no effect, UNKNOWN that it may have had
one. A refused retry, a 429 of a broker that promises nothing, and any broken answer to an order are UNKNOWN.
"""

import enum
import functools
from typing import Any, ClassVar, Final

import attrs

_SHOWN_TEXT: Final = 500


class Code(enum.Enum):
    """What went wrong, in one vocabulary for all brokers; the aliases are other names in common use."""

    CONNECTION_FAILED = "connection_failed"
    GATEWAY_NOT_RUNNING = "gateway_not_running"
    BREAKER_OPEN = "breaker_open"
    AUTHENTICATION_FAILED = "authentication_failed"
    SESSION_EXPIRED = "session_expired"
    LOGIN_PENALTY = "login_penalty"
    HUMAN_NEEDED = "human_needed"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    UNSUPPORTED = "unsupported"
    ORDER_REJECTED = "order_rejected"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    MARGIN_CALL = "margin_call"
    POSITION_SIZE_EXCEEDED = "position_size_exceeded"
    MARKET_CLOSED = "market_closed"
    SYMBOL_NOT_FOUND = "symbol_not_found"
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_NOT_OPEN = "order_not_open"
    INVALID_ORDER = "invalid_order"
    RISK_LIMIT_EXCEEDED = "risk_limit_exceeded"
    DAILY_LOSS_LIMIT = "daily_loss_limit"
    DUPLICATE_KEY = "duplicate_key"
    NOT_RECORDED = "not_recorded"
    TIMEOUT = "timeout"
    API_ERROR = "api_error"
    UNKNOWN = "unknown"

    CONNECTION_ERROR = "connection_failed"  # noqa: PIE796 - an alias on purpose
    RATE_LIMIT_EXCEEDED = "rate_limited"  # noqa: PIE796 - an alias on purpose
    INVALID_SYMBOL = "symbol_not_found"  # noqa: PIE796 - an alias on purpose


class Certainty(enum.Enum):
    """Whether a failed request can have had an effect."""

    DEFINITE = "definite"
    UNKNOWN = "unknown"


class Advice(enum.Enum):
    """What to do after an error."""

    RETRY = "try again with back-off"
    WAIT = "wait, at least as long as stated, before the next request"
    REFRESH = "refresh the credential, then try again"
    CORRECT = "change the order; sent again as it is, it will be refused again"
    LOOK_UP = "ask the broker for the order by its key before anything else is sent"
    CALL_HUMAN = "somebody must act: see the broker's account, login or gateway"


_ADVICE: Final = {
    Code.CONNECTION_FAILED: Advice.RETRY,
    Code.GATEWAY_NOT_RUNNING: Advice.CALL_HUMAN,
    Code.BREAKER_OPEN: Advice.WAIT,
    Code.AUTHENTICATION_FAILED: Advice.CALL_HUMAN,
    Code.SESSION_EXPIRED: Advice.REFRESH,
    Code.LOGIN_PENALTY: Advice.WAIT,
    Code.HUMAN_NEEDED: Advice.CALL_HUMAN,
    Code.FORBIDDEN: Advice.CALL_HUMAN,
    Code.RATE_LIMITED: Advice.WAIT,
    Code.UNSUPPORTED: Advice.CORRECT,
    Code.ORDER_REJECTED: Advice.CORRECT,
    Code.INSUFFICIENT_FUNDS: Advice.CORRECT,
    Code.MARGIN_CALL: Advice.CALL_HUMAN,
    Code.POSITION_SIZE_EXCEEDED: Advice.CORRECT,
    Code.MARKET_CLOSED: Advice.WAIT,
    Code.SYMBOL_NOT_FOUND: Advice.CORRECT,
    Code.ORDER_NOT_FOUND: Advice.LOOK_UP,
    Code.ORDER_NOT_OPEN: Advice.LOOK_UP,
    Code.INVALID_ORDER: Advice.CORRECT,
    Code.RISK_LIMIT_EXCEEDED: Advice.CORRECT,
    Code.DAILY_LOSS_LIMIT: Advice.CALL_HUMAN,
    Code.DUPLICATE_KEY: Advice.LOOK_UP,
    Code.NOT_RECORDED: Advice.CALL_HUMAN,
    Code.TIMEOUT: Advice.RETRY,
    Code.API_ERROR: Advice.RETRY,
    Code.UNKNOWN: Advice.CALL_HUMAN,
}


@attrs.frozen
class BrokerError(Exception):
    """A failure at a broker; `text` is the broker's own wording and is shown escaped and shortened."""

    broker: str
    code: Code
    text: str = ""
    retry_after_ns: int | None = attrs.field(default=None, kw_only=True)
    certainty: Certainty = attrs.field(default=Certainty.DEFINITE, kw_only=True)

    codes: ClassVar[frozenset[Code]] = frozenset(Code)

    def __attrs_post_init__(self) -> None:
        if self.code not in self.codes:
            expected = ", ".join(sorted(code.value for code in self.codes))
            raise ValueError(f"{type(self).__name__} with code {self.code.value}; expected one of {expected}")

    @property
    def advice(self) -> Advice:
        """What to do next; where the effect is not known, looking comes before everything."""
        return Advice.LOOK_UP if self.certainty is Certainty.UNKNOWN else _ADVICE[self.code]

    def __reduce__(self) -> tuple[Any, ...]:  # an exception would be remade from positional arguments alone
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        return functools.partial(type(self), **fields), ()

    def __str__(self) -> str:
        said = f" ({self.text[:_SHOWN_TEXT]!r})" if self.text else ""
        wait = f", retry after {self.retry_after_ns / 1e9:g} s" if self.retry_after_ns is not None else ""
        doubt = ", effect unknown" if self.certainty is Certainty.UNKNOWN else ""
        return f"{self.broker}: {self.code.value}{said}{doubt}{wait}; {self.advice.value}"


@attrs.frozen
class ConnectionFailed(BrokerError):
    """The broker could not be reached, or the connection to it was lost."""

    codes = frozenset({Code.CONNECTION_FAILED, Code.GATEWAY_NOT_RUNNING, Code.BREAKER_OPEN})


@attrs.frozen
class CredentialError(BrokerError):
    """The login was refused, has run out, must wait, or lacks a permission."""

    codes = frozenset(
        {
            Code.AUTHENTICATION_FAILED,
            Code.SESSION_EXPIRED,
            Code.LOGIN_PENALTY,
            Code.HUMAN_NEEDED,
            Code.FORBIDDEN,
        }
    )


@attrs.frozen
class RateLimited(BrokerError):
    """The broker, or our own guard for it, refused the pace; `retry_after_ns` says for how long."""

    codes = frozenset({Code.RATE_LIMITED})


@attrs.frozen
class Unsupported(BrokerError):
    """The broker's capability record says that it cannot do this."""

    codes = frozenset({Code.UNSUPPORTED})


@attrs.frozen
class OrderRefused(BrokerError):
    """An order, a change or a cancel was refused."""

    codes = frozenset(
        {
            Code.ORDER_REJECTED,
            Code.INSUFFICIENT_FUNDS,
            Code.MARGIN_CALL,
            Code.POSITION_SIZE_EXCEEDED,
            Code.MARKET_CLOSED,
            Code.SYMBOL_NOT_FOUND,
            Code.ORDER_NOT_FOUND,
            Code.ORDER_NOT_OPEN,
        }
    )


@attrs.frozen
class Problem:
    """One thing wrong with an order: where, what stood there, and what would be right."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        value = str(self.value.value if isinstance(self.value, enum.Enum) else self.value)
        return f"{self.field} is {value[:_SHOWN_TEXT]!r}, expected {self.expected}"


@attrs.frozen
class InvalidOrder(OrderRefused):
    """An order refused before anything was sent; `problems` are all that is wrong with it, at once."""

    problems: tuple[Problem, ...] = attrs.field(default=(), kw_only=True)

    codes = frozenset({Code.INVALID_ORDER})

    def __str__(self) -> str:
        listed = "; ".join(str(problem) for problem in self.problems)
        return f"{self.broker}: {self.code.value}: {listed}; nothing was sent; {self.advice.value}"


@attrs.frozen
class RiskRefused(OrderRefused):
    """An order refused by our own limits before anything was sent."""

    codes = frozenset({Code.RISK_LIMIT_EXCEEDED, Code.DAILY_LOSS_LIMIT})


@attrs.frozen
class DuplicateKey(OrderRefused):
    """The broker knows the key already: an earlier attempt arrived, so this is never a rejection."""

    codes = frozenset({Code.DUPLICATE_KEY})


@attrs.frozen
class NotRecorded(BrokerError):
    """Our own journal could not take a request, so nothing was sent."""

    codes = frozenset({Code.NOT_RECORDED})


@attrs.frozen
class NoClearAnswer(BrokerError):
    """No answer, or none that can be trusted; for a mere question set `certainty` to DEFINITE."""

    certainty: Certainty = attrs.field(default=Certainty.UNKNOWN, kw_only=True)

    codes = frozenset({Code.TIMEOUT, Code.API_ERROR, Code.UNKNOWN})


_CLASS_OF: Final[dict[Code, type[BrokerError]]] = {
    code: kind
    for kind in (
        ConnectionFailed,
        CredentialError,
        RateLimited,
        Unsupported,
        OrderRefused,
        InvalidOrder,
        RiskRefused,
        DuplicateKey,
        NotRecorded,
        NoClearAnswer,
    )
    for code in kind.codes
}


def broker_error(
    broker: str,
    code: Code,
    text: str = "",
    *,
    retry_after_ns: int | None = None,
    certainty: Certainty = Certainty.DEFINITE,
) -> BrokerError:
    """The error of the class that the code belongs to."""
    return _CLASS_OF[code](broker, code, text, retry_after_ns=retry_after_ns, certainty=certainty)
