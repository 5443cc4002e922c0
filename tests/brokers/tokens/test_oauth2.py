"""OAuth 2.0 without I/O: what leaves, what is made of the answers, and what is never accepted."""

import base64
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from brokers.tokens.credentials import Credential
from brokers.tokens.flow import (
    AskHuman,
    Flow,
    FlowRequest,
    HumanNeeded,
    LoginFailure,
    LoginRefused,
    Penalty,
    Unreachable,
)
from brokers.tokens.oauth2 import DAY_NS, SCHWAB, TRADESTATION, ClientProof, OAuth2, challenge
from brokers.tokens.token_set import TokenSet
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import FIELDS, LOGIN, SECOND_NS, body_of, reply, seeded, tokens_of

CREDENTIAL = Credential(LOGIN, FIELDS)
NOW = 1_767_625_200 * SECOND_NS
HELD = TokenSet(Secret("at-1"), Secret("rt-1"), NOW, NOW + 1200 * SECOND_NS, NOW + 5 * DAY_NS)


def asked(flow: Flow) -> tuple[AskHuman, dict[str, str]]:
    question = next(flow)
    assert isinstance(question, AskHuman)
    query = parse_qs(urlsplit(question.address).query, strict_parsing=True)
    return question, {name: values[0] for name, values in query.items()}


def renewing(way: OAuth2, tokens: TokenSet | None = HELD) -> tuple[Flow, FlowRequest]:
    flow = way.renew(CREDENTIAL, tokens)
    request = next(flow)
    assert isinstance(request, FlowRequest)
    return flow, request


def test_s59_the_challenge_is_the_s256_of_the_verifier() -> None:
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")  # the example of RFC 7636
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_s59_a_login_carries_state_and_challenge_and_proves_them_at_the_exchange() -> None:
    flow = TRADESTATION.log_in(CREDENTIAL, seeded(1))
    question, query = asked(flow)
    assert query["state"] == question.state.reveal()
    assert (query["code_challenge_method"], query["audience"]) == ("S256", "https://api.tradestation.com")
    assert "offline_access" in query["scope"].split(" ")
    request = flow.send({"code": "the-code@", "state": question.state.reveal()})
    body = body_of(request)
    assert challenge(Secret(body.pop("code_verifier"))) == query["code_challenge"]
    assert body == {
        "grant_type": "authorization_code",
        "code": "the-code@",
        "redirect_uri": "http://localhost:3000",
        "client_id": "client-one",
        "client_secret": FIELDS["client_secret"].reveal(),
    }
    tokens = tokens_of(flow, reply(200, {"access_token": "at", "refresh_token": "rt", "expires_in": 1200}, NOW))
    assert tokens == TokenSet(Secret("at"), Secret("rt"), NOW, NOW + 1200 * SECOND_NS)


def test_s59_each_login_has_a_state_and_a_verifier_of_its_own() -> None:
    chance = seeded(1)
    queries = [asked(TRADESTATION.log_in(CREDENTIAL, chance))[1] for _ in range(50)]
    for name in ("state", "code_challenge"):
        assert len({query[name] for query in queries}) == 50
        assert all(len(query[name]) >= 43 for query in queries)


@pytest.mark.parametrize(
    "redirect",
    [
        {"code": "c"},
        {"code": "c", "state": ""},
        {"code": "c", "state": "forged"},
        {"code": "c", "state": "\u00e9"},
        {"error": "access_denied"},
    ],
)
def test_s59_a_forged_redirect_sends_nothing(redirect: dict[str, str]) -> None:
    flow = TRADESTATION.log_in(CREDENTIAL, seeded(1))
    asked(flow)
    with pytest.raises(LoginRefused, match="state of this login"):
        flow.send(redirect)


@pytest.mark.parametrize("said", [{"error": "access_denied", "code": "c"}, {}, {"code": ""}])
def test_a_redirect_without_a_code_sends_nothing(said: dict[str, str]) -> None:
    flow = TRADESTATION.log_in(CREDENTIAL, seeded(1))
    question, _ = asked(flow)
    with pytest.raises(LoginRefused):
        flow.send({**said, "state": question.state.reveal()})


