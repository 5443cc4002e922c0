"""Prices and sizes as wires tell them: each text is read and judged once, for the next quotes tell it again.

`decoder` gives judged numbers where a field may hold anything; its integers and texts, and the numbers that nobody can
mean, are for `figure`.
"""

from decimal import Clamped, Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Rounded, Subnormal
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

Figure = Any
"""What a field may hold on the way: a Decimal that was judged, an int, a text, or what is no number."""

_MOST: Final = 20_000  # figures that are remembered
_LONGEST: Final = 100  # characters: more than any number of 40 places on both sides takes
_BEYOND: Final = 10**15
_LARGEST: Final = Decimal(_BEYOND)
_LEAST: Final = -_LARGEST
_exactly: Final = Context(  # what takes more than 40 places raises
    prec=40, Emin=-40, Emax=40, traps=[Clamped, Inexact, InvalidOperation, Overflow, Rounded, Subnormal]
).plus


class Figures(dict[str, Decimal | str]):
    """The numbers by their texts; a text that is no number of a market stays a text."""

    def __missing__(self, text: str) -> Decimal | str:
        number = _judged(text)
        if number is None:
            return text
        if len(self) >= _MOST:
            self.clear()
        self[text] = number
        return number


FIGURES: Final = Figures()
WHOLE: Final = {size: Decimal(size) for size in range(1, 10_000)}
"""The sizes of most quotes."""


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """What reads JSON into a kind; where that may hold anything, a number with a point or an exponent is a Decimal.

    It is judged: what cannot be a number of a market stays a text.
    """
    return msgspec.json.Decoder(kind, float_hook=FIGURES.__getitem__)


def figure(told: Figure) -> Decimal | None:
    """The number that is told, judged; None for what is no number of a market."""
    if type(told) is int:
        return WHOLE.get(told) or (Decimal(told) if -_BEYOND < told < _BEYOND else None)
    if type(told) is str:
        number = FIGURES[told]
        return number if type(number) is Decimal else None
    return told if type(told) is Decimal and plausible(told) else None


def size(told: Figure) -> Decimal | None:
    """The number of zero or more that is told, judged; None for what is none."""
    number = figure(told)
    return None if number is None or number < 0 else number


def plausible(number: Decimal) -> bool:
    """Whether a number can be a price, a size or a volume: finite, below 10**15, with at most 40 places."""
    try:
        return _LEAST < _exactly(number) < _LARGEST
    except DecimalException:
        return False


def _judged(text: str) -> Decimal | None:
    if len(text) > _LONGEST:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if plausible(number) else None
