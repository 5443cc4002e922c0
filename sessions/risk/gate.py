"""The one question before an order is journalled and sent: may it go?

A plain object for the event loop's thread: who asks and then records must not wait in between, so that no other
request is judged against a book that does not know this one yet. Everything that goes wrong in here is a denial.
"""

import enum
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import attrs

from brokers.calendar import SessionCalendar
from brokers.guards.ladder import Action, Cause, Cleared, Ladder, LadderEvent, Raised, Rung
from brokers.model import Order, OrderGroup
from runtime.quick import quick
from sessions.risk.book import BadRiskEvent, RiskBook, Snapshot, need_sense
from sessions.risk.case import Amend, Cancel, Case, Facts, Request, case_of
from sessions.risk.checks import CHECKS, Check, Scope, sound
from sessions.risk.denial import Denial, Reason
from sessions.risk.events import DayBegan, LossLifted, RiskEvent, Valued
from sessions.risk.kill_switch import Mark
from sessions.risk.limits import Limits, PortfolioLimits

PORTFOLIO = "portfolio"
DAEMON = "daemon"
_KEPT_PROBLEMS = 100
_SENSELESS = (BadRiskEvent, ArithmeticError, TypeError)
_ON_RESULT = (Valued, DayBegan, LossLifted)
_DENIED_ON = {
    Rung.NO_NEW_RISK: Reason.NO_NEW_RISK,
    Rung.CANCEL_ONLY: Reason.CANCEL_ONLY,
    Rung.HALTED: Reason.HALTED,
}


class Origin(enum.Enum):
    """Who asks: an operator may cancel and reduce on every rung, a strategy only as its rung permits."""

    STRATEGY = "strategy"
    OPERATOR = "operator"


@quick
@attrs.frozen(weakref_slot=False)
class Allowed:
    """The request may go; its events are to be journalled with it and recorded before anything else is judged."""

    action: Action
    events: tuple[RiskEvent, ...] = ()


@attrs.frozen
class Denied:
    """The request may not go; nothing has changed."""

    denial: Denial


Verdict = Allowed | Denied


class Switch(Protocol):
    """The kill switch, as the gate asks it."""

    @property
    def mark(self) -> Mark | None:
        """How it was pulled; None while it is not."""
        ...

    def rung(self) -> Rung:
        """The highest rung that the switch allows now."""
        ...


@attrs.define
class _Seat:
    """A session at the gate."""

    scope: Scope
    ladder: Ladder


_CANCEL = Allowed(Action.CANCEL)


