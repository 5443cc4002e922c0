"""Responses: whatever an application sends in whatever pieces, h11 reads what was meant, or nothing is sent."""

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.wire.host_errors import AppProtocolError
from runtime.wire.host_limits import HostLimits
from runtime.wire.host_request import Request, read_request
from runtime.wire.host_response import ResponseWriter, encode_head, error_response
from tests.runtime.wire.host_kit import NIGHTLY

METHODS = [b"GET", b"HEAD", b"POST"]


def request(method: bytes = b"GET", version: bytes = b"1.1") -> Request:
    head = method + b" / HTTP/" + version + b"\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    return read_request(head, HostLimits())


def write(
    writer: ResponseWriter, pieces: list[bytes], *, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
) -> bytes:
    writer.start({"status": status, "headers": headers or []}, [(b"date", b"now")], closing=False)
    out = b""
    for number, piece in enumerate(pieces, 1):
        out += writer.body({"body": piece, "more_body": number < len(pieces)})
    return out


def understood(method: bytes, raw: bytes) -> tuple[h11.Response, bytes, bool]:
    """The response as h11 reads it, and whether it ended without the connection ending."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "x"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(raw)
    head, data = client.next_event(), b""
    assert isinstance(head, h11.Response)
    while isinstance(event := client.next_event(), h11.Data):
        data += bytes(event.data)
    self_framed = event is not h11.NEED_DATA
    if not self_framed:
        client.receive_data(b"")
        event = client.next_event()
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data[0] == b""
    return head, data, self_framed


@settings(max_examples=200 * NIGHTLY, deadline=None)
@given(
    st.sampled_from(METHODS),
    st.sampled_from([b"1.1", b"1.0"]),
    st.sampled_from([200, 201, 204, 304, 404, 500, 599]),
    st.lists(st.binary(max_size=40), min_size=1, max_size=5),
    st.booleans(),
)
def test_every_response_is_read_as_it_was_sent(
    method: bytes, version: bytes, status: int, pieces: list[bytes], announced: bool
) -> None:
    size = sum(map(len, pieces))
    headers = [(b"X", b"y")] + [(b"Content-Length", b"%d" % size)] * announced
    writer = ResponseWriter(request(method, version))
    raw = write(writer, pieces, status=status, headers=headers)
    head, data, self_framed = understood(method, raw)
    empty = method == b"HEAD" or status in {204, 304}
    assert head.status_code == status
    assert data == (b"" if empty else b"".join(pieces))
    assert dict(head.headers)[b"x"] == b"y"
    assert dict(head.headers)[b"date"] == b"now"
    assert writer.complete
    kept = (b"connection", b"close") not in list(head.headers)
    assert kept is writer.keeps_alive
    assert not writer.keeps_alive or self_framed
    assert version == b"1.1" or not writer.keeps_alive


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x\r\ny", b"a"),
        (b"x", b"a\nb"),
        (b"x", b"a\x00"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"", b"a"),
        (b"content-length", b"-1"),
        (b"content-length", b"1, 1"),
    ],
)
def test_a_header_that_would_split_the_response_is_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(AppProtocolError):
        write(ResponseWriter(request()), [b""], headers=[(name, value)])


@pytest.mark.parametrize("status", [100, 101, 199, 600, 0])
def test_only_final_statuses_are_sent(status: int) -> None:
    with pytest.raises(AppProtocolError):
        write(ResponseWriter(request()), [b""], status=status)


@pytest.mark.parametrize("pieces", [[b"abc"], [b"a", b"b"], [b"abcdef"], [b"abcd", b"ef"], []])
def test_a_body_that_misses_its_content_length_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(AppProtocolError):
        write(ResponseWriter(request()), [*pieces, b""], headers=[(b"content-length", b"5")])


def test_a_body_that_exceeds_its_length_hands_out_nothing_of_the_piece() -> None:
    writer = ResponseWriter(request())
    with pytest.raises(AppProtocolError):
        write(writer, [b"abc"], headers=[(b"content-length", b"2")])
    assert not writer.begun


def test_an_application_cannot_frame_the_response_itself() -> None:
    writer = ResponseWriter(request())
    raw = write(writer, [b"a", b"b"], headers=[(b"Transfer-Encoding", b"gzip"), (b"Connection", b"keep-alive")])
    head, data, _ = understood(b"GET", raw)
    assert list(head.headers) == [(b"date", b"now"), (b"transfer-encoding", b"chunked")]
    assert data == b"ab"


def test_an_application_may_close_the_connection() -> None:
    writer = ResponseWriter(request())
    raw = write(writer, [b"a"], headers=[(b"Connection", b"Close")])
    assert b"connection: close\r\n" in raw
    assert not writer.keeps_alive


def test_messages_out_of_order_are_refused() -> None:
    writer = ResponseWriter(request())
    with pytest.raises(AppProtocolError, match="start"):
        writer.body({"body": b""})
    write(writer, [b"a"])
    with pytest.raises(AppProtocolError, match="after its end"):
        writer.body({"body": b""})
    with pytest.raises(AppProtocolError, match="twice"):
        writer.start({"status": 200}, [], closing=False)


def test_the_date_of_the_application_wins_over_the_stamp() -> None:
    raw = write(ResponseWriter(request()), [b""], headers=[(b"Date", b"then")])
    assert raw.lower().count(b"date:") == 1
    assert b"Date: then\r\n" in raw


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=8)), max_size=3))
@example([(b"x:", b"a")])
@example([(b"a", b"b\r\nc: d")])
def test_no_header_bytes_whatever_make_a_head_of_another_shape(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        raw = encode_head(200, headers)
    except AppProtocolError:
        return
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(raw)
    head = client.next_event()
    assert isinstance(head, h11.Response)
    assert list(head.headers) == [(name.lower(), value.strip(b" \t")) for name, value in headers]


def test_s46_an_error_body_is_a_word_and_an_id() -> None:
    raw = error_response(500, "internal_error", "0000002a", head_only=False, extra=[])
    head, data, _ = understood(b"GET", raw)
    assert head.status_code == 500
    assert data == b'{"error":"internal_error","id":"0000002a"}'
    assert error_response(500, "internal_error", "0000002a", head_only=True, extra=[]) == raw.removesuffix(data)
