"""The course of one instrument: a chain of sessions outward from the start, and the minutes of any session.

A session's open and close come from the chain alone, and its minutes from the session alone, so any minute of past
or future is found without walking through those between, and history is the very path that the live stream follows.
Prices are whole numbers of ticks; what is not money, such as deviations, is a float.
"""

import datetime as dt
import functools
import math
from collections.abc import Callable, Sequence

import attrs

from brokers.calendar import SECOND_NS, Session, SessionCalendar, SessionPhase
from brokers.instruments import Instrument
from brokers.market import MarketStatus
from brokers.synthetic.draws import Draws
from brokers.synthetic.profiles import Profile

MINUTE_NS = 60 * SECOND_NS

_KEPT_SESSIONS = 16
_PULL = 0.004  # share of the way back to the first price, a session
_GAP = 0.35  # deviation of the jump between sessions, in days' moves
_WICK = 0.6  # how far a minute strays beyond its open and close, in minutes' moves
_EXTENDED = 0.2  # activity in extended hours
_BURST_CHANCE = 0.015
_BURST_ACTIVITY = 6.0
_BURST_VOLATILITY = 3.0
_BLOCK_HOURS = 2  # how long a regime lasts
_BY_UTC_HOUR = (  # how busy a futures or stock market is
    *(0.25, 0.3, 0.3, 0.25, 0.2, 0.2, 0.3, 0.5, 0.6, 0.5, 0.45, 0.45),
    *(0.6, 0.9, 1.3, 1.2, 1.0, 0.8, 0.8, 0.9, 1.0, 0.4, 0.2, 0.25),
)


@attrs.frozen
class Regime:
    """A mood of the whole market; factors apply to what is normal, drift is in minutes' moves a minute."""

    name: str
    weight: int
    volatility: float = 1.0
    activity: float = 1.0
    drift: float = 0.0
    spread: int = 0  # further ticks


REGIMES = (
    Regime("normal", 50),
    Regime("quiet", 20, volatility=0.5, activity=0.6),
    Regime("rising", 12, activity=1.2, drift=0.08),
    Regime("falling", 12, activity=1.3, drift=-0.08),
    Regime("stormy", 6, volatility=2.5, activity=2.5, spread=1),
)


@attrs.frozen
class Minute:
    """One minute's plan in ticks and lots; without trades its four prices are where quotes stand."""

    start_ns: int
    open: int
    high: int
    low: int
    close: int
    trades: int
    volume: int
    spread: int
    burst: bool


@attrs.frozen
class _Link:
    """A session of the chain with its first and last price in ticks."""

    session: Session
    open: int
    close: int


