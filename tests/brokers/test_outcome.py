"""Outcomes: what an observation proves, row by row, and that doubt is never talked away."""

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.errors import Certainty, Code, DuplicateKey, broker_error
from brokers.outcome import (
    Accepted,
    Answer,
    Exists,
    NoAnswer,
    NotSent,
    Outcome,
    Rejected,
    Sign,
    Unknown,
    Verdict,
    classify,
    no_answer,
    settle,
)
from runtime.wire.delivery import Phase, Sent
from runtime.wire.http_messages import Fault, HttpFailure
from tests.brokers.model_strategies import NIGHTLY, refusal

SIGNS = (
    Sign(Verdict.EXISTS, Code.DUPLICATE_KEY, status=422, code="40010001", text="must be unique"),
    Sign(Verdict.EXISTS, Code.DUPLICATE_KEY, code="-2010", text="Duplicate order sent"),
    Sign(Verdict.EXISTS, Code.DUPLICATE_KEY, code="110072"),
    Sign(Verdict.REFUSED, Code.ORDER_REJECTED, status=422, code="40010001"),
    Sign(Verdict.REFUSED, Code.INSUFFICIENT_FUNDS, status=403, code="40310000"),
    Sign(Verdict.REFUSED, Code.INSUFFICIENT_FUNDS, code="110007"),
    Sign(Verdict.UNPROCESSED, Code.RATE_LIMITED, status=429),
    Sign(Verdict.UNPROCESSED, Code.SESSION_EXPIRED, status=401),
)


def seen(answer: Answer | NoAnswer) -> Outcome:
    return classify("paper", answer, SIGNS, evidence=("r1",))


@pytest.mark.parametrize("code", [Code.CONNECTION_FAILED, Code.RATE_LIMITED, Code.BREAKER_OPEN, Code.TIMEOUT])
def test_f05_a_request_of_which_no_byte_left_is_not_sent(code: Code) -> None:
    outcome = seen(NoAnswer(Sent.NOTHING, code, "no route"))
    assert isinstance(outcome, NotSent)
    assert (outcome.error.code, outcome.error.certainty, outcome.evidence) == (code, Certainty.DEFINITE, ("r1",))


def test_f02_f04_f06_a_request_that_may_have_left_and_was_not_answered_is_unknown() -> None:
    outcome = seen(NoAnswer(Sent.MAYBE, Code.TIMEOUT))
    assert isinstance(outcome, Unknown)
    assert (outcome.error.certainty, outcome.evidence) == (Certainty.UNKNOWN, ("r1",))


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("sent", Sent)
def test_every_failure_of_the_http_client_is_not_sent_or_unknown_by_what_left(fault: Fault, sent: Sent) -> None:
    observed = no_answer(HttpFailure(fault, Phase.ANSWER, sent, "POST /orders", "it broke"))
    outcome = seen(observed)
    assert isinstance(outcome, NotSent if sent is Sent.NOTHING else Unknown)
    assert outcome.error.text == "it broke"


def test_a_sound_2xx_with_an_order_id_is_accepted() -> None:
    outcome = seen(Answer(201, sound=True, broker_order_id="B1", legs=("B2", "B3")))
    assert outcome == Accepted("B1", ("B2", "B3"), ("r1",))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, sound=False),
        Answer(200, sound=False, broker_order_id="B1"),
        Answer(200, sound=True),
        Answer(200, sound=True, broker_order_id=""),
        Answer(204, sound=True, code="surprise"),
    ],
)
def test_f07_any_other_2xx_is_unknown(answer: Answer) -> None:
    assert isinstance(seen(answer), Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(422, sound=True, code="40010001", text="client_order_id must be unique"),
        Answer(400, sound=True, code="-2010", text="Duplicate order sent."),
        Answer(200, sound=True, code="110072", broker_order_id="B1"),
    ],
)
def test_a11_a_duplicate_key_exists_and_is_never_rejected(answer: Answer) -> None:
    outcome = seen(answer)
    assert isinstance(outcome, Exists)
    assert isinstance(outcome.error, DuplicateKey)
    assert outcome.broker_order_id == answer.broker_order_id
    later = seen(attrs.evolve(answer, retry_after_ns=5))
    assert isinstance(later, Exists)
    assert later.error.retry_after_ns == 5


