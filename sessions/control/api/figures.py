"""What the metrics page tells: every figure with its name and meaning, and how it follows from what actors tell.

Figures that only grow are counters, and begin anew with whoever counts. Times are in seconds, money in the currency
of its account.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import attrs

from brokers.account_books import BooksStatistics
from brokers.account_manager import AccountStatistics
from brokers.guards.breaker import Phase
from brokers.guards.guard import GuardStatistics
from brokers.market_data import FeedStatistics
from brokers.symbol_refresh import RefreshStatistics
from brokers.tokens.token_store import TokenStatus
from runtime.events import EventKind
from runtime.node import RuntimeStatistics
from sessions.control.api.reasons import READY, RUNNING
from sessions.control.api.records import Metric, Sample, SessionRow, Status
from sessions.journal import JournalStatistics
from sessions.risk.gate import RiskGate
from sessions.trader.trader import TraderStatistics

GAUGE: Final = "gauge"
COUNTER: Final = "counter"
_SECOND_NS: Final = 1_000_000_000
_MS: Final = Decimal(1_000)


class Meaning(NamedTuple):
    """What a figure is."""

    kind: str
    help: str


MEANINGS: Final[Mapping[str, Meaning]] = {
    "pitboss_info": Meaning(GAUGE, "1, with the version."),
    "pitboss_well": Meaning(GAUGE, "1 while `pitboss status` has no reason against it."),
    "pitboss_reasons": Meaning(GAUGE, "How many reasons it has."),
    "pitboss_halted": Meaning(GAUGE, "1 while the kill switch is pulled."),
    "pitboss_start_time_seconds": Meaning(GAUGE, "When the daemon started."),
    "pitboss_loop_lag_seconds": Meaning(GAUGE, "How late the event loop was lately, at the 99th percentile."),
    "pitboss_disk_free_bytes": Meaning(GAUGE, "What the disk of the state folder still takes."),
    "pitboss_log_lines_lost_total": Meaning(COUNTER, "Lines that the log could not take."),
    "pitboss_actors": Meaning(GAUGE, "Actors that live."),
    "pitboss_tree_events_total": Meaning(COUNTER, "What happened in the tree, by kind: failed, restarting, gave_up."),
    "pitboss_journal_ready": Meaning(GAUGE, "1 while the journal writes; else nothing is sent to a broker."),
    "pitboss_journal_entries_total": Meaning(COUNTER, "Entries of the journal, from its beginning."),
    "pitboss_journal_groups_total": Meaning(COUNTER, "Groups in which entries were committed."),
    "pitboss_journal_failures_total": Meaning(COUNTER, "Commits that failed."),
    "pitboss_journal_waiting": Meaning(GAUGE, "Entries that wait for their commit."),
    "pitboss_journal_wal_bytes": Meaning(GAUGE, "The size of its write-ahead log."),
    "pitboss_broker_open": Meaning(GAUGE, "1 while the connection of a broker is up."),
    "pitboss_broker_armed": Meaning(GAUGE, "1 while a live broker may trade."),
    "pitboss_guard_admitted_total": Meaning(COUNTER, "Requests that a broker's guard let through."),
    "pitboss_guard_refused_total": Meaning(COUNTER, "Requests that it refused."),
    "pitboss_guard_repeated_total": Meaning(COUNTER, "Requests that it repeated."),
    "pitboss_guard_waiting": Meaning(GAUGE, "Requests that wait for a rate limit."),
    "pitboss_guard_pause_seconds": Meaning(GAUGE, "How long the longest pause still is that a broker wanted."),
    "pitboss_guard_breaker_open": Meaning(GAUGE, "1 while requests of a kind keep failing and are held back."),
    "pitboss_guard_limit_used_ratio": Meaning(GAUGE, "How much of a rate limit is spent."),
    "pitboss_token_fresh": Meaning(GAUGE, "1 while a login has a token to work with."),
    "pitboss_token_expires_seconds": Meaning(GAUGE, "When that token expires."),
    "pitboss_login_ends_seconds": Meaning(GAUGE, "When a person has to log in again, where a broker wants that."),
    "pitboss_symbols_refreshed_seconds": Meaning(GAUGE, "When a broker's own instruments were taken over last."),
    "pitboss_symbols_refused_total": Meaning(COUNTER, "Instruments of a broker that could not be."),
    "pitboss_symbols_failures_total": Meaning(COUNTER, "Questions for them that had no answer."),
    "pitboss_account_reconciled": Meaning(GAUGE, "1 while an account's books agree with its broker."),
    "pitboss_account_equity": Meaning(GAUGE, "What an account was worth within the last minutes."),
    "pitboss_account_open_orders": Meaning(GAUGE, "Orders that live."),
    "pitboss_account_unknown_orders": Meaning(GAUGE, "Orders in doubt."),
    "pitboss_account_external_orders": Meaning(GAUGE, "Orders of nobody here."),
    "pitboss_account_fills_total": Meaning(COUNTER, "Executions in the books."),
    "pitboss_account_reconciliations_total": Meaning(COUNTER, "Comparisons with the broker."),
    "pitboss_account_failed_questions_total": Meaning(COUNTER, "Questions for them that had no answer."),
    "pitboss_account_problems_total": Meaning(COUNTER, "What did not fit the books."),
    "pitboss_portfolio_day_result": Meaning(GAUGE, "What all sessions together won or lost this trading day."),
    "pitboss_session_wanted": Meaning(GAUGE, "1 for a session that shall run."),
    "pitboss_session_running": Meaning(GAUGE, "1 while it does."),
    "pitboss_session_rung": Meaning(GAUGE, "What it may do: 0 all, 1 no new risk, 2 cancels only, 3 nothing."),
    "pitboss_session_day_result": Meaning(GAUGE, "What it won or lost this trading day."),
    "pitboss_session_feed_up": Meaning(GAUGE, "1 while its prices can come."),
    "pitboss_session_feed_age_seconds": Meaning(GAUGE, "How old the oldest of its last prices is."),
    "pitboss_session_feed_events_total": Meaning(COUNTER, "Quotes, trades and bars that came."),
    "pitboss_session_feed_missed_total": Meaning(COUNTER, "Those for which there was no room."),
    "pitboss_session_told_total": Meaning(COUNTER, "Events that its strategy was told."),
    "pitboss_session_conflated_total": Meaning(COUNTER, "Quotes that gave way to newer ones before it was told."),
    "pitboss_session_missed_total": Meaning(COUNTER, "Events for which there was no room."),
    "pitboss_session_waiting": Meaning(GAUGE, "Events that wait for it."),
    "pitboss_session_slowest_seconds": Meaning(GAUGE, "The longest that it thought."),
    "pitboss_session_decisions_total": Meaning(COUNTER, "What it decided."),
    "pitboss_session_denied_total": Meaning(COUNTER, "Decisions that were not carried out."),
    "pitboss_session_open_orders": Meaning(GAUGE, "Its orders that live."),
    "pitboss_session_requests_total": Meaning(COUNTER, "What was asked of the broker for it."),
    "pitboss_session_refused_total": Meaning(COUNTER, "What the broker refused of it."),
}


class Sheet:
    """The figures of one moment; what is not known is left out."""

    def __init__(self) -> None:
        self._samples: dict[str, list[Sample]] = {name: [] for name in MEANINGS}

    def put(self, name: str, value: float | Decimal | None, **labels: str) -> None:
        """Adds one value of a figure."""
        if value is not None:
            self._samples[f"pitboss_{name}"].append(Sample(labels, float(value)))

    def metrics(self) -> tuple[Metric, ...]:
        """All that have a value, in the order of their meanings."""
        return tuple(
            Metric(name, *MEANINGS[name], tuple(sorted(samples, key=lambda one: tuple(one.labels.values()))))
            for name, samples in self._samples.items()
            if samples
        )


def of_tree(sheet: Sheet, tree: RuntimeStatistics) -> None:
    """The tree of actors."""
    sheet.put("actors", tree.actors)
    for kind in EventKind:
        sheet.put("tree_events_total", tree.events.counts.get(kind.value, 0), kind=kind.value)


def of_status(sheet: Sheet, status: Status) -> None:
    """What the first screen says, session by session and broker by broker."""
    sheet.put("well", status.well)
    sheet.put("reasons", len(status.reasons))
    sheet.put("halted", bool(status.halted))
    sheet.put("loop_lag_seconds", status.lag_ms / _MS)
    for broker in status.brokers:
        sheet.put("broker_open", broker.open, broker=broker.broker)
        sheet.put("broker_armed", broker.armed, broker=broker.broker)
    for session in status.sessions:
        of_session(sheet, session)


def of_session(sheet: Sheet, row: SessionRow) -> None:
    """Whether a session runs, and how old its prices are."""
    sheet.put("session_wanted", row.wanted, session=row.session)
    sheet.put("session_running", row.condition == RUNNING, session=row.session)
    age_s = None if row.feed_age_ms is None else row.feed_age_ms / _MS
    sheet.put("session_feed_age_seconds", age_s, session=row.session)


def of_journal(sheet: Sheet, journal: JournalStatistics) -> None:
    """The journal."""
    sheet.put("journal_ready", journal.state.value == READY)
    sheet.put("journal_entries_total", journal.seq)
    sheet.put("journal_groups_total", journal.groups)
    sheet.put("journal_failures_total", journal.failures)
    sheet.put("journal_waiting", journal.waiting)
    sheet.put("journal_wal_bytes", journal.wal_bytes)


def of_guard(sheet: Sheet, broker: str, guard: GuardStatistics, now_ns: int) -> None:
    """What the guard of a connection lets through and keeps back; `now_ns` is of its own time."""
    sheet.put("guard_admitted_total", guard.admitted, broker=broker)
    sheet.put("guard_refused_total", guard.refused, broker=broker)
    sheet.put("guard_repeated_total", guard.repeated, broker=broker)
    sheet.put("guard_waiting", guard.limiter.waiting, broker=broker)
    pause_ns = max((one.until_ns - now_ns for one in guard.limiter.pauses), default=0)
    sheet.put("guard_pause_seconds", max(pause_ns, 0) / _SECOND_NS, broker=broker)
    for kind, phase in guard.breakers.items():
        sheet.put("guard_breaker_open", phase is not Phase.CLOSED, broker=broker, kind=kind.value)
    for use in guard.limiter.limits:
        sheet.put("guard_limit_used_ratio", use.used / use.most, broker=broker, limit=use.limit, account=use.account)


def of_token(sheet: Sheet, token: TokenStatus) -> None:
    """The credential of a login."""
    login = attrs.asdict(token.login)
    sheet.put("token_fresh", not token.why_not, **login)
    sheet.put("token_expires_seconds", _seconds(token.expires_ns), **login)
    sheet.put("login_ends_seconds", _seconds(token.login_ends_ns), **login)


def of_refresh(sheet: Sheet, broker: str, refresh: RefreshStatistics) -> None:
    """The nightly refresh of a broker's instruments."""
    sheet.put("symbols_refreshed_seconds", _seconds(refresh.last_ns), broker=broker)
    sheet.put("symbols_refused_total", refresh.refused, broker=broker)
    sheet.put("symbols_failures_total", refresh.failures, broker=broker)


