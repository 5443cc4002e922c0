"""The tree of broker errors: one vocabulary, complete, told without leaking or breaking a line."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import errors
from brokers.errors import (
    Advice,
    BrokerError,
    Certainty,
    Code,
    ConnectionFailed,
    CredentialError,
    DuplicateKey,
    InvalidOrder,
    NoClearAnswer,
    NotRecorded,
    OrderRefused,
    Problem,
    RateLimited,
    RiskRefused,
    Unsupported,
    broker_error,
)
from brokers.sides import Side

COMMON_NAMES = [
    "INSUFFICIENT_FUNDS",
    "INVALID_SYMBOL",
    "MARKET_CLOSED",
    "ORDER_REJECTED",
    "RATE_LIMITED",
    "AUTHENTICATION_FAILED",
    "CONNECTION_ERROR",
    "CONNECTION_FAILED",
    "GATEWAY_NOT_RUNNING",
    "SESSION_EXPIRED",
    "POSITION_SIZE_EXCEEDED",
    "SYMBOL_NOT_FOUND",
    "RISK_LIMIT_EXCEEDED",
    "DAILY_LOSS_LIMIT",
    "MARGIN_CALL",
    "RATE_LIMIT_EXCEEDED",
    "API_ERROR",
    "TIMEOUT",
    "UNKNOWN",
]
CLASSES = [
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
]


@pytest.mark.parametrize("name", COMMON_NAMES)
def test_every_name_in_common_use_has_a_code(name: str) -> None:
    assert isinstance(Code[name], Code)


def test_names_for_the_same_failure_are_one_code() -> None:
    assert Code["INVALID_SYMBOL"] is Code.SYMBOL_NOT_FOUND
    assert Code["RATE_LIMIT_EXCEEDED"] is Code.RATE_LIMITED
    assert Code["CONNECTION_ERROR"] is Code.CONNECTION_FAILED


@pytest.mark.parametrize("code", Code)
def test_every_code_has_one_class_and_an_advice(code: Code) -> None:
    assert [kind for kind in CLASSES if code in kind.codes] == [type(broker_error("paper", code))]
    assert isinstance(broker_error("paper", code).advice, Advice)


def test_the_drawing_of_the_tree_names_every_class_and_code() -> None:
    drawing = errors.__doc__ or ""
    assert all(kind.__name__ in drawing for kind in [BrokerError, *CLASSES])
    assert all(code.value in drawing.split() for code in Code)


def test_every_error_is_a_broker_error_and_every_refusal_an_order_refused() -> None:
    assert all(issubclass(kind, BrokerError) for kind in CLASSES)
    assert all(issubclass(kind, OrderRefused) for kind in (InvalidOrder, RiskRefused, DuplicateKey))


def test_a_class_refuses_a_code_of_another() -> None:
    with pytest.raises(ValueError, match=r"RateLimited with code timeout; expected one of rate_limited"):
        RateLimited("paper", Code.TIMEOUT)


def test_an_error_carries_who_what_and_how_long() -> None:
    error = broker_error("tradovate", Code.RATE_LIMITED, "slow down", retry_after_ns=2_500_000_000)
    assert (error.broker, error.code, error.text, error.retry_after_ns) == (
        "tradovate",
        Code.RATE_LIMITED,
        "slow down",
        2_500_000_000,
    )
    assert str(error) == (
        "tradovate: rate_limited ('slow down'), retry after 2.5 s; wait, at least as long as stated, before the next request"
    )


def test_an_error_is_definite_and_names_no_wait_unless_told() -> None:
    for code in Code:
        error = broker_error("paper", code)
        assert (error.retry_after_ns, error.certainty, error.text) == (None, Certainty.DEFINITE, "")
    assert OrderRefused("paper", Code.MARKET_CLOSED).certainty is Certainty.DEFINITE
    assert InvalidOrder("paper", Code.INVALID_ORDER).problems == ()


def test_a_long_text_is_kept_whole_and_shown_cut() -> None:
    error = broker_error("paper", Code.ORDER_REJECTED, "x" * 501)
    assert error.text == "x" * 501
    assert f"'{'x' * 500}'" in str(error)


def test_where_the_effect_is_unknown_the_advice_is_to_look_first() -> None:
    for code in Code:
        error = broker_error("paper", code, certainty=Certainty.UNKNOWN)
        assert error.advice is Advice.LOOK_UP
        assert "effect unknown" in str(error) or isinstance(error, InvalidOrder)


def test_no_clear_answer_is_unknown_unless_it_is_to_a_mere_question() -> None:
    assert NoClearAnswer("paper", Code.TIMEOUT).certainty is Certainty.UNKNOWN
    assert NoClearAnswer("paper", Code.TIMEOUT, certainty=Certainty.DEFINITE).advice is Advice.RETRY


@given(st.text(max_size=2000))
def test_s12_whatever_a_broker_writes_the_message_is_one_short_printable_line(text: str) -> None:
    message = str(broker_error("paper", Code.ORDER_REJECTED, text))
    assert message.isprintable()
    assert len(message) < 6000


def test_an_invalid_order_lists_every_problem() -> None:
    problems = (Problem("quantity", -1, "more than 0"), Problem("side", Side.BUY, "sell"))
    error = InvalidOrder("paper", Code.INVALID_ORDER, problems=problems)
    assert error.problems == problems
    assert "quantity is '-1', expected more than 0; side is 'buy', expected sell" in str(error)
    assert "nothing was sent" in str(error)


def test_errors_survive_copying_pickling_and_notes() -> None:
    error = broker_error("paper", Code.TIMEOUT, "x", certainty=Certainty.UNKNOWN)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert (type(twin), twin.args, twin.certainty) == (type(error), error.args, error.certainty)
    error.add_note("seen while reconciling")
    with pytest.raises(NoClearAnswer) as caught:
        raise error from ValueError("inner")
    assert caught.value is error
    assert isinstance(error.__cause__, ValueError)
