"""Events, crashes, bars, lines of the log and entries of the journal."""

from collections.abc import Mapping
from typing import Any, Final

from sessions.control.view.lines import Line, Span, Tone, line
from sessions.control.view.words import moment, number

Record = Mapping[str, Any]

_KINDS: Final[Mapping[str, Tone]] = {
    "ready": "good",
    "failed": "bad",
    "restarting": "warn",
    "gave_up": "alarm",
}


def event_line(row: Record) -> Line:
    """One event of the tree, or how many were missed."""
    if "missed" in row:
        return _missed(row["missed"])
    start = f" start {row['instance']}" if row["instance"] > 1 else ""
    kind = Span(f"{row['kind']:<11}", _KINDS.get(row["kind"], ""))
    words = "  ".join(filter(None, (row["reason"], row["detail"])))
    return line((moment(row["time_ns"]), "dim"), "  ", kind, f" {row['path']}{start}", f"  {words}" if words else "")


def log_line(row: Record) -> Line:
    """One line of the log, or how many were missed."""
    return _missed(row["missed"]) if "missed" in row else line(row["line"])


def crash_lines(row: Record, *, trace: bool) -> list[Line]:
    """One crash, with its stack if it is asked for."""
    head = line(
        (moment(row["time_ns"]), "dim"),
        "  ",
        (row["path"], "strong"),
        f" start {row['instance']}  ",
        (row["error"], "bad"),
        f"  while it worked on {row['message']}" if row["message"] else "",
    )
    return [head, *(line("    ", one) for one in row["trace"].splitlines())] if trace else [head]


def bar_line(row: Record) -> Line:
    """One bar as it is over, or how many were missed."""
    if "missed" in row:
        return _missed(row["missed"])
    words = (f"{name} {number(row[name])}" for name in ("open", "high", "low", "close", "volume"))
    return line((moment(row["time_ns"]), "dim"), "  ", "  ".join(words))


def entry_line(row: Record) -> Line:
    """One entry of the journal."""
    key = f"  {row['key']}" if row["key"] else ""
    return line(
        f"{row['seq']:>8}  ",
        (moment(row["wall_ns"]), "dim"),
        "  ",
        (row["kind"], "strong"),
        f"  {row['stream']}{key}  {row['body']}",
    )


def _missed(count: int) -> Line:
    return line((f"{count} lines were missed, because this terminal took none meanwhile", "warn"))
