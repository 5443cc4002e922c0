"""Claims about session calendars."""

import datetime as dt
import itertools
import zoneinfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brokers.calendar import (
    DAY_NS,
    SECOND_NS,
    Calendars,
    Session,
    SessionCalendar,
    UnknownCalendarError,
    utc_date,
)
from brokers.market import Interval, MarketStatus
from config.calendars import parse_calendars, shipped_calendars
from config.reading import ConfigError

CALENDARS = Calendars.shipped()
NAMES = sorted(CALENDARS.by_name)
CHICAGO = zoneinfo.ZoneInfo("America/Chicago")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
MINUTE = 60 * SECOND_NS

instants = st.integers(
    int(dt.datetime(2005, 1, 1, tzinfo=dt.UTC).timestamp()), int(dt.datetime(2037, 1, 1, tzinfo=dt.UTC).timestamp())
).map(lambda seconds: seconds * SECOND_NS)
calendars = st.sampled_from(NAMES).map(lambda name: CALENDARS[name])


def at(text: str, zone: dt.tzinfo = CHICAGO) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND_NS


def local(time_ns: int, zone: dt.tzinfo = CHICAGO) -> str:
    return dt.datetime.fromtimestamp(time_ns // SECOND_NS, zone).strftime("%Y-%m-%d %H:%M")


# Published holidays and early closes of the New York Stock Exchange.
CLOSED = [
    "2023-01-02",
    "2023-01-16",
    "2023-02-20",
    "2023-04-07",
    "2023-05-29",
    "2023-06-19",
    "2023-07-04",
    "2023-09-04",
    "2023-11-23",
    "2023-12-25",
    "2024-01-01",
    "2024-01-15",
    "2024-02-19",
    "2024-03-29",
    "2024-05-27",
    "2024-06-19",
    "2024-07-04",
    "2024-09-02",
    "2024-11-28",
    "2024-12-25",
    "2025-01-01",
    "2025-01-09",
    "2025-01-20",
    "2025-02-17",
    "2025-04-18",
    "2025-05-26",
    "2025-06-19",
    "2025-07-04",
    "2025-09-01",
    "2025-11-27",
    "2025-12-25",
    "2026-01-01",
    "2026-01-19",
    "2026-02-16",
    "2026-04-03",
    "2026-05-25",
    "2026-06-19",
    "2026-07-03",
    "2026-09-07",
    "2026-11-26",
    "2026-12-25",
    "2027-01-01",
    "2027-01-18",
    "2027-02-15",
    "2027-03-26",
    "2027-05-31",
    "2027-06-18",
    "2027-07-05",
    "2027-09-06",
    "2027-11-25",
    "2027-12-24",
]
EARLY = [
    "2023-07-03",
    "2023-11-24",
    "2024-07-03",
    "2024-11-29",
    "2024-12-24",
    "2025-07-03",
    "2025-11-28",
    "2025-12-24",
    "2026-11-27",
    "2026-12-24",
    "2027-11-26",
]


def test_the_stock_exchanges_holidays_are_exactly_the_published_ones() -> None:
    stocks = CALENDARS["us_stocks"]
    days = [dt.date(2023, 1, 1) + dt.timedelta(days=n) for n in range(5 * 365)]
    weekdays = [day for day in days if day.weekday() < 5 and day.year < 2028]
    assert [str(day) for day in weekdays if not stocks.is_business_day(day)] == CLOSED
    early = [
        str(day)
        for day in weekdays
        if (session := stocks.session_of(day)) and local(session.end_ns, NEW_YORK)[11:] < "20"
    ]
    assert early == EARLY


@pytest.mark.parametrize(
    ("name", "time", "status"),
    [
        ("us_stocks", "2026-11-20 03:59", MarketStatus.CLOSED),
        ("us_stocks", "2026-11-20 04:00", MarketStatus.EXTENDED),
        ("us_stocks", "2026-11-20 09:30", MarketStatus.OPEN),
        ("us_stocks", "2026-11-20 16:00", MarketStatus.EXTENDED),
        ("us_stocks", "2026-11-20 20:00", MarketStatus.CLOSED),
        ("us_stocks", "2026-11-21 12:00", MarketStatus.CLOSED),
        ("us_stocks", "2026-11-27 13:00", MarketStatus.EXTENDED),
        ("us_stocks", "2026-11-27 17:00", MarketStatus.CLOSED),
        ("always", "2026-12-25 03:00", MarketStatus.OPEN),
    ],
)
def test_stocks_have_regular_and_extended_hours(name: str, time: str, status: MarketStatus) -> None:
    assert CALENDARS[name].status(at(time, NEW_YORK)) is status
    assert CALENDARS[name].is_open(at(time, NEW_YORK)) is (status is MarketStatus.OPEN)
    assert CALENDARS[name].is_open(at(time, NEW_YORK), extended=True) is (
        status in {MarketStatus.OPEN, MarketStatus.EXTENDED}
    )


@pytest.mark.parametrize(
    ("name", "time", "status"),
    [
        ("cme_equity", "2026-11-22 16:59", MarketStatus.CLOSED),  # Sunday
        ("cme_equity", "2026-11-22 17:00", MarketStatus.OPEN),
        ("cme_equity", "2026-11-23 15:59", MarketStatus.OPEN),
        ("cme_equity", "2026-11-23 16:00", MarketStatus.CLOSED),  # the daily break
        ("cme_equity", "2026-11-23 17:00", MarketStatus.OPEN),
        ("cme_equity", "2026-11-26 12:00", MarketStatus.BREAK),  # Thanksgiving
        ("cme_equity", "2026-11-26 17:00", MarketStatus.OPEN),
        ("cme_equity", "2026-11-27 12:15", MarketStatus.CLOSED),
        ("cme_equity", "2026-12-25 10:00", MarketStatus.CLOSED),
        ("cme_equity", "2026-04-03 08:14", MarketStatus.OPEN),  # Good Friday with an employment report
        ("cme_equity", "2025-04-18 08:14", MarketStatus.CLOSED),  # Good Friday without
        ("cme_commodities", "2026-01-19 13:29", MarketStatus.OPEN),
        ("cme_commodities", "2026-01-19 13:30", MarketStatus.BREAK),
        ("cme_fx", "2026-01-19 15:59", MarketStatus.OPEN),
        ("cme_grains", "2026-11-23 07:50", MarketStatus.BREAK),
        ("cme_grains", "2026-11-23 13:20", MarketStatus.CLOSED),
        ("cme_grains", "2026-01-18 20:00", MarketStatus.CLOSED),  # the eve of a holiday
        ("cme_grains", "2026-01-19 19:00", MarketStatus.OPEN),  # its evening
        ("cme_grains", "2026-11-27 03:00", MarketStatus.CLOSED),  # no night after Thanksgiving
        ("cme_grains", "2026-11-27 08:30", MarketStatus.OPEN),
        ("cme_crypto", "2026-05-23 12:00", MarketStatus.CLOSED),  # a Saturday before trading around the clock
        ("cme_crypto", "2026-05-30 12:00", MarketStatus.OPEN),  # the first one with it
        ("cme_crypto", "2026-12-25 12:00", MarketStatus.OPEN),
    ],
)
def test_futures_follow_their_exchange(name: str, time: str, status: MarketStatus) -> None:
    assert CALENDARS[name].status(at(time)) is status


def test_a_holidays_trading_joins_the_next_business_day() -> None:
    session = CALENDARS["cme_equity"].session_at(at("2026-01-19 10:00"))
    assert session is not None
    assert session.trading_day == dt.date(2026, 1, 20)
    assert [(local(phase.start_ns), local(phase.end_ns)) for phase in session.phases] == [
        ("2026-01-18 17:00", "2026-01-19 12:00"),
        ("2026-01-19 17:00", "2026-01-20 16:00"),
    ]
    assert not CALENDARS["cme_equity"].is_business_day(dt.date(2026, 1, 19))


def test_a_friday_holiday_joins_monday_over_the_weekend() -> None:
    session = CALENDARS["cme_equity"].session_at(at("2026-06-19 10:00"))
    assert session is not None
    assert session.trading_day == dt.date(2026, 6, 22)
    assert local(session.start_ns) == "2026-06-18 17:00"


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2026-03-07", 23),
        ("2026-03-08", 23),
        ("2026-03-09", 23),  # the clocks went forward on Sunday morning, before this session began
        ("2026-11-02", 23),
    ],
)
def test_an_evening_session_keeps_its_hours_around_a_sunday_change_of_clocks(day: str, hours: int) -> None:
    session = CALENDARS["cme_equity"].next_session(at(day + " 00:00"))
    assert session.end_ns - session.start_ns == hours * 3600 * SECOND_NS
    assert (local(session.start_ns)[11:], local(session.end_ns)[11:]) == ("17:00", "16:00")


