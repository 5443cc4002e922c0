"""The supervision tree as a drawing, and its busiest actors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sessions.control.view.lines import Column, Line, Span, Tone, line, table

Record = Mapping[str, Any]

_TONES: Final[Mapping[str, Tone]] = {"ready": "good", "restarting": "warn", "down": "bad"}
_BUSY: Final = (
    Column("waiting", right=True),
    Column("starts", right=True),
    Column("status"),
    Column("kind"),
    Column("path"),
)


def tree_lines(rows: Sequence[Record]) -> list[Line]:
    """One line a child, below its parent."""
    return [_branch(row, twigs) for row, twigs in zip(rows, _twigs([row["depth"] for row in rows]), strict=True)]


def top_lines(rows: Sequence[Record], count: int, width: int | None = None) -> list[Line]:
    """How many children there are and how they do, then those that are behind or were restarted most."""
    ranked = sorted(rows, key=lambda row: (-row["waiting"], -row["instance"], row["path"]))
    ill = sum(row["status"] != "ready" for row in rows)
    head = line(
        f"{len(rows)} children, ",
        (f"{ill} not ready", "bad" if ill else "good"),
        f", {sum(row['waiting'] for row in rows)} messages wait, {sum(row['instance'] - 1 for row in rows)} restarts",
    )
    return [head, *table(_BUSY, map(_busy, ranked[:count]), width)]


def _branch(row: Record, twigs: str) -> Line:
    waiting = f"  {row['waiting']} waiting" if row["waiting"] else ""
    starts = f"  start {row['instance']}" if row["instance"] > 1 else ""
    return line(
        (twigs, "dim"), (row["id"] or "/", "strong"), (f"  {row['kind']}  ", "dim"), _state(row), starts, waiting
    )


def _twigs(depths: Sequence[int]) -> Iterator[str]:
    """What stands before each child, so that lines lead from parents to children."""
    for place, depth in enumerate(depths):
        if depth == 0:
            yield ""
            continue
        after = depths[place + 1 :]
        stems = ("│  " if _goes_on(after, level) else "   " for level in range(1, depth))
        yield "".join(stems) + ("├─ " if _goes_on(after, depth) else "└─ ")


def _goes_on(after: Sequence[int], level: int) -> bool:
    """Whether another child of the same parent follows at this level."""
    return next((depth == level for depth in after if depth <= level), False)


def _busy(row: Record) -> tuple[Span, ...]:
    waiting = Span(str(row["waiting"]), "warn" if row["waiting"] else "")
    return (waiting, Span(str(row["instance"])), _state(row), Span(row["kind"], "dim"), Span(row["path"]))


def _state(row: Record) -> Span:
    return Span(row["status"], _TONES.get(row["status"], "warn"))