def of_books(sheet: Sheet, broker: str, account: str, books: BooksStatistics) -> None:
    """The books of an account."""
    whose = {"broker": broker, "account": account}
    sheet.put("account_reconciled", books.reconciled, **whose)
    sheet.put("account_open_orders", books.open_orders, **whose)
    sheet.put("account_unknown_orders", books.unknown_orders, **whose)
    sheet.put("account_external_orders", books.external_orders, **whose)
    sheet.put("account_fills_total", books.fills, **whose)
    sheet.put("account_reconciliations_total", books.cycles, **whose)
    sheet.put("account_failed_questions_total", books.failed_questions, **whose)
    sheet.put("account_problems_total", books.problems, **whose)


def of_gate(sheet: Sheet, gate: RiskGate) -> None:
    """What every session may do, and what the trading day has brought so far, as the daily loss is judged by."""
    sheet.put("portfolio_day_result", gate.book(None).result.today)
    for session in gate.sessions():
        sheet.put("session_rung", gate.rung(session), session=session)
        sheet.put("session_day_result", gate.book(session).result.today, session=session)


def of_feed(sheet: Sheet, session: str, feed: FeedStatistics) -> None:
    """The prices of a session."""
    sheet.put("session_feed_up", feed.up, session=session)
    sheet.put("session_feed_events_total", sum(one.events for one in feed.symbols), session=session)
    sheet.put("session_feed_missed_total", feed.missed, session=session)


def of_trader(sheet: Sheet, session: str, trader: TraderStatistics) -> None:
    """A session's strategy at work."""
    sheet.put("session_told_total", trader.told, session=session)
    sheet.put("session_conflated_total", trader.conflated, session=session)
    sheet.put("session_missed_total", trader.missed, session=session)
    sheet.put("session_waiting", trader.waiting, session=session)
    sheet.put("session_slowest_seconds", trader.slowest_ns / _SECOND_NS, session=session)
    sheet.put("session_decisions_total", trader.decisions, session=session)
    sheet.put("session_denied_total", trader.denied, session=session)


def of_manager(sheet: Sheet, session: str, manager: AccountStatistics) -> None:
    """A session's orders on their way."""
    sheet.put("session_open_orders", manager.open_orders, session=session)
    sheet.put("session_requests_total", manager.requests, session=session)
    sheet.put("session_refused_total", manager.refused, session=session)


def _seconds(time_ns: int | None) -> float | None:
    return None if time_ns is None else time_ns / _SECOND_NS
