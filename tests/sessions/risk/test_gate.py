"""The gate as a whole: no sequence of allowed orders breaks a limit, even if everything that is open fills."""

import datetime as dt
import itertools
import os
from collections.abc import Iterator
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.guards.ladder import Action, Cause, Cleared, Raised, Reconciled, Rung
from brokers.model import Order, OrderGroup
from brokers.sides import Side
from sessions.risk.case import Cancel
from sessions.risk.denial import Reason
from sessions.risk.events import ChangeSettled, Closed, Filled, Valued
from sessions.risk.gate import Allowed, Origin, RiskGate
from sessions.risk.open_orders import Holding
from tests.sessions.risk.kit import (
    BUY,
    FACTS,
    NOW,
    SELL,
    FixedSwitch,
    S,
    a_gate,
    allowed,
    amend,
    at,
    bracket,
    calendars,
    oco,
    order,
    reason,
    seat,
    wide,
    wide_portfolio,
)

D = Decimal
NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
POSITION, PORTFOLIO_POSITION, EXPOSURE, RATE, LOSS = 4, 6, 1_250_000, 12, 100
UNIT = 250_000  # 5000 x 50


@attrs.define
class Live:
    """An open order as the oracle knows it."""

    order: Order
    session: str
    group: str | None = None
    parent: str | None = None
    filled: int = 0
    possible: int = 0  # its largest quantity on terms that may still hold

    @property
    def rest(self) -> int:
        return self.possible - self.filled


class Oracle:
    """Positions by brute force: every set of open orders that could fill, by the meaning of groups alone."""

    def __init__(self) -> None:
        self.live: dict[str, Live] = {}
        self.held = {"es": 0, "nq": 0}
        self.entered: dict[str, int] = {}
        self.left: dict[str, int] = {}  # what a group has filled

    def most(self, one: Live, *, parent_fills: bool) -> int:
        """How far an order can fill from here."""
        if one.group is None:
            return one.rest
        cap = one.possible
        if one.parent is not None:
            parent = self.live.get(one.parent)
            more = parent.rest if parent_fills and parent is not None else 0
            cap = min(cap, self.entered.get(one.parent, 0) + more)
        return max(cap - self.left.get(one.group, 0), 0)

    def outcomes(self, session: str) -> Iterator[int]:
        """The positions that could come of all that is open."""
        mine = [one for one in self.live.values() if one.session == session]
        for chosen in itertools.product((False, True), repeat=len(mine)):
            filling = [one for one, fills in zip(mine, chosen, strict=True) if fills]
            groups = [one.group for one in filling if one.group is not None]
            if len(groups) != len(set(groups)):
                continue
            keys = {one.order.key for one in filling}
            yield self.held[session] + sum(
                one.order.side.sign * self.most(one, parent_fills=one.parent in keys) for one in filling
            )

    def worst(self, session: str) -> int:
        return max(abs(position) for position in self.outcomes(session))

    def fill(self, key: str, quantity: int) -> Filled | None:
        one = self.live[key]
        quantity = min(quantity, self.most(one, parent_fills=False))
        if quantity <= 0:
            return None
        one.filled += quantity
        self.held[one.session] += one.order.side.sign * quantity
        self.entered[key] = self.entered.get(key, 0) + quantity
        if one.group is not None:
            self.left[one.group] = self.left.get(one.group, 0) + quantity
        return Filled(one.session, key, one.order.symbol, one.order.side, D(quantity))


_ACTS = st.one_of(
    st.tuples(st.sampled_from(["order", "order", "bracket", "oco", "change"]), st.integers(0, 7), st.integers(1, 4)),
    st.tuples(st.sampled_from(["fill", "fill", "close"]), st.integers(0, 7), st.integers(1, 4)),
    st.tuples(st.just("value"), st.integers(-102, 20), st.just(0)),
    st.tuples(st.just("wait"), st.integers(10, 70), st.just(0)),
)


