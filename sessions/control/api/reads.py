"""What the daemon tells when it is asked: each question is answered from what is known now, and changes nothing."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

import attrs
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.broker import Broker
from brokers.errors import BrokerError
from brokers.market import Bar, Interval
from brokers.market_data import MarketDataSource
from brokers.model import Fill
from config.instruments import InstrumentRecord
from runtime import Name
from runtime.crash import CrashReport
from runtime.errors import CallError
from runtime.events import Event, EventKind
from runtime.inspection import TreeNode, tree
from sessions.control.api.errors import Refused
from sessions.control.api.reasons import READY, RUNNING, judged
from sessions.control.api.records import (
    AccountRow,
    AuditRow,
    BrokerRow,
    CheckRow,
    CrashRow,
    EquityRow,
    EventRow,
    FillRow,
    OrderRow,
    PositionRow,
    ResultRow,
    SessionRow,
    Status,
    SymbolRow,
    TreeRow,
)
from sessions.control.daemon.connections import CONNECTIONS, Connections
from sessions.control.daemon.curve import CURVE, AccountCurve, Curve
from sessions.control.daemon.hardening import is_dumpable
from sessions.control.daemon.house import HEALTH, House
from sessions.control.daemon.works import Progress
from sessions.health import Checkup, Health
from sessions.journal import Journal
from sessions.order_journal import order_stream, read_facts
from sessions.risk.desk import RiskDesk, RiskStatus
from sessions.risk.kill_switch import Mark
from sessions.session import source_name
from sessions.sessions import Condition, Sessions, SessionStatus

Query = Mapping[str, str]
T = TypeVar("T")

LONG_SECONDS: Final = 3_600.0
CHECKED: Final = "entries are checked"
MOST: Final = 10_000
NS_PER_MS: Final = 1_000_000
ANSWER_SECONDS: Final = 1.0  # for a session's feed to say how old it is
_MS: Final = Decimal(NS_PER_MS)
_SECOND_NS: Final = 1_000_000_000


async def status(house: House, _: Query) -> Status:
    """One screen: is it all right, and if not, why."""
    risk = await house.risk.call(RiskDesk.status)
    checkup = await house.runtime.name(HEALTH, Health).call(Health.latest)
    rows = await _sessions(house, risk, checkup)
    brokers = await broker_rows(house, {})
    accounts = await _accounts(house)
    halted = "" if risk.switch.mark is None else _said(risk.switch.mark)
    found = () if checkup is None else tuple(f"{one.session or 'daemon'}: {one.text}" for one in checkup.findings)
    told = Status(
        version=house.version,
        epoch=house.epoch,
        started_ns=house.started_ns,
        time_ns=house.world.clock.wall_ns(),
        halted=halted,
        live=any(row.armed for row in brokers),
        journal=await _journal_state(house),
        lag_ms=Decimal(0 if checkup is None else checkup.signs.lag.p99_ns) / _MS,
        restarts=house.runtime.events.statistics().counts.get(EventKind.RESTARTING.value, 0),
        sessions=rows,
        brokers=brokers,
        accounts=accounts,
        findings=found,
    )
    return judged(told)


async def _journal_state(house: House) -> str:
    try:
        return (await house.journal.call(Journal.statistics)).state.value
    except CallError:
        return "down"


async def tree_of(house: House, _: Query) -> tuple[TreeRow, ...]:
    """The whole tree at this moment."""
    return tuple(_tree_rows(tree(house.runtime), 0))


def _tree_rows(node: TreeNode, depth: int) -> Iterator[TreeRow]:
    yield TreeRow(depth, node.id, node.path, node.kind, node.status, node.instance, node.waiting)
    for child in node.children:
        yield from _tree_rows(child, depth + 1)


async def sessions(house: House, _: Query) -> tuple[SessionRow, ...]:
    """Every configured session."""
    risk = await house.risk.call(RiskDesk.status)
    return await _sessions(house, risk, await house.runtime.name(HEALTH, Health).call(Health.latest))


async def _sessions(house: House, risk: RiskStatus, checkup: Checkup | None) -> tuple[SessionRow, ...]:
    statuses = await house.sessions.call(Sessions.statuses)
    return tuple([_session(house, one, risk, checkup, await _feed_age_ms(house, one)) for one in statuses])


async def _feed_age_ms(house: House, status: SessionStatus) -> int | None:
    """How old the oldest of a session's last prices is; None while no prices come."""
    if status.condition is not Condition.RUNNING:
        return None
    source = house.runtime.name(source_name(status.session), MarketDataSource)
    with trio.move_on_after(ANSWER_SECONDS), contextlib.suppress(CallError):
        symbols = (await source.call(MarketDataSource.statistics)).symbols
        return max((one.age_ns // NS_PER_MS for one in symbols if one.age_ns is not None), default=None)
    return None


def _session(
    house: House, status: SessionStatus, risk: RiskStatus, checkup: Checkup | None, feed_age_ms: int | None
) -> SessionRow:
    settings = house.settings.sessions[status.session]
    seat = next((one for one in risk.sessions if one.session == status.session), None)
    readiness = None if checkup is None else checkup.signs.readiness.get(status.session)
    return SessionRow(
        session=status.session,
        broker=settings.broker,
        account=settings.account,
        symbols=settings.symbols,
        strategy=settings.strategy,
        wanted=status.wanted,
        condition=status.condition.value,
        why=status.why,
        rung="" if seat is None else seat.rung.name.lower(),
        causes=() if seat is None else seat.causes,
        missing=() if readiness is None else readiness.missing,
        feed_age_ms=feed_age_ms,
    )


def _said(mark: Mark) -> str:
    """Who stopped trading, how, and why."""
    return f"{mark.mode.value} by {mark.by}{f': {mark.reason}' if mark.reason else ''}"


async def broker_rows(house: House, _: Query) -> tuple[BrokerRow, ...]:
    """Every configured broker."""
    statuses = await house.runtime.name(CONNECTIONS, Connections).call(Connections.statuses)
    return tuple(BrokerRow(**attrs.asdict(one, recurse=False)) for one in statuses)


# Accounts.


def _books(house: House) -> Iterator[tuple[str, str, Broker, Name[AccountBooks]]]:
    """The accounts of all open brokers."""
    for name, broker in house.brokers.items():
        settings = house.settings.brokers.get(name)
        for account in settings.accounts if settings is not None else ():
            yield name, account, broker, house.runtime.name(books_name(broker.name, account), AccountBooks)


async def _accounts(house: House) -> tuple[AccountRow, ...]:
    rows = []
    for name, account, _, books in _books(house):
        try:
            one = await books.call(AccountBooks.statistics)
        except CallError:
            rows.append(AccountRow(name, account, False, 0, 0, 0, 0, "its books are not up"))
            continue
        counts = (one.open_orders, one.unknown_orders, one.fills, one.problems)
        rows.append(AccountRow(name, account, one.reconciled, *counts, one.last_problem))
    return tuple(rows)


async def orders(house: House, query: Query) -> tuple[OrderRow, ...]:
    """The orders of all accounts, oldest first; `open=1` leaves the finished ones out."""
    rows = [OrderRow(name, one) for name, _, _, books in _books(house) for one in await books.call(AccountBooks.orders)]
    kept = [row for row in rows if query.get("open") != "1" or not row.report.state.final]
    return tuple(_last(sorted(kept, key=lambda row: row.report.time_ns), query))


async def positions(house: House, _: Query) -> tuple[PositionRow, ...]:
    """What all accounts hold, flat positions left out."""
    rows = [
        PositionRow(name, one)
        for name, _, _, books in _books(house)
        for one in await books.call(AccountBooks.positions)
        if one.quantity
    ]
    return tuple(rows)


async def results(house: House, _: Query) -> tuple[ResultRow, ...]:
    """What the finished trades of every session came to."""
    return tuple(
        [
            ResultRow(name, account, one)
            for name, account, _broker, books in _books(house)
            for one in await books.call(AccountBooks.results)
        ]
    )


async def fills(house: House, query: Query) -> tuple[FillRow, ...]:
    """The fills of all accounts by the journal, oldest first."""
    writer = await house.journal.call(Journal.handle)
    database = await writer.perform(lambda store: store.database)
    rows: list[FillRow] = []
    for name, account, broker, _ in list(_books(house)):
        stream = order_stream(broker.name, account)
        rows += await house.world.threads.run(partial(_fills, name, database, stream))
    return tuple(_last(sorted(rows, key=lambda row: row.fill.time_ns), query))


def _fills(name: str, database: str, stream: str) -> list[FillRow]:
    told = (getattr(getattr(fact.what, "event", None), "fill", None) for fact in read_facts(database, stream))
    return [FillRow(name, fill) for fill in told if isinstance(fill, Fill)]


async def equity(house: House, _: Query) -> tuple[EquityRow, ...]:
    """The money of all accounts, asked of their brokers."""
    return tuple([await _equity(name, account, broker) for name, account, broker, _ in list(_books(house))])


async def _equity(name: str, account: str, broker: Broker) -> EquityRow:
    try:
        with trio.fail_after(10):
            summary = await broker.ask(lambda: broker.need_orders().summary(account), account)
    except (BrokerError, trio.TooSlowError) as error:
        return EquityRow(name, account, None, str(error) or "no answer within 10 s")
    return EquityRow(name, account, summary)


async def curve(house: House, _: Query) -> tuple[AccountCurve, ...]:
    """What all accounts were worth, minute by minute, at most a day back."""
    return await house.runtime.name(CURVE, Curve).call(Curve.curves)


# Market.


@attrs.frozen(eq=False)
class BarsAsked:
    """Whose bars are asked for, and how many."""

    name: str
    broker: Broker
    symbol: str
    interval: Interval
    count: int


def bars_asked(house: House, query: Query) -> BarsAsked:
    """What a question for bars means: `broker`, `symbol`, `interval` and `count`; raises Refused."""
    name = _needed(query, "broker")
    broker = house.brokers.get(name)
    if broker is None:
        raise Refused(404, "unknown_broker", f"no open broker is named {name!r}", "see `pitboss brokers`")
    interval = _read(query, "interval", "1m", Interval.parse)
    return BarsAsked(name, broker, _needed(query, "symbol"), interval, _count(query, 100))


async def last_bars(house: House, asked: BarsAsked) -> tuple[Bar, ...]:
    """The last finished bars, oldest first; raises BrokerError."""
    now_ns = house.world.clock.wall_ns()
    start_ns = now_ns - (asked.count + 1) * asked.interval.nanoseconds
    with trio.fail_after(60):
        found = await asked.broker.historical_bars(asked.symbol, asked.interval, start_ns, now_ns)
    return tuple(found)[-asked.count :]


async def bars(house: House, query: Query) -> tuple[Bar, ...]:
    """Finished bars of a symbol: `broker`, `symbol`, `interval` and `count`."""
    return await last_bars(house, bars_asked(house, query))


async def symbols(house: House, query: Query) -> tuple[SymbolRow, ...]:
    """The instrument table; `like` keeps the roots that contain it."""
    like = query.get("like", "").upper()
    table = house.catalogue.table
    return tuple(_symbol(house, table[root]) for root in sorted(table.roots()) if like in root)


def _symbol(house: House, record: InstrumentRecord) -> SymbolRow:
    day = house.catalogue.calendar(record.root).trading_day(house.world.clock.wall_ns())
    front = house.catalogue.front(record.root, day).symbol
    return SymbolRow(
        record.root, record.kind, record.currency, record.tick, record.multiplier, front, record.description
    )


# The past.


async def events(house: House, query: Query) -> tuple[EventRow, ...]:
    """The last events of the tree, oldest first."""
    row = event_row(house)
    return tuple(row(event) for event in _last(house.runtime.events.recent(), query))


def event_row(house: House) -> Callable[[Event], EventRow]:
    """How an event is told, its time by the wall clock."""
    offset_ns = house.world.clock.wall_ns() - round(trio.current_time() * _SECOND_NS)
    redacted = house.redactor.line

    def row(event: Event) -> EventRow:
        reason = "" if event.reason is None else redacted(str(event.reason))
        time_ns = offset_ns + round(event.time * _SECOND_NS)
        return EventRow(
            event.sequence, time_ns, event.kind.value, event.path or "/", event.instance, reason, redacted(event.detail)
        )

    return row


async def crashes(house: House, query: Query) -> tuple[CrashRow, ...]:
    """The last crashes, oldest first."""
    row, redacted = event_row(house), house.redactor.text
    found = [event for event in house.runtime.events.recent() if isinstance(event.report, CrashReport)]
    return tuple(
        CrashRow(
            event.sequence,
            row(event).time_ns,
            event.path,
            event.instance,
            redacted(repr(event.report.error)),
            redacted(event.report.message or ""),
            redacted(event.report.trace()),
        )
        for event in _last(found, query)
    )


async def logs(house: House, query: Query) -> tuple[str, ...]:
    """The last lines of the log."""
    return tuple(_last(list(house.log.recent), query))


async def audit(house: House, query: Query) -> AuditRow:
    """Checks every row of the journal, which takes as long as the journal is; with an `id` its progress is told."""
    entries = (await house.journal.call(Journal.statistics)).seq
    with trio.fail_after(LONG_SECONDS), house.works.begin(query.get("id", ""), CHECKED, entries) as advance:
        head = await house.journal.call(Journal.verify, advance)
    return AuditRow(head.seq, head.hash.hex())


async def progress(house: House, query: Query) -> Progress | None:
    """How far something is: `of` is the id of the command that asked for it, or `history of NAME` of a session."""
    return house.works.of(_needed(query, "of"))


async def doctor(house: House, query: Query) -> tuple[CheckRow, ...]:
    """What is in order and what is not, from the process to the brokers."""
    now = await status(house, query)
    return (
        CheckRow("kill switch", not now.halted, now.halted or "nobody pulled it"),
        CheckRow("journal", now.journal == READY, f"it is {now.journal}"),
        CheckRow("process", not is_dumpable(), "it leaves no core"),
        CheckRow("log", not house.log.dropped, f"{house.log.dropped} lines were lost"),
        *(CheckRow(f"broker {row.broker}", row.open, row.why_not or "its connection is up") for row in now.brokers),
        *map(_account_check, now.accounts),
        *map(_session_check, now.sessions),
        *(CheckRow("health", False, text) for text in now.findings),
    )


def _account_check(row: AccountRow) -> CheckRow:
    return CheckRow(f"account {row.account}", row.reconciled, row.last_problem or "its books agree with the broker")


def _session_check(row: SessionRow) -> CheckRow:
    fine = row.condition == RUNNING or not row.wanted
    return CheckRow(f"session {row.session}", fine, row.why or row.condition)


# Queries.


def _last(rows: list[T], query: Query) -> list[T]:
    return rows[-_count(query, 200) :]


def _count(query: Query, default: int) -> int:
    def read(text: str) -> int:
        if not 1 <= (count := int(text)) <= MOST:
            raise ValueError(text)
        return count

    return _read(query, "count", str(default), read)


def _needed(query: Query, key: str) -> str:
    if not query.get(key):
        raise Refused(400, "bad_request", f"expected {key}, got nothing", f"say {key}=...")
    return query[key]


def _read(query: Query, key: str, default: str, read: Callable[[str], T]) -> T:
    text = query.get(key, default)
    try:
        return read(text)
    except (ValueError, LookupError):
        raise Refused(
            400, "bad_request", f"{key}: expected such as {default}, got {text!r}", f"correct {key}"
        ) from None


READS: Final[Mapping[str, Callable[[House, Query], Any]]] = {
    "status": status,
    "tree": tree_of,
    "sessions": sessions,
    "orders": orders,
    "positions": positions,
    "results": results,
    "fills": fills,
    "equity": equity,
    "curve": curve,
    "bars": bars,
    "events": events,
    "crashes": crashes,
    "logs": logs,
    "brokers": broker_rows,
    "symbols": symbols,
    "doctor": doctor,
    "audit": audit,
    "progress": progress,
}
