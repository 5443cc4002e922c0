"""Recorded market data: read from CSV and Parquet, and recorded to CSV."""

from brokers.replay.columns import ALIASES
from brokers.replay.errors import MissingExtraError, ReplayError
from brokers.replay.reader import Replay, merged
from brokers.replay.recorder import event_line, header_line, record
from brokers.replay.settings import Progress, ReplaySettings, ReplayStatistics

__all__ = [
    "ALIASES",
    "MissingExtraError",
    "Progress",
    "Replay",
    "ReplayError",
    "ReplaySettings",
    "ReplayStatistics",
    "event_line",
    "header_line",
    "merged",
    "record",
]
