"""Bars of a synthetic path, gathered by the calendar from planned minutes, or from the trades for seconds."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from operator import itemgetter

from brokers.calendar import DAY_NS, Session, SessionCalendar
from brokers.instruments import Instrument
from brokers.market import Bar, BarUnit, Interval, Trade
from brokers.synthetic.path import MINUTE_NS, Minute

_LONGEST_SESSION_NS = 10 * DAY_NS


def first_needed_ns(interval: Interval, from_ns: int) -> int:
    """From when trading must be looked at, so that the first bar closing after an instant is whole."""
    days = {BarUnit.DAY: 1, BarUnit.WEEK: 7}.get(interval.unit, 0)
    return from_ns - interval.count * days * DAY_NS - (_LONGEST_SESSION_NS if days else 0)


def minute_bars(
    instrument: Instrument,
    calendar: SessionCalendar,
    interval: Interval,
    sessions: Iterable[tuple[Session, Sequence[Minute]]],
) -> Iterator[Bar]:
    """Bars of whole minutes or more from sessions in order."""
    closed = (
        (close, minute)
        for session, minutes in sessions
        for close, minute in _with_close(calendar, interval, session, minutes)
    )
    for close_ns, group in itertools.groupby(closed, key=itemgetter(0)):
        yield _bar(instrument, interval, close_ns, [minute for _, minute in group])


def _with_close(
    calendar: SessionCalendar, interval: Interval, session: Session, minutes: Sequence[Minute]
) -> Iterator[tuple[int, Minute]]:
    """Each minute that traded with the close of its bar."""
    traded = (minute for minute in minutes if minute.trades)
    if interval.unit in {BarUnit.DAY, BarUnit.WEEK}:
        close = calendar.bar_close(session.start_ns, interval)
        return ((close, minute) for minute in traded)
    length, start, end = interval.nanoseconds, session.start_ns, session.end_ns
    return ((min(start + ((m.start_ns - start) // length + 1) * length, end), m) for m in traded)


def _bar(instrument: Instrument, interval: Interval, close_ns: int, minutes: Sequence[Minute]) -> Bar:
    tick = instrument.tick
    return Bar(
        symbol=instrument.symbol,
        interval=interval,
        open=tick * minutes[0].open,
        high=tick * max([minute.high for minute in minutes]),
        low=tick * min([minute.low for minute in minutes]),
        close=tick * minutes[-1].close,
        volume=instrument.lot * sum([minute.volume for minute in minutes]),
        time_ns=close_ns,
        trades=sum([minute.trades for minute in minutes]),
    )


def trade_bars(calendar: SessionCalendar, interval: Interval, trades: Iterable[Trade]) -> Iterator[Bar]:
    """Bars of any length from one instrument's trades in order."""
    for close_ns, group in itertools.groupby(trades, key=lambda trade: calendar.bar_close(trade.time_ns, interval)):
        found = list(group)
        prices = [trade.price for trade in found]
        yield Bar(
            symbol=found[0].symbol,
            interval=interval,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=sum((trade.size for trade in found), Decimal(0)),
            time_ns=close_ns,
            trades=len(found),
        )


def of_whole_minutes(interval: Interval) -> bool:
    """Whether bars of this length are made of whole minutes."""
    return interval.nanoseconds % MINUTE_NS == 0