def test_a_session_over_the_change_of_clocks_is_an_hour_shorter_or_longer() -> None:
    text = (
        'source = "t"\nas_of = 2026-01-01\n[days]\n[calendars.x]\nzone = "America/Chicago"\n[[calendars.x.hours]]\n'
        'days = ["sun"]\nphases = [{ open = "00:00", close = "24:00" }]\n'
    )
    calendar = Calendars.of(parse_calendars(text, "t"))["x"]
    lengths = {}
    for day in (dt.date(2026, 3, 8), dt.date(2026, 3, 15), dt.date(2026, 11, 1)):
        session = calendar.session_of(day)
        assert session is not None
        lengths[str(day)] = (session.end_ns - session.start_ns) // (3600 * SECOND_NS)
    assert lengths == {"2026-03-08": 23, "2026-03-15": 24, "2026-11-01": 25}


@given(calendars, instants)
@example(CALENDARS["cme_equity"], at("2026-03-08 01:59"))
@example(CALENDARS["cme_equity"], at("2026-11-01 00:30"))
def test_every_phase_begins_and_ends_by_the_wall_clock_in_summer_and_winter(
    calendar: SessionCalendar, time_ns: int
) -> None:
    session = calendar.next_session(time_ns)
    written = {phase.open[-5:] for hours in calendar.record.hours for phase in hours.phases}
    written |= {phase.close[-5:] for hours in calendar.record.hours for phase in hours.phases}
    for special in calendar.record.special:
        written |= {time[-5:] for phase in special.phases for time in (phase.open, phase.close)}
        written |= {time[-5:] for time in (special.open, special.close) if time}
    for phase in session.phases:
        assert local(phase.start_ns, calendar.zone)[11:] in written
        assert local(phase.end_ns, calendar.zone)[11:] in {"00:00" if time == "24:00" else time for time in written}


