"""S09, S12: no secret survives redaction, wherever it stands and however it is written; all else survives unchanged."""

import base64
import json
import re
import string
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.wire.redaction import COMMON, Redactor, Rules, one_line
from runtime.wire.secret import MASK, Secret

PLAIN = st.text(string.ascii_letters + string.digits, min_size=6, max_size=40)
WILD = st.text(st.characters(codec="utf-8"), min_size=6, max_size=40)
FIELDS = sorted(COMMON.fields)
HEADERS = sorted(name.replace("*", "Anything-1") for name in COMMON.headers)


def spelled(name: str, style: int) -> str:
    """A name as brokers write it: snake_case, kebab-case, camelCase, UPPER."""
    words = name.split("_")
    camel = words[0] + "".join(word.title() for word in words[1:])
    return (name, "-".join(words), camel, name.upper(), camel[0].upper() + camel[1:])[style]


def clean(text: str, secret: str) -> bool:
    return secret not in text and MASK in text


# What stands under a telling name.

POSITIONS = {
    "query": "GET https://api.broker/x?a=1&{name}={secret}&b=2 HTTP/1.1",
    "form": "{name}={secret}&grant_type=refresh",
    "json": '{{"a": 1, "{name}": "{secret}", "b": [2]}}',
    "json without blanks": '{{"a":1,"{name}":"{secret}","b":[2]}}',
    "json number": '{{"{name}": 1{secret}, "b": 2}}',
    "json list": '{{"{name}": ["{secret}", "x]"], "b": 2}}',
    "json object": '{{"{name}": {{"v": "{secret}", "w": "}}"}}, "b": 2}}',
    "json in json": '{{"text":"{{\\"{name}\\":\\"{secret}\\",\\"b\\":2}}"}}',
    "json that was cut": '{{"a": 1, "{name}": "{secret}',
    "python dict": "{{'{name}': '{secret}', 'b': 2}}",
    "python call": "Login(user='me', {name}='{secret}', n=2)",
    "python pair": "[('{name}', '{secret}'), ('b', '2')]",
    "python bytes": "headers=[(b'{name}', b'{secret}'), (b'b', b'2')]",
    "websocket frame": '{{"op":"auth","args":[],"params":{{"{name}":"{secret}","timestamp":1}}}}',
}


@given(st.sampled_from(sorted(POSITIONS)), st.sampled_from(FIELDS), st.integers(0, 4), PLAIN)
def test_s09_a_value_under_a_telling_name_is_masked(position: str, field: str, style: int, secret: str) -> None:
    secret = f"zq{secret}" if position != "json number" else "8" + "".join(str(ord(c)) for c in secret)
    text = POSITIONS[position].format(name=spelled(field, style), secret=secret)
    redacted = Redactor().text(text)
    assert clean(redacted, secret)
    for kept in ("timestamp", "GET https://api.broker/x?a=1&", '"b"', "'b'", "&b=2 HTTP/1.1"):
        assert kept not in text or kept in redacted