class RiskGate:
    """All sessions' books and rungs, and the portfolio's book over them."""

    def __init__(
        self,
        limits: PortfolioLimits,
        switch: Switch,
        calendars: Mapping[str, SessionCalendar],
        *,
        kept: Snapshot | None = None,
        since: Iterable[RiskEvent] = (),
        checks: tuple[Check, ...] = CHECKS,
    ) -> None:
        """`kept` is what the journal last kept of the portfolio's book, `since` all sessions' events after that."""
        self._switch = switch
        self._calendars = calendars
        self._checks = checks
        self._seats: dict[str, _Seat] = {}
        self._day_ends_ns: dict[str, int] = {}
        self._heeded = False  # whether the portfolio had lost its limit when everybody was told last
        self.problems: deque[str] = deque(maxlen=_KEPT_PROBLEMS)
        self._need_calendar(limits)
        self._portfolio = Scope(PORTFOLIO, limits, self._book(None, limits, kept, since))

    # Sessions.

    def enrol(
        self, session: str, limits: Limits, kept: Snapshot | None = None, since: Iterable[RiskEvent] = ()
    ) -> None:
        """Seats a session, low on its ladder; `kept` and `since` are its own book's, as for the portfolio.

        One that comes again within the daemon's life keeps its book, held against the limits it comes with. Raises
        LookupError for limits with an unknown calendar.
        """
        self._need_calendar(limits)
        before = self._seats.get(session)
        if before is None:
            self._seats[session] = _Seat(Scope(session, limits, self._book(session, limits, kept, since)), Ladder())
            return
        if before.scope.limits != limits:
            before.scope = Scope(session, limits, self._book(session, limits, before.scope.book.snapshot(), ()))
            self._day_ends_ns.pop(_name(session), None)
        before.ladder = attrs.evolve(before.ladder, rung=max(before.ladder.rung, Rung.NO_NEW_RISK))

    def sessions(self) -> tuple[str, ...]:
        """The sessions that were seated."""
        return tuple(self._seats)

    def book(self, session: str | None) -> RiskBook:
        """The book of a session, or of the portfolio; raises LookupError."""
        return self._scope(session).book

    def ladder(self, session: str) -> Ladder:
        """Where a session stands and why, the kill switch apart; raises LookupError."""
        return self._seat(session).ladder

    @property
    def mark(self) -> Mark | None:
        """How the kill switch was pulled; None while it is not."""
        return self._switch.mark

    def rung(self, session: str) -> Rung:
        """What a session may do now, kill switch included; raises LookupError."""
        return self._rung_of(self._seat(session))

    # The question.

    def judge(self, session: str, request: Request, facts: Facts, origin: Origin = Origin.STRATEGY) -> Verdict:
        """Whether the request may go: the rung first, then the session's limits, then the portfolio's."""
        try:
            return self._judge(session, request, facts, origin)
        except Exception as error:  # noqa: BLE001  whatever breaks in here, nothing may be risked
            text = f"judging the request raised {type(error).__name__}: {error}; nothing was sent"
            return Denied(Denial(Reason.CHECK_FAILED, DAEMON, text, value=type(error).__name__))

    def objection(self, session: str, action: Action, origin: Origin = Origin.STRATEGY) -> str:
        """What speaks by now against an action that was allowed and has not been taken; empty where nothing does."""
        seat = self._seats.get(session)
        rung = Rung.HALTED if seat is None else self._rung_of(seat)
        return "" if _permitted(rung, action, origin) else _denied_by(rung, action, session).denial.text

    def admit(self, session: str, request: Request, facts: Facts, origin: Origin = Origin.STRATEGY) -> Verdict:
        """Judges, and records at once what was allowed; one that is not sent after all is to be recorded as Closed."""
        verdict = self.judge(session, request, facts, origin)
        if type(verdict) is Allowed:
            for event in verdict.events:
                self.record(event, facts.now_ns)
        return verdict

    def _judge(self, session: str, request: Request, facts: Facts, origin: Origin) -> Verdict:
        seat = self._seats.get(session)
        if seat is None:
            text = f"no session {session!r} is seated; its trader enrols it before its first order"
            return Denied(Denial(Reason.SESSION_UNKNOWN, DAEMON, text, value=session))
        rung = self._rung_of(seat)
        if isinstance(request, Cancel):
            mark = self._switch.mark
            if mark is not None and mark.flatten and origin is Origin.STRATEGY:
                text = f"{mark.by} has everything closed; its orders are not the strategy's to cancel"
                return Denied(Denial(Reason.CLOSING, session, text, rung.name, Action.CANCEL.value))
            return _CANCEL if _permitted(rung, Action.CANCEL, origin) else _denied_by(rung, Action.CANCEL, session)
        if not _permitted(rung, Action.REDUCE_RISK, origin):
            return _denied_by(rung, Action.REDUCE_RISK, session)  # so that it is halted whatever its numbers are
        case = _case(session, request, facts, seat.scope.book)
        if isinstance(case, Denial):
            return Denied(case)
        if not _permitted(rung, case.action, origin):
            return _denied_by(rung, case.action, session)
        denial = self._limited(case, seat.scope) if case.action is Action.ADD_RISK else None
        return Allowed(case.action, case.events) if denial is None else Denied(denial)

    def _rung_of(self, seat: _Seat) -> Rung:
        return max(self._switch.rung(), seat.ladder.rung)

    def _limited(self, case: Case, session: Scope) -> Denial | None:
        for scope in (session, self._portfolio):
            for check in self._checks:
                denial = check(case, scope)
                if denial is not None:
                    return denial
        return None

    # News.

    def record(self, event: RiskEvent, now_ns: int) -> None:
        """Takes an event into the books; one without sense changes none and leaves its session to cancel only."""
        seat = self._seats.get(event.session) if event.session is not None else None
        try:
            need_sense(event)
            if seat is not None:
                seat.scope.book.take(event)
            self._portfolio.book.take(event)
        except _SENSELESS as error:
            self.problems.append(str(error))
            if seat is not None:
                seat.ladder = seat.ladder.after(Raised(Cause.DATA_IMPOSSIBLE, type(event).__name__), now_ns)
            return
        if isinstance(event, _ON_RESULT):
            self._heed_losses(seat, now_ns)

    def tell(self, session: str, news: LadderEvent, now_ns: int) -> None:
        """Moves a session on its ladder; raises LookupError."""
        seat = self._seat(session)
        seat.ladder = seat.ladder.after(news, now_ns)

    def lift_loss(self, session: str | None, by: str, now_ns: int) -> LossLifted:
        """Lets a scope, or without a session the portfolio, take new risk after its loss; raises LookupError."""
        self._scope(session)
        event = LossLifted(session, by)
        self.record(event, now_ns)
        return event

    def begin_days(self, now_ns: int) -> tuple[DayBegan, ...]:
        """Begins each scope's trading day that is due; the events are to be journalled."""
        return tuple(self._begin_days(now_ns))

    def _begin_days(self, now_ns: int) -> Iterator[DayBegan]:
        for session in (None, *self._seats):
            calendar = self._scope(session).limits.loss_calendar
            if now_ns < self._day_ends_ns.get(_name(session), 0):
                continue
            trading = self._calendars[calendar].next_session(now_ns)
            self._day_ends_ns[_name(session)] = trading.end_ns
            event = DayBegan(session, trading.trading_day)
            if self._scope(session).book.result.day != event.day:
                self.record(event, now_ns)
                yield event

    def _heed_losses(self, seat: _Seat | None, now_ns: int) -> None:
        """Puts the session whose result has moved, or with the portfolio's loss everybody, on the rung it demands."""
        everybody = self._portfolio.book.result.tripped
        if not (everybody or self._heeded or seat is None or seat.scope.book.result.tripped or seat.ladder.causes):
            return  # as after most: nobody has lost too much, and nothing stands that could be lifted
        alone = seat is not None and everybody is self._heeded
        self._heeded = everybody
        for one in (seat,) if alone and seat is not None else self._seats.values():
            for about, tripped in (("", one.scope.book.result.tripped), (PORTFOLIO, everybody)):
                if tripped is not ((Cause.LOSS_LIMIT, about) in one.ladder.causes):
                    news = Raised(Cause.LOSS_LIMIT, about) if tripped else Cleared(Cause.LOSS_LIMIT, about)
                    one.ladder = one.ladder.after(news, now_ns)

    def _need_calendar(self, limits: Limits) -> None:
        if limits.loss_calendar not in self._calendars:
            known = ", ".join(sorted(self._calendars))
            raise LookupError(f"loss_calendar: expected one of {known}, got {limits.loss_calendar!r}; correct it")

    def _book(self, session: str | None, limits: Limits, kept: Snapshot | None, since: Iterable[RiskEvent]) -> RiskBook:
        book = RiskBook(session, limits) if kept is None else RiskBook.restored(session, limits, kept)
        for event in since:
            try:
                book.apply(event)
            except _SENSELESS as error:  # it was refused when it came, and is again
                self.problems.append(str(error))
        return book

    def _scope(self, session: str | None) -> Scope:
        return self._portfolio if session is None else self._seat(session).scope

    def _seat(self, session: str) -> _Seat:
        seat = self._seats.get(session)
        if seat is None:
            raise LookupError(f"no session {session!r} is seated; known are {', '.join(self._seats) or 'none'}")
        return seat


def _case(session: str, request: Order | OrderGroup | Amend, facts: Facts, book: RiskBook) -> Case | Denial:
    return sound(request) or case_of(session, request, facts, book)


def _permitted(rung: Rung, action: Action, origin: Origin) -> bool:
    return rung is Rung.FULL or rung.permits(action) or (origin is Origin.OPERATOR and action is not Action.ADD_RISK)


def _denied_by(rung: Rung, action: Action, session: str) -> Denied:
    text = f"{session} stands on {rung.name}, which does not let it {action.value}"
    return Denied(Denial(_DENIED_ON[rung], session, text, rung.name, action.value))


def _name(session: str | None) -> str:
    return PORTFOLIO if session is None else f"session {session}"
