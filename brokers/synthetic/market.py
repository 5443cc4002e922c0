"""A market that never was: quotes, trades, depth and history of several instruments, all from one seed.

The same seed, instruments, start and calendars give the same events and bars, always. History and live stream are
one: bars made of the trades of any stretch of `events` are the bars that `bars` gives for it.
"""

import functools
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter

import attrs

from brokers.calendar import Calendars, Session, SessionCalendar
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketEvent, Trade
from brokers.synthetic.bars import first_needed_ns, minute_bars, of_whole_minutes, trade_bars
from brokers.synthetic.draws import Draws
from brokers.synthetic.path import MINUTE_NS, REGIMES, Minute, PricePath, Regime
from brokers.synthetic.profiles import Profile, profile_of
from brokers.synthetic.ticks import TickMaker

_by_time = attrgetter("time_ns")
_KEPT_PATHS = 16


class UnknownInstrumentError(LookupError):
    """A symbol that the synthetic market does not trade."""

    def __init__(self, symbol: str, known: Sequence[str]) -> None:
        self.symbol = symbol
        super().__init__(f"{symbol!r} is not in this market, which has {', '.join(known)}")


@functools.lru_cache(_KEPT_PATHS)
def _path(
    instrument: Instrument,
    profile: Profile,
    calendar: SessionCalendar,
    draws: Draws,
    regimes: tuple[Regime, ...],
    start: Session,
) -> PricePath:
    """The course of an instrument; markets of one seed share it, for each minute of it is computed once."""
    return PricePath(instrument, profile, calendar, draws, regimes, start.start_ns)


@attrs.frozen(eq=False)
class _Stall:
    """All that concerns one instrument."""

    instrument: Instrument
    path: PricePath
    ticks: TickMaker

    def sessions_from(self, time_ns: int) -> Iterator[Session]:
        """The sessions from an instant on; a dated instrument's end with its expiry."""
        session = self.path.calendar.next_session(time_ns)
        expiry = self.instrument.expiry
        while expiry is None or session.trading_day <= expiry:
            yield session
            session = self.path.calendar.following_session(session)

    def minutes(self, time_ns: int) -> Iterator[Minute]:
        """The minutes that end after an instant."""
        for session in self.sessions_from(time_ns):
            for minute in self.path.minutes(session):
                if minute.start_ns + MINUTE_NS > time_ns:
                    yield minute


class SyntheticMarket:
    """The events and the history of its instruments; iterate it for the events from its start on, without end."""

    def __init__(
        self,
        seed: int,
        instruments: Iterable[Instrument],
        start_ns: int,
        calendars: Calendars,
        *,
        profiles: Mapping[str, Profile] | None = None,
        regimes: Sequence[Regime] = REGIMES,
        depth_levels: int = 0,
    ) -> None:
        """Raises NoProfileError for an instrument that neither `profiles` nor the shipped ones describe."""
        self.start_ns = start_ns
        self._draws = Draws(seed)
        self._stalls: dict[str, _Stall] = {}
        for instrument in instruments:
            profile = profile_of(instrument, profiles or {})
            calendar = calendars[instrument.calendar]
            path = _path(instrument, profile, calendar, self._draws, tuple(regimes), calendar.next_session(start_ns))
            self._stalls[instrument.symbol] = _Stall(
                instrument, path, TickMaker.of(instrument, profile.size, depth_levels)
            )

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded here."""
        return tuple(self._stalls)

    def __iter__(self) -> Iterator[MarketEvent]:
        return self.events()

    def events(self, from_ns: int | None = None, until_ns: int | None = None) -> Iterator[MarketEvent]:
        """Every event in [from_ns, until_ns) in time order: from the start, without end, unless told otherwise.

        Instruments that tie come in the order in which they were given. It ends when all have expired.
        """
        begin = self.start_ns if from_ns is None else from_ns
        for start, planned in itertools.groupby(self._planned(begin), key=itemgetter(0)):
            if until_ns is not None and start >= until_ns:
                return
            found = list(itertools.chain.from_iterable(self._events_of(*plan[1:]) for plan in planned))
            found.sort(key=_by_time)
            if start < begin or (until_ns is not None and start + MINUTE_NS > until_ns):
                found = [e for e in found if begin <= e.time_ns and (until_ns is None or e.time_ns < until_ns)]
            yield from found

    def bars(self, symbol: str, interval: Interval, from_ns: int, to_ns: int) -> Iterator[Bar]:
        """The bars that close in (from_ns, to_ns], before or after the start; raises UnknownInstrumentError."""
        stall = self._stalls.get(symbol)
        if stall is None:
            raise UnknownInstrumentError(symbol, self.symbols)
        made = self._minute_bars if of_whole_minutes(interval) else self._second_bars
        return (bar for bar in made(stall, interval, from_ns, to_ns) if from_ns < bar.time_ns <= to_ns)

    def _planned(self, begin: int) -> Iterator[tuple[int, int, _Stall, Minute]]:
        """All instruments' minutes in time order."""

        def of(index: int, stall: _Stall) -> Iterator[tuple[int, int, _Stall, Minute]]:
            return ((minute.start_ns, index, stall, minute) for minute in stall.minutes(begin))

        return heapq.merge(*(of(index, stall) for index, stall in enumerate(self._stalls.values())))

    def _events_of(self, _: int, stall: _Stall, minute: Minute) -> list[MarketEvent]:
        chance = self._draws.stream(stall.instrument.symbol, "ticks", minute.start_ns)
        return stall.ticks.events(minute, chance)

    def _minute_bars(self, stall: _Stall, interval: Interval, from_ns: int, to_ns: int) -> Iterator[Bar]:
        sessions = itertools.takewhile(
            lambda session: session.start_ns < to_ns, stall.sessions_from(first_needed_ns(interval, from_ns))
        )
        planned = ((session, stall.path.minutes(session)) for session in sessions)
        return minute_bars(stall.instrument, stall.path.calendar, interval, planned)

    def _second_bars(self, stall: _Stall, interval: Interval, from_ns: int, to_ns: int) -> Iterator[Bar]:
        minutes = itertools.takewhile(
            lambda minute: minute.start_ns < to_ns, stall.minutes(from_ns - interval.nanoseconds)
        )
        events = itertools.chain.from_iterable(self._events_of(0, stall, minute) for minute in minutes)
        trades = (event for event in events if isinstance(event, Trade))
        return trade_bars(stall.path.calendar, interval, trades)