@given(st.sampled_from(HEADERS), st.booleans(), PLAIN)
def test_s09_a_secret_header_is_masked_as_a_pair_and_in_text(header: str, upper: bool, secret: str) -> None:
    name = header.upper() if upper else header
    redactor = Redactor()
    assert redactor.headers([(name, secret), ("Date", "now")]) == ((name, MASK), ("Date", "now"))
    for text in (f"{name}: {secret}\r\nDate: now\r\n", f"sent (b'{name}', b'{secret}'), (b'Date', b'now')"):
        redacted = redactor.text(text)
        assert clean(redacted, secret)
        assert "now" in redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("said Bearer eyJhbGciOi.payload-1.sig", "said Bearer ***"),
        ("basic dXNlcjpwYXNzd29yZA== refused", "basic *** refused"),
        ("jwt=x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end", "jwt=*** *** end"),
        ("wss://user:pass@ws.broker/x", "wss://***@ws.broker/x"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nend",
            "-----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY-----\nend",
        ),
        ("-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN PRIVATE KEY-----***"),
        ('OAuth realm="r", oauth_token="abc", oauth_signature="d%2Fe"', None),
        ('{"token": null, "secret": "", "password": false}', '{"token": null, "secret": "", "password": false}'),
        (r'{"token":"a\"b","n":1}', '{"token":"***","n":1}'),
        (r'{"token":"a\\","n":1}', '{"token":"***","n":1}'),
        (r'{"x":"{\"token\":\"a\\\"b\",\"n\":1}"}', r'{"x":"{\"token\":\"***\",\"n\":1}"}'),
    ],
)
def test_s09_known_shapes(text: str, redacted: str | None) -> None:
    expected = redacted or 'OAuth realm="r", oauth_token="***", oauth_signature="***"'
    assert Redactor().text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"code":-1022,"msg":"Signature for this request is not valid."}',
        '{"nextToken":"abc","page_token":"def","key":"/ESZ25","design":"x"}',
        '["token","next","secret","value"]'.replace('["token"', '["a"').replace('"secret",', '"b",'),
        "Bearer authentication is required",
        "basic subscription required for this symbol",
        "price=5000.25 quantity=1 symbol=ESZ5 time=12:30:45",
        "GET https://api.broker.com:8443/v3/orders?symbol=ESZ5&limit=10",
        "order rejected: token bucket empty",
        '{"text":"the password is wrong"}',
        "a = b; c : d",
        "=:=:= ://@",
    ],
)
def test_what_is_no_secret_stays_to_the_last_character(text: str) -> None:
    redactor = Redactor()
    redactor.learn("a-live-secret")
    assert redactor.text(text) == text


# What was learned.


def written(secret: str) -> list[str]:
    """A secret in every shape that covers it whole, quotes and a name apart."""
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(secret, safe="")),
        urlencode({"v": secret}).removeprefix("v="),
        secret.encode().hex(),
        secret.encode().hex().upper(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
    ]


@given(st.one_of(PLAIN, WILD), st.text("xyz ,;", max_size=5))
@example("sécret/with+all=kinds&of?characters", "")
@example("-----BEGIN\nEC KEY\n-----END", "")
def test_s09_a_learned_secret_is_masked_in_every_writing(secret: str, around: str) -> None:
    redactor = Redactor()
    assert redactor.learn(secret)
    for shape in written(secret):
        assert redactor.text(f"{around}{shape}{around}") == f"{around}{MASK}{around}"


