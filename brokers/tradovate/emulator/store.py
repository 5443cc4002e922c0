"""The entities: tables of rows with ids, and the questions that every kind of entity answers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Entity = dict[str, Any]
Prop = dict[str, Any]

KINDS: Final[Mapping[str, tuple[str, ...]]] = {  # each with the fields that name its masters
    "user": (),
    "account": ("userId",),
    "cashBalance": ("accountId",),
    "currency": (),
    "exchange": (),
    "product": ("exchangeId",),
    "contractMaturity": ("productId",),
    "contract": ("contractMaturityId",),
    "position": ("accountId",),
    "order": ("accountId",),
    "orderVersion": ("orderId",),
    "command": ("orderId",),
    "commandReport": ("commandId",),
    "executionReport": ("commandId", "orderId"),
    "fill": ("orderId",),
    "fillPair": ("positionId",),
    "fillFee": ("id",),
}
OF_ORDERS: Final = frozenset({"order", "orderVersion", "command", "commandReport", "executionReport"})

Hidden = Callable[[str, Entity], bool]


def nothing_hidden(_kind: str, _row: Entity) -> bool:
    """All rows are shown."""
    return False


class Store:
    """All rows; `hidden` says which the broker no longer shows."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[int, Entity]] = {kind: {} for kind in KINDS}
        self._before: dict[tuple[str, int], Entity] = {}
        self.hidden: Hidden = nothing_hidden

    def put(self, kind: str, row: Entity) -> Prop:
        """Keeps a row as it is from now on; the message that tells it."""
        table = self._tables[kind]
        before = table.get(row["id"])
        if before is not None:
            self._before[kind, row["id"]] = before
        table[row["id"]] = row
        return prop(kind, "Created" if before is None else "Updated", row)

    def get(self, kind: str, row_id: int) -> Entity | None:
        """The row with that id, unless it is hidden."""
        row = self._tables[kind].get(row_id)
        return None if row is None or self.hidden(kind, row) else row

    def rows(self, kind: str, *, stale: bool = False) -> list[Entity]:
        """All rows that are shown, by id; with `stale` as they were before their last change."""
        found = [row for row in self._tables[kind].values() if not self.hidden(kind, row)]
        if stale:
            found = [self._before.get((kind, row["id"]), row) for row in found]
        return found

    def of(self, kind: str, masters: Iterable[int]) -> list[Entity]:
        """The rows that belong to some masters."""
        wanted, fields = frozenset(masters), KINDS[kind]
        return [row for row in self.rows(kind) if any(row.get(name) in wanted for name in fields)]

    def named(self, kind: str, name: str) -> Entity | None:
        """The row with that name."""
        return next((row for row in self.rows(kind) if row.get("name") == name), None)

    def suggested(self, kind: str, text: str, most: int) -> list[Entity]:
        """Rows whose names begin so."""
        found = [row for row in self.rows(kind) if str(row.get("name", "")).startswith(text)]
        return found[:most]


def prop(kind: str, what: str, row: Entity) -> Prop:
    """The message about a row."""
    return {"entityType": kind, "eventType": what, "entity": row}
