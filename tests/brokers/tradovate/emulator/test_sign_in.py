"""Sign-in: tokens and their end, penalties, both texts of a second factor, and the third login that ends the first."""

from typing import Any

import pytest
import trio

from brokers.tradovate.emulator import TWO_FACTOR
from tests.brokers.tradovate.emulator.words import ES_NAME, PENALISED, Habits, User, order, played

WRONG = "Incorrect username or password. Please try again, noting that passwords are case-sensitive."


async def is_let_in(user: User, token: str) -> tuple[int, bytes]:
    answer = await user.ask("GET", "/v1/auth/me", token=token)
    return answer.status, b"" if answer.status == 200 else answer.body


def test_a_login_gives_two_tokens_and_when_they_end() -> None:
    async def play(user: User) -> None:
        assert user.tokens["userStatus"] == "Active"
        assert user.tokens["accessToken"] != user.tokens["mdAccessToken"]
        assert user.tokens["expirationTime"].endswith("Z")
        me = await user.get("auth/me")
        assert (me["userId"], me["name"]) == (user.tokens["userId"], "pituser")
        number = {**user.emulator.credentials, "cid": 8}
        assert "accessToken" in (await user.ask("POST", "/v1/auth/accesstokenrequest", number)).json
        names = [one["name"] for one in await user.get("account/list")]
        assert names[:2] == list(user.emulator.accounts)

    played(play)


@pytest.mark.parametrize(
    ("changed", "text"),
    [({"password": "guess"}, WRONG), ({"name": "nobody"}, WRONG), ({"sec": "x"}, "The app is not registered")],
)
def test_a_wrong_login_is_told_inside_a_reply_of_success(changed: dict[str, str], text: str) -> None:
    async def play(user: User) -> None:
        answer = await user.sign_in(**changed)
        assert (answer.status, answer.json) == (200, {"errorText": text})

    played(play, log_in=False)


@pytest.mark.parametrize("text", TWO_FACTOR)
def test_a_login_with_a_second_factor_is_refused_in_either_text(text: str) -> None:
    async def play(user: User) -> None:
        assert (await user.sign_in()).json == {"errorText": text}
        assert (await user.sign_in(password="guess")).json == {"errorText": WRONG}

    played(play, log_in=False, habits=Habits(two_factor=text))


def test_without_a_token_or_with_a_strange_one_access_is_denied() -> None:
    async def play(user: User) -> None:
        for token in ("", "at-unknown"):
            assert await is_let_in(user, token) == (401, b"Access is denied")
        assert await is_let_in(user, user.tokens["mdAccessToken"]) == (401, b"Access is denied")
        async with user.socket("") as sock:
            number = await sock.send("account/list")
            assert await sock.message() == {"s": 401, "i": number, "d": "Access is denied"}
            number = await sock.send("authorize", "at-unknown")
            assert await sock.message() == {"s": 401, "i": number, "d": "Access is denied"}

    played(play)


def test_F11_a_token_ends_and_is_renewed_only_before_that() -> None:
    async def play(user: User) -> None:
        await trio.sleep(20)
        renewed = (await user.renew()).json
        assert renewed["accessToken"] != user.token
        assert renewed["mdAccessToken"] != user.tokens["mdAccessToken"]
        assert (await is_let_in(user, user.token))[0] == 200, "the older token is good until its own end"
        await trio.sleep(11)
        assert await is_let_in(user, user.token) == (401, b"Expired Access Token")
        answer = await user.renew()
        assert (answer.status, answer.body) == (401, b"Expired Access Token")
        user.token = renewed["accessToken"]
        assert (await is_let_in(user, user.token))[0] == 200

    played(play, "short-tokens=30")


def test_F11_a_renewal_fails_is_revoked_or_ends_the_older_token_at_once() -> None:
    async def play(user: User) -> None:
        assert (await user.renew()).status == 503
        user.emulator.faults.on("rotate-tokens*1")
        renewed = (await user.renew()).json
        assert (await is_let_in(user, user.token))[0] == 401
        user.token = renewed["accessToken"]
        user.emulator.faults.on("refresh-revoked")
        assert (await user.renew()).status == 401
        assert (await is_let_in(user, user.token))[0] == 200

    played(play, "refresh-fails*1")