@given(calendars, instants)
def test_the_status_lasts_exactly_until_the_next_change(calendar: SessionCalendar, time_ns: int) -> None:
    change = calendar.next_change(time_ns)
    if change is None:
        assert calendar.name == "always"
        return
    assert change.time_ns > time_ns
    assert calendar.status(change.time_ns) is change.status is not calendar.status(time_ns)
    for quarter in range(4):
        inside = time_ns + (change.time_ns - 1 - time_ns) * quarter // 3
        assert calendar.status(inside) is calendar.status(time_ns)


@given(calendars, instants)
def test_session_status_and_phases_agree(calendar: SessionCalendar, time_ns: int) -> None:
    session, status = calendar.session_at(time_ns), calendar.status(time_ns)
    assert (session is None) == (status is MarketStatus.CLOSED)
    if session is not None:
        assert session.start_ns <= time_ns < session.end_ns
        inside = [phase.status for phase in session.phases if phase.start_ns <= time_ns < phase.end_ns]
        assert inside == ([] if status is MarketStatus.BREAK else [status])
        assert calendar.trading_day(time_ns) == session.trading_day
    else:
        assert calendar.next_session(time_ns).start_ns > time_ns


@given(calendars, instants, st.integers(0, 40 * DAY_NS))
def test_sessions_are_in_order_apart_and_complete(calendar: SessionCalendar, start: int, length: int) -> None:
    found = list(calendar.sessions(start, start + length))
    for earlier, later in itertools.pairwise(found):
        assert earlier.end_ns <= later.start_ns
        assert calendar.following_session(earlier) == later
        assert calendar.previous_session(later) == earlier
    probe = calendar.session_at(start + length // 2)
    if probe is not None and length > 0:
        assert probe in found
    assert all(session.start_ns < start + length and session.end_ns > start for session in found)


@given(calendars, instants, st.sampled_from(["1s", "1m", "7m", "15m", "1h", "4h", "1d", "3d", "1w", "2w"]))
def test_a_bar_closes_after_its_instant_and_every_instant_of_it_agrees(
    calendar: SessionCalendar, time_ns: int, text: str
) -> None:
    interval = Interval.parse(text)
    session = calendar.next_session(time_ns)
    close = calendar.bar_close(time_ns, interval)
    assert close > time_ns
    assert calendar.bar_close(close - 1, interval) == close
    if interval.nanoseconds < DAY_NS:
        assert close <= session.end_ns
        assert (close - session.start_ns) % interval.nanoseconds == 0 or close == session.end_ns
    else:
        last = calendar.session_at(close - 1)
        assert last is not None
        assert last.end_ns == close
        following = calendar.following_session(last)
        assert calendar.bar_close(following.start_ns, interval) > close


def test_a_days_bar_is_the_session_and_a_weeks_bar_ends_on_its_last_business_day() -> None:
    calendar = CALENDARS["cme_equity"]
    assert local(calendar.bar_close(at("2026-01-18 18:00"), Interval.parse("1d"))) == "2026-01-20 16:00"
    assert local(calendar.bar_close(at("2026-11-23 10:00"), Interval.parse("1w"))) == "2026-11-27 12:15"
    assert local(calendar.bar_close(at("2026-12-22 10:00"), Interval.parse("1w"))) == "2026-12-24 12:15"
    assert local(calendar.bar_close(at("2026-11-23 15:30"), Interval.parse("4h"))) == "2026-11-23 16:00"


def test_an_unknown_calendar_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownCalendarError, match=r"'nyse'.*us_stocks"):
        CALENDARS["nyse"]


