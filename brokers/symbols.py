"""Names of instruments: canonical roots and dated contracts, and their translation to a broker's own names.

Canonical names are the exchange's: the root `6E`, the contract `6EZ26` with two digits of a year from 2000 to
2099, the stock `AAPL`, the pair `BTC-USD`. A broker's room describes its names with one SymbolMap.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

import attrs

from config.instruments import MONTH_CODES, InstrumentRecord, InstrumentTable, KindName

_CONTRACT = re.compile(rf"([A-Z0-9]+)([{MONTH_CODES}])([0-9]{{2}})")


class SymbolError(ValueError):
    """A name that cannot be read or translated; `symbol` is the name, `expected` what would do."""

    def __init__(self, symbol: str, expected: str) -> None:
        self.symbol = symbol
        self.expected = expected
        super().__init__(f"symbol {symbol!r} was refused: expected {expected}")


@attrs.frozen(order=True)
class Contract:
    """A dated futures contract; contracts of one root sort by delivery month."""

    root: str = attrs.field(order=False)
    year: int
    month: int

    def __attrs_post_init__(self) -> None:
        """Refuses a year that no canonical name can tell; raises SymbolError."""
        if not 2000 <= self.year <= 2099:
            raise SymbolError(f"{self.root} {self.year}", "a contract year from 2000 to 2099")

    @property
    def code(self) -> str:
        """The letter of the month."""
        return MONTH_CODES[self.month - 1]

    @property
    def symbol(self) -> str:
        """The canonical name, such as ESZ26."""
        return f"{self.root}{self.code}{self.year % 100:02d}"

    def __str__(self) -> str:
        return self.symbol

    @classmethod
    def parse(cls, symbol: str) -> "Contract":
        """Reads a canonical name; raises SymbolError for anything else."""
        found = _CONTRACT.fullmatch(symbol)
        if found is None:
            raise SymbolError(symbol, "a contract such as ESZ26")
        return cls(found[1], 2000 + int(found[3]), MONTH_CODES.index(found[2]) + 1)


def full_year(digits: str, reference: dt.date) -> int:
    """The year that one, two or four digits mean on a date.

    One digit means a year from the one before the date to eight after it: a broker lists years ahead and still names
    what has just expired.
    """
    if len(digits) == 1:
        first = reference.year - 1
        return first + (int(digits) - first) % 10
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


class SymbolAdapter(Protocol):
    """How one broker names things."""

    def supports_symbol(self, symbol: str) -> bool:
        """Whether the broker has this root or contract."""
        ...

    def to_broker_symbol(self, symbol: str) -> str:
        """The broker's name of a root or contract; raises SymbolError when it has none."""
        ...

    def to_root_symbol(self, broker_symbol: str) -> str:
        """The canonical root behind a broker's name; raises SymbolError when it is not known."""
        ...

    def to_canonical_symbol(self, broker_symbol: str, reference: dt.date) -> str:
        """The canonical name behind a broker's name as seen on a date; raises SymbolError for another."""
        ...


@attrs.frozen
class NameForms:
    """How a broker spells names: templates of {root}, {month}, {y}, {yy}, {yyyy}, {base} and {quote}.

    A kind without a template is not offered by the broker. TradeStation has dated="{root}{month}{yy}",
    continuous="@{root}", renames={"6E": "EC", ...}; Alpaca plain={"stock": "{root}", "spot": "{base}/{quote}"}.
    """

    dated: str | None = None
    continuous: str | None = None
    plain: Mapping[KindName, str] = attrs.field(factory=dict)
    renames: Mapping[str, str] = attrs.field(factory=dict)  # canonical root -> the broker's
    also_dated: tuple[str, ...] = ()  # spellings of contracts that are understood but never sent
    also_continuous: tuple[str, ...] = ()