def test_schwab_proves_the_client_in_a_header_and_a_person_logs_in_again_after_seven_days() -> None:
    flow = SCHWAB.log_in(CREDENTIAL, seeded(1))
    question, query = asked(flow)
    assert "code_challenge" not in query
    request = flow.send({"code": "C0.x@", "state": question.state.reveal(), "session": "s"})
    assert isinstance(request, FlowRequest)
    pair = base64.b64encode(f"client-one:{FIELDS['client_secret'].reveal()}".encode()).decode()
    assert ("authorization", f"Basic {pair}") in request.encoded().headers
    assert body_of(request) == {
        "grant_type": "authorization_code",
        "code": "C0.x@",
        "redirect_uri": "https://127.0.0.1",
    }
    answer = {"access_token": "at", "refresh_token": "rt", "expires_in": 1800}
    assert tokens_of(flow, reply(200, answer, NOW)).refresh_expires_ns == NOW + 7 * DAY_NS


def test_a_public_client_sends_no_secret() -> None:
    _, request = renewing(attrs.evolve(TRADESTATION, proof=ClientProof.PUBLIC))
    assert body_of(request) == {"grant_type": "refresh_token", "refresh_token": "rt-1", "client_id": "client-one"}


@pytest.mark.parametrize(
    ("way", "answered", "kept"),
    [
        (TRADESTATION, None, "rt-1"),
        (TRADESTATION, "rt-2", "rt-2"),
        (SCHWAB, "rt-2", "rt-1"),
        (TRADESTATION, "", "rt-1"),
        (TRADESTATION, 5, "rt-1"),
    ],
)
def test_a_refresh_keeps_the_refresh_token_unless_it_is_rotated(way: OAuth2, answered: object, kept: str) -> None:
    flow, _ = renewing(way)
    fields = {"access_token": "at-2", "expires_in": "1800"} | ({} if answered is None else {"refresh_token": answered})
    tokens = tokens_of(flow, reply(200, fields, NOW + 60))
    assert tokens.refresh == Secret(kept)
    assert tokens.expires_ns == NOW + 60 + 1800 * SECOND_NS
    assert tokens.refresh_expires_ns == HELD.refresh_expires_ns, "a refresh does not put off the next login"


@pytest.mark.parametrize("said", [None, 0, -5, "soon", 10**9, 1.5, "9" * 50, True])
def test_a_life_that_makes_no_sense_is_taken_from_the_settings(said: object) -> None:
    flow, _ = renewing(TRADESTATION)
    tokens = tokens_of(flow, reply(200, {"access_token": "at-2", "expires_in": said}, NOW))
    assert tokens.expires_ns == NOW + TRADESTATION.access_life_ns


@pytest.mark.parametrize(
    ("status", "fields", "failure", "says"),
    [
        (403, {"error": "invalid_grant", "error_description": "Unknown."}, HumanNeeded, "pitboss login tradestation"),
        (400, {"error": "unsupported_token_type"}, HumanNeeded, "pitboss login"),
        (401, {"error": "invalid_client"}, LoginRefused, "pitboss keys set"),
        (400, {"error": 7}, Unreachable, "status 400"),
        (403, ["a page"], Unreachable, "status 403"),
        (503, {"error": "invalid_grant"}, Unreachable, "status 503"),
        (200, {"error": "odd"}, Unreachable, "access_token"),
        (200, {"access_token": 5}, Unreachable, "access_token"),
        (429, {}, Penalty, "too many"),
    ],
)
def test_an_answer_without_tokens_is_a_typed_failure_that_says_what_to_do(
    status: int, fields: object, failure: type[LoginFailure], says: str
) -> None:
    flow, _ = renewing(TRADESTATION)
    with pytest.raises(failure, match=says):
        flow.send(reply(status, fields, NOW))


def test_a_429_holds_for_as_long_as_it_says() -> None:
    flow, _ = renewing(TRADESTATION)
    with pytest.raises(Penalty) as raised:
        flow.send(reply(429, {}, NOW, {"retry-after": "90"}))
    assert raised.value.hold_ns == 90 * SECOND_NS


def test_without_a_refresh_token_or_a_field_a_person_is_told_the_command() -> None:
    with pytest.raises(HumanNeeded, match="pitboss login tradestation"):
        renewing(TRADESTATION, None)
    with pytest.raises(HumanNeeded, match="--field client_id"):
        next(TRADESTATION.renew(Credential(LOGIN), HELD))


def test_no_print_of_a_flows_steps_holds_a_secret() -> None:
    flow = SCHWAB.log_in(CREDENTIAL, seeded(1))
    question, _ = asked(flow)
    request = flow.send({"code": "the-secret-code", "state": question.state.reveal()})
    assert isinstance(request, FlowRequest)
    shown = f"{question} {question!r} {request} {request!r} {request.encoded()!r} {HELD}"
    for secret in (question.state.reveal(), "the-secret-code", FIELDS["client_secret"].reveal(), "at-1", "rt-1"):
        assert secret not in shown
