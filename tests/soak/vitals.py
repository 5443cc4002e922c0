"""What a process costs along its life, and whether that grows; pure but for one look at /proc."""

from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression, median
from typing import Final

import attrs

DAY_SECONDS: Final = 86_400.0
WARM_SECONDS: Final = 3_600.0  # in which memory fills that is kept on purpose
LONG_SECONDS: Final = 4 * WARM_SECONDS  # from which on a trend of memory says something
MOST_GROWTH: Final = 0.02  # of memory, a day
SLACK: Final = 8  # descriptors, threads or actors that come and go
_SHORTEST: Final = 12  # samples from which two thirds can be compared


@attrs.frozen
class Vitals:
    """One moment of a process."""

    at_s: float
    rss_kib: int
    descriptors: int
    threads: int
    actors: int


def look(pid: int, at_s: float, actors: int) -> Vitals:
    """How a process stands now; raises OSError when it is gone."""
    place = Path("/proc") / str(pid)
    told = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines() if ":" in line)
    return Vitals(
        at_s,
        int(told["VmRSS"].split()[0]),
        sum(1 for _ in (place / "fd").iterdir()),
        int(told["Threads"]),
        actors,
    )


def growth_a_day(life: Sequence[Vitals]) -> float | None:
    """The trend of memory after the first hour as a share a day; None for a life that is too short to have one."""
    if not life or life[-1].at_s - life[0].at_s < LONG_SECONDS:
        return None
    warm = [one for one in life if one.at_s - life[0].at_s >= WARM_SECONDS]
    line = linear_regression([one.at_s for one in warm], [float(one.rss_kib) for one in warm])
    return line.slope * DAY_SECONDS / warm[0].rss_kib


def complaints(life: Sequence[Vitals]) -> list[str]:
    """What grew in a life that should be flat."""
    found = []
    growth = growth_a_day(life)
    if growth is not None and growth > MOST_GROWTH:
        found.append(f"memory grows by {growth:.1%} a day, expected at most {MOST_GROWTH:.0%}")
    third = len(life) // 3
    if len(life) >= _SHORTEST:
        for name in ("descriptors", "threads", "actors"):
            before = median(getattr(one, name) for one in life[third : 2 * third])
            after = median(getattr(one, name) for one in life[2 * third :])
            if after > before + SLACK:
                found.append(f"{name} went from {before:g} to {after:g}")
    return found
