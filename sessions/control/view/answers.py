"""What commands came to, where that is more than a sentence."""

from collections.abc import Mapping
from typing import Any

from sessions.control.view.lines import Line, line
from sessions.control.view.tables import report_rows
from sessions.control.view.words import listed, moment

Record = Mapping[str, Any]


def reloaded_lines(done: Record) -> list[Line]:
    """What a reload did, or the sentence about one session."""
    if "text" in done:
        return [line(done["text"])]
    told = [line(f"{what}: {listed(done[key])}") for what, key in _KINDS if done[key]]
    return told or [line("nothing has changed")]


_KINDS = (
    ("sessions added", "added"),
    ("sessions removed", "removed"),
    ("sessions restarted", "restarted"),
    ("brokers changed", "brokers"),
    ("settings changed", "keys"),
    ("waits for the next start", "waiting"),
)


def armed_lines(arming: Record) -> list[Line]:
    """Whose word arms what, and until when."""
    accounts = listed(arming["accounts"])
    whose = f"{arming['broker']} ({accounts}) by {arming['by']} until {moment(arming['until_ns'])}"
    return [line((f" LIVE TRADING IS ARMED: {whose} ", "alarm"))]


def answered_lines(told: Any, width: int | None = None) -> list[Line]:
    """The orders that a command answered with: one, or several."""
    reports = [told] if isinstance(told, Mapping) else list(told)
    return report_rows(reports, width) if reports else [line("there was nothing to do")]
