"""The password login without I/O: device id, penalty tickets, captchas, both texts of 2FA, renewal before login."""

import json
from typing import Any

import pytest

from brokers.tokens.credentials import Credential
from brokers.tokens.flow import (
    Captcha,
    FlowRequest,
    FlowResponse,
    HumanNeeded,
    LoginFailure,
    LoginRefused,
    Penalty,
    Unreachable,
    Wait,
)
from brokers.tokens.password import TRADOVATE_DEMO, new_device_id
from brokers.tokens.token_set import TokenSet
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import LOGIN, SECOND_NS, body_of, reply, seeded, tokens_of

NOW = 1_764_600_000 * SECOND_NS  # 2025-12-01 14:40 UTC
FIELDS = {"username": "pituser", "password": "pa$$word", "device_id": "6f3b-device", "cid": "8", "sec": "0000-abcd"}
CREDENTIAL = Credential(LOGIN, {name: Secret(value) for name, value in FIELDS.items()})
HELD = TokenSet(Secret("at_0001"), None, NOW, NOW + 5400 * SECOND_NS)
GOOD = {
    "accessToken": "at_0002",
    "mdAccessToken": "md_0002",
    "expirationTime": "2025-12-01T16:00:00.000Z",
    "userId": 15460,
}
TICKET = {"p-ticket": "ea5b1b52", "p-time": 15, "p-captcha": False}


def ok(fields: Any) -> FlowResponse:
    return reply(200, fields, NOW)


def test_a_login_sends_password_and_device_id_and_takes_both_tokens() -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    request = next(flow)
    assert body_of(request) == {
        "name": "pituser", "password": "pa$$word", "appId": "pitboss", "appVersion": "0.1.0",
        "deviceId": "6f3b-device", "cid": 8, "sec": "0000-abcd",
    }  # fmt: skip
    tokens = tokens_of(flow, ok(GOOD))
    assert tokens.access == Secret("at_0002")
    assert tokens.expires_ns == NOW + 4800 * SECOND_NS
    assert tokens.extra == {"md_access_token": Secret("md_0002"), "user_id": Secret("15460")}


@pytest.mark.parametrize(
    "time", [None, "soon", "2025-12-01T16:00:00", "2025-12-01T14:00:00Z", "2031-01-01T00:00:00Z", 5]
)
def test_an_expiry_that_our_clock_cannot_believe_is_replaced_by_the_usual_life(time: object) -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    next(flow)
    assert tokens_of(flow, ok({**GOOD, "expirationTime": time})).expires_ns == NOW + TRADOVATE_DEMO.access_life_ns


def test_f9_f13_a_penalty_is_waited_for_and_the_same_request_sent_again_with_its_ticket() -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    first = body_of(next(flow))
    assert flow.send(ok(TICKET)) == Wait(15)
    assert body_of(flow.send(None)) == {**first, "p-ticket": "ea5b1b52"}
    assert flow.send(ok({**TICKET, "p-ticket": "second", "p-time": 3.5})) == Wait(4)
    assert body_of(flow.send(None)) == {**first, "p-ticket": "second"}
    assert tokens_of(flow, ok(GOOD)).access == Secret("at_0002")


@pytest.mark.parametrize("time", [0, 1])
def test_f13_penalties_without_end_are_given_up_within_the_patience(time: int) -> None:
    flow, waited = TRADOVATE_DEMO.log_in(CREDENTIAL), 0
    next(flow)
    answer = ok({**TICKET, "p-time": time})
    for _ in range(TRADOVATE_DEMO.patience_seconds):
        step = flow.send(answer)
        assert isinstance(step, Wait)
        waited += step.seconds
        flow.send(None)
    assert waited == TRADOVATE_DEMO.patience_seconds
    with pytest.raises(Penalty):
        flow.send(answer)


@pytest.mark.parametrize(("time", "held"), [(600, 600), ("soon", 60), (-1, 60), (True, 60), (10**9, 60)])
def test_f13_a_long_penalty_is_not_waited_for_inside_the_login_but_held(time: object, held: int) -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    next(flow)
    answer = ok({**TICKET, "p-time": time})
    if held <= TRADOVATE_DEMO.patience_seconds:
        assert flow.send(answer) == Wait(held)
        return
    with pytest.raises(Penalty) as raised:
        flow.send(answer)
    assert raised.value.hold_ns == held * SECOND_NS


