"""Recorded data as market events in time order, streamed."""

import heapq
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path

from brokers.market import MarketEvent
from brokers.replay.columns import layout_of
from brokers.replay.decode import Row, RowDecoder, decoder
from brokers.replay.errors import BadCellError, ReplayError
from brokers.replay.files import RowFile, opened
from brokers.replay.settings import Progress, ReplaySettings, ReplayStatistics
from brokers.replay.times import TimeReader, nanoseconds, wall_reader

_KEPT_PROBLEMS = 100


class Replay:
    """The events of one file; each iteration reads it from the beginning.

    A bad row, or one that goes back in time, stops it with a ReplayError; with `bad_rows="skip"` the row is left out
    and counted in `statistics`.
    """

    def __init__(self, path: Path, settings: ReplaySettings | None = None, *, data: bytes | None = None) -> None:
        """Reads the file at `path`, or `data` as if it were there."""
        self.path = path
        self.settings = settings or ReplaySettings()
        self._data = data
        self._rows = self._events = self._skipped = self._bytes_read = self._total_bytes = 0
        self._reached = 0  # the time of the latest event
        self._problems: list[ReplayError] = []

    def statistics(self) -> ReplayStatistics:
        """How far the latest iteration has come, and what it skipped."""
        return ReplayStatistics(self._progress(), tuple(self._problems))

    def __iter__(self) -> Iterator[MarketEvent]:
        name = str(self.path)
        self._rows = self._events = self._skipped = self._bytes_read = self._reached = 0
        self._problems = []
        source = self.path if self._data is None else self._data
        with opened(name, source, self.settings.delimiter) as file:
            self._total_bytes = file.total_bytes
            layout = layout_of(name, file.header, self.settings.kind, self.settings.columns)
            time_column = layout.column("time")
            decode = decoder(layout, self.settings, self._typed_times(file, time_column))
            for place, row in file.rows(layout.at.values()):
                self._rows += 1
                try:
                    event = _decoded(row, decode, self._reached, time_column)
                except BadCellError as error:
                    self._refuse(ReplayError(name, place, error.column, error.expected, error.got))
                else:
                    self._reached = event.time_ns
                    self._events += 1
                    yield event
                if self._rows % self.settings.progress_rows == 0:
                    self._report(file)
            self._report(file)

    def _typed_times(self, file: RowFile, column: str) -> TimeReader | None:
        """How to read a time column that has a type of its own."""
        if column in file.walls:
            return wall_reader(self.settings.zone)
        return nanoseconds if column in file.instants else None

    def _refuse(self, error: ReplayError) -> None:
        if self.settings.bad_rows == "stop":
            raise error
        self._skipped += 1
        if len(self._problems) < _KEPT_PROBLEMS:
            self._problems.append(error)

    def _report(self, file: RowFile) -> None:
        self._bytes_read = file.bytes_read()
        if self.settings.progress is not None:
            self.settings.progress(self._progress())

    def _progress(self) -> Progress:
        return Progress(self._rows, self._events, self._skipped, self._bytes_read, self._total_bytes)


def _decoded(row: Row | BadCellError, decode: RowDecoder, reached: int, time_column: str) -> MarketEvent:
    if isinstance(row, BadCellError):
        raise row
    event = decode(row)
    if event.time_ns < reached:
        raise BadCellError(time_column, f"a time not before {reached}, that of the row before", event.time_ns)
    return event


def merged(*replays: Iterable[MarketEvent]) -> Iterator[MarketEvent]:
    """Several streams of events as one in time order; ties come in the order of the arguments."""
    return heapq.merge(*replays, key=attrgetter("time_ns"))
