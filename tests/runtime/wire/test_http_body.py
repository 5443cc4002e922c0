"""S56, F36: bodies and lines are bounded, however they are packed, cut and expanded."""

import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.delivery import Sent
from runtime.wire.http_body import BrokenEncoding, Inflater, LineSplitter, TooLarge
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpSettings
from tests.runtime.wire.peers import URL, Arrival, http_box, saying

READ = HttpRequest("GET", f"{URL}/")
MIB = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "X-Gzip ": gzip.compress,
    "deflate": zlib.compress,
    " deflate": raw_deflate,
}


def in_chunks(data: bytes, sizes: list[int]) -> list[bytes]:
    ends = list(itertools.accumulate(sizes))
    return [data[start:end] for start, end in itertools.pairwise([0, *ends, len(data)])]


@given(
    st.sampled_from(list(PACKED)),
    st.one_of(st.binary(max_size=300), st.integers(0, 300_000).map(bytes)),
    st.lists(st.integers(0, 40), max_size=30),
)
def test_a_body_comes_out_as_it_was_packed_however_it_is_cut(
    encoding: str | None, body: bytes, sizes: list[int]
) -> None:
    inflater = Inflater(encoding)
    pieces = [piece for chunk in in_chunks(PACKED[encoding](body), sizes) for piece in inflater.feed(chunk)]
    inflater.finish()
    assert b"".join(pieces) == body
    assert all(pieces)
    assert encoding in (None, "identity") or all(len(piece) <= 65536 for piece in pieces)


def test_gzip_may_come_in_several_members() -> None:
    inflater = Inflater("gzip")
    assert b"".join(inflater.feed(gzip.compress(b"one ") + gzip.compress(b"two"))) == b"one two"
    inflater.finish()


@given(st.sampled_from(["gzip", "deflate"]), st.binary(min_size=1, max_size=200), st.data())
def test_a_packed_body_that_ends_early_is_an_error(encoding: str, body: bytes, data: st.DataObject) -> None:
    packed = PACKED[encoding](body)
    inflater = Inflater(encoding)
    list(inflater.feed(packed[: data.draw(st.integers(1, len(packed) - 1))]))
    with pytest.raises(BrokenEncoding, match="ended in the middle"):
        inflater.finish()


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=200))
def test_f36_any_bytes_inflate_or_raise_the_one_error(encoding: str, junk: bytes) -> None:
    inflater = Inflater(encoding)
    try:
        list(inflater.feed(junk))
        inflater.finish()
    except BrokenEncoding:
        pass


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "chunked"])
def test_an_encoding_that_was_not_asked_for_is_an_error(encoding: str) -> None:
    with pytest.raises(BrokenEncoding, match="expected gzip, deflate"):
        Inflater(encoding)


def bomb(size: int) -> bytes:
    packed = gzip.compress(bytes(size), compresslevel=9)
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(packed), packed)


async def test_s56_f36_a_decompression_bomb_is_stopped_at_the_limit_of_the_inflated_size(
    autojump_clock: Any,
) -> None:
    async with http_box(saying(bomb(64 * MIB))) as box:
        tracemalloc.start()
        with pytest.raises(HttpFailure) as caught:
            await box.client.send(READ)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (caught.value.fault, caught.value.sent) == (Fault.TOO_LARGE, Sent.MAYBE)
        assert peak < 16 * MIB
        box.peer.script = saying(bomb(8 * MIB))
        assert len((await box.client.send(READ)).body) == 8 * MIB


@pytest.mark.parametrize("head", [b"content-length: 100000000", b"transfer-encoding: chunked"])
async def test_f36_an_endless_body_is_stopped_at_the_limit(autojump_clock: Any, head: bytes) -> None:
    async def endlessly(stream: Any, _: Arrival) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % head)
        while True:
            await stream.send_all(b"1000\r\n%b\r\n" % bytes(4096))

    async with http_box(endlessly, settings=HttpSettings(max_body=MIB)) as box:
        with pytest.raises(HttpFailure) as caught:
            await box.client.send(READ)
        assert caught.value.fault is Fault.TOO_LARGE
        assert box.network.statistics().bytes_received < 2 * MIB


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 ", b"\r\n"])
async def test_f36_an_endless_head_is_stopped(autojump_clock: Any, start: bytes) -> None:
    async def endlessly(stream: Any, _: Arrival) -> None:
        await stream.send_all(start)
        while True:
            await stream.send_all(b"a" * 4096)

    async with http_box(endlessly) as box:
        with pytest.raises(HttpFailure) as caught:
            await box.client.send(READ)
        assert caught.value.fault is Fault.MALFORMED
        assert box.network.statistics().bytes_received < MIB


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)), st.lists(st.integers(0, 9)))
def test_lines_come_out_as_they_went_in_however_they_are_cut(lines: list[bytes], sizes: list[int]) -> None:
    splitter = LineSplitter(limit=20)
    data = b"".join(line + b"\n" for line in lines)
    seen = [line for chunk in in_chunks(data, sizes) for line in splitter.feed(chunk)]
    assert seen == [line.removesuffix(b"\r") for line in lines]
    assert splitter.finish() is None


def test_a_last_line_without_an_end_is_a_line() -> None:
    splitter = LineSplitter(limit=20)
    assert splitter.feed(b"one\r\ntwo") == [b"one"]
    assert splitter.finish() == b"two"


@pytest.mark.parametrize("data", [b"a" * 21, b"x\n" + b"a" * 21, b"a" * 21 + b"\nx\n"])
def test_f36_a_line_above_the_limit_is_an_error(data: bytes) -> None:
    with pytest.raises(TooLarge, match="more than 20 bytes"):
        LineSplitter(limit=20).feed(data)


def test_f36_a_long_line_in_small_pieces_is_cheap_to_collect() -> None:
    splitter = LineSplitter(limit=MIB)
    for _ in range(MIB // 64):
        assert splitter.feed(b"a" * 64) == []
    with pytest.raises(TooLarge):
        splitter.feed(b"a")
