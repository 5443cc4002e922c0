"""The money of all accounts, with a chart of what was seen of it so far."""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from sessions.control.view.chart import chart
from sessions.control.view.lines import BLANK, Line, line
from sessions.control.view.tables import equity_rows

_KEPT: Final = 1_000
_HEIGHT: Final = 8
_WIDTH: Final = 80


class EquityWatch:
    """What was seen of each account's equity, the last thousand times."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], deque[Decimal]] = {}

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