def test_the_same_code_with_another_text_is_what_its_own_row_says() -> None:
    outcome = seen(Answer(422, sound=True, code="40010001", text="qty or notional is required"))
    assert isinstance(outcome, Rejected)
    assert (outcome.error.code, outcome.error.text) == (Code.ORDER_REJECTED, "qty or notional is required")


@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_listed_refusal_in_a_sound_body_is_rejected_also_under_2xx(status: int) -> None:
    code = "40310000" if status == 403 else "110007"
    outcome = seen(Answer(status, sound=True, code=code))
    assert isinstance(outcome, Rejected)
    assert outcome.error.code is Code.INSUFFICIENT_FUNDS


def test_a_refusal_that_names_an_order_is_unknown() -> None:
    assert isinstance(seen(Answer(200, sound=True, code="110007", broker_order_id="B1")), Unknown)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 418, 422])
def test_f10_a_4xx_that_no_row_explains_is_unknown(status: int) -> None:
    assert isinstance(seen(Answer(status, sound=True, code="new", text="surprise")), Unknown)


def test_a_listed_refusal_in_a_broken_body_is_unknown() -> None:
    assert isinstance(seen(Answer(403, sound=False, code="40310000")), Unknown)


def test_f10_a_limited_request_is_not_sent_only_where_the_broker_promises_it() -> None:
    limited = Answer(429, sound=False, retry_after_ns=2_000_000_000)
    outcome = seen(limited)
    assert isinstance(outcome, NotSent)
    assert (outcome.error.code, outcome.error.retry_after_ns) == (Code.RATE_LIMITED, 2_000_000_000)
    for status in (418, 429):
        unlisted = classify("paper", attrs.evolve(limited, status=status), ())
        assert isinstance(unlisted, Unknown)
        assert (unlisted.error.code, unlisted.error.retry_after_ns) == (Code.RATE_LIMITED, 2_000_000_000)
        assert "body broken or unexpected" in unlisted.error.text


def test_f7_an_expired_session_where_listed_lets_the_same_key_go_again() -> None:
    outcome = seen(Answer(401, sound=False))
    assert isinstance(outcome, NotSent)
    assert outcome.error.code is Code.SESSION_EXPIRED


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 307, 308, 399, 500, 502, 503, 504, 599, 600])
def test_f08_f09_a_redirect_or_a_5xx_is_unknown_whatever_its_body_says(status: int) -> None:
    for code in ("110007", "110072"):
        outcome = seen(Answer(status, sound=True, code=code, broker_order_id="B1"))
        assert isinstance(outcome, Unknown)
        assert f"HTTP {status}, body sound" in outcome.error.text


@pytest.mark.parametrize("certainty", Certainty)
def test_an_outcome_takes_only_an_error_of_its_own_certainty(certainty: Certainty) -> None:
    error = broker_error("paper", Code.TIMEOUT, certainty=certainty)
    definite = certainty is Certainty.DEFINITE
    for kind, fits in ((Rejected, definite), (NotSent, definite), (Unknown, not definite)):
        if fits:
            assert kind(error).error is error
        else:
            with pytest.raises(ValueError, match=kind.__name__):
                kind(error)


