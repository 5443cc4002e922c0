"""An instrument, orders, facts and a gate for the tests of risk."""

from decimal import Decimal
from typing import Any

import attrs

from brokers.calendar import SessionCalendar
from brokers.guards.ladder import Reconciled, Rung
from brokers.instruments import Instrument, Kind
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType
from brokers.sides import Side
from config.calendars import shipped_calendars
from sessions.risk.case import Amend, Facts
from sessions.risk.denial import Reason
from sessions.risk.events import Valued
from sessions.risk.gate import Allowed, Denied, RiskGate, Verdict
from sessions.risk.kill_switch import Mark
from sessions.risk.limits import Limits, PortfolioLimits

S = 1_000_000_000
NOW = 1_790_000_000 * S
ES = Instrument("ESZ26", "ES", Kind.FUTURE, "USD", Decimal("0.25"), multiplier=Decimal(50))
FACTS = Facts(NOW, ES, Decimal(5000), NOW)
WIDE: dict[str, Any] = {
    "order_quantity": Decimal(1000),
    "order_notional": Decimal(10**12),
    "exposure": Decimal(10**12),
    "position": Decimal(10**6),
    "orders_per_minute": 10_000,
    "orders_per_second": 10_000,
    "daily_loss": Decimal(10**9),
    "open_orders": 10_000,
}
BUY, SELL = Side.BUY, Side.SELL


class FixedSwitch:
    """A kill switch that stands as it is put."""

    def __init__(self) -> None:
        self.stands = Rung.FULL
        self.mark: Mark | None = None

    def rung(self) -> Rung:
        return self.stands


def calendars(*names: str) -> dict[str, SessionCalendar]:
    file = shipped_calendars()
    return {name: SessionCalendar(name, file.calendars[name], file.days) for name in ("always", *names)}


def wide(**changes: Any) -> Limits:
    return Limits(**{**WIDE, **changes})


def wide_portfolio(**changes: Any) -> PortfolioLimits:
    return PortfolioLimits(**{**WIDE, **changes})


def a_gate(session: Limits | None = None, portfolio: PortfolioLimits | None = None, **more: Any) -> RiskGate:
    """A gate with the session "es", valued and on FULL."""
    gate = RiskGate(portfolio or wide_portfolio(), FixedSwitch(), calendars(), **more)
    seat(gate, "es", session)
    return gate


def seat(gate: RiskGate, name: str, limits: Limits | None = None) -> None:
    gate.enrol(name, limits or wide())
    gate.record(Valued(name, Decimal(0), Decimal(0)), NOW)
    gate.tell(name, Reconciled(NOW), NOW)


def order(key: str, side: Side = BUY, quantity: Any = 1, limit: Any = None, **more: Any) -> Order:
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    price = None if limit is None else Decimal(limit)
    return Order(key, "ESZ26", side, kind, Decimal(quantity), limit_price=price, **more)


def bracket(key: str, side: Side, quantity: int) -> OrderGroup:
    exits = tuple(order(f"{key}.{n}", side.opposite, quantity, 5000 + n) for n in (1, 2))
    return OrderGroup(f"{key}.g", GroupKind.BRACKET, order(key, side, quantity), exits)


def oco(key: str, *orders: Order) -> OrderGroup:
    return OrderGroup(key, GroupKind.OCO, None, orders)


def amend(current: Order, **terms: Any) -> Amend:
    return Amend(current, Change(current.key, **terms))


def at(seconds: float, **changes: Any) -> Facts:
    now = NOW + round(seconds * S)
    return attrs.evolve(FACTS, now_ns=now, quoted_ns=now, **changes)


def reason(verdict: Verdict) -> Reason | None:
    """Why it was denied; None when it was not."""
    return verdict.denial.reason if isinstance(verdict, Denied) else None


def allowed(verdict: Verdict) -> bool:
    return isinstance(verdict, Allowed)
