"""Sign-in: codes, Basic proof, half an hour of access, seven days in all, and who is let in."""

import base64
import json
import random
from urllib.parse import parse_qs, quote, urlsplit

import trio

from brokers.emulation import EventLog, Switchboard
from brokers.thinkorswim.emulator import APP
from brokers.thinkorswim.emulator.oauth import SignIn
from brokers.thinkorswim.emulator.words import SECOND_NS
from tests.brokers.thinkorswim.emulator.kit import ES, Client, played

AUTHORIZE = f"/v1/oauth/authorize?client_id={APP.key}&redirect_uri={quote(APP.callback, safe='')}"
REFUSED_REFRESH = (
    '400 Bad Request: "{"error_description":"Exception while authenticating refresh token ...",'
    '"error":"refresh_token_authentication_error"}"'
)


async def code_of(client: Client) -> str:
    answer = await client.ask("GET", AUTHORIZE)
    assert answer.status == 302
    assert "%40&session=" in answer.headers["location"]
    (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    assert code.startswith("C0.")
    assert code.endswith("@")
    return code


def test_a_code_is_exchanged_once_within_thirty_seconds() -> None:
    async def play(client: Client) -> None:
        code = await code_of(client)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": APP.callback}
        answer = await client.token_call(**form)
        assert answer.status == 200
        granted = answer.json
        assert (granted["expires_in"], granted["token_type"], granted["scope"]) == (1800, "Bearer", "api")
        assert {"refresh_token", "access_token", "id_token"} < granted.keys()
        assert (await client.token_call(**form)).json["error"] == "invalid_grant"
        late = await code_of(client)
        await trio.sleep(30)
        assert (await client.token_call(**{**form, "code": late})).status == 400

    played(play)


def test_a_second_login_of_the_app_ends_the_first_refresh_token() -> None:
    async def play(client: Client) -> None:
        code = await code_of(client)
        answer = await client.token_call(grant_type="authorization_code", code=code, redirect_uri=APP.callback)
        assert (await client.refresh()).json == {
            "error": "unsupported_token_type",
            "error_description": REFUSED_REFRESH,
        }
        assert (await client.refresh(answer.json["refresh_token"])).status == 200

    played(play)


def test_a_refresh_returns_the_same_refresh_token_and_does_not_lengthen_its_seven_days() -> None:
    sign_in = SignIn(APP, random.Random(1), Switchboard((), EventLog(lambda: 0)), 0)
    proof = f"Basic {base64.b64encode(f'{APP.key}:{APP.secret}'.encode()).decode()}"
    form = {"grant_type": "refresh_token", "refresh_token": sign_in.refresh_token}
    for day in range(7):
        answer = sign_in.token(proof, form, (day * 86_400 + 86_399) * SECOND_NS)
        assert answer.status == 200
        assert json.loads(answer.body)["refresh_token"] == form["refresh_token"]
    answer = sign_in.token(proof, form, 7 * 86_400 * SECOND_NS)
    assert answer.status == 400
    assert json.loads(answer.body)["error"] == "unsupported_token_type"


def test_the_token_endpoint_wants_the_clients_basic_proof() -> None:
    async def play(client: Client) -> None:
        token = client.emulator.credentials["refresh_token"]
        for proof in ("stranger:secret", f"{APP.key}:wrong", ":"):
            answer = await client.token_call(proof, grant_type="refresh_token", refresh_token=token)
            assert (answer.status, answer.json["error"]) == (401, "invalid_client")
        answer = await client.ask("POST", "/v1/oauth/token", b"{}", headers={"content-type": "application/json"})
        assert answer.status == 400
        assert (await client.token_call(grant_type="password")).json["error"] == "unsupported_grant_type"

    played(play)


def test_a_stranger_is_refused_at_the_browsers_page() -> None:
    async def play(client: Client) -> None:
        answer = await client.ask("GET", AUTHORIZE.replace(APP.key, "other"))
        assert (answer.status, answer.json["errors"]) == (400, ["Invalid client_id"])
        answer = await client.ask("GET", AUTHORIZE.replace("127.0.0.1", "127.0.0.1%2F"))
        assert answer.json["errors"] == ["Invalid redirect_uri"]

    played(play)


def test_the_two_interfaces_and_the_gateway_refuse_in_three_shapes_word_for_word() -> None:
    async def play(client: Client) -> None:
        await trio.sleep(30)
        trader = await client.ask("GET", "/trader/v1/accounts")
        assert trader.status == 401
        assert trader.body == (
            b'{"message":"Not authorized to access this resource","errors":["Invalid bearer token"]}'
        )
        market = await client.ask("GET", "/marketdata/v1/quotes?symbols=AAPL")
        assert market.status == 401
        (error,) = market.json["errors"]
        assert len(error.pop("id")) == 36
        assert error == {
            "status": "401",
            "title": "Unauthorized",
            "detail": "Client not authorized",
            "source": {"header": "Authorization"},
        }
        assert "fault" in (await client.ask("GET", "/v2/nothing")).json

    played(play, "short-tokens=30")


def test_an_app_asks_120_times_a_minute_and_no_more() -> None:
    async def play(client: Client) -> None:
        await trio.sleep(60 - trio.current_time() % 60)
        statuses = [(await client.ask("GET", "/trader/v1/userPreference")).status for _ in range(121)]
        assert statuses == [200] * 120 + [429]
        assert "errorcode" in (await client.ask("GET", "/trader/v1/userPreference")).json["fault"]["detail"]
        await trio.sleep(60)
        await client.get("/trader/v1/userPreference")

    played(play)


def test_f11_a_stream_outlives_its_token_and_a_new_one_needs_a_fresh_token() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            assert (await socket.ask("LEVELONE_FUTURES", "SUBS", keys=ES, fields="0,1,2"))["code"] == 0
            await trio.sleep(10)
            await client.log_in()
            async with client.socket(log_in=False) as other:
                other.login["Authorization"] = socket.login["Authorization"]
                assert await other.log_in() == {"code": 3, "msg": "Login Denied.: token is invalid or has expired."}
            for _ in range(30):
                await socket.data("LEVELONE_FUTURES")

    played(play, "short-tokens=5")
