"""How recorded data is to be read, and what a replay tells about itself."""

from collections.abc import Callable, Mapping
from typing import Literal

import attrs

from brokers.calendar import SessionCalendar
from brokers.market import BarUnit, Interval
from brokers.replay.columns import RowKind
from brokers.replay.errors import ReplayError
from brokers.replay.times import TimeUnit


@attrs.frozen
class Progress:
    """How far a replay has come; `bytes_read` of a Parquet file is its share of rows."""

    rows: int
    events: int
    skipped: int
    bytes_read: int
    total_bytes: int


@attrs.frozen
class ReplayStatistics:
    """A replay's progress and the first hundred bad rows that were skipped."""

    progress: Progress
    problems: tuple[ReplayError, ...]


@attrs.frozen
class ReplaySettings:
    """What the file does not say by itself; every default leaves the file to speak."""

    kind: RowKind | Literal["auto"] = "auto"
    symbol: str | None = None  # every row is of this symbol, whatever its column says
    columns: Mapping[str, str] = attrs.field(factory=dict)  # field -> header, see brokers.replay.columns.ALIASES
    time_unit: TimeUnit = "auto"
    zone: str | None = None  # for times that state none, such as America/Chicago
    interval: Interval | None = None  # for bars without a column that says it
    bar_time: Literal["close", "open"] = "close"  # which end of a bar its time is
    calendar: SessionCalendar | None = None  # closes bars of days and bare dates; ends bars with their session
    bad_rows: Literal["stop", "skip"] = "stop"
    delimiter: str = ","
    progress: Callable[[Progress], None] | None = None
    progress_rows: int = 10_000  # between two calls of `progress`, and once at the end

    def __attrs_post_init__(self) -> None:
        """Refuses bars of days by their opening time without a calendar; raises ValueError."""
        days = self.interval is not None and self.interval.unit in {BarUnit.DAY, BarUnit.WEEK}
        if days and self.bar_time == "open" and self.calendar is None:
            raise ValueError("bars of days or weeks stamped with their open need a `calendar` to tell their close")