class Play:
    """A gate and the oracle side by side."""

    def __init__(self) -> None:
        mine = wide(position=D(POSITION), exposure=D(EXPOSURE), orders_per_minute=RATE, daily_loss=D(LOSS))
        ours = wide_portfolio(position=D(PORTFOLIO_POSITION), exposure=D(UNIT * PORTFOLIO_POSITION))
        self.gate = a_gate(mine, ours)
        seat(self.gate, "nq", mine)
        self.oracle = Oracle()
        self.now = 0
        self.serial = 0
        self.sent: dict[str, list[int]] = {"es": [], "nq": []}
        self.lost = {"es": False, "nq": False}

    def act(self, what: str, number: int, size: int) -> None:
        session, side = ("es", "nq")[number % 2], (BUY, SELL)[number // 2 % 2]
        self.serial += 1
        key = f"{what}{self.serial}"
        match what:
            case "order":
                self.ask(session, order(key, side, size))
            case "bracket":
                self.ask(session, bracket(key, side, size))
            case "oco":
                self.ask(session, oco(key, order(f"{key}a", side, size), order(f"{key}b", (BUY, SELL)[number // 4], 2)))
            case "value":
                self.value(session, number)
            case "wait":
                self.now += number
            case _ if self.oracle.live:
                self.touch(what, list(self.oracle.live)[number % len(self.oracle.live)], size)

    def ask(self, session: str, request: Order | OrderGroup) -> None:
        verdict = self.gate.admit(session, request, at(self.now))
        if not isinstance(verdict, Allowed):
            return
        group = None if isinstance(request, Order) else request
        for one in (request,) if isinstance(request, Order) else request.orders:
            entry = group is None or one is group.parent
            parent = None if entry or group is None or group.parent is None else group.parent.key
            self.oracle.live[one.key] = Live(
                one, session, None if entry or group is None else group.key, parent, possible=int(one.quantity)
            )
            self.note(session, verdict.action)

    def note(self, session: str, action: Action) -> None:
        self.sent[session].append(self.now)
        if action is Action.ADD_RISK:
            assert not self.lost[session], "I16: new risk after the daily loss"
            recent = [time for time in self.sent[session] if time > self.now - 60]
            assert len(recent) <= RATE, "I16: too many orders"

    def touch(self, what: str, key: str, size: int) -> None:
        one = self.oracle.live[key]
        if what == "fill":
            event = self.oracle.fill(key, size)
            if event is not None:
                self.gate.record(event, NOW)
        elif what == "close":
            del self.oracle.live[key]
            self.gate.record(Closed(one.session, key), NOW)
        else:
            self.change(one, one.filled + size)

    def change(self, one: Live, quantity: int) -> None:
        verdict = self.gate.admit(one.session, amend(one.order, quantity=D(quantity)), at(self.now))
        if isinstance(verdict, Allowed):
            self.note(one.session, verdict.action)
            one.possible = max(one.possible, quantity)
            if one.possible == quantity:
                self.gate.record(ChangeSettled(one.session, one.order.key, D(quantity)), NOW)
                one.order = attrs.evolve(one.order, quantity=D(quantity))

    def value(self, session: str, result: int) -> None:
        self.gate.record(Valued(session, D(result), D(0)), NOW)
        self.gate.tell(session, Reconciled(NOW), NOW)
        self.lost[session] |= result <= -LOSS

    def check(self) -> None:
        worst = {session: self.oracle.worst(session) for session in ("es", "nq")}
        assert max(worst.values()) <= POSITION, "I16: a session's position"
        assert sum(worst.values()) <= PORTFOLIO_POSITION, "I16: the portfolio's position"
        assert max(worst.values()) * UNIT <= EXPOSURE, "I16: exposure"
        for session, most in worst.items():
            assert self.gate.book(session).worst(Holding(session, "ESZ26")) >= most


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(st.lists(_ACTS, min_size=10, max_size=25))
def test_i16_no_sequence_of_allowed_orders_exceeds_a_limit_even_if_all_of_it_fills(
    acts: list[tuple[str, int, int]],
) -> None:
    play = Play()
    for act in acts:
        if len(play.oracle.live) > 9 and act[0] in ("order", "bracket", "oco"):
            continue  # the oracle tries every subset
        play.act(*act)
        play.check()


_REQUESTS = st.one_of(
    st.builds(order, st.just("N"), st.sampled_from([BUY, SELL]), st.integers(1, 9)),
    st.builds(bracket, st.just("N"), st.sampled_from([BUY, SELL]), st.integers(1, 9)),
    st.builds(lambda size: amend(order("A", BUY, 2, 4990), quantity=D(size)), st.integers(1, 9)),
    st.builds(lambda price: amend(order("A", BUY, 2, 4990), limit_price=D(price)), st.integers(4900, 5100)),
    st.just(oco("N", order("N1", BUY, 1, 4990), order("N2", SELL, 1, 5010))),
)


@given(_REQUESTS, st.sampled_from(list(Cause)), st.integers(-9, 9))
def test_i16_b22_below_full_nothing_that_adds_risk_passes_and_cancel_only_means_cancel_only(
    request: Order | OrderGroup, cause: Cause, held: int
) -> None:
    gate = a_gate()
    gate.admit("es", order("A", BUY, 2, 4990), FACTS)
    if held:
        side = BUY if held > 0 else SELL
        gate.record(Filled("es", None, "ESZ26", side, D(abs(held))), NOW)
    gate.tell("es", Raised(cause), NOW)
    verdict = gate.judge("es", request, FACTS)
    if isinstance(verdict, Allowed):
        assert cause.rung is Rung.NO_NEW_RISK
        assert verdict.action is Action.REDUCE_RISK
    assert allowed(gate.judge("es", Cancel("A"), FACTS)) is (cause.rung is not Rung.HALTED)


def test_i16_what_was_allowed_meets_an_objection_once_its_session_has_fallen() -> None:
    gate = a_gate()
    assert gate.objection("es", Action.ADD_RISK) == ""
    gate.tell("es", Raised(Cause.ORDER_STREAM_DOWN), NOW)
    assert gate.objection("es", Action.ADD_RISK) == "es stands on CANCEL_ONLY, which does not let it add risk"
    assert gate.objection("es", Action.REDUCE_RISK, Origin.OPERATOR) == ""
    assert gate.objection("nobody", Action.REDUCE_RISK) != ""


def test_b22_a_session_starts_low_and_climbs_only_after_a_reconciliation() -> None:
    gate = RiskGate(wide_portfolio(), FixedSwitch(), calendars())
    gate.enrol("es", wide())
    gate.record(Valued("es", D(0), D(0)), NOW)
    assert reason(gate.judge("es", order("A"), FACTS)) is Reason.NO_NEW_RISK
    gate.tell("es", Raised(Cause.CONNECTION_DOWN), NOW)
    gate.tell("es", Reconciled(NOW + 1), NOW + 1)
    assert gate.rung("es") is Rung.CANCEL_ONLY
    gate.tell("es", Cleared(Cause.CONNECTION_DOWN), NOW + 2)
    assert gate.rung("es") is Rung.CANCEL_ONLY
    gate.tell("es", Reconciled(NOW + 1), NOW + 3)
    assert gate.rung("es") is Rung.CANCEL_ONLY, "it began before the cause was gone"
    gate.tell("es", Reconciled(NOW + 3), NOW + 4)
    assert allowed(gate.judge("es", order("A"), FACTS))
    gate.enrol("es", wide())
    assert gate.rung("es") is Rung.NO_NEW_RISK, "a session that starts again starts low again"


def test_b22_a_loss_takes_down_its_scope_and_a_new_day_lifts_it_after_a_reconciliation() -> None:
    gate = a_gate(wide(daily_loss=D(100)), wide_portfolio(daily_loss=D(150)))
    seat(gate, "nq", wide(daily_loss=D(100)))
    gate.begin_days(NOW)
    gate.record(Valued("es", D(-100), D(0)), NOW)
    assert (gate.rung("es"), gate.rung("nq")) == (Rung.NO_NEW_RISK, Rung.FULL)
    gate.record(Valued("nq", D(0), D(-50)), NOW)
    assert gate.rung("nq") is Rung.NO_NEW_RISK, "both together reached the portfolio's loss"
    tomorrow = NOW + 86_400 * S
    assert len(gate.begin_days(tomorrow)) == 3
    assert gate.begin_days(tomorrow + 1) == ()
    assert gate.rung("es") is Rung.NO_NEW_RISK
    gate.tell("es", Reconciled(tomorrow), tomorrow)
    assert allowed(gate.judge("es", order("A"), attrs.evolve(FACTS, now_ns=tomorrow, quoted_ns=tomorrow)))


def test_an_operator_lifts_a_loss_and_the_session_must_reconcile() -> None:
    gate = a_gate(wide(daily_loss=D(100), loss_reset="operator"))
    gate.record(Valued("es", D(-100), D(0)), NOW)
    gate.lift_loss("es", "ann", NOW)
    assert reason(gate.judge("es", order("A"), FACTS)) is Reason.NO_NEW_RISK
    gate.tell("es", Reconciled(NOW), NOW)
    assert allowed(gate.judge("es", order("A"), FACTS))


def utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(text + "+00:00").timestamp()) * S


@pytest.mark.parametrize(
    ("before_close", "after_close"),
    [
        ("2026-03-06T21:59:59", "2026-03-06T22:00:00"),  # Friday's close in winter
        ("2026-03-09T20:59:59", "2026-03-09T21:00:00"),  # the Monday after the clocks went forward
        ("2026-10-30T20:59:59", "2026-10-30T21:00:00"),  # Friday's close in summer
        ("2026-11-02T21:59:59", "2026-11-02T22:00:00"),  # the Monday after the clocks went back
    ],
)
def test_s44_the_trading_day_turns_at_the_exchanges_close_not_at_midnight(before_close: str, after_close: str) -> None:
    limits = wide(daily_loss=D(100), loss_calendar="cme_equity")
    gate = RiskGate(wide_portfolio(), FixedSwitch(), calendars("cme_equity"))
    seat(gate, "es", limits)
    begun = utc(before_close)
    evening = begun - 22 * 3600 * S  # the evening before, in the same trading day
    gate.begin_days(evening)
    gate.record(Valued("es", D(-100), D(0)), evening)
    gate.begin_days(begun)
    assert gate.book("es").result.tripped, "it outlives midnight"
    kept, ours = gate.book("es").snapshot(), gate.book(None).snapshot()
    again = RiskGate(wide_portfolio(), FixedSwitch(), calendars("cme_equity"), kept=ours)
    again.enrol("es", limits, kept)
    again.begin_days(begun)
    assert again.book("es").result.tripped, "and a restart"
    again.begin_days(utc(after_close))
    assert not again.book("es").result.tripped


def test_an_order_that_was_not_sent_gives_its_room_back() -> None:
    gate = a_gate(wide(position=D(1)))
    assert allowed(gate.admit("es", order("A"), FACTS))
    assert reason(gate.admit("es", order("B"), FACTS)) is Reason.POSITION
    gate.record(Closed("es", "A"), NOW)
    assert allowed(gate.admit("es", order("B"), FACTS))


def test_other_limits_hold_from_the_next_enrolment_and_the_book_stays() -> None:
    gate = a_gate(wide(position=D(5)))
    gate.admit("es", order("A", BUY, 3), FACTS)
    gate.enrol("es", wide(position=D(3)))
    gate.tell("es", Reconciled(NOW), NOW)
    assert reason(gate.judge("es", order("B"), FACTS)) is Reason.POSITION


def test_limits_with_an_unknown_calendar_are_refused_at_once() -> None:
    with pytest.raises(LookupError, match="loss_calendar: expected one of always, got 'mars'"):
        a_gate(wide(loss_calendar="mars"))


def test_events_since_the_snapshot_are_folded_in_and_nonsense_among_them_is_a_problem() -> None:
    gate = a_gate()
    gate.admit("es", order("A", BUY, 3), FACTS)
    kept = gate.book("es").snapshot()
    since = [Filled("es", "A", "ESZ26", Side.BUY, D(2)), Filled("es", "A", "ESZ26", Side.BUY, D(-2))]
    again = RiskGate(wide_portfolio(), FixedSwitch(), calendars(), kept=gate.book(None).snapshot(), since=since)
    again.enrol("es", wide(), kept, since)
    assert again.book("es").snapshot() == again.book(None).snapshot()
    assert again.book("es").position(Holding("es", "ESZ26")) == 2
    assert len(again.problems) == 2


def test_the_portfolios_loss_takes_every_session_down_at_once_and_one_that_comes_later_with_its_first_value() -> None:
    gate = RiskGate(wide_portfolio(daily_loss=D(100)), FixedSwitch(), calendars())
    for session in ("es", "nq"):
        seat(gate, session, wide())
    lost = (Cause.LOSS_LIMIT, "portfolio")
    gate.record(Valued("es", D(-100), D(0)), NOW)
    assert all(lost in gate.ladder(session).causes for session in ("es", "nq"))
    seat(gate, "cl", wide())
    gate.record(Valued("cl", D(0), D(0)), NOW)
    assert lost in gate.ladder("cl").causes
    gate.lift_loss(None, "a person", NOW)
    assert not any(lost in gate.ladder(session).causes for session in ("es", "nq", "cl"))


def test_an_event_without_sense_changes_neither_book() -> None:
    gate = a_gate()
    before = gate.book("es").snapshot(), gate.book(None).snapshot()
    gate.record(Filled("es", None, "ESZ26", Side.BUY, D("NaN")), NOW)
    assert (gate.book("es").snapshot(), gate.book(None).snapshot()) == before
    assert "quantity" in gate.problems[-1]