def test_a_later_special_goes_before_an_earlier_one() -> None:
    mourning = CALENDARS["cme_equity"].session_of(dt.date(2025, 1, 9))
    assert mourning is not None
    assert local(mourning.end_ns) == "2025-01-09 08:30"


def test_the_date_of_an_instant_is_right_before_1970_too() -> None:
    assert utc_date(-1) == dt.date(1969, 12, 31)
    assert utc_date(0) == dt.date(1970, 1, 1)


BAD = """\
source = "me"
as_of = 2026-01-01
[days]
boxing = { on = "december 26" }
[calendars.x]
zone = "Europe/London"
[[calendars.x.hours]]
days = ["mon"]
phases = [{ open = "08:00", close = "16:30" }]
[[calendars.x.special]]
days = ["boxing"]
kind = "closed"
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("Europe/London", "Europe/Atlantis", 6, "calendars.x.zone"),
        ('open = "08:00"', 'open = "8:00"', 9, "calendars.x.hours.0.phases.0.open"),
        ('open = "08:00"', 'open = "17:00"', 9, "calendars.x.hours.0.phases.0.close"),
        ('days = ["boxing"]', 'days = ["2026-02-30"]', 11, "calendars.x.special.0.days"),
        ('kind = "closed"', 'kind = "closed"\nclose = "12:00"', 12, "calendars.x.special.0.kind"),
        ('days = ["mon"]', "days = []", 7, "calendars.x.hours"),
        ('"december 26"', '"boxing day"', 4, "days.boxing.on"),
        (
            '{ open = "08:00", close = "16:30" }',
            '{ open = "08:00", close = "12:00" }, { open = "11:00", close = "16:30" }',
            9,
            "calendars.x.hours.0.phases",
        ),
    ],
)
def test_a_wrong_calendar_is_refused_with_file_line_and_key(old: str, new: str, line: int, key: str) -> None:
    assert parse_calendars(BAD, "mine.toml").calendars["x"].zone == "Europe/London"
    with pytest.raises(ConfigError) as caught:
        parse_calendars(BAD.replace(old, new, 1), "mine.toml")
    assert [(p.file, p.line, p.key) for p in caught.value.problems] == [("mine.toml", line, key)]


def test_every_shipped_calendar_has_a_session_in_every_week_of_a_decade() -> None:
    for name in shipped_calendars().calendars:
        calendar = CALENDARS[name]
        days = [session.trading_day for session in calendar.sessions(at("2024-01-01 00:00"), at("2034-01-01 00:00"))]
        assert max((later - earlier).days for earlier, later in itertools.pairwise(days)) <= 5


@given(calendars, instants, st.integers(-9 * DAY_NS, 9 * DAY_NS), st.sampled_from(["1m", "4h", "1d", "2w"]))
def test_a_shifted_calendar_says_the_same_of_every_instant_that_much_earlier(
    calendar: SessionCalendar, time_ns: int, by_ns: int, interval: str
) -> None:
    def moved(session: Session) -> tuple[object, ...]:
        phases = [(phase.start_ns + by_ns, phase.end_ns + by_ns, phase.status) for phase in session.phases]
        return session.trading_day, session.start_ns + by_ns, session.end_ns + by_ns, phases

    def plain(session: Session) -> tuple[object, ...]:
        phases = [(phase.start_ns, phase.end_ns, phase.status) for phase in session.phases]
        return session.trading_day, session.start_ns, session.end_ns, phases

    shifted, there = calendar.shifted(by_ns), time_ns + by_ns
    assert shifted.status(time_ns) is calendar.status(there)
    assert shifted.trading_day(time_ns) == calendar.trading_day(there)
    assert moved(shifted.next_session(time_ns)) == plain(calendar.next_session(there))
    assert shifted.bar_close(time_ns, Interval.parse(interval)) + by_ns == calendar.bar_close(
        there, Interval.parse(interval)
    )
    mine, theirs = shifted.next_change(time_ns), calendar.next_change(there)
    assert (mine is None) == (theirs is None)
    if mine is not None and theirs is not None:
        assert (mine.time_ns + by_ns, mine.status) == (theirs.time_ns, theirs.status)
    week = list(map(moved, shifted.sessions(time_ns, time_ns + 7 * DAY_NS)))
    assert week == list(map(plain, calendar.sessions(there, there + 7 * DAY_NS)))
