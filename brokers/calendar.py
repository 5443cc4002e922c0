"""Session calendars: when a market trades, to which trading day it belongs, and when that changes next.

All pure: a calendar is made from a `config.calendars.CalendarRecord` and answers for any instant. Wall-clock
hours become instants in the calendar's zone, so a session keeps its local hours across a change of daylight
saving time. What was computed is kept by day, so a repeated question costs one look-up.
"""

import datetime as dt
import functools
import zoneinfo
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping

import attrs

from brokers.market import BarUnit, Interval, MarketStatus
from config.calendars import (
    CalendarFile,
    CalendarRecord,
    Hours,
    Phase,
    Special,
    is_date,
    minutes_of,
    shipped_calendars,
)
from config.days import WEEKDAYS, DayRule

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
_EPOCH = dt.date(1970, 1, 1)
_KEPT_DAYS = 4096
_HORIZON_DAYS = 40  # how far ahead a change of status is looked for
_LONGEST_SESSION_DAYS = 10  # with the holidays and weekends that are joined to it
_SEARCHED_DAYS = 400  # how far a neighbouring session is looked for
_STATUS = {"regular": MarketStatus.OPEN, "extended": MarketStatus.EXTENDED}
_DAYS_IN = {BarUnit.DAY: 1, BarUnit.WEEK: 7}


@attrs.frozen
class SessionPhase:
    """One stretch of trading in a session: [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    status: MarketStatus


@attrs.frozen
class Session:
    """One trading day's trading: [start_ns, end_ns) with the phases in it."""

    trading_day: dt.date
    start_ns: int
    end_ns: int
    phases: tuple[SessionPhase, ...]


@attrs.frozen
class StatusChange:
    """The instant from which a market has another status."""

    time_ns: int
    status: MarketStatus


@attrs.frozen
class _Span:
    """A stretch of one status; `session` is None when closed."""

    end_ns: int
    status: MarketStatus
    session: Session | None