class SymbolMap:
    """A SymbolAdapter made from a broker's name forms and the instrument table; it reads any case."""

    def __init__(
        self, broker: str, table: InstrumentTable, forms: NameForms, only: Iterable[str] | None = None
    ) -> None:
        offered = frozenset(table.roots() if only is None else only)
        self._broker = broker
        self._forms = forms
        self._names: dict[str, str] = {}  # canonical root -> the broker's undated name
        self._roots: dict[str, str] = {}  # the broker's undated name -> canonical root
        self._futures: dict[str, str] = {}  # the broker's futures root -> canonical root
        for record in (table[root] for root in sorted(offered)):
            self._learn(record)
        dated = (forms.dated, *forms.also_dated) if forms.dated else ()
        self._patterns = tuple(_pattern(form) for form in dated if form)

    def _learn(self, record: InstrumentRecord) -> None:
        future = record.kind == "future"
        if future and self._forms.dated:
            _put(self._futures, self._spelling(record.root).upper(), record.root)
        form = self._forms.continuous if future else self._forms.plain.get(record.kind)
        if form is None:
            return
        self._names[record.root] = self._filled(form, record)
        for read in (form, *self._forms.also_continuous) if future else (form,):
            _put(self._roots, self._filled(read, record).upper(), record.root)

    def _spelling(self, root: str) -> str:
        return self._forms.renames.get(root, root)

    def _filled(self, form: str, record: InstrumentRecord) -> str:
        return form.format(root=self._spelling(record.root), base=record.base or "", quote=record.currency)

    def supports_symbol(self, symbol: str) -> bool:
        """Whether the broker has this root or contract."""
        try:
            self.to_broker_symbol(symbol)
        except SymbolError:
            return symbol in self._futures.values()
        return True

    def to_broker_symbol(self, symbol: str) -> str:
        """The broker's name of a root or contract; raises SymbolError when it has none."""
        if symbol in self._names:
            return self._names[symbol]
        contract = self._contract(symbol)
        assert self._forms.dated is not None  # noqa: S101 - else no future was learnt
        year = contract.year
        return self._forms.dated.format(
            root=self._spelling(contract.root),
            month=contract.code,
            y=year % 10,
            yy=f"{year % 100:02d}",
            yyyy=year,
        )

    def _contract(self, symbol: str) -> Contract:
        found = _CONTRACT.fullmatch(symbol)
        if found is None or self._futures.get(self._spelling(found[1]).upper()) != found[1]:
            raise SymbolError(symbol, f"a root or contract that {self._broker} offers")
        return Contract.parse(symbol)

    def to_root_symbol(self, broker_symbol: str) -> str:
        """The canonical root behind a broker's name; raises SymbolError when it is not known."""
        found = self._roots.get(broker_symbol.upper())
        return found if found is not None else self._dated(broker_symbol)[0]

    def to_canonical_symbol(self, broker_symbol: str, reference: dt.date) -> str:
        """The canonical name behind a broker's name as seen on a date; raises SymbolError for another."""
        if found := self._roots.get(broker_symbol.upper()):
            return found
        root, parts = self._dated(broker_symbol)
        month = MONTH_CODES.index(parts["month"]) + 1
        return Contract(root, full_year(parts["year"], reference), month).symbol

    def _dated(self, broker_symbol: str) -> tuple[str, Mapping[str, str]]:
        for pattern in self._patterns:
            found = pattern.fullmatch(broker_symbol.upper())
            if found is not None and found["root"] in self._futures:
                return self._futures[found["root"]], found.groupdict()
        raise SymbolError(broker_symbol, f"a name that {self._broker} gives to a root of the instrument table")


def _put(names: dict[str, str], name: str, root: str) -> None:
    if names.setdefault(name, root) != root:
        raise SymbolError(name, f"one root, not both {names[name]} and {root}; rename one or offer only one")


def _pattern(form: str) -> re.Pattern[str]:
    """The expression that reads what a template writes."""
    fields = {
        "{root}": "(?P<root>[A-Z0-9]+)",
        "{month}": f"(?P<month>[{MONTH_CODES}])",
        "{y}": "(?P<year>[0-9])",
        "{yy}": "(?P<year>[0-9]{2})",
        "{yyyy}": "(?P<year>[0-9]{4})",
    }
    parts = re.split(r"(\{\w+\})", form.upper().replace("{ROOT}", "{root}"))
    return re.compile("".join(fields.get(part.lower(), re.escape(part)) for part in parts))
