"""The figures of the daemon, gathered when somebody asks: all actors at once, and who does not answer is left out.

A daemon that is ill is the one whose figures are wanted most: none of them waits for another.
"""

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import trio

from brokers.account_books import AccountBooks, books_name
from brokers.account_manager import AccountManager
from brokers.market_data import MarketDataSource
from brokers.symbol_refresh import SymbolRefresh
from brokers.tokens.token_store import TokenStore
from runtime.errors import CallError
from runtime.registry import Entry
from sessions.control.api import figures
from sessions.control.api.figures import Sheet
from sessions.control.api.reads import Query, status
from sessions.control.api.records import Metric
from sessions.control.daemon.curve import CURVE, AccountCurve, Curve
from sessions.control.daemon.house import HEALTH, House, refresh_name
from sessions.health import Checkup, Health
from sessions.journal import Journal
from sessions.session import account_name, source_name, trader_name
from sessions.trader.trader import Trader

T = TypeVar("T")
Questions = list[tuple[Callable[[], Awaitable[object]], Callable[..., None]]]

PATIENCE: Final = 5.0  # seconds; a scraper waits for ten
_SECOND_NS: Final = 1_000_000_000


async def metrics(house: House, query: Query) -> tuple[Metric, ...]:
    """Every figure that is known within the patience."""
    sheet = Sheet()
    _of_process(house, sheet)
    with trio.move_on_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_told, partial(status, house, query), partial(figures.of_status, sheet))
            for question in (*_of_daemon(house, sheet), *_of_accounts(house, sheet), *_of_sessions(house, sheet)):
                nursery.start_soon(_told, *question)
    return sheet.metrics()


async def _told(question: Callable[[], Awaitable[T]], put: Callable[[T], None]) -> None:
    with contextlib.suppress(CallError):
        put(await question())


def _of_process(house: House, sheet: Sheet) -> None:
    """What is known without a question."""
    sheet.put("info", 1, version=house.version)
    sheet.put("start_time_seconds", house.started_ns / _SECOND_NS)
    sheet.put("log_lines_lost_total", house.log.dropped)
    figures.of_tree(sheet, house.runtime.statistics())
    for name, broker in house.brokers.items():
        figures.of_guard(sheet, name, broker.guard.statistics(), broker.guard.host.timeline.now_ns())
    figures.of_gate(sheet, house.gate)


def _of_daemon(house: House, sheet: Sheet) -> Questions:
    runtime = house.runtime
    return [
        (partial(house.journal.call, Journal.statistics), partial(figures.of_journal, sheet)),
        (partial(runtime.name(HEALTH, Health).call, Health.latest), partial(_of_health, sheet)),
        (partial(runtime.name(CURVE, Curve).call, Curve.curves), partial(_of_curves, sheet)),
        *(
            (partial(entry.owner.call, TokenStore.status), partial(figures.of_token, sheet))
            for entry in runtime.registry.select(_keeps_tokens)
        ),
        *(
            (
                partial(runtime.name(refresh_name(name), SymbolRefresh).call, SymbolRefresh.statistics),
                partial(figures.of_refresh, sheet, name),
            )
            for name in house.brokers
        ),
    ]


def _keeps_tokens(entry: Entry) -> bool:
    return isinstance(entry.key, tuple) and entry.key[:1] == ("tokens",)


def _of_health(sheet: Sheet, checkup: Checkup | None) -> None:
    if checkup is not None:
        sheet.put("disk_free_bytes", checkup.signs.free_bytes)


def _of_curves(sheet: Sheet, curves: tuple[AccountCurve, ...]) -> None:
    for one in curves:
        if one.points:
            sheet.put("account_equity", one.points[-1].equity, broker=one.broker, account=one.account)


def _of_accounts(house: House, sheet: Sheet) -> Questions:
    return [
        (
            partial(house.runtime.name(books_name(broker.name, account), AccountBooks).call, AccountBooks.statistics),
            partial(figures.of_books, sheet, name, account),
        )
        for name, broker in house.brokers.items()
        if (settings := house.settings.brokers.get(name)) is not None
        for account in settings.accounts
    ]


def _of_sessions(house: House, sheet: Sheet) -> Questions:
    name = house.runtime.name
    questions: Questions = []
    for session in house.settings.sessions:
        trader, manager = name(trader_name(session), Trader), name(account_name(session), AccountManager)
        source = name(source_name(session), MarketDataSource)
        questions += [
            (partial(trader.call, Trader.statistics), partial(figures.of_trader, sheet, session)),
            (partial(manager.call, AccountManager.statistics), partial(figures.of_manager, sheet, session)),
            (partial(source.call, MarketDataSource.statistics), partial(figures.of_feed, sheet, session)),
        ]
    return questions
