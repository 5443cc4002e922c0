"""A broker's own symbol facts put into the instrument table: pure, and careful with what money depends on."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Literal

import attrs

from config.instruments import InstrumentRecord, InstrumentTable, KindName
from config.reading import UnfitValue

_DAY_NS = 86_400_000_000_000


@attrs.frozen
class FetchedRoot:
    """What a broker's symbol endpoint says of one root, in canonical names; None or empty is no word."""

    root: str
    source: str  # the broker and its endpoint
    kind: KindName | None = None
    currency: str | None = None
    base: str | None = None
    exchange: str | None = None
    calendar: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    multiplier: Decimal | None = None
    months: str | None = None
    expiry: str | None = None
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    description: str | None = None
    expiries: Mapping[str, dt.date] = attrs.field(factory=dict)


@attrs.frozen
class TableChange:
    """One difference that a refresh found; `reason` says why a refused one was left out."""

    root: str
    field: str  # empty for a whole record
    before: str
    after: str
    outcome: Literal["changed", "added", "refused"]
    reason: str = ""


Refreshed = tuple[InstrumentTable, tuple[TableChange, ...]]


def refresh(table: InstrumentTable, fetched: Iterable[FetchedRoot], now_ns: int) -> Refreshed:
    """The table with a broker's facts put in, and everything that changed or was refused.

    A pinned record never changes. A multiplier never changes under one root, nor does its tick then, nor any
    tick tenfold: a broker that states such scales its prices, which its adapter has to undo first. One fact that
    makes no sense leaves its record as it was.
    """
    today = dt.date(1970, 1, 1) + dt.timedelta(days=now_ns // _DAY_NS)
    records = dict(table.records)
    changes: list[TableChange] = []
    for facts in fetched:
        record, found = _refreshed(records.get(facts.root), facts, today)
        changes += found
        if record is not None:
            records[facts.root] = record
    return attrs.evolve(table, as_of=max(table.as_of, today), records=records), tuple(changes)


def _refreshed(
    known: InstrumentRecord | None, facts: FetchedRoot, today: dt.date
) -> tuple[InstrumentRecord | None, list[TableChange]]:
    try:
        return _added(facts, today) if known is None else _updated(known, facts, today)
    except UnfitValue as error:
        refused = TableChange(facts.root, error.key, "", str(error.got), "refused", f"expected {error.expected}")
        return known, [refused]


def _added(facts: FetchedRoot, today: dt.date) -> tuple[InstrumentRecord | None, list[TableChange]]:
    stated = dict(_stated(facts))
    missing = [name for name in ("kind", "currency", "tick", "multiplier", "calendar") if name not in stated]
    if missing:
        reason = f"a new root needs {', '.join(missing)} too; add it to your instruments file"
        return None, [TableChange(facts.root, "", "", facts.source, "refused", reason)]
    record = InstrumentRecord(root=facts.root, source=facts.source, as_of=today, **stated)  # type: ignore[arg-type]  # same names
    return record, [TableChange(facts.root, "", "", facts.source, "added")]


def _updated(known: InstrumentRecord, facts: FetchedRoot, today: dt.date) -> tuple[InstrumentRecord, list[TableChange]]:
    facts = attrs.evolve(facts, expiries={**known.expiries, **facts.expiries})
    stated = {name: value for name, value in _stated(facts) if value != getattr(known, name)}
    refused = _not_to_be_touched(known, facts, stated.keys())
    taken = {name: value for name, value in stated.items() if name not in refused}
    record = attrs.evolve(known, **taken, source=facts.source, as_of=today) if taken else known  # type: ignore[arg-type]  # same names
    return record, [_change(known, name, value, refused.get(name, "")) for name, value in stated.items()]


def _not_to_be_touched(known: InstrumentRecord, facts: FetchedRoot, stated: AbstractSet[str]) -> dict[str, str]:
    if known.pinned:
        return dict.fromkeys(stated, "the record is pinned")
    names = {"kind", "currency", "base", "multiplier"} & stated
    if facts.tick and ("multiplier" in names or not known.tick / 10 < facts.tick < known.tick * 10):
        names |= {"tick"} & stated
    return dict.fromkeys(names, "it cannot change so under one root; check the adapter's price scale and roots")


def _change(known: InstrumentRecord, name: str, value: object, refused: str) -> TableChange:
    before, after = _wording(getattr(known, name)), _wording(value)
    return TableChange(known.root, name, before, after, "refused" if refused else "changed", refused)


def _wording(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{contract} {day}" for contract, day in sorted(value.items()))
    return "" if value is None else str(value)


def _stated(facts: FetchedRoot) -> Iterator[tuple[str, object]]:
    for field in attrs.fields(FetchedRoot):
        value = getattr(facts, field.name)
        if field.name not in {"root", "source"} and value is not None and value != {}:
            yield field.name, value
