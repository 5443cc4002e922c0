"""Where the paper market's prices come from: a seeded synthetic market, or recorded data, moved to the present."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import attrs

from brokers.catalogue import Catalogue
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketEvent, MarketStatus
from brokers.synthetic import SyntheticMarket
from brokers.synthetic.path import MINUTE_NS

HOUR_NS = 60 * MINUTE_NS


class MarketSource(Protocol):
    """Prices and market hours on the time line of the paper broker."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What is traded."""
        ...

    @property
    def offset_ns(self) -> int:
        """How far the market's hours lie behind those of the calendars."""
        ...

    def events(self) -> Iterator[MarketEvent]:
        """The market from the start on, in time order."""
        ...

    def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Iterator[Bar]:
        """Bars whose close lies in (start, end]; raises LookupError."""
        ...

    def status(self, symbol: str, time_ns: int) -> MarketStatus:
        """Whether a symbol's market is open then."""
        ...

    def next_status(self, symbol: str, time_ns: int) -> tuple[int, MarketStatus] | None:
        """When that changes next, and to what."""
        ...

    def is_over(self, symbol: str, time_ns: int) -> bool:
        """Whether the contract's last session has closed by then."""
        ...


class _Hours:
    """Calendar hours on a time line that runs `offset_ns` behind that of the calendars."""

    def __init__(self, catalogue: Catalogue, instruments: Sequence[Instrument], offset_ns: int) -> None:
        self.instruments = instruments
        self.offset_ns = offset_ns
        self._expiries = {one.symbol: one.expiry for one in instruments}
        self._calendars = {one.symbol: catalogue.calendars[one.calendar] for one in instruments}

    def status(self, symbol: str, time_ns: int) -> MarketStatus:
        """Whether a symbol's market is open then."""
        return self._calendars[symbol].status(time_ns + self.offset_ns)

    def next_status(self, symbol: str, time_ns: int) -> tuple[int, MarketStatus] | None:
        """When that changes next, and to what."""
        change = self._calendars[symbol].next_change(time_ns + self.offset_ns)
        return None if change is None else (change.time_ns - self.offset_ns, change.status)

    def is_over(self, symbol: str, time_ns: int) -> bool:
        """Whether the contract's last session has closed by then."""
        expiry = self._expiries[symbol]
        return (
            expiry is not None and self._calendars[symbol].next_session(time_ns + self.offset_ns).trading_day > expiry
        )


class SyntheticSource(_Hours):
    """A market that never was; it begins at the next moment at which everything is open, told as now."""

    def __init__(self, catalogue: Catalogue, symbols: Iterable[str], seed: int, now: int) -> None:
        instruments = [catalogue.instrument(symbol) for symbol in symbols]
        super().__init__(catalogue, instruments, _offset_to_open(catalogue, instruments, now))
        self._market = SyntheticMarket(seed, instruments, now + self.offset_ns, catalogue.calendars)

    def events(self) -> Iterator[MarketEvent]:
        """The market from the start on, in time order."""
        return (_moved(event, -self.offset_ns) for event in self._market)

    def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Iterator[Bar]:
        """Bars whose close lies in (start, end]; they join the stream without gap or overlap."""
        found = self._market.bars(symbol, interval, start_ns + self.offset_ns, end_ns + self.offset_ns)
        return (attrs.evolve(bar, time_ns=bar.time_ns - self.offset_ns) for bar in found)


class ReplaySource(_Hours):
    """Recorded data whose first event happens now; bars are those of the recording that have closed.

    The recording is read several times; an iterator, which can be read once, raises TypeError.
    """

    def __init__(self, catalogue: Catalogue, recording: Iterable[MarketEvent], now: int) -> None:
        if isinstance(recording, Iterator):
            raise TypeError(f"the recording is read several times, got the iterator {recording!r}; give a sequence")
        self._recording = recording
        self._bars: dict[tuple[str, Interval], list[Bar]] | None = None  # of the recording, once they are asked for
        first = next(iter(recording), None)
        symbols = dict.fromkeys(event.symbol for event in recording)
        instruments = [catalogue.instrument(symbol) for symbol in symbols]
        super().__init__(catalogue, instruments, (first.time_ns if first is not None else now) - now)

    def events(self) -> Iterator[MarketEvent]:
        """The recording from its start on."""
        return (_moved(event, -self.offset_ns) for event in self._recording)

    def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Iterator[Bar]:
        """The recorded bars of that length whose close lies in (start, end]."""
        if self._bars is None:
            self._bars = _by_series(self._recording)
        bars = self._bars.get((symbol, interval), [])
        begin = bisect_right(bars, start_ns + self.offset_ns, key=_close)
        end = bisect_right(bars, end_ns + self.offset_ns, key=_close)
        return (attrs.evolve(bar, time_ns=bar.time_ns - self.offset_ns) for bar in bars[begin:end])


def _by_series(recording: Iterable[MarketEvent]) -> dict[tuple[str, Interval], list[Bar]]:
    found: dict[tuple[str, Interval], list[Bar]] = {}
    for event in recording:
        if isinstance(event, Bar):
            found.setdefault((event.symbol, event.interval), []).append(event)
    return found


def _close(bar: Bar) -> int:
    return bar.time_ns


def _moved(event: MarketEvent, by_ns: int) -> MarketEvent:
    return attrs.evolve(event, time_ns=event.time_ns + by_ns) if by_ns else event


def _offset_to_open(catalogue: Catalogue, instruments: Sequence[Instrument], now: int) -> int:
    """How far to go until everything is open; whole hours or minutes if that does, so that bars end on the clock's."""
    offset = _first_open(catalogue, instruments, now) - now
    calendars = {catalogue.calendars[one.calendar] for one in instruments}
    for unit in (HOUR_NS, MINUTE_NS):
        whole = -(-offset // unit) * unit
        if all(calendar.is_open(now + whole) for calendar in calendars):
            return whole
    return offset


def _first_open(catalogue: Catalogue, instruments: Iterable[Instrument], now: int) -> int:
    """The first moment from now on at which all markets are open together, or now if there is none in a week."""
    calendars = {one.calendar: catalogue.calendars[one.calendar] for one in instruments}.values()
    moment = now
    for _ in range(1_000):
        closed = [calendar for calendar in calendars if not calendar.is_open(moment)]
        if not closed:
            return moment
        changes = [change.time_ns for calendar in closed if (change := calendar.next_change(moment)) is not None]
        if not changes:
            break
        moment = min(changes)
    return now
