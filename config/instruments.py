"""The instrument table: what is known of each root, from where, and how a broker's own facts refresh it."""

import datetime as dt
import difflib
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import attrs

from config.expiries import EXPIRY_RULES
from config.reading import UnfitValue, parse

KindName = Literal["future", "stock", "spot", "perpetual", "inverse"]

MONTH_CODES = "FGHJKMNQUVXZ"
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,23}")
_CONTRACT = re.compile(rf"[A-Z0-9]+[{MONTH_CODES}][0-9]{{2}}")


def _positive(_: object, attribute: "attrs.Attribute[Any]", value: Decimal | None) -> None:
    if value is not None and value <= 0:
        raise UnfitValue("a number above zero", str(value), attribute.name)


def _not_negative(_: object, attribute: "attrs.Attribute[Any]", value: Decimal) -> None:
    if value < 0:
        raise UnfitValue("zero or more", str(value), attribute.name)


def _months(_: object, attribute: "attrs.Attribute[Any]", months: str | None) -> None:
    if months is not None and (not months or "".join(sorted(set(months))) != months or set(months) - set(MONTH_CODES)):
        raise UnfitValue(f"month codes of {MONTH_CODES} in order, such as HMUZ", months, attribute.name)


def _rule(_: object, attribute: "attrs.Attribute[Any]", name: str | None) -> None:
    if name is not None and name not in EXPIRY_RULES:
        raise UnfitValue("one of " + ", ".join(EXPIRY_RULES), name, attribute.name)


def _within(low: int, high: int) -> Callable[[object, "attrs.Attribute[Any]", int], None]:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: int) -> None:
        if not low <= value <= high:
            raise UnfitValue(f"{low} to {high}", value, attribute.name)

    return check


def _is_symbol(_: object, attribute: "attrs.Attribute[Any]", root: str) -> None:
    if _SYMBOL.fullmatch(root) is None:
        raise UnfitValue("a root of capital letters, digits, dot, slash and hyphen", root, attribute.name)


@attrs.frozen
class RollRecord:
    """When the front contract gives way to the next, at the latest by `days`; see `brokers.rolls`."""

    kind: Literal["days_before", "nth_weekday", "volume", "calendar"] = "days_before"
    days: int = attrs.field(default=1, validator=_within(0, 120))  # business days before the last safe day
    months: str | None = attrs.field(default=None, validator=_months)  # roll only into these
    nth: int = attrs.field(default=2, validator=_within(1, 4))  # nth_weekday: the second ...
    weekday: int = attrs.field(default=3, validator=_within(0, 6))  # ... Thursday (Monday is 0) ...
    month_offset: int = attrs.field(default=0, validator=_within(-12, 0))  # ... of this month from the contract's
    confirm: int = attrs.field(default=1, validator=_within(1, 30))  # volume: days in a row of the next one's lead
    dates: Mapping[str, dt.date] = attrs.field(factory=dict)  # calendar: contract -> first day it is no longer front


@attrs.frozen
class InstrumentRecord:
    """One root; margins are defaults, per contract for a future and a share of notional otherwise."""

    root: str = attrs.field(validator=_is_symbol)
    kind: KindName
    currency: str
    tick: Decimal = attrs.field(validator=_positive)
    source: str
    as_of: dt.date
    lot: Decimal = attrs.field(default=Decimal(1), validator=_positive)
    multiplier: Decimal = attrs.field(default=Decimal(1), validator=_positive)
    base: str | None = None
    exchange: str = ""
    calendar: str = "always"
    months: str | None = attrs.field(default=None, validator=_months)
    expiry: str | None = attrs.field(default=None, validator=_rule)
    notice: str | None = attrs.field(default=None, validator=_rule)
    roll: RollRecord | None = None
    expiries: Mapping[str, dt.date] = attrs.field(factory=dict)  # contract -> the day that a broker states
    min_quantity: Decimal | None = attrs.field(default=None, validator=_positive)
    max_quantity: Decimal | None = attrs.field(default=None, validator=_positive)
    min_notional: Decimal | None = attrs.field(default=None, validator=_positive)
    initial_margin: Decimal = attrs.field(default=Decimal(0), validator=_not_negative)
    maintenance_margin: Decimal = attrs.field(default=Decimal(0), validator=_not_negative)
    description: str = ""
    pinned: bool = False  # the user's own word: neither merge nor refresh replaces it

    def __attrs_post_init__(self) -> None:
        """Refuses what the kind of instrument does not allow."""
        future = self.kind == "future"
        if future != (self.months is not None):
            raise UnfitValue("listed months for a future, none otherwise", self.months or "none", "months")
        if future != (self.expiry is not None):
            raise UnfitValue("an expiry rule for a future, none otherwise", self.expiry or "none", "expiry")
        if self.kind == "inverse" and self.base is None:
            raise UnfitValue("the currency that profit is paid in", "none", "base")
        for contract in self.expiries:
            if not contract.startswith(self.root) or _CONTRACT.fullmatch(contract) is None:
                raise UnfitValue(f"contracts of {self.root} such as {self.root}Z26", contract, "expiries")


