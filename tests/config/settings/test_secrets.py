"""Claims about secrets: none is accepted from a file or a variable, and none is repeated in a report."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Loaded, SessionSettings, Settings, Source, check, show
from config.settings.secrets import EXPECTED, is_secret_name, is_secret_value

CANARY = "c4n4ry"


@pytest.mark.parametrize(
    "key",
    ["password", "api_secret", "apiSecret", "API_KEY", "token", "accessToken", "refresh-token", "private_key",
     "client_secret", "passphrase", "apikey", "secret_key", "JWT", "user_password", "otp"],
)  # fmt: skip
def test_a_key_named_like_a_secret_is_told(key: str) -> None:
    assert is_secret_name(key)


@pytest.mark.parametrize(
    "key", ["key", "key_file", "password_file", "tokenize", "secretary", "monkey_key", "fast", "keyring_s", ""]
)
def test_a_key_named_otherwise_is_not(key: str) -> None:
    assert not is_secret_name(key)


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN EC PRIVATE KEY-----", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.x",
     "https://me:pass@example.com", "Bearer abcdefghij0123456789"],
)  # fmt: skip
def test_a_value_of_a_secrets_shape_is_told(text: str) -> None:
    assert is_secret_value(text)


@pytest.mark.parametrize(
    "make", [lambda r: r.randbytes(16).hex(), lambda r: r.randbytes(32).hex(), lambda r: _base62(r, 32)]
)
def test_random_keys_are_told_by_their_entropy(make: object) -> None:
    chance = random.Random(1)
    told = sum(is_secret_value(make(chance)) for _ in range(1000))  # type: ignore[operator]  # one of the three above
    assert told >= 970


def _base62(chance: random.Random, length: int) -> str:
    return "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=length))


@pytest.mark.parametrize(
    "text",
    ["/home/somebody/strategies/opening-range-breakout-2026-v2/parameters", "my.package.module:OpeningRangeBreakoutV2",
     "09:35-15:55 America/New_York", "EMA20 crosses EMA50 on the 15 minute bars", "a" * 80, "1234567890" * 5,
     "2026-11-21T13-30-19Z-until-2026-12-01"],
)  # fmt: skip
def test_words_paths_and_dates_are_not_taken_for_secrets(text: str) -> None:
    assert not is_secret_value(text)


def test_an_account_may_be_a_uuid() -> None:
    account = "904837e3-3b76-47ec-b432-046db621571b"
    assert check([Source("a", f'[brokers.b]\nkind = "alpaca"\naccounts = ["{account}"]')], {}) == ()


@pytest.mark.parametrize(
    "text",
    [
        f'api_secret = "{CANARY}"',
        f'[daemon]\npassword = "{CANARY}"',
        f'[daemon]\nlog_level = {{ password = "{CANARY}" }}',
        f'[[daemon]]\npassword = "{CANARY}"',
        f'[brokers.x]\ntoken = "{CANARY}"',
        f'[[brokers]]\ntoken = "{CANARY}"',
        f'[brokers.x]\naccounts = [{{ api_key = "{CANARY}" }}]',
        f'[brokers.password]\nkind = "tradovate"\naccounts = ["1"]\nlogin = "eyJ{CANARY}{CANARY}.{CANARY}"',
        f'[sessions.x]\nparams = {{ deep = {{ secret = "{CANARY}" }} }}',
        f'[sessions.x]\nparams = {{ passphrase = "{CANARY}" }}',
        f'[sessions.x]\nparams = {{ note = "https://me:{CANARY}@host" }}',
        f'[sessions.x]\nparams = ["Bearer {CANARY}{CANARY}{CANARY}"]',
        f'[sessions."{CANARY}0a1B2c3D4e5F6g7H8i9J0k"]\nx = 1',
        f'"eyJ{CANARY}{CANARY}.{CANARY}" = 1',
        f'"eyJ{CANARY}{CANARY}.{CANARY}" = 1\n[unknown]\nsecret = "{CANARY}"',
    ],
)  # fmt: skip
def test_s48_a_secret_is_refused_wherever_it_stands_and_never_repeated(text: str) -> None:
    found = check([Source("a", text)], {})
    assert any(problem.expected == EXPECTED for problem in found)
    assert CANARY not in "".join(map(str, found))


def test_s05_a_secret_in_a_variable_is_refused_and_never_repeated() -> None:
    [problem] = check([], {"PITBOSS__BROKERS__X__API_SECRET": CANARY})[:1]
    assert problem.expected == EXPECTED
    assert CANARY not in str(problem)


def test_a_secret_in_a_file_is_refused_even_where_a_later_file_replaces_it() -> None:
    first = Source("1", f'[sessions.x.params]\nnote = "Bearer {CANARY}{CANARY}{CANARY}"')
    found = check([first, Source("2", '[sessions.x.params]\nnote = "plain"')], {})
    assert [problem.file for problem in found if problem.expected == EXPECTED] == ["1"]


def test_what_is_shown_masks_a_secret_that_came_past_the_reader() -> None:
    session = SessionSettings(
        "paper", "paper-1", ("ES",), "a:B", params={"note": f"Bearer {CANARY}{CANARY}{CANARY}", "token": CANARY}
    )
    shown = show(Loaded(Settings(sessions={"x": session})))
    assert CANARY not in shown
    assert 'token = "***"' in shown


def test_what_is_shown_goes_line_by_line_through_the_masks_of_the_process() -> None:
    assert "100000" not in show(Loaded(Settings()), lambda line: line.replace("100000", "***"))


def test_what_is_shown_cannot_move_the_cursor_of_a_terminal() -> None:
    session = SessionSettings("paper", "paper-1", ("ES",), "a:B", params={"note": '\x1b[2J\x9b\u202e"\\\n'})
    shown = show(Loaded(Settings(sessions={"x": session})))
    assert all(line.isprintable() for line in shown.splitlines())
    assert check([Source("shown", shown)], {}) == ()


@given(st.text(max_size=60))
def test_any_text_is_judged_without_fail(text: str) -> None:
    assert is_secret_value(text) in (True, False)
    assert is_secret_name(text) in (True, False)
