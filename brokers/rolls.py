"""Futures over time: which contracts a root lists, when each must be left, which is in front, when that changes.

A contract's last safe day is its first notice day where it has one, else its expiry: nobody wants bushels. Every
rule rolls on that day at the latest, so that no session ever holds or follows a contract that is dying.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from brokers.calendar import SessionCalendar
from brokers.market import Bar
from brokers.symbols import Contract, SymbolError
from config.days import business_day_after, business_days_before, nth_weekday, shift_month
from config.expiries import EXPIRY_RULES
from config.instruments import MONTH_CODES, InstrumentRecord, RollRecord

DailyVolumes = Mapping[dt.date, Mapping[str, Decimal]]  # trading day -> contract -> volume of that day


@attrs.frozen
class DaysBefore:
    """Roll so many business days before the last safe day."""

    days: int = 1


@attrs.frozen
class NthWeekday:
    """Roll on a weekday of a month, such as the second Thursday of the contract month (Monday is 0)."""

    nth: int = 2
    weekday: int = 3
    month_offset: int = 0
    latest: DaysBefore = DaysBefore()


@attrs.frozen
class ByVolume:
    """Roll on the day after the next contract has led in volume for so many trading days in a row."""

    confirm: int = 1
    latest: DaysBefore = DaysBefore()


@attrs.frozen
class ByCalendar:
    """Roll on the days that the user states: contract -> the first day on which it is no longer in front."""

    dates: Mapping[str, dt.date]
    latest: DaysBefore = DaysBefore()


RollRule = DaysBefore | NthWeekday | ByVolume | ByCalendar


def roll_rule(record: RollRecord) -> RollRule:
    """The rule that a table's record describes."""
    latest = DaysBefore(record.days)
    if record.kind == "nth_weekday":
        return NthWeekday(record.nth, record.weekday, record.month_offset, latest)
    if record.kind == "volume":
        return ByVolume(record.confirm, latest)
    return ByCalendar(record.dates, latest) if record.kind == "calendar" else latest


class NoFutureError(LookupError):
    """A root that has no contracts; `root` is its name, `kind` what it is instead."""

    def __init__(self, root: str, kind: str) -> None:
        self.root = root
        self.kind = kind
        super().__init__(f"{root} is a {kind} and has no contracts; ask for its listing only when it is a future")


@attrs.frozen(eq=False)
class Listing:
    """The contracts of one root; `cycle` are the months it rolls through, a part of those that are listed."""

    root: str
    months: str
    cycle: str
    expiry_rule: str
    notice_rule: str | None
    rule: RollRule
    calendar: SessionCalendar
    expiries: Mapping[str, dt.date]

    @classmethod
    def of(cls, record: InstrumentRecord, calendar: SessionCalendar) -> "Listing":
        """The listing of a table's record; raises NoFutureError for what is no future."""
        if record.months is None or record.expiry is None:
            raise NoFutureError(record.root, record.kind)
        roll = record.roll or RollRecord()
        cycle = roll.months or record.months
        return cls(
            record.root,
            record.months,
            cycle,
            record.expiry,
            record.notice,
            roll_rule(roll),
            calendar,
            record.expiries,
        )

    def contract(self, symbol: str) -> Contract:
        """Reads a contract of this root; raises SymbolError for another root or a month that is not listed."""
        contract = Contract.parse(symbol)
        if contract.root != self.root or contract.code not in self.months:
            raise SymbolError(symbol, f"a contract of {self.root} in one of the months {self.months}")
        return contract

    def expiry(self, contract: Contract) -> dt.date:
        """The last trading day: what a broker states, else the rule."""
        stated = self.expiries.get(contract.symbol)
        return stated or EXPIRY_RULES[self.expiry_rule](contract.year, contract.month, self.calendar)

    def last_safe_day(self, contract: Contract) -> dt.date:
        """The first notice day or the expiry, whichever comes first."""
        if self.notice_rule is None:
            return self.expiry(contract)
        notice = EXPIRY_RULES[self.notice_rule](contract.year, contract.month, self.calendar)
        return min(notice, self.expiry(contract))

    def contracts(self, day: dt.date, months: str | None = None) -> Iterator[Contract]:
        """The contracts that have not expired on a day, nearest first, without end until 2099."""
        wanted = self.months if months is None else months
        year, month = shift_month(day.year, day.month, -1)
        while year <= 2099:
            if MONTH_CODES[month - 1] in wanted:
                contract = Contract(self.root, year, month)
                if self.expiry(contract) >= day:
                    yield contract
            year, month = shift_month(year, month, 1)

    def roll_day(
        self, old: Contract, new: Contract, rule: RollRule | None = None, volumes: DailyVolumes | None = None
    ) -> dt.date:
        """The first day on which `new` is in front instead of `old`.

        By volume it is the latest day that is allowed until the volumes given tell of an earlier one, so it can come
        nearer as days pass, but never move back behind a day on which it was reached.
        """
        rule = rule or self.rule
        if isinstance(rule, DaysBefore):
            return self._days_before(old, rule)
        latest = self._days_before(old, rule.latest)
        return min(latest, self._wished(old, new, rule, volumes or {}) or latest)

    def _days_before(self, old: Contract, rule: DaysBefore) -> dt.date:
        return business_days_before(self.calendar, self.last_safe_day(old), rule.days)

    def _wished(
        self, old: Contract, new: Contract, rule: NthWeekday | ByVolume | ByCalendar, volumes: DailyVolumes
    ) -> dt.date | None:
        if isinstance(rule, ByCalendar):
            return rule.dates.get(old.symbol)
        if isinstance(rule, NthWeekday):
            year, month = shift_month(old.year, old.month, rule.month_offset)
            return nth_weekday(year, month, rule.weekday, rule.nth)
        led = _day_of_lead(old.symbol, new.symbol, rule.confirm, volumes)
        return None if led is None else business_day_after(self.calendar, led)


