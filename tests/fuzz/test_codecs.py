"""Whatever bytes come, a codec answers or refuses in its own words, soon, and with memory bounded by the input."""

import os
import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.codecs import CODECS, REFUSED, hostile, survives

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
EXAMPLES = 60 * NIGHTLY
GREED = 40  # bytes of memory a byte of input may cost, beside a constant
CONSTANT = 4 << 20
LONGEST = 5.0  # seconds of the processor, many times what any input takes
CHARS = b'{}[]",:0123456789.eE+-NaInfty\\u\x00\xff truefalsn'


def _mutated(word: bytes, seed: int) -> bytes:
    """A good word with some of it cut, doubled, replaced or put elsewhere."""
    chance, data = random.Random(seed), bytearray(word)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(data) + 1)
        end = min(start + chance.randint(0, 12), len(data))
        piece = bytes(data[start:end])
        kind = chance.randrange(4)
        if kind == 0:
            del data[start:end]
        elif kind == 1:
            data[start:end] = piece * chance.randint(2, 40)
        elif kind == 2:
            data[start:end] = bytes(chance.choice(CHARS) for _ in range(chance.randint(1, 9)))
        else:
            where = chance.randrange(len(data) + 1)
            data[where:where] = piece
    return bytes(data)


@pytest.mark.parametrize("name", CODECS)
def test_F36_good_words_are_read(name: str) -> None:
    codec = CODECS[name]
    for word in codec.words:
        codec.read(word) if word not in REFUSED else survives(codec, word)


@pytest.mark.parametrize("name", CODECS)
def test_F36_no_bytes_raise_what_the_codec_does_not_declare(name: str) -> None:
    codec = CODECS[name]

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
    def holds(data: bytes) -> None:
        survives(codec, data)

    holds()


@pytest.mark.parametrize("name", CODECS)
def test_F36_no_damage_to_a_good_word_raises_what_the_codec_does_not_declare(name: str) -> None:
    codec = CODECS[name]
    for number, word in enumerate(codec.words):
        for seed in range(4 * EXAMPLES):
            survives(codec, _mutated(word, seed * 1000 + number))


@pytest.mark.parametrize("name", CODECS)
def test_S53_hostile_input_costs_bounded_memory_and_time(name: str) -> None:
    codec = CODECS[name]
    for data in hostile():
        began = time.process_time()
        tracemalloc.start()
        try:
            survives(codec, data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert time.process_time() - began < LONGEST
        assert peak <= CONSTANT + GREED * len(data), f"{len(data)} bytes cost {peak}"
