"""Raw request heads: what is not exactly right is refused, and what is accepted means the same to h11."""

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.wire.host_errors import Refused
from runtime.wire.host_head import HeadScan, split_head
from runtime.wire.host_limits import HostLimits
from runtime.wire.host_request import read_request
from tests.runtime.wire.host_kit import NIGHTLY

LIMITS = HostLimits()

SMUGGLED = {
    "two_equal_lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, "many_lengths"),
    "two_lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, "many_lengths"),
    "length_list": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n", 400, "bad_length"),
    "length_plus": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n", 400, "bad_length"),
    "length_minus": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad_length"),
    "length_hex": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\n", 400, "bad_length"),
    "length_empty": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400, "bad_length"),
    "length_underscore": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n", 400, "bad_length"),
    "length_5000_digits": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400, "bad_length"),
    "length_and_coding": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "length_and_coding"),
    "coding_and_length": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400, "length_and_coding"),
    "two_codings": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501, "transfer_coding"),
    "coding_list": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer_coding"),
    "coding_identity": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501, "transfer_coding"),
    "coding_x": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "transfer_coding"),
    "coding_vertical_tab": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", 400, "control_character"),
    "coding_in_1_0": (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "coding_in_http_1_0"),
    "bare_lf_everywhere": (b"GET / HTTP/1.1\nHost: x\n\n", 400, "bare_lf"),
    "bare_lf_between": (b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400, "bare_lf"),
    "bare_lf_at_the_end": (b"GET / HTTP/1.1\r\nHost: x\r\n\n", 400, "bare_lf"),
    "bare_cr_in_value": (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400, "bare_cr"),
    "bare_cr_in_line": (b"GET /\rHTTP/1.1\r\nHost: x\r\n\r\n", 400, "bare_cr"),
    "obs_fold": (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400, "obs_fold"),
    "obs_fold_tab": (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n", 400, "obs_fold"),
    "obs_fold_first": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400, "obs_fold"),
    "space_before_colon": (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n", 400, "space_before_colon"),
    "tab_before_colon": (b"GET / HTTP/1.1\r\nHost: x\r\nX\t: 5\r\n\r\n", 400, "space_before_colon"),
    "no_colon": (b"GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n", 400, "bad_header"),
    "empty_name": (b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400, "bad_header"),
    "name_not_ascii": ("GET / HTTP/1.1\r\nHost: x\r\nContent-Lengtĥ: 5\r\n\r\n".encode(), 400, "bad_header"),
    "name_with_parenthesis": (b"GET / HTTP/1.1\r\nHost: x\r\nX(y): 5\r\n\r\n", 400, "bad_header"),
    "nul_in_value": (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400, "control_character"),
    "nul_in_target": (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "control_character"),
    "nul_in_name": (b"GET / HTTP/1.1\r\nHost: x\r\nX\x00: a\r\n\r\n", 400, "control_character"),
    "delete_in_value": (b"GET / HTTP/1.1\r\nHost: x\r\nX: \x7f\r\n\r\n", 400, "control_character"),
    "escape_in_value": (b"GET / HTTP/1.1\r\nHost: x\r\nX: \x1b[31m\r\n\r\n", 400, "control_character"),
    "high_byte_in_target": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "two_spaces": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "tab_for_space": (b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "space_in_target": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "space_at_the_end": (b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "no_version": (b"GET /\r\n\r\n", 400, "bad_request_line"),
    "version_in_lower_case": (b"GET / http/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "version_with_digits": (b"GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "method_with_brace": (b"G{T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "two_empty_lines_first": (b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request_line"),
    "tls_hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "control_character"),
    "http_2_preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version"),
    "http_0_9": (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505, "http_version"),
    "http_1_2": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505, "http_version"),
    "no_host": (b"GET / HTTP/1.1\r\n\r\n", 400, "no_host"),
    "two_hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, "many_hosts"),
    "two_hosts_in_1_0": (b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400, "many_hosts"),
    "empty_host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad_host"),
    "host_list": (b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", 400, "bad_host"),
    "host_with_user": (b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400, "bad_host"),
    "host_with_path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400, "bad_host"),
    "host_with_space": (b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400, "bad_host"),
    "host_with_long_port": (b"GET / HTTP/1.1\r\nHost: x:123456\r\n\r\n", 400, "bad_host"),
    "expectation": (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n", 417, "expectation"),
    "two_expectations": (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 417, "expectation"),
    "no_length_in_1_0": (b"POST / HTTP/1.0\r\n\r\n", 411, "no_length"),
    "long_body": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413, "long_body"),
    "trace": (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method"),
    "connect": (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method"),
    "unknown_method": (b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method"),
    "method_in_lower_case": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method"),
    "upgrade_by_post": (b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 400, "upgrade_needs_get"),
    "upgrade_in_1_0": (b"GET / HTTP/1.0\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 400, "upgrade_needs_get"),
}  # fmt: skip

TARGETS = {
    b"/../etc/passwd": "dot_segment",
    b"/a/../b": "dot_segment",
    b"/a/..": "dot_segment",
    b"/..;/b": "dot_segment",
    b"/./a": "dot_segment",
    b"/a/.": "dot_segment",
    b"/%2e%2e/a": "dot_segment",
    b"/%2E%2e/a": "dot_segment",
    b"/.%2e/a": "dot_segment",
    b"/a/%2e": "dot_segment",
    b"/%2e%2e;x/a": "dot_segment",
    b"/a%2fb": "forbidden_escape",
    b"/a%2Fb": "forbidden_escape",
    b"/a%5cb": "forbidden_escape",
    b"/a%5Cb": "forbidden_escape",
    b"/%2e%2e%2fa": "forbidden_escape",
    b"/%252e%252e/a": "forbidden_escape",
    b"/a%252fb": "forbidden_escape",
    b"/a%00": "forbidden_escape",
    b"/a%0d%0ab": "forbidden_escape",
    b"/a%1f": "forbidden_escape",
    b"/a%7f": "forbidden_escape",
    b"/a%2500": "forbidden_escape",
    b"/a%": "bad_escape",
    b"/a%2": "bad_escape",
    b"/a%zz": "bad_escape",
    b"/a%%41": "bad_escape",
    b"/a?b=%": "bad_escape",
    b"/a?b=%g1": "bad_escape",
    b"/%c0%ae%c0%ae/a": "path_not_utf8",
    b"/%ff": "path_not_utf8",
    b"/%ed%a0%80": "path_not_utf8",
    b"/a\\b": "bad_path",
    b"\\a": "bad_target",
    b"//evil.example/a": "bad_path",
    b'/a"b': "bad_path",
    b"/a<b": "bad_path",
    b"/a[0]": "bad_path",
    b"/a|b": "bad_path",
    b"/a#b": "fragment",
    b"/a?b#c": "fragment",
    b"a": "bad_target",
    b"?a": "bad_target",
    b"*": "bad_target",
    b"x:80": "bad_target",
    b"http://y/a": "bad_target",
    b"http://x:80/a": "bad_target",
    b"http://u@x/a": "bad_target",
    b"http:///a": "bad_target",
    b"http:/a": "bad_target",
    b"https://x/a": "bad_target",
    b"file:///a": "bad_target",
    b"http://x/../a": "dot_segment",
    b"http://x//a": "bad_path",
}


def refusal(raw: bytes) -> Refused:
    """What becomes of these bytes when nothing follows them."""
    try:
        head = HeadScan(LIMITS).take(bytearray(raw))
        assert head is not None, "the host would wait for more"
        request = read_request(head, LIMITS)
    except Refused as refused:
        return refused
    raise AssertionError(f"accepted as {request}")


@pytest.mark.parametrize("name", SMUGGLED)
def test_s35_a_malformed_or_ambiguous_head_is_refused(name: str) -> None:
    raw, status, reason = SMUGGLED[name]
    refused = refusal(raw)
    assert (refused.status, refused.reason) == (status, reason)


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_s36_a_target_that_could_mean_another_path_is_refused(target: bytes) -> None:
    refused = refusal(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (refused.status, refused.reason) == (400, TARGETS[target])


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/a/b;c=1/~d", "/a/b;c=1/~d", b""),
        (b"/a//b", "/a//b", b""),
        (b"/...", "/...", b""),
        (b"/.well-known/x", "/.well-known/x", b""),
        (b"/a..b", "/a..b", b""),
        (b"/caf%C3%A9", "/café", b""),
        (b"/a%20b", "/a b", b""),
        (b"/100%25", "/100%", b""),
        (b"/a?b=../c&d[]=%2F\\|", "/a", b"b=../c&d[]=%2F\\|"),
        (b"/a?b?c", "/a", b"b?c"),
        (b"http://x", "/", b""),
        (b"http://x?a", "/", b"a"),
        (b"HTTP://X/a?b", "/a", b"b"),
    ],
)
def test_a_sound_target_is_decoded_once(target: bytes, path: str, query: bytes) -> None:
    request = read_request(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", LIMITS)
    assert (request.path, request.query) == (path, query)


def test_options_may_ask_about_the_whole_server() -> None:
    request = read_request(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", LIMITS)
    assert (request.path, request.raw_path) == ("*", b"*")


@pytest.mark.parametrize("host", [b"x", b"a-b_c.example:8080", b"127.0.0.1:1", b"[::1]", b"[::1]:80", b"X."])
def test_ordinary_hosts_are_accepted(host: bytes) -> None:
    assert read_request(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", LIMITS).headers == [(b"host", host)]


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: te, CLOSE\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: te\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_only_by_http_1_1_without_close(head: bytes, keeps: bool) -> None:
    assert read_request(head, LIMITS).keeps_alive is keeps


def test_one_empty_line_before_a_request_is_forgiven() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert HeadScan(LIMITS).take(bytearray(b"\r\n" + head)) == head


@pytest.mark.parametrize(
    "part", [b"GET / HTTP/1.1\nHost", b"GET / HTTP/1.1\r\nX: \x00", b"\x16\x03\x01", b"GET /\rX", b"a\n"]
)
def test_a_head_that_can_no_longer_become_one_is_refused_before_its_end(part: bytes) -> None:
    with pytest.raises(Refused, match="400"):
        HeadScan(LIMITS).take(bytearray(part))


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 100, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 300 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 300, 431),
        (b"GET / HTTP/1.1\r\n" + b"X:\r\n" * 6 + b"\r\n", 431),
    ],
)
def test_f36_an_endless_head_is_refused_at_its_bound(raw: bytes, status: int) -> None:
    limits = HostLimits(request_line_bytes=64, header_bytes=256, header_count=5)
    with pytest.raises(Refused) as caught:
        HeadScan(limits).take(bytearray(raw))
    assert caught.value.status == status


def test_heads_at_the_bounds_are_accepted() -> None:
    line = b"GET /" + b"a" * 50 + b" HTTP/1.1"
    raw = line + b"\r\nX: " + b"a" * 100 + b"\r\nY: z\r\n\r\n"
    limits = HostLimits(request_line_bytes=len(line), header_bytes=len(raw) - len(line), header_count=2)
    assert HeadScan(limits).take(bytearray(raw)) == raw
    for tighter in (
        {"request_line_bytes": len(line) - 1},
        {"header_bytes": len(raw) - len(line) - 1},
        {"header_count": 1},
    ):
        with pytest.raises(Refused):
            HeadScan(HostLimits(**tighter)).take(bytearray(raw))


LINES = st.sampled_from(
    [
        b"Host: x", b"host:y", b"Content-Length: 3", b"content-length:3", b"Transfer-Encoding: chunked", b"X: a\tb ",
        b"Connection: close, upgrade", b"Upgrade: websocket", b"Expect: 100-continue", b" folded", b"X : y", b"X:\xff",
        b"X:\x00", b"", b"\rX: y", b"X: y\n", b":", b"Accept: */*",
    ]
)  # fmt: skip
STARTS = st.builds(
    lambda method, target, version: method + b" " + target + b" " + version,
    st.sampled_from([b"GET", b"POST", b"OPTIONS", b"TRACE", b"G T", b""]),
    st.sampled_from([b"/", b"/a%20b?c", b"*", b"http://x/", b"/..", b"//", b"/\x01", b"/%2f", b"a"]),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b""]),
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
HEADS = st.builds(
    lambda start, lines, end: b"".join([start, b"\r\n", *(line + e for line, e in lines), end]),
    STARTS,
    st.lists(st.tuples(LINES, ENDS), max_size=6),
    st.sampled_from([b"\r\n", b"\n", b""]),
)


@settings(max_examples=400 * NIGHTLY, deadline=None)
@given(HEADS | st.binary(max_size=200))
@example(b"GET / HTTP/1.1\r\nHost: x\r\nX:\xff\r\n\r\n")
def test_what_the_host_accepts_means_the_same_to_h11(raw: bytes) -> None:
    try:
        method, target, version, headers = split_head(raw)
        request = read_request(raw, LIMITS)
    except Refused:
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(raw)
    event = oracle.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target, event.http_version) == (method, target, version)
    assert [name for name, _ in event.headers] == [name for name, _ in headers]
    assert [value.lower() for _, value in event.headers] == [value.lower() for _, value in headers]
    following = oracle.next_event()
    assert isinstance(following, h11.EndOfMessage) is request.body.complete
    assert request.path.startswith("/") or request.path == "*"
    assert not set(request.path.split("/")) & {".", ".."}


@settings(max_examples=200 * NIGHTLY, deadline=None)
@given(HEADS | st.binary(max_size=120), st.lists(st.integers(1, 40), max_size=8))
def test_how_the_network_cuts_a_head_does_not_change_what_becomes_of_it(raw: bytes, cuts: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> object:
        scan, buffer = HeadScan(LIMITS), bytearray()
        for piece in pieces:
            buffer += piece
            try:
                head = scan.take(buffer)
                if head is not None:
                    return split_head(head)
            except Refused as refused:
                return refused.status
        return None

    pieces, rest = [], raw
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert outcome([*pieces, rest]) == outcome([raw])
