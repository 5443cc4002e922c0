"""The sign-in host: codes, PKCE, refresh, rotation, revocation, scopes and the twenty minutes of a token."""

import base64
import hashlib
import json
import random
from urllib.parse import parse_qs, quote, urlsplit

import trio

from brokers.emulation import EventLog, Switchboard
from brokers.tradestation.emulator import KEY, PARTS
from brokers.tradestation.emulator.oauth import SignIn
from tests.brokers.emulation.kit import Answer, Client, played
from tests.brokers.tradestation.emulator.words import PLACE, error, order

ACCOUNTS = "/v3/brokerage/accounts"
SCOPE = "openid profile offline_access MarketData ReadAccount Trade"


async def authorize(client: Client, scope: str = SCOPE, **more: str) -> Answer:
    query = {
        "response_type": "code",
        "client_id": KEY.client_id,
        "audience": "https://api.tradestation.com",
        "redirect_uri": KEY.redirect_uri,
        "scope": scope,
        "state": "s&1",
        **more,
    }
    return await client.ask("GET", "/authorize?" + "&".join(f"{name}={quote(value)}" for name, value in query.items()))


async def exchange(client: Client, page: Answer, **more: str) -> Answer:
    code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "client_id": KEY.client_id,
        "code": code,
        "redirect_uri": KEY.redirect_uri,
        **more,
    }
    return await client.ask("POST", "/oauth/token", form=form)


def test_a_code_is_exchanged_once_for_tokens_that_open_the_interface() -> None:
    async def play(client: Client) -> None:
        page = await authorize(client)
        assert page.status == 302
        assert page.headers["location"].startswith("http://localhost:3000/?code=")
        assert parse_qs(urlsplit(page.headers["location"]).query)["state"] == ["s&1"]
        answer = await exchange(client, page, client_secret=KEY.client_secret)
        assert sorted(answer.json) == [
            "access_token",
            "expires_in",
            "id_token",
            "refresh_token",
            "scope",
            "token_type",
        ]
        assert (answer.json["expires_in"], answer.json["token_type"], answer.json["scope"]) == (1200, "Bearer", SCOPE)
        client.token = answer.json["access_token"]
        assert (await client.ask("GET", ACCOUNTS)).status == 200
        again = await exchange(client, page, client_secret=KEY.client_secret)
        assert (again.status, again.json["error"]) == (403, "invalid_grant")

    played(play, log_in=False)


def test_a_public_client_proves_itself_by_its_verifier() -> None:
    async def play(client: Client) -> None:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(b"my-verifier").digest()).rstrip(b"=").decode()
        proof = {"code_challenge": challenge, "code_challenge_method": "S256"}
        wrong = await exchange(client, await authorize(client, **proof), code_verifier="other")
        assert wrong.json["error"] == "invalid_grant"
        right = await exchange(client, await authorize(client, **proof), code_verifier="my-verifier")
        assert right.status == 200

    played(play, log_in=False)


def test_a_page_for_another_key_or_audience_is_refused() -> None:
    async def play(client: Client) -> None:
        for changed in ({"client_id": "x"}, {"audience": "x"}, {"redirect_uri": "http://evil"}, {"scope": "root"}):
            scope = changed.pop("scope", SCOPE)
            assert error(await authorize(client, scope, **changed))[:2] == (400, "BadRequest")

    played(play, log_in=False)


def test_a_refresh_by_default_keeps_its_refresh_token_and_says_nothing_of_it() -> None:
    async def play(client: Client) -> None:
        first, second = await client.refresh(), await client.refresh()
        assert "refresh_token" not in first.json
        assert first.json["access_token"] != second.json["access_token"]
        assert (await client.ask("GET", ACCOUNTS, token=first.json["access_token"])).status == 200

    played(play, log_in=False)


def test_refusals_of_the_sign_in_host_are_word_for_word() -> None:
    async def play(client: Client) -> None:
        answer = await client.refresh(refresh_token="nobody's")
        assert answer.status == 403
        assert answer.body == (b'{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}')
        assert (await client.refresh(client_secret="wrong")).status == 401
        assert (await client.refresh(client_id="wrong")).status == 401

    played(play, log_in=False)


MINUTE = 60 * 1_000_000_000


def rotating() -> SignIn:
    faults = Switchboard(PARTS, EventLog(lambda: 0))
    faults.on("rotate-tokens")
    return SignIn(KEY, random.Random(1), faults, 0)


def refreshed(sign_in: SignIn, token: str, now_ns: int) -> str:
    """The next refresh token, empty when this one is refused."""
    form = {"grant_type": "refresh_token", "client_id": KEY.client_id, "refresh_token": token}
    answer = sign_in.token(form, now_ns)
    return str(json.loads(answer.body)["refresh_token"]) if answer.status == 200 else ""


def test_a_rotated_refresh_token_replaces_the_old_one() -> None:
    sign_in = rotating()
    token = refreshed(sign_in, sign_in.refresh_token, 0)
    assert token
    assert refreshed(sign_in, sign_in.refresh_token, 0) == ""
    assert refreshed(sign_in, token, 0)


def test_a_rotated_refresh_token_lives_thirty_minutes() -> None:
    sign_in = rotating()
    token = refreshed(sign_in, sign_in.refresh_token, 0)
    token = refreshed(sign_in, token, 30 * MINUTE - 1)
    assert token
    assert refreshed(sign_in, token, 60 * MINUTE - 1) == ""


def test_rotation_ends_after_a_day_when_only_a_browser_helps() -> None:
    sign_in = rotating()
    token = sign_in.refresh_token
    for turn in range(72):
        token = refreshed(sign_in, token, turn * 20 * MINUTE)
        assert token
    assert refreshed(sign_in, token, 72 * 20 * MINUTE) == ""


def test_a_revocation_ends_every_refresh_token() -> None:
    async def play(client: Client) -> None:
        form = {"client_id": KEY.client_id, "client_secret": KEY.client_secret, "token": "any"}
        assert (await client.ask("POST", "/oauth/revoke", form=form)).status == 200
        assert (await client.refresh()).status == 403

    played(play, log_in=False)


def test_a_token_ends_after_its_time_for_requests_and_new_streams_but_not_for_open_ones() -> None:
    async def play(client: Client) -> None:
        async with client.stream("/v3/marketdata/stream/quotes/AAPL") as feed:
            assert feed.status == 200
            await trio.sleep(9)
            assert (await client.ask("GET", ACCOUNTS)).status == 200
            await trio.sleep(2)
            answer = await client.ask("GET", ACCOUNTS)
            assert answer.body == b'{"Error":"Unauthorized","Message":"Unauthorized"}'
            assert answer.status == 401
            async with client.stream("/v3/marketdata/stream/quotes/AAPL") as late:
                assert late.status == 401
            await feed.next()

    played(play, "short-tokens=10")


def test_each_part_of_the_interface_needs_its_scope() -> None:
    async def play(client: Client) -> None:
        page = await authorize(client, "openid MarketData")
        answer = await exchange(client, page, client_secret=KEY.client_secret)
        assert "refresh_token" not in answer.json, "that takes offline_access"
        client.token = answer.json["access_token"]
        assert (await client.ask("GET", "/v3/marketdata/symbols/AAPL")).status == 200
        assert error(await client.ask("GET", ACCOUNTS)) == (403, "Forbidden", "Forbidden")
        assert error(await client.ask("POST", PLACE, order())) == (403, "Forbidden", "Forbidden")

    played(play, log_in=False)
