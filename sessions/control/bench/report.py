"""What a benchmark says: samples by name, bars on them, and one JSON object of a stable form."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import attrs


@attrs.frozen
class Bar:
    """One promised figure; `ok` is computed from the value and the limit."""

    name: str
    value: float
    unit: str
    limit: float
    at_least: bool

    @property
    def ok(self) -> bool:
        """Whether the promise holds."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def promise(self) -> str:
        """The limit in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g} {self.unit}"


class Measurements:
    """Samples of one run, each figure with its unit, and the bars over them."""

    def __init__(self, bench: str) -> None:
        self.bench = bench
        self.samples: dict[str, tuple[list[float], str]] = {}
        self.bars: list[Bar] = []

    def add(self, name: str, value: float, unit: str) -> float:
        """Adds one sample and returns it."""
        self.samples.setdefault(name, ([], unit))[0].append(value)
        return value

    def median(self, name: str) -> float:
        """The median of a figure's samples; raises KeyError for one that was not measured."""
        return statistics.median(self.samples[name][0])

    def at_most(self, name: str, limit: float) -> None:
        """Promises that the median of a figure is at most limit."""
        self.bars.append(Bar(name, self.median(name), self.samples[name][1], limit, at_least=False))

    def at_least(self, name: str, limit: float) -> None:
        """Promises that the median of a figure is at least limit."""
        self.bars.append(Bar(name, self.median(name), self.samples[name][1], limit, at_least=True))

    @property
    def ok(self) -> bool:
        """Whether every promise holds."""
        return all(bar.ok for bar in self.bars)

    def as_json(self) -> Mapping[str, Any]:
        """The object that `--json` prints."""
        return {
            "bench": self.bench,
            "metrics": {
                name: {
                    "median": _short(statistics.median(values)),
                    "min": _short(min(values)),
                    "max": _short(max(values)),
                    "unit": unit,
                }
                for name, (values, unit) in self.samples.items()
            },
            "bars": [
                {"name": bar.name, "value": _short(bar.value), "unit": bar.unit, "limit": bar.limit, "ok": bar.ok}
                for bar in self.bars
            ],
        }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


# rounds, and a function that is told of progress in words
Bench = Callable[[int, Callable[[str], None]], Measurements]