def test_a_third_login_ends_the_first_with_its_socket() -> None:
    async def play(user: User) -> None:
        first = user.token
        async with user.socket() as sock:
            await user.log_in()
            assert (await is_let_in(user, first))[0] == 200, "two sessions stand side by side"
            await user.log_in()
            assert (await sock.message())["d"]["reasonCode"] == "ConnectionQuotaReached"
            with pytest.raises(EOFError, match=r'c\[3000,"Go away!"\]'):
                await sock.message()
        assert await is_let_in(user, first) == (401, b"Access is denied")
        assert (await is_let_in(user, user.token))[0] == 200

    played(play)


def test_F13_a_penalty_is_over_only_with_its_ticket_and_only_after_its_time() -> None:
    async def play(user: User) -> None:
        answer = await user.sign_in()
        waits = answer.json
        assert answer.status == 200
        assert set(waits) == PENALISED
        assert (waits["p-time"], waits["p-captcha"]) == (5, False)
        ticket = {"p-ticket": waits["p-ticket"]}
        assert set((await user.sign_in(**ticket)).json) == PENALISED, "too early"
        await trio.sleep(5)
        assert set((await user.sign_in()).json) == PENALISED, "without the ticket"
        await trio.sleep(1)
        assert "accessToken" in (await user.sign_in(**ticket)).json
        assert "accessToken" in (await user.sign_in()).json

    played(play, "ticket=5", log_in=False)


def test_F13_a_captcha_cannot_be_waited_for_and_hammering_is_blocked_for_an_hour() -> None:
    async def play(user: User) -> None:
        waits = (await user.sign_in()).json
        assert (waits["p-time"], waits["p-captcha"]) == (3600, True)
        replies = [await user.sign_in(**{"p-ticket": waits["p-ticket"]}) for _ in range(20)]
        assert [one.status for one in replies] == [200] * 19 + [429]
        assert replies[-1].body == b""
        await trio.sleep(3_600)
        assert "accessToken" in (await user.sign_in()).json

    played(play, "captcha*1", log_in=False, limit_seconds=10_000)


def test_more_than_ten_logins_a_minute_ask_for_a_captcha() -> None:
    async def play(user: User) -> None:
        kinds = [set((await user.sign_in()).json) == PENALISED for _ in range(12)]
        assert kinds == [False] * 10 + [True] * 2

    played(play, log_in=False)


def test_more_than_a_thousand_calls_a_second_are_penalised_over_a_socket_too() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            replies: list[Any] = []
            for _ in range(1_001):
                await sock.send("auth/me")
            while len(replies) < 1_001:
                replies.append(await sock.message())
            penalised = [one["d"] for one in replies if set(one["d"]) == PENALISED]
            assert {one["s"] for one in replies} == {200}
            assert len(penalised) == 1
            await trio.sleep(1)
            assert "userId" in await sock.get("auth/me", {"p-ticket": penalised[0]["p-ticket"]})

    played(play)


def test_live_orders_are_denied_to_a_device_that_is_not_known() -> None:
    async def play(user: User) -> None:
        user.token = (await user.sign_in(deviceId="another")).json["accessToken"]
        assert (await is_let_in(user, user.token))[0] == 200
        async with user.socket() as sock:
            number = await sock.send("order/placeorder", order())
            assert await sock.message() == {"s": 401, "i": number, "d": "Access is denied"}

    played(play, log_in=False, habits=Habits(live=True))


def test_no_credential_is_ever_logged() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await sock.get("order/placeorder", order(symbol=ES_NAME))
        await user.renew()
        text = "\n".join(map(str, user.emulator.log.entries))
        said = user.emulator.credentials
        for secret in (user.token, user.tokens["mdAccessToken"], said["password"], said["sec"]):
            assert secret not in text

    played(play)
