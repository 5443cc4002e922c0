"""S40: requests reach listed origins and no other, however their URL is written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.wire.origins import AllowList, NotAllowed, Origin

LISTED = AllowList("https://api.broker.com", "https://api.broker.com:8443", "http://127.0.0.1:8080", "wss://[::1]:9")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://api.broker.com", Origin("https", "api.broker.com", 443)),
        ("WSS://API.broker.com:8443", Origin("wss", "api.broker.com", 8443)),
        ("http://127.0.0.1:8080", Origin("http", "127.0.0.1", 8080)),
        ("http://localhost", Origin("http", "localhost", 80)),
        ("wss://[::1]:9", Origin("wss", "::1", 9)),
        ("ws://[::1]", Origin("ws", "::1", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, origin: Origin) -> None:
    assert Origin.parse(text) == origin


def test_the_host_header_names_the_port_only_where_it_is_unusual() -> None:
    assert Origin.parse("https://a.b:443").authority == "a.b"
    assert Origin.parse("https://a.b:444").authority == "a.b:444"
    assert Origin.parse("wss://[::1]:9").authority == "[::1]:9"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.broker.com",
        "ftp://api.broker.com",
        "https://",
        "https://api.broker.com/",
        "https://user:secret@api.broker.com",
        "https://api.broker.com:0",
        "https://api.broker.com:65536",
        "https://api broker.com",
        "https://ünicode.com",
    ],
)
def test_anything_else_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Origin.parse(text)


@pytest.mark.parametrize("text", ["http://api.broker.com", "ws://10.0.0.1:80", "http://127.0.0.1.evil.com"])
def test_s41_plain_text_is_refused_beyond_this_machine(text: str) -> None:
    with pytest.raises(ValueError, match="expected TLS"):
        Origin.parse(text)


def test_one_port_cannot_be_both_plain_and_encrypted() -> None:
    with pytest.raises(ValueError, match="both"):
        AllowList("https://localhost:1", "ws://localhost:1")


def test_the_target_is_what_follows_the_origin_exactly_as_given() -> None:
    origin, target = LISTED.split("https://API.broker.com:8443/a/../b%2f?x=%20&y=[]")
    assert (origin.port, target) == (8443, "/a/../b%2f?x=%20&y=[]")
    assert LISTED.split("https://api.broker.com")[1] == "/"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
@example("https://api.broker.com@evil.com/")
@example("https://api.broker.com:443/")
@example("https://api.broker.com.evil.com/")
@example("https://evil.com/https://api.broker.com/")
@example("https://api.broker.com\\@evil.com/")
@example("https://api.broker.com?/")
@example("https://api.broker.com#/")
@example("https:/api.broker.com/")
@example("//api.broker.com/")
@example(" https://api.broker.com/")
@example("https://api.broker.com\t/")
@example("http://api.broker.com/")
def test_s40_no_other_text_passes(url: str) -> None:
    listed = ("https://api.broker.com", "https://api.broker.com:8443", "http://127.0.0.1:8080", "wss://[::1]:9")
    if any(url.lower() == x or url.lower().startswith(f"{x}/") for x in listed):
        return
    with pytest.raises(NotAllowed, match="expected one of the origins"):
        LISTED.split(url)
