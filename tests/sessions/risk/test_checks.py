"""The limits one by one: each denies with its own stable code, and whatever breaks denies too."""

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs
import pytest

from brokers.errors import Code
from brokers.guards.ladder import Reconciled, Rung
from brokers.instruments import Kind
from brokers.market import MarketStatus
from brokers.model import GroupKind, OrderGroup
from sessions.risk.case import Cancel, Facts, Request
from sessions.risk.checks import CHECKS, Scope
from sessions.risk.denial import Denial, Reason
from sessions.risk.events import Closed, Filled, Positioned, Valued
from sessions.risk.gate import Denied, Origin, RiskGate
from sessions.risk.limits import Window
from tests.sessions.risk.kit import (
    BUY,
    ES,
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
HOURS = Window("America/Chicago", "08:30", "15:00", ("mon", "tue", "wed", "thu", "fri"))
BROKEN_LIMITS: list[tuple[Reason, dict[str, Any], Request, Facts]] = [
    (Reason.SYMBOL_UNKNOWN, {}, order("A"), attrs.evolve(FACTS, instrument=None)),
    (Reason.SYMBOL_NOT_ALLOWED, {"symbols": ("NQ", "ESH27")}, order("A"), FACTS),
    (Reason.OUTSIDE_HOURS, {"market": "regular"}, order("A"), attrs.evolve(FACTS, market=MarketStatus.EXTENDED)),
    (Reason.OUTSIDE_HOURS, {"market": "extended"}, order("A"), attrs.evolve(FACTS, market=MarketStatus.CLOSED)),
    (Reason.OUTSIDE_HOURS, {"market": "regular"}, order("A"), FACTS),
    (Reason.NO_DATA, {}, order("A"), attrs.evolve(FACTS, last=None)),
    (Reason.NO_DATA, {}, order("A"), attrs.evolve(FACTS, quoted_ns=None)),
    (Reason.STALE_DATA, {}, order("A"), attrs.evolve(FACTS, quoted_ns=NOW - 5 * S - 1)),
    (Reason.STALE_DATA, {}, order("A"), attrs.evolve(FACTS, quoted_ns=NOW + 5 * S + 1)),
    (Reason.STALE_DATA, {"stale_ms_of": {"ES": 100}}, order("A"), attrs.evolve(FACTS, quoted_ns=NOW - S // 5)),
    (Reason.PRICE_BAND, {"price_band_percent": D(1)}, order("A", limit="5050.25"), FACTS),
    (Reason.PRICE_BAND, {"price_band_percent": D(1)}, order("A", limit="4949.75"), FACTS),
    (Reason.PRICE_BAND, {"price_band_ticks": 4}, order("A", limit="5001.25"), FACTS),
    (Reason.ORDER_QUANTITY, {"order_quantity": D(2)}, order("A", BUY, 3), FACTS),
    (Reason.ORDER_QUANTITY, {"order_quantity": D(2)}, bracket("A", BUY, 3), FACTS),
    (Reason.NOT_PRICED, {}, order("A"), attrs.evolve(FACTS, rate=None)),
    (Reason.ORDER_NOTIONAL, {"order_notional": D(250_000)}, order("A", limit="5000.25"), FACTS),
    (Reason.ORDER_NOTIONAL, {"order_notional": D(250_000)}, order("A"), attrs.evolve(FACTS, rate=D("1.01"))),
    (Reason.OPEN_ORDERS, {"open_orders": 2}, bracket("A", BUY, 1), FACTS),
    (Reason.ORDER_RATE, {"orders_per_minute": 2}, bracket("A", BUY, 1), FACTS),
    (Reason.ORDER_BURST, {"orders_per_second": 2}, bracket("A", BUY, 1), FACTS),
    (Reason.POSITION, {"position": D(2)}, order("A", SELL, 3), FACTS),
    (Reason.POSITION, {"positions": {"ES": D(2)}}, order("A", BUY, 3), FACTS),
    (Reason.EXPOSURE, {"exposure": D(500_000)}, order("A", BUY, 3), FACTS),
    (Reason.BAD_NUMBER, {}, order("A", BUY, "NaN"), FACTS),
    (Reason.BAD_NUMBER, {}, order("A", BUY, "-1"), FACTS),
    (Reason.BAD_NUMBER, {}, order("A", BUY, "1e50"), FACTS),
    (Reason.BAD_NUMBER, {}, order("A", limit="Infinity"), FACTS),
    (Reason.BAD_NUMBER, {}, order("A"), attrs.evolve(FACTS, last=D("NaN"))),
    (Reason.BAD_NUMBER, {}, order("A"), attrs.evolve(FACTS, rate=D("sNaN"))),
    (Reason.ORDER_UNKNOWN, {}, amend(order("A"), quantity=D(2)), FACTS),
]


@pytest.mark.parametrize(("expected", "limits", "request_", "facts"), BROKEN_LIMITS)
def test_s44_g11_each_limit_denies_with_its_code(
    expected: Reason, limits: dict[str, Any], request_: Request, facts: Facts
) -> None:
    gate = a_gate(wide(**limits))
    before = gate.book("es").snapshot()
    assert reason(gate.admit("es", request_, facts)) is expected
    assert gate.book("es").snapshot() == before


@pytest.mark.parametrize(("expected", "limits", "request_", "facts"), [row for row in BROKEN_LIMITS if row[1]])
def test_s44_the_portfolio_has_the_same_limits(
    expected: Reason, limits: dict[str, Any], request_: Request, facts: Facts
) -> None:
    verdict = a_gate(portfolio=wide_portfolio(**limits)).judge("es", request_, facts)
    assert reason(verdict) is expected
    assert isinstance(verdict, Denied)
    assert verdict.denial.scope == "portfolio"


@pytest.mark.parametrize(
    ("limits", "request_", "facts"),
    [
        ({"symbols": ("ES",)}, order("A"), FACTS),
        ({"market": "extended"}, order("A"), attrs.evolve(FACTS, market=MarketStatus.EXTENDED)),
        ({}, order("A"), attrs.evolve(FACTS, quoted_ns=NOW - 5 * S)),
        ({"stale_ms_of": {"ES": 100, "ESZ26": 4_000}}, order("A"), attrs.evolve(FACTS, quoted_ns=NOW - 4 * S)),
        ({"price_band_percent": D(1)}, order("A", limit="5050"), FACTS),
        ({"price_band_ticks": 4}, order("A", limit="4999"), FACTS),
        ({"order_quantity": D(3)}, order("A", BUY, 3), FACTS),
        ({"order_notional": D(250_000)}, order("A"), FACTS),
        ({"open_orders": 3, "orders_per_minute": 3, "orders_per_second": 3}, bracket("A", BUY, 1), FACTS),
        ({"position": D(3), "exposure": D(750_000)}, bracket("A", BUY, 3), FACTS),
        ({"position": D(2)}, oco("G", order("A", BUY, 2, 5001), order("B", SELL, 2, 4999)), FACTS),
    ],
)
def test_s44_what_just_meets_a_limit_passes(limits: dict[str, Any], request_: Request, facts: Facts) -> None:
    assert reason(a_gate(wide(**limits)).judge("es", request_, facts)) is None


@pytest.mark.parametrize("number", range(len(CHECKS)))
@pytest.mark.parametrize("error", [ValueError("boom"), ArithmeticError(), KeyError("x"), RecursionError()])
def test_s44_i19_an_exception_in_a_check_is_a_denial(number: int, error: Exception) -> None:
    def broken(case: object, scope: Scope) -> Denial | None:
        raise error

    checks = (*CHECKS[:number], broken, *CHECKS[number + 1 :])
    verdict = a_gate(checks=checks).admit("es", order("A"), FACTS)
    assert isinstance(verdict, Denied)
    assert verdict.denial.reason is Reason.CHECK_FAILED
    assert type(error).__name__ in str(verdict.denial)


def test_i19_a_broken_switch_or_nonsense_for_a_request_is_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = a_gate()
    assert reason(gate.judge("es", None, FACTS)) is Reason.CHECK_FAILED  # type: ignore[arg-type]
    assert reason(gate.judge("es", order("A"), None)) is Reason.CHECK_FAILED  # type: ignore[arg-type]
    assert reason(gate.judge("nobody", order("A"), FACTS)) is Reason.SESSION_UNKNOWN

    def broken(self: FixedSwitch) -> Rung:
        raise OSError("no disk")

    monkeypatch.setattr(FixedSwitch, "rung", broken)
    assert reason(gate.judge("es", order("A"), FACTS)) is Reason.CHECK_FAILED


@pytest.mark.parametrize("bad", [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D("1e60"), None])
def test_g7_a_nan_in_the_profit_denies_new_risk_until_it_is_known(bad: Decimal | None) -> None:
    gate = a_gate()
    gate.record(Valued("es", D(100), bad), NOW)
    assert reason(gate.judge("es", order("A"), FACTS)) is Reason.RESULT_UNKNOWN
    gate.record(Valued("es", D(100), D(-5)), NOW)
    assert allowed(gate.judge("es", order("A"), FACTS))


def test_a_session_that_was_never_valued_risks_nothing() -> None:
    gate = RiskGate(wide_portfolio(), FixedSwitch(), calendars())
    seat(gate, "es")
    gate.enrol("nq", wide())
    gate.tell("nq", Reconciled(NOW), NOW)
    assert reason(gate.judge("nq", order("A"), FACTS)) is Reason.RESULT_UNKNOWN


def test_f39_impossible_news_changes_nothing_and_leaves_cancels_only() -> None:
    gate = a_gate()
    before = gate.book("es").snapshot(), gate.book(None).snapshot()
    gate.record(Filled("es", None, "ESZ26", BUY, D(-3)), NOW)
    assert (gate.book("es").snapshot(), gate.book(None).snapshot()) == before
    assert gate.rung("es") is Rung.CANCEL_ONLY
    assert "expected a finite decimal above 0, got Decimal('-3')" in gate.problems[0]
    for event in (Positioned("es", "ESZ26", D("NaN")), Filled("es", "A", "ESZ26", BUY, D("Infinity"))):
        gate.record(event, NOW)
    assert (gate.book("es").snapshot(), gate.book(None).snapshot()) == before


@pytest.mark.parametrize("stands", [Rung.CANCEL_ONLY, Rung.HALTED])
def test_g9_halted_an_operator_cancels_and_reduces_and_no_more(stands: Rung) -> None:
    switch = FixedSwitch()
    gate = RiskGate(wide_portfolio(), switch, calendars())
    seat(gate, "es")
    gate.record(Positioned("es", "ESZ26", D(5)), NOW)
    switch.stands = stands
    assert allowed(gate.judge("es", Cancel("A"), FACTS, Origin.OPERATOR))
    assert allowed(gate.judge("es", order("A", SELL, 5), FACTS, Origin.OPERATOR))
    assert not allowed(gate.judge("es", order("A", SELL, 6), FACTS, Origin.OPERATOR))
    assert not allowed(gate.judge("es", order("A", BUY, 1), FACTS, Origin.OPERATOR))
    assert not allowed(gate.judge("es", order("A", SELL, 5), FACTS))
    assert allowed(gate.judge("es", Cancel("A"), FACTS)) is (stands is Rung.CANCEL_ONLY)


def test_what_reduces_passes_whatever_the_limits_and_the_data_say() -> None:
    nothing = wide(
        order_quantity=D(0), position=D(0), exposure=D(0), daily_loss=D(0), orders_per_minute=0, symbols=("X",)
    )
    gate = a_gate(nothing)
    gate.record(Positioned("es", "ESZ26", D(-5)), NOW)
    unknown = Facts(NOW, None, D("NaN"), None, None)
    assert allowed(gate.admit("es", order("A", BUY, 3), unknown))
    assert allowed(gate.admit("es", order("B", BUY, 2, 1), unknown))
    assert not allowed(gate.admit("es", order("C", BUY, 1), unknown)), "A and B may close all of it already"
    gate.record(Closed("es", "A"), NOW)
    assert allowed(gate.admit("es", order("C", BUY, 1), unknown))


def test_a_flip_counts_as_adding() -> None:
    gate = a_gate(wide(position=D(5)))
    gate.record(Positioned("es", "ESZ26", D(5)), NOW)
    assert reason(gate.judge("es", order("A", SELL, 11), FACTS)) is Reason.POSITION
    assert allowed(gate.judge("es", order("A", SELL, 10), FACTS))
    gate.record(Valued("es", D(-(10**9)), D(0)), NOW)
    assert reason(gate.judge("es", order("A", SELL, 6), FACTS)) is Reason.NO_NEW_RISK
    assert allowed(gate.judge("es", order("A", SELL, 5), FACTS))


def test_a_change_is_judged_by_what_it_adds() -> None:
    gate = a_gate(wide(position=D(5), orders_per_second=2))
    first = order("A", BUY, 3, 4990)
    gate.admit("es", first, FACTS)
    assert reason(gate.judge("es", amend(first, quantity=D(6)), FACTS)) is Reason.POSITION
    assert allowed(gate.admit("es", amend(first, quantity=D(5)), FACTS))
    assert reason(gate.judge("es", order("B"), at(2))) is Reason.POSITION
    assert reason(gate.judge("es", amend(first, limit_price=D(4991)), FACTS)) is Reason.ORDER_BURST
    assert reason(gate.judge("es", amend(first, limit_price=D(9000)), at(2))) is Reason.PRICE_BAND
    gate.record(Valued("es", D(-(10**9)), D(0)), NOW)
    assert allowed(gate.judge("es", amend(first, quantity=D(1)), at(2))), "it only shrinks"
    assert reason(gate.judge("es", amend(first, limit_price=D(4991)), at(2))) is Reason.NO_NEW_RISK


def test_the_stop_of_an_open_bracket_may_move_when_new_risk_may_not() -> None:
    gate = a_gate()
    entry = bracket("A", BUY, 2)
    gate.admit("es", entry, FACTS)
    gate.record(Filled("es", "A", "ESZ26", BUY, D(2)), NOW)
    gate.record(Valued("es", D(-(10**9)), D(0)), NOW)
    assert allowed(gate.judge("es", amend(entry.children[0], limit_price=D(4990)), FACTS))
    assert reason(gate.judge("es", amend(entry.children[0], quantity=D(3)), FACTS)) is None, "its entry caps it at 2"


def test_a_bracket_whose_exits_could_open_is_denied() -> None:
    wrong = (
        attrs.evolve(bracket("A", BUY, 1), children=(order("B", BUY, 1, 5001),)),
        attrs.evolve(bracket("A", BUY, 1), children=(order("B", SELL, 2, 5001),)),
        attrs.evolve(bracket("A", BUY, 1), parent=None),
    )
    for group in wrong:
        assert reason(a_gate().judge("es", group, FACTS)) is Reason.EXIT_NOT_COVERED
    mixed = oco("G", order("A"), attrs.evolve(order("B"), symbol="NQZ26"))
    assert reason(a_gate().judge("es", mixed, FACTS)) is Reason.MIXED_SYMBOLS


def test_the_orders_of_an_oto_count_together() -> None:
    oto = OrderGroup("G", GroupKind.OTO, order("A", BUY, 2), (order("B", BUY, 2, 4990), order("C", SELL, 1, 5010)))
    assert reason(a_gate(wide(position=D(3))).judge("es", oto, FACTS)) is Reason.POSITION
    assert allowed(a_gate(wide(position=D(4))).judge("es", oto, FACTS))


def test_an_inverse_contract_is_worth_its_size_not_its_price() -> None:
    inverse = attrs.evolve(ES, kind=Kind.INVERSE, multiplier=D(100), base="BTC")
    facts = attrs.evolve(FACTS, instrument=inverse, last=D(60_000))
    assert allowed(a_gate(wide(order_notional=D(500))).judge("es", order("A", BUY, 5), facts))
    assert reason(a_gate(wide(order_notional=D(499))).judge("es", order("A", BUY, 5), facts)) is Reason.ORDER_NOTIONAL


def test_the_rate_holds_in_every_window_not_by_the_clock_minute() -> None:
    gate = a_gate(wide(orders_per_minute=3, orders_per_second=2))
    assert [reason(gate.admit("es", order(f"A{t}"), at(t))) for t in (0, 0.5, 0.9, 1.0, 59.9, 60.0, 60.4, 60.5)] == [
        None,
        None,
        Reason.ORDER_BURST,
        None,
        Reason.ORDER_RATE,
        None,
        Reason.ORDER_RATE,
        None,
    ]


def test_a_denial_has_a_code_of_the_brokers_vocabulary() -> None:
    verdict = a_gate(wide(order_quantity=D(2))).judge("es", order("A", BUY, 3), FACTS)
    assert isinstance(verdict, Denied)
    assert (verdict.denial.limit, verdict.denial.value) == (D(2), D(3))
    assert (verdict.denial.code, str(verdict.denial)) == (
        Code.RISK_LIMIT_EXCEEDED,
        "order_quantity (es): 3 is more than the 2 of one order",
    )
    assert Denial(Reason.DAILY_LOSS, "es", "reached").code is Code.DAILY_LOSS_LIMIT


def test_windows_follow_the_wall_clock_through_daylight_saving_time() -> None:
    def utc(text: str) -> int:
        return int(dt.datetime.fromisoformat(text + "+00:00").timestamp()) * S

    summer_open, winter_open = utc("2026-10-30T13:30:00"), utc("2026-11-02T14:30:00")
    for opening in (summer_open, winter_open):
        assert not HOURS.covers(opening - 1)
        assert HOURS.covers(opening)
    assert HOURS.covers(utc("2026-10-30T19:59:59"))
    assert not HOURS.covers(utc("2026-10-30T20:00:00"))
    assert not HOURS.covers(utc("2026-11-01T16:00:00")), "a Sunday"
    twice = Window("America/Chicago", "01:00", "02:00", ("sun",))
    assert twice.covers(utc("2026-11-01T06:30:00"))
    assert twice.covers(utc("2026-11-01T07:30:00"))
    gate = a_gate(wide(windows=(HOURS,)))
    here = attrs.evolve(FACTS, now_ns=winter_open, quoted_ns=winter_open)
    assert allowed(gate.judge("es", order("A"), here))
    before = attrs.evolve(FACTS, now_ns=winter_open - 1, quoted_ns=winter_open)
    assert reason(gate.judge("es", order("A"), before)) is Reason.OUTSIDE_HOURS
