"""Figures of the wire: exact, judged once, and never anything that no market shows."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import figures
from brokers.figures import FIGURES, decoder, figure, plausible, size


class Held(msgspec.Struct):
    told: Any = None


HELD = decoder(Held)


def told(text: str) -> Any:
    """What a field holds after such a text in its place."""
    return HELD.decode(f'{{"told":{text}}}').told


@given(st.decimals(-(10**14), 10**14, places=9))
def test_a_number_is_exact_as_number_and_as_text(number: Decimal) -> None:
    text = format(number, "f")
    for form in (text, f'"{text}"'):
        found = figure(told(form))
        assert found is not None
        assert format(found, "f") == text


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_are_numbers_too(number: int) -> None:
    assert figure(told(str(number))) == number
    assert size(told(str(number))) == (number if number >= 0 else None)


@pytest.mark.parametrize(
    "text",
    [
        *(
            '"NaN"',
            '"-Infinity"',
            '"sNaN"',
            "1e41",
            "1e-41",
            "1" * 41,
            "1." + "0" * 5000,
            "1e999999",
            "-1e15",
            '"1e-300"',
        ),
        *("true", "false", "null", "[]", "{}", '""', '"x"', '"0x10"', f'"{"9" * 5000}"', "[1.5]"),
    ],
)
def test_F39_what_no_market_shows_is_no_figure(text: str) -> None:
    assert figure(told(text)) is None
    assert size(told(text)) is None


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", "sNaN", "1e16", "0E-5000", "0E+60", "1e-41", "1." + "0" * 5000, "1e999999"]
)
def test_a_number_that_cannot_be_is_not_plausible_and_no_figure(text: str) -> None:
    assert not plausible(Decimal(text))
    assert figure(Decimal(text)) is None


@pytest.mark.parametrize("text", ["0", "-37.63", "0.0000005", "6900.25", "9" * 15, "0E-20"])
def test_a_number_that_can_be_is_plausible(text: str) -> None:
    assert plausible(Decimal(text))
    assert figure(Decimal(text)) == Decimal(text)


@given(st.one_of(st.text(), st.floats().map(json.dumps), st.from_type(type(None)), st.binary(), st.booleans()))
def test_whatever_is_told_the_answer_is_a_plausible_number_or_none(value: object) -> None:
    found = figure(value)
    assert found is None or plausible(found)


def test_S53_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_MOST", 100)
    for number in range(1_000):
        assert told(f"{number}.5") == Decimal(f"{number}.5")
    assert len(FIGURES) <= 100
    before = len(FIGURES)
    assert figure("9" * 101) is None
    assert figure("x") is None
    assert len(FIGURES) == before