def _day_of_lead(old: str, new: str, confirm: int, volumes: DailyVolumes) -> dt.date | None:
    """The first trading day that completes a run of days on which the new contract traded more."""
    run = 0
    for day in sorted(volumes):
        of_day = volumes[day]
        if old not in of_day or new not in of_day:
            continue  # half a comparison is none
        run = run + 1 if of_day[new] > of_day[old] else 0
        if run >= confirm:
            return day
    return None


def front_contract(
    listing: Listing, day: dt.date, rule: RollRule | None = None, volumes: DailyVolumes | None = None
) -> Contract:
    """The contract in front on a trading day: the nearest one of the cycle that has not been rolled away."""
    known = None if volumes is None else {past: of_day for past, of_day in volumes.items() if past < day}
    for old, new in itertools.pairwise(listing.contracts(day, listing.cycle)):
        if day < listing.roll_day(old, new, rule, known):
            return old
    raise SymbolError(listing.root, f"a contract in front on {day}, which is beyond the last year of the calendar")


@attrs.frozen
class Roll:
    """One change of the front contract; from `day` on it is `new`."""

    old: Contract
    new: Contract
    day: dt.date


@attrs.frozen
class RollSchedule:
    """The front contracts of a root over time: `first` until the first roll."""

    first: Contract
    rolls: tuple[Roll, ...]

    @classmethod
    def of(
        cls,
        listing: Listing,
        from_day: dt.date,
        to_day: dt.date,
        rule: RollRule | None = None,
        volumes: DailyVolumes | None = None,
    ) -> "RollSchedule":
        """The schedule from one day through the first day after another that has a roll."""
        first = front_contract(listing, from_day, rule, volumes)
        rolls: list[Roll] = []
        contracts = (contract for contract in listing.contracts(from_day, listing.cycle) if contract >= first)
        reached = from_day
        for old, new in itertools.pairwise(contracts):
            day = max(reached, listing.roll_day(old, new, rule, volumes))
            if to_day < reached < day:
                break
            rolls.append(Roll(old, new, day))
            reached = day
        return cls(first, tuple(rolls))

    def front(self, day: dt.date) -> Contract:
        """The contract in front on a day of the schedule."""
        passed = [roll for roll in self.rolls if roll.day <= day]
        return passed[-1].new if passed else self.first


class NoSpliceError(ValueError):
    """Two contracts without a bar in common before their roll, so that the gap between them is not known."""

    def __init__(self, roll: Roll) -> None:
        self.roll = roll
        super().__init__(
            f"no bar of {roll.old} and {roll.new} closes at the same time before {roll.day}; "
            "load history of both around the roll"
        )


def back_adjusted(schedule: RollSchedule, bars: Mapping[str, Sequence[Bar]], calendar: SessionCalendar) -> list[Bar]:
    """One continuous series for signals only: older prices are moved by the gaps between contracts, exactly.

    `bars` holds each contract's bars in time order. Bars are taken from the contract in front on their trading day;
    the newest contract keeps its prices. The series' symbol, such as `ES:adjusted`, names nothing that can be traded.
    Raises NoSpliceError when two contracts share no bar before their roll.
    """
    chain = (schedule.first, *(roll.new for roll in schedule.rolls))
    present = [contract for contract in chain if bars.get(contract.symbol)]
    offsets = dict.fromkeys(present[-1:], Decimal(0))
    for roll in reversed(schedule.rolls):
        if present and present[0] <= roll.old and roll.new <= present[-1]:
            offsets[roll.old] = offsets[roll.new] + _gap(roll, bars, calendar)
    symbol = f"{schedule.first.root}:adjusted"
    return [
        _moved(bar, symbol, offsets[contract])
        for contract in present
        for bar in bars[contract.symbol]
        if schedule.front(_day_of(bar, calendar)) == contract
    ]


def _gap(roll: Roll, bars: Mapping[str, Sequence[Bar]], calendar: SessionCalendar) -> Decimal:
    """New minus old, at the last close before the roll that both contracts have."""
    old = {bar.time_ns: bar.close for bar in bars.get(roll.old.symbol, ())}
    for bar in reversed(bars.get(roll.new.symbol, ())):
        if bar.time_ns in old and _day_of(bar, calendar) < roll.day:
            return bar.close - old[bar.time_ns]
    raise NoSpliceError(roll)


def _day_of(bar: Bar, calendar: SessionCalendar) -> dt.date:
    """The trading day of a bar, whose close may be the instant at which its session ends."""
    return calendar.trading_day(bar.time_ns - 1)


def _moved(bar: Bar, symbol: str, by: Decimal) -> Bar:
    return attrs.evolve(
        bar, symbol=symbol, open=bar.open + by, high=bar.high + by, low=bar.low + by, close=bar.close + by
    )
