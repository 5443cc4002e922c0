"""Request bodies: read exactly, cut anywhere, and refused as soon as they are wrong."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.wire.host_body import Body, ChunkedBody, LengthBody
from runtime.wire.host_errors import Refused
from runtime.wire.host_limits import HostLimits
from tests.runtime.wire.host_kit import NIGHTLY

LIMITS = HostLimits(body_bytes=1000, header_bytes=200)
TOKEN = st.text("abcXYZ09-", min_size=1, max_size=5).map(str.encode)
EXTENSION = st.builds(lambda name: b";" + name + b"=1", TOKEN) | st.just(b"")
CHUNKS = st.lists(st.tuples(st.binary(min_size=1, max_size=30), EXTENSION), max_size=6)
TRAILERS = st.lists(st.builds(lambda name: name + b": v\r\n", TOKEN), max_size=3)


def encoded(chunks: list[tuple[bytes, bytes]], trailers: list[bytes]) -> bytes:
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(data), extension, data) for data, extension in chunks)
    return body + b"0\r\n" + b"".join(trailers) + b"\r\n"


def read(body: Body, raw: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What comes out when the network cuts raw like this: the data, and what was left for the next request."""
    buffer, data = bytearray(), b""
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    for start, end in pairwise(places):
        buffer += raw[start:end]
        data += body.take(buffer)
    return data, bytes(buffer)


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(CHUNKS, TRAILERS, st.binary(max_size=20), st.lists(st.integers(0, 300), max_size=6))
def test_a_chunked_body_is_read_exactly_however_it_is_cut(
    chunks: list[tuple[bytes, bytes]], trailers: list[bytes], following: bytes, cuts: list[int]
) -> None:
    body = ChunkedBody(LIMITS)
    data, left = read(body, encoded(chunks, trailers) + following, cuts)
    assert data == b"".join(data for data, _ in chunks)
    assert body.complete
    assert left == following


@settings(max_examples=50 * NIGHTLY, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=20), st.lists(st.integers(0, 80), max_size=6))
def test_a_body_of_known_length_is_read_exactly_however_it_is_cut(
    data: bytes, following: bytes, cuts: list[int]
) -> None:
    body = LengthBody(len(data))
    assert read(body, data + following, cuts) == (data, following)
    assert body.complete


@pytest.mark.parametrize(
    "raw",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\n",
        b"5\r\nhello\r\n0\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b";x\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5;a\x00\r\nhello\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n X: y\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nX: y\n\r\n",
    ],
)
def test_s35_a_malformed_chunk_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        ChunkedBody(LIMITS).take(bytearray(raw))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"3e9\r\n", 413),
        (b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\n", 413),
        (b"ffffffffffffffff\r\n", 413),
        (b"1;" + b"x" * 250 + b"\r\n", 431),
        (b"1;" + b"x" * 150 + b"\r\na\r\n1;" + b"x" * 150 + b"\r\n", 431),
        (b"0\r\n" + b"X: yyyyyyyy\r\n" * 20, 431),
        (b"1" * 5000, 400),
    ],
)
def test_f36_an_endless_chunked_body_is_refused_at_its_bounds(raw: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        ChunkedBody(LIMITS).take(bytearray(raw))
    assert caught.value.status == status


SPOILS = st.sampled_from([b"", b"\n", b"\r", b"\r\n", b" ", b";", b"0", b"5", b"\x00", b":", b"0\r\n\r\n"])


@settings(max_examples=400 * NIGHTLY, deadline=None)
@given(CHUNKS, TRAILERS, st.integers(0, 120), st.integers(0, 2), SPOILS)
def test_a_chunked_body_that_is_accepted_to_its_end_means_the_same_to_h11(
    chunks: list[tuple[bytes, bytes]], trailers: list[bytes], place: int, removed: int, spoil: bytes
) -> None:
    sound = encoded(chunks, trailers)
    raw = sound[:place] + spoil + sound[place + removed :]
    body, buffer = ChunkedBody(LIMITS), bytearray(raw)
    try:
        data = body.take(buffer)
    except Refused:
        return
    if not body.complete:
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + raw)
    oracle.next_event()
    oracle_data = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        oracle_data += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert (oracle_data, oracle.trailing_data[0]) == (data, bytes(buffer))