@pytest.mark.parametrize(
    "row",
    [
        {"verdict": Verdict.REFUSED, "means": Code.ORDER_REJECTED, "status": 400},
        {"verdict": Verdict.EXISTS, "means": Code.DUPLICATE_KEY, "status": 409},
        {"verdict": Verdict.UNPROCESSED, "means": Code.RATE_LIMITED},
        {"verdict": Verdict.UNPROCESSED, "means": Code.RATE_LIMITED, "status": 503},
        {"verdict": Verdict.REFUSED, "means": Code.ORDER_REJECTED, "status": 500, "code": "1"},
        {"verdict": Verdict.REFUSED, "means": Code.DUPLICATE_KEY, "code": "1"},
        {"verdict": Verdict.EXISTS, "means": Code.ORDER_REJECTED, "code": "1"},
    ],
)
def test_a_row_that_would_prove_too_much_cannot_be_written(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Sign(**row)


@pytest.mark.parametrize(
    ("status", "fits"), [(199, 0), (200, 1), (299, 1), (300, 0), (399, 0), (400, 1), (499, 1), (500, 0)]
)
def test_a_row_is_about_a_2xx_or_a_4xx(status: int, fits: int) -> None:
    def make() -> Sign:
        return Sign(Verdict.REFUSED, Code.ORDER_REJECTED, status=status, code="1")

    assert (refusal(ValueError, make) is None) == bool(fits)


def test_o03_a_no_to_a_retry_tells_nothing_of_the_first_attempt() -> None:
    error = broker_error("paper", Code.ORDER_REJECTED, "no")
    for outcome in (Rejected(error, ("r2",)), NotSent(error, ("r2",))):
        assert settle(outcome, only_attempt=True) is outcome
        doubt = settle(outcome, only_attempt=False)
        assert isinstance(doubt, Unknown)
        assert (doubt.error.code, doubt.error.text, doubt.evidence) == (Code.ORDER_REJECTED, "no", ("r2",))


def test_what_proves_a_live_order_stands_on_any_attempt() -> None:
    exists = Exists(DuplicateKey("paper", Code.DUPLICATE_KEY))
    for outcome in (Accepted("B1"), exists):
        assert settle(outcome, only_attempt=False) is outcome


answers = st.builds(
    Answer,
    st.integers(100, 699),
    st.booleans(),
    st.none() | st.sampled_from(["", "B1"]),
    st.just(()),
    st.none() | st.sampled_from(["40010001", "-2010", "110072", "110007", "40310000", "x"]),
    st.sampled_from(["", "must be unique", "DUPLICATE ORDER SENT", "x"]),
    st.none() | st.integers(0, 10**12),
)


def by_the_rows(answer: Answer) -> type:
    """The published rows read one by one, without a table of signs."""
    status, sound, named = answer.status, answer.sound, bool(answer.broker_order_id)
    if not (200 <= status < 300 or 400 <= status < 500):
        return Unknown
    if sound and (
        (status == 422 and answer.code == "40010001" and answer.text == "must be unique")
        or (answer.code == "-2010" and answer.text == "DUPLICATE ORDER SENT")
        or answer.code == "110072"
    ):
        return Exists
    refused = (status, answer.code) in {(422, "40010001"), (403, "40310000")} or answer.code == "110007"
    if sound and refused:
        return Unknown if named else Rejected
    if status in (429, 401):
        return Unknown if named else NotSent
    return Accepted if status < 300 and sound and named else Unknown


@settings(max_examples=250 * NIGHTLY)
@given(answers)
def test_every_answer_is_classified_as_the_rows_say(answer: Answer) -> None:
    assert type(seen(answer)) is by_the_rows(answer)


@given(answers | st.builds(NoAnswer, st.sampled_from(Sent), st.sampled_from(Code)))
def test_without_an_adapters_table_nothing_that_left_is_ever_refused(observation: Answer | NoAnswer) -> None:
    outcome = classify("paper", observation, ())
    if isinstance(observation, NoAnswer) and observation.sent is Sent.NOTHING:
        assert isinstance(outcome, NotSent)
    else:
        assert isinstance(outcome, Accepted | Unknown)


def test_outcomes_are_values() -> None:
    assert Accepted("B1") == Accepted("B1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Accepted("B1").broker_order_id = "B2"  # type: ignore[misc]
