"""The money of all accounts, with a chart of what was seen of it so far, by the daemon and by us."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from sessions.control.view.chart import chart
from sessions.control.view.lines import BLANK, Column, Line, line, table
from sessions.control.view.tables import equity_rows
from sessions.control.view.words import clock, money

_KEPT: Final = 2_000
_HEIGHT: Final = 8
_WIDTH: Final = 80


class EquityWatch:
    """What was seen of each account's equity, the last two thousand times."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], deque[Decimal]] = {}

    def remember(self, curves: Sequence[Mapping[str, Any]]) -> "EquityWatch":
        """Takes in what the daemon saw before."""
        for curve in curves:
            values = (Decimal(point["equity"]) for point in curve["points"])
            self.seen[curve["broker"], curve["account"]] = deque(values, maxlen=_KEPT)
        return self

    def draw(self, rows: Sequence[Mapping[str, Any]], width: int | None = None) -> list[Line]:
        """Takes a look in and draws it; an account has a chart from its second look on."""
        for row in rows:
            if row["summary"] is not None:
                known = self.seen.setdefault((row["broker"], row["account"]), deque(maxlen=_KEPT))
                known.append(Decimal(row["summary"]["equity"]))
        return [*equity_rows(rows, width), *self._charts(width or _WIDTH)]

    def _charts(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for (_, account), values in self.seen.items():
            if len(values) > 1:
                cents = [value.quantize(Decimal("0.01")) for value in values]
                lines += [BLANK, line((account, "strong")), *chart(cents, width, _HEIGHT)]
        return lines


def curve_rows(curves: Sequence[Mapping[str, Any]], width: int | None = None) -> list[Line]:
    """Every minute of every account."""
    columns = (Column("time", whole=True), Column("broker"), Column("account"), Column("equity", right=True))
    when = clock(width)
    return table(columns, (_point(curve, point, when) for curve in curves for point in curve["points"]), width)


def _point(curve: Mapping[str, Any], point: Mapping[str, Any], when: Callable[[int], str]) -> tuple[str, ...]:
    return (when(point["time_ns"]), curve["broker"], curve["account"], money(point["equity"]))
