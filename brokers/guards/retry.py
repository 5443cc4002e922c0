"""What may be tried again, how often in all, and what a broker's Retry-After says."""

import email.utils
import re
from datetime import UTC

from brokers.guards.lessons import Fate
from brokers.guards.operation import Kind
from brokers.guards.tally import Tally
from brokers.guards.timeline import NEVER_NS, SECOND_NS

_SECONDS = re.compile(r"([0-9]{1,})(?:\.([0-9]{1,9})[0-9]*)?", re.ASCII)
_DIGITS = 10  # more seconds than this are beyond any calendar


def may_repeat(kind: Kind, fate: Fate) -> bool:
    """Whether an attempt that ended so may be made again: never an order whose fate is unknown."""
    if fate is Fate.UNKNOWN:
        return kind.repeatable
    return fate is Fate.NOT_SENT


def retry_after_ns(header: str, wall_ns: int) -> int | None:
    """The wait a Retry-After header asks for, in seconds or as an HTTP date; None when it says nothing clear."""
    text = header.strip()
    if match := _SECONDS.fullmatch(text):
        return _from_seconds(match[1].lstrip("0") or "0", match[2] or "0")
    try:
        moment = email.utils.parsedate_to_datetime(text)
        seconds = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0, seconds * SECOND_NS - wall_ns)


def _from_seconds(whole: str, fraction: str) -> int:
    if len(whole) > _DIGITS:
        return NEVER_NS
    return int(whole) * SECOND_NS + int(fraction.ljust(9, "0"))


class RetryBudget:
    """Keeps repeats a bounded share of a host's calls: at most `percent` of those of the last minute, or `free`."""

    __slots__ = ("_calls", "_free", "_percent", "_repeats")

    def __init__(self, *, percent: int = 10, free: int = 3, window_ns: int = 60 * SECOND_NS) -> None:
        self._percent = percent
        self._free = free
        self._calls = Tally(window_ns)
        self._repeats = Tally(window_ns)

    def called(self, now_ns: int) -> None:
        """Counts a first attempt."""
        self._calls.add(now_ns)

    def spend(self, now_ns: int) -> bool:
        """Takes one repeat from the budget; False when there is none left."""
        allowed = max(self._free, self._calls.count(now_ns) * self._percent // 100)
        if self._repeats.count(now_ns) >= allowed:
            return False
        self._repeats.add(now_ns)
        return True
