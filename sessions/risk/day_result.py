"""What a scope has won or lost since its trading day began, and whether the daily loss was reached."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

import attrs

from brokers.instruments import EXACT
from runtime.quick import quick
from sessions.risk.events import Valued

_ZERO = Decimal(0)


@quick
@attrs.frozen(weakref_slot=False)
class Standing:
    """A session's whole profit at the day's start and now; None for what no sound valuation has told."""

    session: str
    start: Decimal | None
    now: Decimal | None
    latest: Decimal | None  # the newest sound one


class DayResult:
    """The sum of all sessions' profit today; reaching the loss is remembered until the day or an operator ends it."""

    def __init__(self, loss: Decimal, *, resets_daily: bool) -> None:
        self.standings: dict[str, Standing] = {}
        self.day: dt.date | None = None
        self.tripped = False
        self.today: Decimal | None = None  # None: not known
        self._floor = loss.copy_negate()
        self._resets_daily = resets_daily

    def value(self, event: Valued) -> None:
        """Takes a valuation; the first sound one of a session is where it starts."""
        session, realised, unrealised = event.session, event.realised, event.unrealised
        before = self.standings.get(session) or Standing(session, None, None, None)
        now, start = None, before.start
        if realised is not None and unrealised is not None:
            now = EXACT.add(realised, unrealised)
            start = now if start is None else start
        self.standings[session] = Standing(session, start, now, before.latest if now is None else now)
        if self.today is None or before.now is None or now is None:
            self._judge()
        else:  # the day began before: what has changed since then is what changed now
            self._judge_at(EXACT.add(self.today, EXACT.subtract(now, before.now)))

    def begin(self, day: dt.date) -> None:
        """Starts a later trading day from what stands now; an earlier or the same one is no news."""
        if self.day is not None and day <= self.day:
            return
        first, self.day = self.day is None, day
        if not first and self._resets_daily:
            self._restart()

    def lift(self) -> None:
        """Counts from nought again."""
        self._restart()

    def restore(self, standings: Iterable[Standing], day: dt.date | None, *, tripped: bool) -> None:
        """Takes up what another one had."""
        self.standings = {standing.session: standing for standing in standings}
        self.day, self.tripped = day, tripped
        self._judge()

    def _restart(self) -> None:
        self.standings = {name: attrs.evolve(one, start=one.latest) for name, one in self.standings.items()}
        self.tripped = False
        self._judge()

    def _judge(self) -> None:
        gains = [_gain(standing) for standing in self.standings.values()]
        self._judge_at(_sum(gains) if gains else None)

    def _judge_at(self, today: Decimal | None) -> None:
        self.today = today
        if today is not None and today <= self._floor:
            self.tripped = True


def _gain(standing: Standing) -> Decimal | None:
    if standing.now is None or standing.start is None:
        return None
    return EXACT.subtract(standing.now, standing.start)


def _sum(gains: Iterable[Decimal | None]) -> Decimal | None:
    total = _ZERO
    for gain in gains:
        if gain is None:
            return None
        total = EXACT.add(total, gain)
    return total
