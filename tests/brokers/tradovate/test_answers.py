"""What answers prove, and how penalties are kept."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import Code
from brokers.guards.host import Host
from brokers.guards.operation import Priority
from brokers.news_hub import Quarantined
from brokers.outcome import Accepted, NotSent, Outcome, Rejected, Unknown, classify
from brokers.tradovate import CAPABILITY
from brokers.tradovate.answers import REASONS, SIGNS, placement, receipt
from brokers.tradovate.gate import HOUR_NS, Gate, Penalty, penalty_in
from brokers.tradovate.settings import BROKER, REQUESTS
from runtime.simulation import SimulatedClock
from runtime.wire.http_messages import HttpResponse

TICKET = b'{"p-ticket":"ea5b1b52","p-time":15,"p-captcha":false}'


def placed(body: Any, wanted: int = 1, status: int = 200) -> Outcome:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(BROKER, placement(HttpResponse(status, (), data), wanted), SIGNS)


def test_an_id_is_what_makes_an_order_even_beside_a_reason_called_success() -> None:
    assert placed({"orderId": 210518}) == Accepted("210518")
    assert placed({"orderId": 210518, "failureReason": "Success"}) == Accepted("210518")
    assert placed({"orderId": 1, "oso1Id": 2, "oso2Id": 3}, 3) == Accepted("1", ("2", "3"))
    assert placed({"orderId": 1, "ocoId": 2}, 2) == Accepted("1", ("2",))


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_a_refusal_is_a_definite_no_with_its_code(reason: str) -> None:
    outcome = placed({"failureReason": reason, "failureText": "no"})
    assert isinstance(outcome, Rejected)
    assert (outcome.error.code, outcome.error.text) == (REASONS[reason], "no")


def test_a_broken_rule_of_the_form_is_a_definite_no() -> None:
    outcome = placed({"violations": [{"constraint": "max", "value": "orderQty=9", "description": "too many"}]})
    assert isinstance(outcome, Rejected)
    assert outcome.error.text == "too many (orderQty=9)"


@pytest.mark.parametrize(
    ("body", "wanted", "status"),
    [
        ({"orderId": 1}, 3, 200),
        ({"orderId": 1, "oso1Id": 1}, 2, 200),
        ({"orderId": -1}, 1, 200),
        ({"orderId": "1"}, 1, 200),
        ({}, 1, 200),
        ([], 1, 200),
        (b"", 1, 200),
        (b'{"orderId":21', 1, 200),
        (b"[" * 100_000, 1, 200),
        ({"failureReason": "Success"}, 1, 200),
        ({"failureReason": "RiskCheckTimeout"}, 1, 200),
        ({"failureReason": "ExecutionProviderUnavailable"}, 1, 200),
        ({"failureReason": "SomethingNew"}, 1, 200),
        ({"errorText": "odd"}, 1, 200),
        (b"Bad Request", 1, 400),
        (b"", 1, 429),
        (b"Gateway Timeout", 1, 504),
    ],
)
def test_whatever_proves_nothing_stays_unknown_f07_f08(body: Any, wanted: int, status: int) -> None:
    assert isinstance(placed(body, wanted, status), Unknown)


@given(st.binary(), st.integers(100, 599))
def test_no_bytes_become_a_definite_answer_by_chance(body: bytes, status: int) -> None:
    outcome = placed(body, status=status)
    assert isinstance(outcome, Unknown) or (status == 401 and isinstance(outcome, NotSent))


def test_a_refused_token_and_a_penalty_promise_that_nothing_was_looked_at() -> None:
    for outcome, code in (
        (placed(b"Access is denied", 1, 401), Code.SESSION_EXPIRED),
        (placed(TICKET), Code.RATE_LIMITED),
    ):
        assert isinstance(outcome, NotSent)
        assert outcome.error.code is code


def test_a_receipt_is_about_the_order_that_was_meant() -> None:
    answer = receipt(HttpResponse(200, (), b'{"commandId":210530}'), "7")
    assert classify(BROKER, answer, SIGNS) == Accepted("7")
    late = receipt(HttpResponse(200, (), b'{"failureReason":"TooLate","failureText":"Already filled"}'), "7")
    outcome = classify(BROKER, late, SIGNS)
    assert isinstance(outcome, Rejected)
    assert outcome.error.code is Code.ORDER_NOT_OPEN
    gone = classify(BROKER, receipt(HttpResponse(404, (), b"Not found: order"), "7"), SIGNS)
    assert isinstance(gone, Rejected)


def test_the_record_is_complete_o10() -> None:
    orders = CAPABILITY.orders
    assert orders is not None
    assert orders.keys.kind.value == "C"
    assert orders.keys.query
    assert orders.retention_ns is not None
    assert orders.signs == SIGNS
    assert [limit.count for limit in CAPABILITY.limits] == [4_000]


# Penalties.


def test_a_penalty_is_told_from_an_answer() -> None:
    assert penalty_in(TICKET) == Penalty("ea5b1b52", Decimal(15))
    for body in (b"[]", b"", b'{"text":"p-ticket"}', b'[{"p-ticket":"x"}]', b'{"p-ticket":5}', b'{"p-ticket":'):
        assert penalty_in(body) is None


@pytest.mark.parametrize("said", ["1e999", "-5", "99999999"])
def test_a_time_that_cannot_be_counts_as_a_minute(said: str) -> None:
    assert Penalty("t", Decimal(said)).for_ns == 60 * 10**9


async def test_a_captcha_keeps_everything_away_for_an_hour_and_calls_a_person() -> None:
    told: list[object] = []
    gate = Gate(Host(BROKER, REQUESTS, clock=SimulatedClock(), tell=told.append), told.append)
    assert gate.penalise(Penalty("t", captcha=True)).retry_after_ns == HOUR_NS
    assert any(isinstance(one, Quarantined) and one.what == "captcha" for one in told)


async def test_the_next_request_after_a_penalty_waits_and_shows_the_ticket_once_f13(autojump_clock: Any) -> None:
    clock = SimulatedClock()
    gate = Gate(Host(BROKER, REQUESTS, clock=clock, tell=lambda _: None), lambda _: None)
    gate.penalise(Penalty("t", Decimal(15)))
    before = clock.monotonic_ns()
    async with gate.pass_through(Priority.QUERY) as shown:
        assert clock.monotonic_ns() - before >= 15 * 10**9
        assert shown == {"p-ticket": "t"}
    async with gate.pass_through(Priority.QUERY) as shown:
        assert shown == {}
