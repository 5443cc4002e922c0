"""A row of numbers as a picture of blocks, with the greatest and the least beside it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from sessions.control.view.lines import Line, line

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_STEPS: Final = len(_BLOCKS) - 1


def chart(values: Sequence[Decimal], width: int, height: int) -> list[Line]:
    """The values from left to right; where there are more than columns, a column shows the last of its share."""
    if not values:
        return []
    least, most = min(values), max(values)
    labels = [f"{most:f}", *[""] * (height - 2), f"{least:f}"]
    margin = max(map(len, labels))
    levels = _levels(_thinned(values, max(width - margin - 2, 1)), least, most, height)
    return [
        line((f"{label.rjust(margin)}  ", "dim"), ("".join(_block(level, row) for level in levels), "good"))
        for row, label in zip(reversed(range(height)), labels, strict=True)
    ]


def _thinned(values: Sequence[Decimal], columns: int) -> list[Decimal]:
    count = len(values)
    if count <= columns:
        return list(values)
    return [values[(column + 1) * count // columns - 1] for column in range(columns)]


def _levels(values: Sequence[Decimal], least: Decimal, most: Decimal, height: int) -> list[int]:
    """How many eighths of a line each value is high: 1 for the least, all for the greatest."""
    top, reach = height * _STEPS, most - least
    return [1 + int((value - least) * (top - 1) / reach) if reach else top // 2 for value in values]


def _block(level: int, row: int) -> str:
    return _BLOCKS[min(max(level - row * _STEPS, 0), _STEPS)]
