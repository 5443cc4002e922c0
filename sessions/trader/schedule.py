"""When a session has something to do without an event from outside: its strategy's timers, and market hours.

All by the wall clock and all pure: `due(now)` gives what has come due. What was slept through comes once: a timer
by its last missed instant, hours by the state that holds now.
"""

from collections.abc import Callable, Iterable

from brokers.calendar import SessionCalendar
from sessions.strategy import Event, Hours, SessionClosed, SessionOpened, Timer, TimerDue, hours_at, next_due

CalendarOf = Callable[[str], SessionCalendar]


class Schedule:
    """One strategy's timers, and the hours of the symbols it follows."""

    def __init__(self, timers: Iterable[Timer], symbols: Iterable[str], calendar_of: CalendarOf, now_ns: int) -> None:
        """`symbols` are the names the strategy uses; what is open now has opened before."""
        self._calendar_of = calendar_of
        self._timers = {timer: next_due(timer, calendar_of, now_ns) for timer in timers}
        self._hours = {symbol: hours_at(calendar_of(symbol), now_ns) for symbol in symbols}
        self._open = {symbol: _within(hours, now_ns) for symbol, hours in self._hours.items()}

    @property
    def next_ns(self) -> int | None:
        """When something comes due next; None for nothing ever."""
        hours = ((one.close_ns if self._open[symbol] else one.open_ns) for symbol, one in self._hours.items())
        return min((*self._timers.values(), *hours), default=None)

    def due(self, now_ns: int) -> list[Event]:
        """What has come due, hours first."""
        events: list[Event] = []
        for symbol in self._hours:
            events += self._hours_due(symbol, now_ns)
        for timer, due_ns in self._timers.items():
            if due_ns <= now_ns:
                self._timers[timer] = next_due(timer, self._calendar_of, now_ns)
                events.append(TimerDue(timer.name, due_ns))
        return events

    def _hours_due(self, symbol: str, now_ns: int) -> list[Event]:
        events: list[Event] = []
        before = self._hours[symbol]
        if self._open[symbol] and now_ns >= before.close_ns:
            events.append(SessionClosed(symbol, before.trading_day))
            self._open[symbol] = False
        if not self._open[symbol] and now_ns >= before.close_ns:
            self._hours[symbol] = hours_at(self._calendar_of(symbol), now_ns)
        hours = self._hours[symbol]
        if not self._open[symbol] and _within(hours, now_ns):
            events.append(SessionOpened(symbol, hours.trading_day))
            self._open[symbol] = True
        return events


def _within(hours: Hours, now_ns: int) -> bool:
    return hours.open_ns <= now_ns < hours.close_ns
