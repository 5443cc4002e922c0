"""SVG as text, and scales that lead from times and figures to places on it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import attrs

_STEPS = (1, 2, 5)
_CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


@attrs.frozen
class Scale:
    """A straight way from values to places."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.begin + share * (self.end - self.begin), 1)


def tag(name: str, *inner: str, **attributes: object) -> str:
    """An element; `class_` and `text_anchor` become class and text-anchor. What is inside is taken as it stands."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}>{''.join(inner)}</{name}>"


def text(words: object) -> str:
    """Words that are nothing but words."""
    return escape(str(words))


def label(x: float, y: float, words: object, class_: str = "label", anchor: str = "start") -> str:
    """Words in a drawing."""
    return tag("text", text(words), x=x, y=y, class_=class_, text_anchor=anchor)


def hint(words: object) -> str:
    """What is shown where the pointer rests."""
    return tag("title", text(words))


def steps(points: Iterable[tuple[float, float]]) -> str:
    """A path that keeps its height until the next point."""
    parts: list[str] = []
    for x, y in points:
        parts.append(f"H{x}V{y}" if parts else f"M{x} {y}")
    return "".join(parts)


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The last point of each place: more cannot be seen."""
    return list({round(x): (x, y) for x, y in points}.values())


def clock(seconds: float) -> str:
    """A time of a run."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock_ticks(end: float, most: int) -> Iterator[float]:
    """Round times from 0 to the end."""
    days = math.ceil(end / most / _CLOCK_STEPS[-1]) * _CLOCK_STEPS[-1]
    step = next((one for one in _CLOCK_STEPS if end / one <= most), days)
    return (float(place * step) for place in range(int(end // step) + 1))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round figures between two others."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next((power * one for one in _STEPS if power * one >= rough), power * 10)
    first = math.ceil(low / step)
    return [round(place * step, 10) for place in range(first, math.floor(high / step) + 1)]
