"""Random prints over awkward stretches of the shipped calendars, and the naive way to make bars of them."""

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal

from hypothesis import strategies as st

from brokers.calendar import DAY_NS, SECOND_NS, Calendars, SessionCalendar
from brokers.market import Bar, BarUnit, Interval, Trade

CALENDARS = Calendars.shipped()
MINUTE = 60 * SECOND_NS
HOUR = 60 * MINUTE


def utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * SECOND_NS


# Calendar, and a day about which something happens to its clock or its hours.
AWKWARD = [
    ("always", "2026-03-08"),
    ("us_stocks", "2026-03-08"),  # clocks go forward
    ("us_stocks", "2026-11-27"),  # early close
    ("cme_equity", "2026-11-01"),  # clocks go back
    ("cme_equity", "2026-11-26"),  # Thanksgiving joins the next day
    ("cme_grains", "2026-03-08"),  # a break every day
    ("cme_crypto", "2026-11-01"),  # trades through the night in which clocks go back
    ("cme_crypto", "2027-03-14"),  # and forward
]
INTERVALS = [Interval.parse(text) for text in ("1s", "1m", "7m", "15m", "1h", "4h", "1d", "2d", "1w")]


def trade(time_ns: int, price: Decimal | int = 100, size: Decimal | int = 1, symbol: str = "X") -> Trade:
    return Trade(symbol, Decimal(price), Decimal(size), time_ns)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[SessionCalendar, int]:
    name, day = draw(st.sampled_from(AWKWARD))
    return CALENDARS[name], utc(day)


def prints(around_ns: int, *, most: int = 60) -> st.SearchStrategy[list[Trade]]:
    """Prints in time order, crowded in places, from two days before a day to three after it."""
    second = st.integers(-2 * DAY_NS // SECOND_NS, 3 * DAY_NS // SECOND_NS)
    close_by = st.integers(0, 200).map(lambda second: second + 14 * 3600 + 25 * 60)
    one = st.tuples(second | close_by, st.integers(-4, 4), st.integers(1, 9))
    return st.lists(one, max_size=most).map(
        lambda found: [
            trade(around_ns + at * SECOND_NS, 100 + Decimal(price) / 4, size) for at, price, size in sorted(found)
        ]
    )


def slots(calendar: SessionCalendar, interval: Interval, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
    """Every bar's [start, end) around a stretch, laid out session by session."""
    sessions = list(calendar.sessions(from_ns - 12 * DAY_NS, to_ns + 12 * DAY_NS))
    if interval.unit in {BarUnit.DAY, BarUnit.WEEK}:
        days = interval.count * (7 if interval.unit is BarUnit.WEEK else 1)
        groups: dict[int, list[tuple[int, int]]] = {}
        for session in sessions:
            number = (session.trading_day.toordinal() - 1) // days
            groups.setdefault(number, []).append((session.start_ns, session.end_ns))
        yield from ((spans[0][0], spans[-1][1]) for spans in groups.values())
        return
    for session in sessions:
        start = session.start_ns
        while start < session.end_ns:
            end = min(start + interval.nanoseconds, session.end_ns)
            yield start, end
            start = end


def naive_bars(calendar: SessionCalendar, interval: Interval, trades: Iterable[Trade]) -> list[Bar]:
    """For each slot, the prints in it; what falls outside trading is no print."""
    good = [trade for trade in trades if calendar.status(trade.time_ns).trading]
    if not good:
        return []
    bars = []
    first, last = good[0].time_ns, good[-1].time_ns
    layout = slots(calendar, interval, first, last) if interval.nanoseconds >= MINUTE else seconds(calendar, good)
    for start, end in layout:
        inside = [trade for trade in good if start <= trade.time_ns < end]
        if inside:
            prices = [trade.price for trade in inside]
            volume = sum((trade.size for trade in inside), Decimal(0))
            bars.append(
                Bar(
                    inside[0].symbol,
                    interval,
                    prices[0],
                    max(prices),
                    min(prices),
                    prices[-1],
                    volume,
                    end,
                    len(inside),
                )
            )
    return bars


def seconds(calendar: SessionCalendar, trades: Iterable[Trade]) -> Iterator[tuple[int, int]]:
    """The slots of one second that hold prints; every session begins at a full one."""
    for start in dict.fromkeys(trade.time_ns // SECOND_NS * SECOND_NS for trade in trades):
        yield start, start + SECOND_NS