class UnknownCalendarError(LookupError):
    """A calendar name that the calendars file does not hold."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"no calendar {name!r}; known are {', '.join(known)}; add it to your calendars file")


class SessionCalendar:
    """One exchange's sessions, for any instant and any day; `shift_ns` is how much earlier than there they happen."""

    def __init__(self, name: str, record: CalendarRecord, days: Mapping[str, DayRule], shift_ns: int = 0) -> None:
        self.name = name
        self.record = record
        self.shift_ns = shift_ns
        self.zone = zoneinfo.ZoneInfo(record.zone)
        self._days = days
        keep = functools.lru_cache(maxsize=_KEPT_DAYS)
        self._specials: Callable[[int], dict[dt.date, Special]] = functools.lru_cache(64)(self._make_specials)
        self._spans: Callable[[int], tuple[list[int], list[_Span]]] = keep(self._make_spans)
        self.session_of: Callable[[dt.date], Session | None] = keep(self._make_session)

    def __repr__(self) -> str:
        return f"SessionCalendar({self.name!r})"

    def shifted(self, by_ns: int) -> "SessionCalendar":
        """The same sessions, that much earlier; their trading days stay what they are."""
        return SessionCalendar(self.name, self.record, self._days, self.shift_ns + by_ns)

    # ------------------------------------------------------------------ instants

    def status(self, time_ns: int) -> MarketStatus:
        """The market's status at an instant."""
        return self._span(time_ns).status

    def is_open(self, time_ns: int, *, extended: bool = False) -> bool:
        """Whether regular trading goes on at an instant; with `extended`, trading of either kind."""
        status = self._span(time_ns).status
        return status is MarketStatus.OPEN or (extended and status is MarketStatus.EXTENDED)

    def session_at(self, time_ns: int) -> Session | None:
        """The session around an instant, its breaks included; None when the market is closed."""
        return self._span(time_ns).session

    def next_change(self, time_ns: int) -> StatusChange | None:
        """The next instant after this one with another status; None when there is none for forty days."""
        before = self._span(time_ns)
        for day in range(time_ns // DAY_NS, time_ns // DAY_NS + _HORIZON_DAYS):
            ends, spans = self._spans(day)
            for span in spans[bisect_right(ends, time_ns) :]:
                if span.status is not before.status:
                    return StatusChange(before.end_ns, span.status)
                before = span
        return None

    def sessions(self, from_ns: int, to_ns: int) -> Iterator[Session]:
        """The sessions that overlap [from_ns, to_ns), in order."""
        day = self._utc_date(from_ns) - dt.timedelta(days=2)
        last = self._utc_date(to_ns) + dt.timedelta(days=_LONGEST_SESSION_DAYS)
        while day <= last:
            session = self.session_of(day)
            if session is not None and session.start_ns < to_ns and session.end_ns > from_ns:
                yield session
            day += dt.timedelta(days=1)

    def next_session(self, time_ns: int) -> Session:
        """The session around an instant, or the first one after it."""
        session = self._span(time_ns).session
        day = self._utc_date(time_ns) - dt.timedelta(days=2)
        while session is None or session.end_ns <= time_ns:
            session = self._search(day, 1)
            day = session.trading_day + dt.timedelta(days=1)
        return session

    def previous_session(self, session: Session) -> Session:
        """The session before another."""
        return self._search(session.trading_day - dt.timedelta(days=1), -1)

    def following_session(self, session: Session) -> Session:
        """The session after another."""
        return self._search(session.trading_day + dt.timedelta(days=1), 1)

    def trading_day(self, time_ns: int) -> dt.date:
        """The trading day that something at this instant belongs to; when closed, the next one."""
        return self.next_session(time_ns).trading_day

    def bar_close(self, time_ns: int, interval: Interval) -> int:
        """When the bar that an instant belongs to closes.

        Bars up to hours count from the session's start and end with it at the latest. Bars of days hold whole
        sessions, bars of weeks those of ISO weeks; several of them in one bar are counted from the year 1.
        """
        session = self.next_session(time_ns)
        if interval.unit in _DAYS_IN:
            return self._close_of_days(session, interval.count * _DAYS_IN[interval.unit])
        length = interval.nanoseconds
        passed = max(time_ns - session.start_ns, 0)
        return min(session.start_ns + (passed // length + 1) * length, session.end_ns)

    def _close_of_days(self, session: Session, days: int) -> int:
        group = _day_group(session.trading_day, days)
        following = self.following_session(session) if days > 1 else session
        while days > 1 and _day_group(following.trading_day, days) == group:
            session, following = following, self.following_session(following)
        return session.end_ns

    # ------------------------------------------------------------------ days

    def is_business_day(self, day: dt.date) -> bool:
        """Whether the day has a session of its own; a holiday whose trading joins the next day has none."""
        special = self._special(day)
        return self._hours(day) is not None and (special is None or special.kind == "short")

    def _search(self, day: dt.date, step: int) -> Session:
        for _ in range(_SEARCHED_DAYS):
            session = self.session_of(day)
            if session is not None:
                return session
            day += dt.timedelta(days=step)
        raise LookupError(f"calendar {self.name} has no session within {_SEARCHED_DAYS} days of {day}; check its hours")

    def _make_session(self, day: dt.date) -> Session | None:
        """The session of a trading day; None when it has none."""
        if not self.is_business_day(day):
            return None
        phases = self._phases(day)
        joined = day - dt.timedelta(days=1)
        while not self.is_business_day(joined) and (day - joined).days < _LONGEST_SESSION_DAYS:
            phases = self._phases(joined) + phases
            joined -= dt.timedelta(days=1)
        return Session(day, phases[0].start_ns, phases[-1].end_ns, phases) if phases else None

    def _phases(self, day: dt.date) -> tuple[SessionPhase, ...]:
        """What trades on a day's account, with the day's special cuts."""
        hours, special = self._hours(day), self._special(day)
        if hours is None or (special is not None and special.kind == "closed"):
            return ()
        if special is None:
            return tuple(self._phase(day, phase, None, None) for phase in hours.phases)
        opens = minutes_of(special.open) if special.open else None
        closes = minutes_of(special.close) if special.close else None
        cut = (self._phase(day, phase, opens, closes) for phase in special.phases or hours.phases)
        return tuple(phase for phase in cut if phase.start_ns < phase.end_ns)

    def _phase(self, day: dt.date, phase: Phase, opens: int | None, closes: int | None) -> SessionPhase:
        start, end = minutes_of(phase.open), minutes_of(phase.close)
        start = start if opens is None else max(start, opens)
        end = end if closes is None else min(end, closes)
        return SessionPhase(self._instant(day, start), self._instant(day, end), _STATUS[phase.kind])

    def _instant(self, day: dt.date, minutes: int) -> int:
        """The instant of a wall-clock time; one that the clock skips or repeats is read as before it."""
        days, minutes = divmod(minutes, 1440)
        day += dt.timedelta(days=days)
        wall = dt.datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=self.zone)
        return int(wall.timestamp()) * SECOND_NS - self.shift_ns

    def _utc_date(self, time_ns: int) -> dt.date:
        """The UTC date of an instant where the sessions are not shifted."""
        return utc_date(time_ns + self.shift_ns)

    def _hours(self, day: dt.date) -> Hours | None:
        weekday = WEEKDAYS[day.weekday()]
        fitting = [
            hours
            for hours in self.record.hours
            if weekday in hours.days and (hours.since is None or hours.since <= day)
        ]
        return fitting[-1] if fitting else None

    def _special(self, day: dt.date) -> Special | None:
        return self._specials(day.year).get(day)

    def _make_specials(self, year: int) -> dict[dt.date, Special]:
        return {
            day: special
            for special in self.record.special
            for name in special.days
            for day in self._named(name, year)
            if day.year == year and (special.since is None or special.since <= day)
        }

    def _named(self, name: str, year: int) -> tuple[dt.date, ...]:
        return (dt.date.fromisoformat(name),) if is_date(name) else self._days[name].days_around(year)

    # ------------------------------------------------------------------ spans of one UTC day

    def _span(self, time_ns: int) -> _Span:
        ends, spans = self._spans(time_ns // DAY_NS)
        return spans[bisect_right(ends, time_ns)]

    def _make_spans(self, day: int) -> tuple[list[int], list[_Span]]:
        """The statuses of one UTC day without gaps: when each ends, and what it is."""
        reached, end = day * DAY_NS, (day + 1) * DAY_NS
        spans: list[_Span] = []
        for session in self.sessions(reached, end):
            for stretch in _stretches(session):
                opens, closes = max(stretch.start_ns, reached), min(stretch.end_ns, end)
                if opens >= closes:
                    continue
                if opens > reached:
                    spans.append(_Span(opens, MarketStatus.CLOSED, None))
                spans.append(_Span(closes, stretch.status, session))
                reached = closes
        if reached < end:
            spans.append(_Span(end, MarketStatus.CLOSED, None))
        return [span.end_ns for span in spans], spans


def _stretches(session: Session) -> Iterator[SessionPhase]:
    """The phases of a session with the breaks between them."""
    reached = session.start_ns
    for phase in session.phases:
        if phase.start_ns > reached:
            yield SessionPhase(reached, phase.start_ns, MarketStatus.BREAK)
        yield phase
        reached = phase.end_ns


def utc_date(time_ns: int) -> dt.date:
    """The UTC date of an instant."""
    return _EPOCH + dt.timedelta(days=time_ns // DAY_NS)


def _day_group(day: dt.date, days: int) -> int:
    """The number of the bar that a day falls in; weeks begin on Monday as the year 1 did."""
    return (day.toordinal() - 1) // days


@attrs.frozen
class Calendars:
    """Every session calendar by name."""

    by_name: Mapping[str, SessionCalendar]

    @classmethod
    def of(cls, file: CalendarFile) -> "Calendars":
        """The calendars that a file describes."""
        return cls({name: SessionCalendar(name, record, file.days) for name, record in file.calendars.items()})

    @classmethod
    @functools.cache
    def shipped(cls) -> "Calendars":
        """The calendars that come with pitboss."""
        return cls.of(shipped_calendars())

    def shifted(self, by_ns: int) -> "Calendars":
        """All sessions, that much earlier."""
        return Calendars({name: calendar.shifted(by_ns) for name, calendar in self.by_name.items()})

    def __getitem__(self, name: str) -> SessionCalendar:
        found = self.by_name.get(name)
        if found is None:
            raise UnknownCalendarError(name, tuple(sorted(self.by_name)))
        return found