@given(st.one_of(PLAIN, WILD), st.binary(max_size=5), st.binary(max_size=5))
def test_s09_a_learned_secret_is_masked_at_each_alignment_of_base64(secret: str, before: bytes, after: bytes) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    raw = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        redacted = redactor.text(encode(raw).decode())
        start, _, end = redacted.partition(MASK)
        assert redacted != start
        assert len(start) <= -(-8 * len(before) // 6)  # characters that hold a bit of what stands before
        assert len(end.rstrip("=")) <= -(-8 * len(after) // 6) + 1  # and of what follows


@given(st.lists(st.text("ab", min_size=6, max_size=8), min_size=1, max_size=3), st.text("ab", max_size=40))
@example(["ababab"], "abababab")
@example(["aababa", "babaab"], "aababaab")
def test_overlapping_secrets_leave_no_part_of_each_other(secrets: list[str], text: str) -> None:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(secret)
    covered = [False] * len(text)
    for secret in secrets:
        for at in range(len(text)):
            if text.startswith(secret, at):
                covered[at : at + len(secret)] = [True] * len(secret)
    left = "".join(char for char, hidden in zip(text, covered, strict=True) if not hidden)
    assert redactor.text(text).replace(MASK, "") == left


def test_a_binary_key_is_learned_too() -> None:
    key = bytes(range(200, 232))
    redactor = Redactor()
    redactor.learn(key)
    for shape in (key.hex(), base64.b64encode(key).decode(), repr(key), f"x{base64.b64encode(b'ab' + key)!s}"):
        assert MASK in redactor.text(shape)


def test_a_value_too_short_to_be_told_from_text_is_not_learned() -> None:
    redactor = Redactor()
    assert not redactor.learn("12345")
    assert redactor.text("price 12345") == "price 12345"
    assert redactor.learn(Secret("123456"))
    assert redactor.text("price 123456") == "price ***"


def test_what_is_forgotten_as_often_as_it_was_learned_is_no_longer_masked() -> None:
    redactor = Redactor()
    redactor.learn("a-live-secret")
    redactor.learn(Secret("a-live-secret"))
    redactor.forget(Secret("a-live-secret"))
    assert redactor.text("a-live-secret") == MASK
    redactor.forget("a-live-secret")
    redactor.forget("a-live-secret")
    assert redactor.text("a-live-secret") == "a-live-secret"


# Rules of a broker.

BYBIT = Rules(headers=frozenset({"x-referer"}), fields=frozenset({"pin"}), frames=(r'"op":"auth".*?"args":\[(.*?)\]',))
TRADOVATE = Rules(frames=(r"^authorize\n\d+\n\n(\S+)",))


def test_a_broker_adds_its_names_and_its_frames() -> None:
    redactor = Redactor(BYBIT)
    redactor.add(TRADOVATE)
    auth = '{"req_id":"1","op":"auth","args":["key",1662350400000,"d7ca36"]}'
    assert redactor.text(auth) == '{"req_id":"1","op":"auth","args":[***]}'
    assert redactor.body(b"authorize\n2\n\nthe-token") == "authorize\n2\n\n***"
    assert redactor.text('{"op":"subscribe","args":["orderbook"],"pin":4711}').endswith('["orderbook"],"pin":***}')
    assert redactor.headers([("X-Referer", "me")]) == (("X-Referer", MASK),)
    assert redactor.text('{"token":"x"}') == '{"token":"***"}'
    assert (BYBIT | TRADOVATE).frames == BYBIT.frames + TRADOVATE.frames


# Lines.


@given(st.text(st.characters(), max_size=60))
@example("a\r\nb\x00\x1b[31m\x7f\x85\u2028\u2029\u202e\u2066\ufeff\ud800")
def test_s12_any_text_becomes_one_line_without_control_characters(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", line)
    if text.isprintable():
        assert line == text


def test_s12_redaction_comes_before_escaping() -> None:
    redactor = Redactor()
    redactor.learn("two\nlines")
    assert redactor.line("a two\nlines b\n") == "a *** b\\n"


@given(st.text(st.sampled_from("\"'\\{}[]:=,&?@ \n\rabtoken"), max_size=80))
def test_f36_any_text_is_redacted_without_an_error(text: str) -> None:
    assert len(Redactor().text(text)) <= len(text) + 3 * len(MASK) * (len(text) + 1)


HOSTILE = [
    "eyJ",
    "eyJaaaaaaaa.",
    "token=",
    "Cookie:",
    '"token":{',
    '"token":["',
    '"token":"',
    '\\"',
    '"token":{"\\',
    "://",
    "x://a",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "bearer ",
    "basic 1",
    '"a" ',
    "('token' ,",
    "=",
    ":",
    "a",
    '"',
    "\\",
    "[",
    "a=",
    "token = ",
]


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("start", ["", '"token":{', '"token":"', "token="])
def test_f36_s53_hostile_text_is_redacted_in_little_time(part: str, start: str) -> None:
    text = start + part * (65536 // len(part))
    redactor = Redactor()
    redactor.learn("a-live-secret")
    started = time.process_time()
    redactor.text(text)
    assert time.process_time() - started < 1


@given(st.binary(max_size=60))
def test_f36_any_bytes_are_redacted_without_an_error(data: bytes) -> None:
    redacted = Redactor().body(data)
    assert redacted.encode().decode() == redacted


# What was seen to be clean.


def test_a_text_that_was_clean_is_masked_once_its_value_is_known_to_be_a_secret() -> None:
    redactor, text = Redactor(), "GET /orders?page=tiger-lily-77"
    assert redactor.text(text) == redactor.text(text) == text
    redactor.learn("tiger-lily-77")
    assert redactor.text(text) == f"GET /orders?page={MASK}"
    redactor.forget("tiger-lily-77")
    redactor.add(Rules(fields=frozenset({"page"})))
    assert redactor.text(text) == f"GET /orders?page={MASK}"


def test_clean_texts_are_forgotten_when_there_are_too_many() -> None:
    redactor = Redactor()
    for number in range(40):
        assert redactor.text(f"{number:06}" + "x" * 50_000).endswith("x")
    assert sum(map(len, redactor._clean._texts)) < 1 << 20
