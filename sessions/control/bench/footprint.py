"""What sessions take in memory, each figure in a process of its own: idle ones, and one after very many orders."""

import gc
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from brokers.account_desk import AccountDesk
from brokers.catalogue import Catalogue
from brokers.guards.ladder import Reconciled
from brokers.ledger import AccountTerms
from brokers.market import Interval
from brokers.model import Fill, Order, OrderReport
from brokers.order_events import Acknowledged, Filled, Working
from brokers.order_log import Attempted, Intended, MemoryLog, OrderFact
from brokers.reconciliation import OrderEvent, Policy
from runtime.real import real_world
from sessions.control.bench.report import Measurements
from sessions.control.bench.stage import ACCOUNT, BID, OPEN_NS, SESSION, SYMBOL, WIDE, OpenSwitch, open_stage
from sessions.risk.case import Facts
from sessions.risk.events import Valued
from sessions.risk.gate import Denied, RiskGate
from sessions.risk.limits import Limits, PortfolioLimits
from sessions.strategy import Event, Picture, Series, View, Wants, buy, sell
from sessions.trader.blotter import Blotter
from sessions.trader.clerk import Clerk
from sessions.trader.inbox import Inbox

IDLE: Final = 100
ORDERS: Final = 100_000
_APART_NS: Final = 10_000_000  # between two orders
_PACED: Final = {**WIDE, "orders_per_minute": 10_000}
_SETTLED: Final = ORDERS // 2  # by then every memory of finished orders is full


def measure_idle_sessions(results: Measurements) -> None:
    """Adds the whole process with so many idle sessions, and what one of them takes of it."""
    before, after = _measured("idle")
    results.add(f"process_with_{IDLE}_idle_sessions", after, "MiB")
    results.add("idle_session", 1024 * (after - before) / IDLE, "KiB")


def measure_many_orders(results: Measurements) -> None:
    """Adds how much the process grows in the second half of so many orders that are placed and filled."""
    before, after = _measured("orders")
    results.add(f"growth_within_{ORDERS}_orders", after - before, "MiB")


def _measured(what: str) -> tuple[float, float]:
    """The MiB that a process has before and after, in its own words."""
    out = subprocess.run(  # noqa: S603 - this module, run by this interpreter
        [sys.executable, "-m", __spec__.name, what], check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    before, after = out.stdout.split()
    return float(before), float(after)


async def _idle() -> tuple[float, float]:
    def decide(_: Event, __: View[Any]) -> None:
        return None

    wants = Wants(quotes=(SYMBOL,), bars=(Series(SYMBOL, Interval.parse("1m"), 10),))
    async with open_stage() as stage:
        before = _resident_mib()
        for number in range(IDLE):
            await stage.begin(decide, wants, f"idle-{number}")
        return before, _resident_mib()


def _orders() -> tuple[float, float]:
    """The books of an account and of its session, with the risk over them, through the lives of very many orders."""
    books = _books()
    for number in range(_SETTLED):
        _live(books, number)
    before = _resident_mib()
    for number in range(_SETTLED, ORDERS):
        _live(books, number)
    if books.desk.problems or books.desk.fill_count != ORDERS:
        raise RuntimeError(f"expected {ORDERS} fills, got {books.desk.fill_count}: {books.desk.last_problem}")
    return before, _resident_mib()


@attrs.define(eq=False)
class _Books:
    desk: AccountDesk
    gate: RiskGate
    blotter: Blotter
    clerk: Clerk
    inbox: Inbox


def _books() -> _Books:
    catalogue, clock = Catalogue.shipped(), real_world().clock

    def tell(_: str | None, news: OrderReport | Fill) -> None:
        if isinstance(news, OrderReport):
            clerk.report(news, OPEN_NS)
        else:
            clerk.fill(news, OPEN_NS)

    desk = AccountDesk(AccountTerms("paper", ACCOUNT, "USD"), catalogue.instrument, tell, MemoryLog(), clock, Policy())
    gate = RiskGate(PortfolioLimits(**_PACED), OpenSwitch(), catalogue.calendars.by_name)
    gate.enrol(SESSION, Limits(**_PACED))
    gate.tell(SESSION, Reconciled(OPEN_NS), OPEN_NS)
    gate.record(Valued(SESSION, Decimal(0), Decimal(0)), OPEN_NS)
    picture, inbox = Picture(catalogue.calendar), Inbox()
    blotter = Blotter(picture, ACCOUNT)
    clerk = Clerk(SESSION, desk, gate, blotter, picture, inbox)
    return _Books(desk, gate, blotter, clerk, inbox)


def _live(books: _Books, number: int) -> None:
    """One order from the decision to the fill, and the strategy told of all of it."""
    now_ns, told = OPEN_NS + number * _APART_NS, str(number)
    order = books.blotter.enter((buy if number % 2 else sell)(SYMBOL, 1), lambda: f"{number:022d}", now_ns)
    if not isinstance(order, Order):
        raise TypeError(f"expected one order, got {order!r}; the figure is void")
    facts = Facts(now_ns, books.desk.instrument(SYMBOL), BID, now_ns)
    verdict = books.gate.admit(SESSION, order, facts)
    if isinstance(verdict, Denied):
        raise RuntimeError(f"an order was denied: {verdict}; the figure is void")  # noqa: TRY004 - no type is wrong
    fill = Fill(told, "paper", ACCOUNT, SYMBOL, order.side, order.quantity, BID, now_ns, order.key, told)
    for what in (
        Intended(order, SESSION),
        Attempted((order.key,), 1),
        OrderEvent(order.key, Acknowledged(broker_order_id=told)),
        OrderEvent(order.key, Working(broker_order_id=told)),
        OrderEvent(order.key, Filled(fill)),
    ):
        books.desk.apply(OrderFact(now_ns, what), now_ns)
    while books.inbox.take() is not None:
        books.inbox.delivered()


def _resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


if __name__ == "__main__":
    figures = trio.run(_idle) if sys.argv[1] == "idle" else _orders()
    print(*figures)  # noqa: T201 - the parent reads them