@pytest.mark.parametrize("ticket", [TICKET, {}])
def test_f13_a_captcha_stops_everything_for_an_hour_and_calls_a_person(ticket: dict[str, Any]) -> None:
    for flow in (TRADOVATE_DEMO.log_in(CREDENTIAL), TRADOVATE_DEMO.renew(CREDENTIAL, HELD)):
        next(flow)
        with pytest.raises(Captcha, match="captcha") as raised:
            flow.send(ok({**ticket, "p-captcha": True}))
        assert raised.value.needs_human
        assert raised.value.hold_ns == 3600 * SECOND_NS


@pytest.mark.parametrize(
    "text",
    [
        "Two-Factor Authentication is enabled for this user",
        "Please enter the verification code that was sent to you",
        "2FA required",
    ],
)
def test_both_texts_of_two_factor_authentication_call_a_person(text: str) -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    next(flow)
    with pytest.raises(HumanNeeded, match="second factor"):
        flow.send(ok({"errorText": text}))


@pytest.mark.parametrize(
    ("status", "fields", "failure"),
    [
        (200, {"errorText": "Incorrect username or password."}, LoginRefused),
        (200, {"errorText": "The app is not registered"}, LoginRefused),
        (401, "Access is denied", LoginRefused),
        (200, {}, Unreachable),
        (200, {"accessToken": 5}, Unreachable),
        (502, "bad gateway", Unreachable),
        (429, "", Penalty),
        (423, "", Penalty),
    ],
)
def test_a_login_that_is_not_a_success_is_a_typed_failure(
    status: int, fields: object, failure: type[LoginFailure]
) -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    next(flow)
    with pytest.raises(failure):
        flow.send(reply(status, fields, NOW))


def test_a_live_token_is_renewed_and_no_session_is_made() -> None:
    flow = TRADOVATE_DEMO.renew(CREDENTIAL, HELD)
    request = next(flow)
    assert isinstance(request, FlowRequest)
    assert (request.method, request.url) == ("GET", TRADOVATE_DEMO.renew_url)
    assert ("authorization", "Bearer at_0001") in request.encoded().headers
    assert tokens_of(flow, ok(GOOD)).access == Secret("at_0002")


@pytest.mark.parametrize(
    ("status", "body"), [(401, "Expired Access Token"), (400, "Access is denied"), (200, {"errorText": "x"})]
)
def test_a_renewal_that_is_refused_ends_in_one_full_login(status: int, body: object) -> None:
    flow = TRADOVATE_DEMO.renew(CREDENTIAL, HELD)
    next(flow)
    assert body_of(flow.send(reply(status, body, NOW)))["password"] == "pa$$word"
    assert tokens_of(flow, ok(GOOD)).access == Secret("at_0002")


def test_without_tokens_the_way_to_fresh_ones_is_a_login() -> None:
    assert body_of(next(TRADOVATE_DEMO.renew(CREDENTIAL, None)))["name"] == "pituser"


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named_with_the_command_that_sets_it(field: str) -> None:
    fields = {name: value for name, value in CREDENTIAL.fields.items() if name != field}
    with pytest.raises(HumanNeeded, match=f"pitboss keys set tradestation --field {field}"):
        next(TRADOVATE_DEMO.log_in(Credential(LOGIN, fields)))


def test_a_device_id_has_the_form_of_a_uuid_and_comes_from_chance_alone() -> None:
    ids = {new_device_id(seeded(seed)) for seed in range(100)}
    assert len(ids) == 100
    assert new_device_id(seeded(1)) == new_device_id(seeded(1))
    assert all([len(part) for part in each.split("-")] == [8, 4, 4, 4, 12] and each[14] == "4" for each in ids)


def test_no_failure_and_no_step_shows_the_password() -> None:
    flow = TRADOVATE_DEMO.log_in(CREDENTIAL)
    request = next(flow)
    assert not any(FIELDS[name] in repr(request) for name in ("password", "sec"))
    assert json.loads(request.encoded().body)["sec"] == FIELDS["sec"]  # type: ignore[union-attr]  # a FlowRequest