class UnknownRootError(LookupError):
    """A root that no instrument table holds; `root` is the name asked for, `near` what resembles it."""

    def __init__(self, root: str, near: tuple[str, ...]) -> None:
        self.root = root
        self.near = near
        hint = f"; near it: {', '.join(near)}" if near else ""
        super().__init__(f"no root {root!r} in the instrument table{hint}; add it to your instruments file or refresh")


@attrs.frozen
class InstrumentTable:
    """Every known root; `source` and `as_of` tell where the table as a whole comes from."""

    source: str
    as_of: dt.date
    records: Mapping[str, InstrumentRecord]

    def __getitem__(self, root: str) -> InstrumentRecord:
        found = self.records.get(root)
        if found is None:
            raise UnknownRootError(root, tuple(difflib.get_close_matches(root, self.records, n=3)))
        return found

    def __contains__(self, root: object) -> bool:
        return root in self.records

    def roots(self, *kinds: KindName) -> tuple[str, ...]:
        """The roots of these kinds, or all of them, sorted."""
        return tuple(sorted(root for root, record in self.records.items() if not kinds or record.kind in kinds))

    def merge(self, refreshed: "InstrumentTable") -> "InstrumentTable":
        """The table with the other's records put in; a pinned or a newer record of ours stays."""
        records = dict(self.records)
        for root, record in refreshed.records.items():
            if root not in records or _gives_way(records[root], record):
                records[root] = record
        newest = max(self.as_of, refreshed.as_of)
        return InstrumentTable(f"{self.source}; {refreshed.source}", newest, records)

    def to_toml(self) -> str:
        """The table as the text that parse_instruments reads back to an equal table."""
        head = [f"source = {_toml(self.source)}", f"as_of = {self.as_of}"]
        return "\n".join(head + [line for root in self.roots() for line in _record_lines(self.records[root])]) + "\n"


def _gives_way(ours: InstrumentRecord, theirs: InstrumentRecord) -> bool:
    if ours.pinned != theirs.pinned:
        return theirs.pinned
    return theirs.as_of >= ours.as_of


def parse_instruments(text: str, file: str) -> InstrumentTable:
    """The table in a TOML text, in which each record may leave out its root, source and as_of.

    Raises ConfigError that names file, line, key, expected and got.
    """
    raw = parse(text, _TableFile, file, _inherit)
    return InstrumentTable(raw.source, raw.as_of, raw.instruments)


@functools.cache
def shipped_instruments() -> InstrumentTable:
    """The table that comes with pitboss."""
    path = Path(__file__).with_name("instruments.toml")
    return parse_instruments(path.read_text(encoding="utf-8"), path.name)


@attrs.frozen
class _TableFile:
    source: str
    as_of: dt.date
    instruments: Mapping[str, InstrumentRecord] = attrs.field(factory=dict)


def _inherit(data: dict[str, Any]) -> None:
    """Gives each record its key as root, and the file's provenance where it states none."""
    shared = {key: data[key] for key in ("source", "as_of") if key in data}
    instruments = data.get("instruments")
    if isinstance(instruments, dict):
        for root, record in instruments.items():
            if isinstance(record, dict):
                instruments[root] = {"root": root, **shared, **record}


def _record_lines(record: InstrumentRecord) -> list[str]:
    return ["", f"[instruments.{_toml(record.root)}]", *(f"{key} = {text}" for key, text in _stated(record))]


def _stated(record: Any) -> Iterator[tuple[str, str]]:
    """The fields that differ from their default, but for the root, which is the table's name."""
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        default = {} if isinstance(value, Mapping) else field.default
        if field.name != "root" and value != default:
            yield field.name, _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, str | Decimal):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return _inline((_toml(key), _toml(item)) for key, item in value.items())
    if attrs.has(type(value)):
        return _inline(_stated(value))
    return str(value)


def _inline(pairs: Iterable[tuple[str, str]]) -> str:
    return "{ " + ", ".join(f"{key} = {text}" for key, text in pairs) + " }"
