"""Records of the control interface as they come over the wire, made by its own codec."""

import json
from decimal import Decimal
from typing import Any

import attrs

from brokers.account_books import SessionResult
from brokers.ledger import TradeStatistics
from brokers.market import Bar, Interval
from brokers.model import AccountSummary, Fill, Margin, Order, OrderReport, OrderState, OrderType, Position
from brokers.sides import Side
from sessions.control.api.records import (
    AccountRow,
    BrokerRow,
    CrashRow,
    EquityRow,
    EventRow,
    FillRow,
    Metric,
    OrderRow,
    PositionRow,
    ResultRow,
    Sample,
    SessionRow,
    Status,
    TreeRow,
    encode,
)
from sessions.control.daemon.arming import Arming
from sessions.control.daemon.reload import Reloaded

NOW = 1_795_274_942_114_081_668
D = Decimal


def wire(record: object) -> Any:
    """The record as a client gets it."""
    return json.loads(encode(record))


SESSION = SessionRow("a", "paper", "paper-1", ("BTC-USD",), "m:C", True, "running", "", "full", (), ())
BROKER = BrokerRow("paper", "paper", "main", "paper", ("paper-1",), True, False, 1, "")
ACCOUNT = AccountRow("paper", "paper-1", True, 1, 0, 3, 0, "")
STATUS = Status(
    "1.2", 7, NOW - 90_000_000_000, NOW, "", False, "ready", D("0.25"), 2, (SESSION,), (BROKER,), (ACCOUNT,), ()
)
ORDER = Order("K1", "BTC-USD", Side.BUY, OrderType.LIMIT, D("0.10"), limit_price=D(90000))
REPORT = OrderReport(ORDER, "paper-1", OrderState.WORKING, D(0), D("0.10"), None, ("1",), NOW)
ORDERS = (OrderRow("paper", REPORT), OrderRow("paper", attrs.evolve(REPORT, state=OrderState.UNKNOWN)))
POSITIONS = (
    PositionRow("paper", Position("paper-1", "BTC-USD", D("0.1"), D(9), D(8), D("-0.10"), D(2), "USD", NOW)),
    PositionRow("paper", Position("paper-1", "ETH-USD", D(-1), None, None, D(0), D(0), "USD", NOW)),
)
WON = TradeStatistics(3, 2, 1, D("12.5"), D("-2.25"), D(10), D("-2.25"), D("0.75"))
RESULTS = (
    ResultRow("paper", "paper-1", SessionResult("a", "BTC-USD", "USD", WON)),
    ResultRow(
        "paper",
        "paper-1",
        SessionResult(None, "ETH-USD", "USD", TradeStatistics(0, 0, 0, D(0), D(0), None, None, D(0))),
    ),
)
FILLS = (FillRow("paper", Fill("f1", "paper", "paper-1", "BTC-USD", Side.SELL, D("0.1"), D("90000.50"), NOW)),)
MONEY = AccountSummary("paper-1", "USD", D(5), D("99991.2767"), D(0), D("-3.5"), D(9), Margin(D(1), D(1)), D(7), NOW)
EQUITY = (EquityRow("paper", "paper-1", MONEY), EquityRow("live", "U1", None, "no answer within 10 s"))
BARS = tuple(
    Bar("BTC-USD", Interval.parse("1m"), D(1), D(9), D(1), D(close), D("2.50"), NOW + close) for close in (3, 1, 4)
)
TREE = (
    TreeRow(0, "", "/", "one_for_one", "ready", 1, 0),
    TreeRow(1, "sessions", "/sessions", "one_for_one", "ready", 1, 0),
    TreeRow(2, "a", "/sessions/a", "actor", "restarting", 3, 7),
    TreeRow(2, "b", "/sessions/b", "actor", "ready", 1, 0),
    TreeRow(1, "control", "/control", "actor", "ready", 1, 1),
)
EVENT = EventRow(5, NOW, "failed", "/sessions/a", 2, "boom", "why")
CRASH = CrashRow(5, NOW, "/sessions/a", 2, "ValueError('x')", "look", "Traceback\n  line 3\nValueError: x")
ARMING = Arming("live", "me", NOW, "1.2", "tradestation", "main", ("U1",))
METRICS = (Metric("pitboss_broker_open", "gauge", "1 while it is up.", (Sample({"broker": "paper"}, 1.0),)),)
RELOADED = Reloaded(("c",), (), ("b",), (), ("sessions.b.interval",), ())
