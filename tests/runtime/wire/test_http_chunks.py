"""Chunks that were merged mean to the parser what they meant before."""

import h11
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.http_chunks import ChunkMerger

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
HEADS = (
    HEAD,
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n",
)
ENDS = (
    b"0\r\n\r\n",
    b"0\r\nExpires: now\r\n\r\n",
    b"5\r\nhalf",
    b"",
    b"1",
    b"-1\r\nx\r\n",
    b"1;a=b\r\nx\r\n0\r\n\r\n",
    b"2\r\nxxxx",
)


def chunk(body: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(body), body)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data cut at places; the last piece is whatever is left."""
    found, at = [], 0
    for size in sizes:
        found.append(data[at : at + size])
        at += size
    return [one for one in (*found, data[at:]) if one]


def merged(parts: list[bytes]) -> bytes:
    merger = ChunkMerger()
    return b"".join([*map(merger.feed, parts), merger.finish()])


def heard(data: bytes) -> tuple[bytes, object, bool]:
    """The body that a parser finds, how it ends, and whether the parser complains."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    body, end = b"", None
    try:
        parser.receive_data(data)
        parser.receive_data(b"")
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                end = event.headers.raw_items()
                break
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError:
        return body, end, True
    return body, end, False


@given(
    st.sampled_from(HEADS),
    st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    st.sampled_from(ENDS),
    st.lists(st.integers(1, 60), max_size=20),
)
def test_a_parser_hears_the_same_however_the_answer_is_cut(
    head: bytes, bodies: list[bytes], end: bytes, sizes: list[int]
) -> None:
    data = head + b"".join(map(chunk, bodies)) + end
    assert heard(merged(pieces(data, sizes))) == heard(data)


@given(st.binary(max_size=200), st.lists(st.integers(1, 30), max_size=12), st.integers(0, 400), st.binary(max_size=4))
def test_whatever_comes_instead_is_the_parsers_to_judge(noise: bytes, sizes: list[int], at: int, wedge: bytes) -> None:
    good = HEAD + chunk(b"one\n") + chunk(b"two\n" * 9) + chunk(b"three") + b"0\r\n\r\n"
    for data in (noise, HEAD + noise, good[:at] + wedge + good[at:]):
        assert heard(merged(pieces(data, sizes))) == heard(data)


def test_chunks_that_come_together_are_one_and_half_a_chunk_is_not_kept_back() -> None:
    merger = ChunkMerger()
    assert merger.feed(HEAD + chunk(b"a\n") + chunk(b"b\n")) == HEAD + b"4\r\na\nb\n\r\n"
    assert merger.feed(chunk(b"c\n") + b"5\r\nha") == chunk(b"c\n") + b"5\r\nha"
    assert merger.feed(b"lf\n\r\n" + chunk(b"d\n") + chunk(b"e\n") + b"1") == b"lf\n\r\n" + b"4\r\nd\ne\n\r\n"
    assert merger.feed(b"") == b""
    assert merger.feed(b"\r\nx") == b"1\r\nx"


def test_an_answer_of_known_length_passes_as_it_came() -> None:
    merger, data = ChunkMerger(), b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + chunk(b"aaaaaa") * 2
    assert merger.feed(data) == data
    assert merger.finish() == b""