class PricePath:
    """Everything that one instrument's prices do, for any session."""

    def __init__(
        self,
        instrument: Instrument,
        profile: Profile,
        calendar: SessionCalendar,
        draws: Draws,
        regimes: Sequence[Regime],
        start_ns: int,
    ) -> None:
        self.calendar = calendar
        self.instrument = instrument
        self._profile = profile
        self._draws = draws
        self._regimes = regimes
        self._first = round(profile.price / instrument.tick)
        self._floor = max(self._first // 10, profile.spread + 3 + max(regime.spread for regime in regimes))
        if self._first < self._floor:
            least = self._floor * instrument.tick
            raise ValueError(f"{instrument.symbol} needs a price of {least} or more, got {profile.price}: give another")
        self._daily = float(profile.volatility) * self._first
        self._beta = float(profile.beta)
        self._alone = math.sqrt(1.0 - self._beta * self._beta)
        start = calendar.next_session(start_ns)
        self._links = {start.trading_day: self._forward(start, self._first)}
        self._newest = self._oldest = start.trading_day
        self.minutes: Callable[[Session], list[Minute]] = functools.lru_cache(_KEPT_SESSIONS)(self._make_minutes)
        self._factor: Callable[[int], list[float]] = functools.lru_cache(64)(self._make_factor)
        self._regime: Callable[[int], Regime] = functools.lru_cache(64)(self._make_regime)

    # ------------------------------------------------------------------ the chain of sessions

    def _link(self, session: Session) -> _Link:
        while session.trading_day > self._newest:
            last = self._links[self._newest]
            following = self.calendar.following_session(last.session)
            opened = self._step(last.close, self._jump(last.session, following))
            self._newest = following.trading_day
            self._links[self._newest] = self._forward(following, opened)
        while session.trading_day < self._oldest:
            first = self._links[self._oldest]
            previous = self.calendar.previous_session(first.session)
            closed = self._step(first.open, -self._jump(previous, first.session))
            self._oldest = previous.trading_day
            opened = self._step(closed, -self._move(previous.trading_day))
            self._links[self._oldest] = _Link(previous, opened, closed)
        return self._links[session.trading_day]

    def _forward(self, session: Session, opened: int) -> _Link:
        return _Link(session, opened, self._step(opened, self._move(session.trading_day)))

    def _step(self, price: int, move: float) -> int:
        """A price moved, drawn a little back to the first one, and never near zero."""
        return max(self._floor, _whole(price + move - _PULL * (price - self._first)))

    def _move(self, day: dt.date) -> float:
        [own] = self._draws.normals(1, self._profile.path, "day", day.toordinal())
        [market] = self._draws.normals(1, "market day", day.toordinal())
        return self._daily * (self._beta * market + self._alone * own)

    def _jump(self, earlier: Session, later: Session) -> float:
        """The jump from one session's close to the next one's open; none when they touch."""
        if earlier.end_ns == later.start_ns:
            return 0.0
        [own] = self._draws.normals(1, self._profile.path, "jump", later.trading_day.toordinal())
        [market] = self._draws.normals(1, "market jump", later.trading_day.toordinal())
        return self._daily * _GAP * (self._beta * market + self._alone * own)

    # ------------------------------------------------------------------ the minutes of a session

    def _make_minutes(self, session: Session) -> list[Minute]:
        """The session's minutes: a walk of many moods, bent so that it ends on the session's close."""
        day_long = self.calendar.following_session(session).start_ns == session.end_ns
        slots = [
            (start, _busy(start, phase, day_long))
            for phase in session.phases
            for start in range(phase.start_ns, phase.end_ns, MINUTE_NS)
        ]
        day = session.trading_day.toordinal()
        own = self._draws.normals(len(slots), self._profile.path, "minutes", day)
        moods = self._draws.stream(self._profile.path, "moods", day)
        bursts = [moods.random() < _BURST_CHANCE for _ in slots]
        walk = self._walk([start for start, _ in slots], own, bursts)
        link = self._link(session)
        bend = (link.close - link.open - walk[-1]) / len(slots)
        points = [max(self._floor, _whole(link.open + moved + bend * passed)) for passed, moved in enumerate(walk)]
        chance = self._draws.stream(self.instrument.symbol, "plan", day).random
        deviation = self._daily / math.sqrt(len(slots))
        return [
            self._minute(start, busy, points[index], points[index + 1], bursts[index], deviation, chance)
            for index, (start, busy) in enumerate(slots)
        ]

    def _walk(self, starts: Sequence[int], own: Sequence[float], bursts: Sequence[bool]) -> list[float]:
        """The sum of the moves before each minute and after the last, in ticks."""
        deviation = self._daily / math.sqrt(len(starts))
        reached, walk = 0.0, [0.0]
        for start, alone, burst in zip(starts, own, bursts, strict=True):
            minute = start // MINUTE_NS
            regime = self._regime(minute // (60 * _BLOCK_HOURS))
            market = self._factor(minute // 60)[minute % 60]
            size = deviation * regime.volatility * (_BURST_VOLATILITY if burst else 1.0)
            reached += size * (self._beta * (market + regime.drift) + self._alone * alone)
            walk.append(reached)
        return walk

    def _make_factor(self, hour: int) -> list[float]:
        return self._draws.normals(60, "market", hour)

    def _make_regime(self, block: int) -> Regime:
        chance = self._draws.stream("regime", block)
        return chance.choices(self._regimes, [regime.weight for regime in self._regimes])[0]

    def _minute(
        self,
        start: int,
        busy: float,
        opened: int,
        closed: int,
        burst: bool,
        deviation: float,
        chance: Callable[[], float],
    ) -> Minute:
        regime = self._regime(start // MINUTE_NS // (60 * _BLOCK_HOURS))
        activity = self._profile.trades * busy * regime.activity * (_BURST_ACTIVITY if burst else 1.0)
        trades = int(activity * (0.5 + chance()) + chance())
        up, down = chance() * chance(), chance() * chance()
        spread = self._profile.spread + regime.spread + (chance() < 0.1) + burst
        volume = trades + int(trades * (self._profile.size - 1) * 2 * chance())
        if trades < 2:
            return Minute(start, closed, closed, closed, closed, trades, volume, spread, burst)
        wick = deviation * regime.volatility * _WICK * 2 if trades >= 4 else 0.0
        high = max(opened, closed) + int(wick * up)
        low = max(self._floor, min(opened, closed) - int(wick * down))
        return Minute(start, opened, high, low, closed, trades, volume, spread, burst)


def _busy(start: int, phase: SessionPhase, day_long: bool) -> float:
    """How busy a minute is: more at the open and the close of its phase, less at night and in extended hours."""
    if day_long:
        return 0.7
    edge = min(start - phase.start_ns, phase.end_ns - start) // MINUTE_NS
    hour = start // (60 * MINUTE_NS) % 24
    level = _BY_UTC_HOUR[hour] * (1.0 + 1.5 / (1.0 + edge / 5))
    return level * (_EXTENDED if phase.status is MarketStatus.EXTENDED else 1.0)


def _whole(value: float) -> int:
    return math.floor(value + 0.5)
