"""The instrument table and the calendars together: every canonical symbol as an Instrument that can be traded."""

import datetime as dt

import attrs

from brokers.calendar import Calendars, SessionCalendar
from brokers.instruments import Instrument, Kind
from brokers.rolls import DailyVolumes, Listing, RollRule, RollSchedule, front_contract
from brokers.symbols import Contract, SymbolError
from config.instruments import InstrumentRecord, InstrumentTable, shipped_instruments


@attrs.define(eq=False)
class Catalogue:
    """What the table's names mean; a nightly refresh puts a newer table into its place."""

    table: InstrumentTable
    calendars: Calendars

    @classmethod
    def shipped(cls) -> "Catalogue":
        """The catalogue of the table and calendars that come with pitboss."""
        return cls(shipped_instruments(), Calendars.shipped())

    def shifted(self, by_ns: int) -> "Catalogue":
        """The same names in markets whose hours come that much earlier, such as those of a recording or a weekend."""
        return Catalogue(self.table, self.calendars.shifted(by_ns) if by_ns else self.calendars)

    def record(self, symbol: str) -> InstrumentRecord:
        """The table's record behind a root or contract; raises SymbolError or UnknownRootError."""
        return self.table[symbol if symbol in self.table else Contract.parse(symbol).root]

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a canonical symbol; raises SymbolError for a future's bare root or an unknown name."""
        record = self.record(symbol)
        if record.kind != "future":
            return _instrument(record, symbol, None)
        if symbol == record.root:
            raise SymbolError(symbol, f"a contract such as {record.root}Z26; a root alone cannot be traded")
        listing = self.listing(record.root)
        return _instrument(record, symbol, listing.expiry(listing.contract(symbol)))

    def calendar(self, symbol: str) -> SessionCalendar:
        """The session calendar of a root or contract."""
        return self.calendars[self.record(symbol).calendar]

    def listing(self, root: str) -> Listing:
        """The contracts of a root; raises NoFutureError for what is no future."""
        return Listing.of(self.table[root], self.calendar(root))

    def front(
        self, root: str, day: dt.date, rule: RollRule | None = None, volumes: DailyVolumes | None = None
    ) -> Instrument:
        """What to trade of a root on a trading day: the front contract of a future, else the root itself."""
        if self.table[root].kind != "future":
            return self.instrument(root)
        return self.instrument(front_contract(self.listing(root), day, rule, volumes).symbol)

    def schedule(self, root: str, from_day: dt.date, to_day: dt.date, rule: RollRule | None = None) -> RollSchedule:
        """The rolls of a future from one day up to the first one after another."""
        return RollSchedule.of(self.listing(root), from_day, to_day, rule)


def _instrument(record: InstrumentRecord, symbol: str, expiry: dt.date | None) -> Instrument:
    return Instrument(
        symbol=symbol,
        root=record.root,
        kind=Kind(record.kind),
        currency=record.currency,
        tick=record.tick,
        lot=record.lot,
        multiplier=record.multiplier,
        base=record.base,
        expiry=expiry,
        exchange=record.exchange,
        calendar=record.calendar,
        min_quantity=record.min_quantity,
        max_quantity=record.max_quantity,
        min_notional=record.min_notional,
        initial_margin=record.initial_margin,
        maintenance_margin=record.maintenance_margin,
        description=record.description,
    )
